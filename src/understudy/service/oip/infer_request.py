# SPDX-License-Identifier: Apache-2.0
"""ModelInfer's request, read: inputs as arrays where they lie, outputs with the place they go to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.model import Tensor
from understudy.inference_protocol.datatypes import tensor_from_buffer, tensor_from_contents
from understudy.inference_protocol.messages import ModelInferRequest
from understudy.inference_protocol.raw_contents import WithRaw
from understudy.service.oip.parameters import plain
from understudy.service.oip.shared_memory import SharedMemory, Span

MAX_TENSORS = 64

_REGION, _SIZE, _OFFSET = "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that was asked for.

    Attributes:
        name: The model's name of it.
        span: Where it goes; None for inline.
        parameters: The region's, as they came, to be repeated in the response.
    """

    name: str
    span: Span | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request.

    Attributes:
        pin: Which pack; without a version the highest one.
        id: The client's own, echoed.
        parameters: Of the request.
        inputs: By name; views of the message or of shared memory.
        outputs: What is wanted; empty for all.
        spans: All shared memory that it uses.
        inline_bytes: Bytes of tensors that the message holds.
    """

    pin: PackPin
    id: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    outputs: tuple[WantedOutput, ...]
    spans: tuple[Span, ...]
    inline_bytes: int


def read_request(received: WithRaw[ModelInferRequest], memory: SharedMemory, caller: str) -> InferRequest:
    """Reads a request; no sample is copied but those of typed contents.

    Args:
        received: The message.
        memory: Registered regions.
        caller: Whose regions it may use.

    Raises:
        UsageError: A tensor does not fit its type and shape, or there are too many.
        RefusedError: Shared memory is not registered, or too small.
    """
    message, raw = received.message, list(received.raw)
    if len(message.inputs) > MAX_TENSORS or len(message.outputs) > MAX_TENSORS:
        raise UsageError(f"a request has at most {MAX_TENSORS} tensors", where="inputs")
    inputs: dict[str, Tensor] = {}
    spans: list[Span] = []
    inline = 0
    for tensor in message.inputs:
        if tensor.name in inputs:
            raise UsageError("the input is there twice", where=_shown(tensor.name))
        span = _span(plain(tensor.parameters), memory, caller)
        try:
            if span is not None:
                spans.append(span)
                inputs[tensor.name] = tensor_from_buffer(span.data, tensor.datatype, tensor.shape)
                continue
            if tensor.HasField("contents"):
                inputs[tensor.name] = tensor_from_contents(tensor.contents, tensor.datatype, tensor.shape)
            elif raw:
                inputs[tensor.name] = tensor_from_buffer(raw.pop(0), tensor.datatype, tensor.shape)
            else:
                raise UsageError("the input has no contents", where=_shown(tensor.name))
        except ValueError as error:
            raise UsageError(str(error), where=_shown(tensor.name)) from None
        inline += inputs[tensor.name].nbytes
    if raw:
        raise UsageError("there are more raw contents than inputs that need some", where="raw_input_contents")
    outputs = tuple(_wanted(message.outputs, memory, caller))
    return InferRequest(
        pin=PackPin(id=message.model_name, version=message.model_version),
        id=message.id,
        parameters=plain(message.parameters),
        inputs=inputs,
        outputs=outputs,
        spans=(*spans, *(output.span for output in outputs if output.span is not None)),
        inline_bytes=inline,
    )


def _wanted(
    outputs: Sequence[ModelInferRequest.InferRequestedOutputTensor], memory: SharedMemory, caller: str
) -> list[WantedOutput]:
    wanted: list[WantedOutput] = []
    for output in outputs:
        if any(other.name == output.name for other in wanted):
            raise UsageError("the output is wanted twice", where=_shown(output.name))
        parameters = plain(output.parameters)
        if parameters.get("classification"):
            raise UsageError("packs do not classify", where=_shown(output.name), fix="leave classification out")
        region = {name: parameters[name] for name in (_REGION, _SIZE, _OFFSET) if name in parameters}
        wanted.append(WantedOutput(output.name, _span(parameters, memory, caller), region))
    return wanted


def _span(parameters: Mapping[str, Any], memory: SharedMemory, caller: str) -> Span | None:
    if _REGION not in parameters:
        return None
    region, size, offset = parameters[_REGION], parameters.get(_SIZE), parameters.get(_OFFSET, 0)
    if not isinstance(region, str) or type(size) is not int or type(offset) is not int:  # a bool is an int, too
        raise UsageError("shared memory needs a region's name, a size and an offset", where=_REGION)
    return memory.span(caller, region, offset, size)


def _shown(name: str) -> str:
    return name[:80] or "a tensor without a name"
