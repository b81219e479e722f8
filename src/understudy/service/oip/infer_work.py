# SPDX-License-Identifier: Apache-2.0
"""One inference on a worker: on the memory that the request names, its outputs written where they are wanted."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import grpc
import numpy as np

from understudy.contracts.engine import Engine, ManagedEngine
from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest
from understudy.contracts.model import PackedModel, Tensor
from understudy.inference_protocol.datatypes import datatype_name
from understudy.inference_protocol.messages import InferParameter, ModelInferResponse
from understudy.service.job import CancelFlag
from understudy.service.limits import Limits
from understudy.service.oip.infer_request import InferRequest, WantedOutput
from understudy.service.oip.parameters import call_of, knob_names
from understudy.service.oip.refusals import RefusedError
from understudy.service.oip.settings import InferenceSettings
from understudy.service.oip.shared_memory import Span
from understudy.service.oip.statistics import Statistics, Times

_ENVELOPE = 1 << 16  # what names and shapes may take of a message beside its tensors


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and its tensors.

    Attributes:
        message: Without raw contents.
        raw: One array for each output; empty for those in shared memory.
    """

    message: ModelInferResponse
    raw: Sequence[Tensor] = field(default_factory=tuple)


class InferWork:
    """What a worker does for one request: leases the model, finds room for its outputs, runs it.

    Args:
        request: The request.
        cancelled: Stops it.
        limits: How much it may take.
        settings: Of the protocol.
        statistics: Counts it.
        learn: Told how long it took on its worker: the pack, the device, seconds.
    """

    def __init__(
        self,
        request: InferRequest,
        cancelled: CancelFlag,
        limits: Limits,
        settings: InferenceSettings,
        statistics: Statistics,
        learn: Callable[[PackPin, str, float], None],
    ) -> None:
        self._learn = learn
        self._request = request
        self._cancelled = cancelled
        self._limits = limits
        self._settings = settings
        self._statistics = statistics
        self._times = Times()

    def __call__(self, engine: Engine) -> Answer:
        """Does it.

        Args:
            engine: The worker's own; it leases models.

        Raises:
            UnderstudyError: What the request or the model has wrong.
            RefusedError: The pack or the shared memory can't be used.
        """
        self._times.end("queue")
        if self._cancelled.is_set():
            raise JobCancelledError("the job was cancelled")
        with cast("ManagedEngine", engine).lease(self._request.pin) as packed:
            name, version = packed.pin.id, packed.pin.version
            began = time.monotonic()
            try:
                answer = self._run(packed)
            except BaseException:
                self._statistics.fail(name, version, self._times)
                raise
            self._statistics.success(name, version, self._times)
            self._learn(packed.pin, packed.device, time.monotonic() - began)
            return answer

    def _run(self, packed: PackedModel) -> Answer:
        require_offered(packed.manifest)
        request, tensors = self._request, packed.tensors
        signature = tensors.signature()
        knobs = knob_names(signature)
        feeds = {name: tensor for name, tensor in request.inputs.items() if name not in knobs}
        given = {name: tensor for name, tensor in request.inputs.items() if name in knobs}
        call = call_of(packed, request.parameters, given)
        shapes = tensors.output_shapes({name: tensor.shape for name, tensor in feeds.items()}, call)
        wanted = request.outputs or tuple(WantedOutput(name, None, {}) for name in shapes)
        half = all(tensor.dtype == np.float16 for tensor in feeds.values())
        outputs = self._allocate(wanted, shapes, np.dtype(np.float16 if half else np.float32), feeds)
        for span in request.spans:  # it may have been made smaller while the request waited
            span.region.require_size()
        self._times.end("compute_input")
        tensors.run_tensors(
            feeds, {name: made.buffer for name, made in outputs.items()}, call, when_cancelled=self._cancelled.listen
        )
        self._times.end("compute_infer")
        if self._cancelled.is_set():  # what nobody waits for is not written into anybody's memory
            raise JobCancelledError("the job was cancelled")
        for made in outputs.values():
            made.deliver()
        answer = _answer(request, packed, wanted, outputs)
        self._times.end("compute_output")
        return answer

    def _allocate(
        self,
        wanted: Sequence[WantedOutput],
        shapes: Mapping[str, tuple[int, ...]],
        dtype: "np.dtype[Any]",
        feeds: Mapping[str, Tensor],
    ) -> dict[str, "_Output"]:
        for output in wanted:
            if output.name not in shapes:
                fix = f"there is {', '.join(shapes)}"
                raise UsageError("the model has no output of that name", where=output.name[:80], fix=fix)
        inline = sum(prod(shapes[output.name]) for output in wanted if output.span is None) * dtype.itemsize
        if inline + _ENVELOPE > self._settings.max_message_bytes:
            problem = f"the outputs take {inline / 1e6:.0f} MB"
            raise MemoryBudgetError(problem, fix="take them in shared memory, or send smaller images")
        if sum(prod(shape) for shape in shapes.values()) * 4 > self._limits.max_request_bytes:
            raise MemoryBudgetError("the outputs take more than the service gives a request", fix="send smaller images")
        made: dict[str, _Output] = {}
        for output in wanted:
            made[output.name] = _Output(output, shapes[output.name], dtype, feeds.values())
        targets = [one.target for one in made.values()]
        if any(np.may_share_memory(a, b) for n, a in enumerate(targets) for b in targets[:n]):
            raise UsageError("two outputs lie in the same shared memory", where="outputs", fix="give each its own part")
        return made


