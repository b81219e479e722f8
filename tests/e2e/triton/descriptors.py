# SPDX-License-Identifier: Apache-2.0
"""Run with tritonclient: imports both copies of the protocol, in the order that is asked for, and compares them."""

import importlib
import json
import sys
from typing import Any

for name in sys.argv[1:3]:
    importlib.import_module(name)

from tritonclient.grpc import model_config_pb2, service_pb2  # noqa: E402

from understudy.inference_protocol import messages  # noqa: E402

theirs: dict[str, Any] = {}
for file in (service_pb2, model_config_pb2):
    theirs |= file.DESCRIPTOR.message_types_by_name


def fields(message: Any) -> dict[str, list[Any]]:
    """Name to number, type, what it holds, and whether it repeats; maps and messages within a message, too."""
    found = {}
    for field in message.fields:
        inner = field.message_type or field.enum_type
        found[field.name] = [field.number, field.type, inner.full_name if inner else "", field.is_repeated]
    for nested in message.nested_types:
        found |= {f"{nested.name}.{name}": facts for name, facts in fields(nested).items()}
    for enum in message.enum_types:
        found |= {f"{enum.name}.{value.name}": [value.number] for value in enum.values}
    return found


wrong = []
for name, message in messages.DESCRIPTOR.message_types_by_name.items():
    known = fields(theirs[name])
    wrong += [f"{name}.{field}" for field, facts in fields(message).items() if known.get(field) != facts]
ours, others = messages.DESCRIPTOR.services_by_name, service_pb2.DESCRIPTOR.services_by_name
methods = {method.name: method for method in others["GRPCInferenceService"].methods}
for method in ours["GRPCInferenceService"].methods:
    other = methods[method.name]
    for end in ("input_type", "output_type"):
        if getattr(method, end).full_name != getattr(other, end).full_name:
            wrong.append(f"{method.name} {end}")
    if (method.client_streaming, method.server_streaming) != (other.client_streaming, other.server_streaming):
        wrong.append(f"{method.name} streams")
kinds = model_config_pb2.DESCRIPTOR.enum_types_by_name["DataType"].values_by_name
wrong += [name for name, number in messages.DataType.items() if kinds[name].number != number]

request = service_pb2.ModelInferRequest(model_name="m")
request.inputs.add(name="x").parameters["p"].double_param = 0.5
read = messages.ModelInferRequest.FromString(request.SerializeToString())
assert read.inputs[0].parameters["p"].double_param == 0.5
sys.stdout.write(json.dumps({"wrong": wrong, "messages": len(messages.DESCRIPTOR.message_types_by_name)}))
