# SPDX-License-Identifier: Apache-2.0
"""Valid messages of the Open Inference Protocol for each model that a service says it has."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from understudy.inference_protocol import messages as m
from understudy.inference_protocol.methods import METHODS, path

SIDE = 8
_SERVICE = m.DESCRIPTOR.services_by_name["GRPCInferenceService"]
STREAMED = "ModelStreamInfer"


def seeds(channel: Any) -> Mapping[str, tuple[Message, ...]]:
    """Requests by method.

    Args:
        channel: To the service, which is asked for its models.
    """
    models = _ask(channel, "RepositoryIndex", m.RepositoryIndexRequest(), m.RepositoryIndexResponse).models
    described = [
        _ask(channel, "ModelMetadata", m.ModelMetadataRequest(name=model.name), m.ModelMetadataResponse)
        for model in models
    ]
    table: dict[str, tuple[Message, ...]] = {}
    for name in METHODS:
        kind: Callable[[], Any] = getattr(m, _SERVICE.methods_by_name[name].input_type.name)
        if name in ("ModelInfer", STREAMED):
            table[name] = tuple(_infer(metadata) for metadata in described)
            continue
        requests = []
        for metadata in described or [m.ModelMetadataResponse()]:
            request = kind()
            for field in request.DESCRIPTOR.fields_by_name:
                if field in ("name", "model_name"):
                    setattr(request, field, metadata.name)
            if name == "SystemSharedMemoryRegister":
                request.key, request.byte_size = "/understudy-fuzz-is-not-there", 4096
            requests.append(request)
        table[name] = tuple(requests)
    return table


def _infer(metadata: m.ModelMetadataResponse) -> m.ModelInferRequest:
    request = m.ModelInferRequest(model_name=metadata.name, id="fuzz")
    for tensor in metadata.inputs:
        shape = [SIDE if side < 0 else side for side in tensor.shape]
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=shape)
        size = 4
        for side in shape:
            size *= side
        request.raw_input_contents.append(bytes(size))
    for tensor in metadata.outputs:
        request.outputs.add(name=tensor.name)
    return request


def _ask(channel: Any, name: str, request: Message, answer: Any) -> Any:
    call = channel.unary_unary(
        path(name), request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
    )
    return call(request, timeout=30)