class _Output:
    """Where an output goes, and what the model writes to."""

    def __init__(
        self, wanted: WantedOutput, shape: tuple[int, ...], dtype: "np.dtype[Any]", inputs: Iterable[Tensor]
    ) -> None:
        self.target = _placed(wanted.name, wanted.span, shape, dtype)
        shared = wanted.span is not None and any(np.may_share_memory(self.target, tensor) for tensor in inputs)
        self.buffer = np.empty(shape, dtype) if shared else self.target  # an input that is read while it is written

    def deliver(self) -> None:
        """Brings what was written to where it goes."""
        if self.buffer is not self.target:
            np.copyto(self.target, self.buffer)


def _placed(name: str, span: Span | None, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Tensor:
    if span is None:
        return np.empty(shape, dtype)
    size = prod(shape) * dtype.itemsize
    if span.data.nbytes < size:
        problem = f"it takes {size} bytes, and its part of the region has {span.data.nbytes}"
        raise UsageError(problem, where=name, fix="give it a larger part")
    return np.frombuffer(span.data.data, dtype, prod(shape)).reshape(shape)


def require_offered(manifest: PackManifest) -> None:
    """Refuses a pack that is no tensor model of this service.

    Raises:
        RefusedError: It is played by another server.
    """
    if reason := not_offered(manifest.runtime.kind):
        raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, reason)


def not_offered(kind: str) -> str:
    """Why packs of a runtime are no tensor models of this service; empty when they are."""
    return "played by a model of another server: ask that server" if kind == "remote" else ""


def _answer(
    request: InferRequest, packed: PackedModel, wanted: Sequence[WantedOutput], outputs: Mapping[str, _Output]
) -> Answer:
    message = ModelInferResponse(model_name=packed.pin.id, model_version=packed.pin.version, id=request.id)
    message.parameters["pack_sha256"].string_param = packed.pin.sha256
    raw: list[Tensor] = []
    for output in wanted:
        target = outputs[output.name].target
        entry = message.outputs.add(name=output.name, datatype=datatype_name(target.dtype), shape=target.shape)
        for name, value in output.parameters.items():
            kind = "string_param" if isinstance(value, str) else "int64_param"
            entry.parameters[name].CopyFrom(InferParameter(**{kind: value}))
        # Clients count raw contents by outputs, so one in shared memory has an empty place.
        raw.append(target if output.span is None else np.empty(0, np.uint8))
    return Answer(message, raw)
