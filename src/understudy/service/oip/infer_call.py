# SPDX-License-Identifier: Apache-2.0
"""``ModelInfer`` and ``ModelStreamInfer``: lets requests in, has the queue run them, waits, answers."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from understudy.contracts.errors import JobCancelledError, UnderstudyError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.contracts.workload import Workload, workload_of_tensors
from understudy.inference_protocol.messages import (
    ModelInferRequest,
    ModelStreamInferResponse,
)
from understudy.inference_protocol.raw_contents import WithRaw, encode_response, encode_streamed_response
from understudy.service.admission import Admission
from understudy.service.fair_order import Ticket
from understudy.service.job import CancelFlag
from understudy.service.limits import Limits
from understudy.service.measured import priced
from understudy.service.observer import Observer
from understudy.service.oip.infer_request import InferRequest, read_request
from understudy.service.oip.infer_work import Answer, InferWork
from understudy.service.oip.open_call import OpenCall, open_call
from understudy.service.oip.parameters import priority_of, timeout_of
from understudy.service.oip.refusals import RefusedError, public
from understudy.service.oip.settings import InferenceSettings
from understudy.service.oip.shared_memory import SharedMemory
from understudy.service.oip.statistics import Statistics
from understudy.service.queue import Handle, JobQueue
from understudy.service.rpc_errors import CallLog

T = TypeVar("T")
Received = WithRaw[ModelInferRequest] | ValueError

_LONGEST_ID = 256


def encode_answer(answer: Answer | None) -> bytes:
    """A response to bytes; none where the client is gone."""
    return encode_response(answer.message, answer.raw) if answer is not None else b""


def encode_streamed(answer: Answer | ModelStreamInferResponse) -> bytes:
    """A response of a stream, or an error of one of its requests, to bytes."""
    if isinstance(answer, ModelStreamInferResponse):
        return answer.SerializeToString()
    return encode_streamed_response(answer.message, answer.raw)


class InferCalls:
    """Serves inference.

    Args:
        queue: Where requests wait for a worker; its engines lease models.
        limits: How much to take on.
        admission: Who may come in.
        settings: Of the protocol.
        memory: Registered shared memory.
        statistics: Counts what is done.
        observer: Watches.
    """

    def __init__(
        self,
        queue: JobQueue,
        limits: Limits,
        admission: Admission,
        settings: InferenceSettings,
        memory: SharedMemory,
        statistics: Statistics,
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._queue = queue
        self._limits = limits
        self._admission = admission
        self._settings = settings
        self._memory = memory
        self._statistics = statistics

    def infer(self, requests: Iterator[Received], context: Any) -> Answer | None:
        """Answers ``ModelInfer``; the one request is received once the call is let in."""
        with open_call(context, "infer", self._admission, self._limits, self._observer) as call:
            return self._infer(next(requests, ValueError("there is none")), call)
        return None

    def stream(self, requests: Iterator[Received], context: Any) -> Iterator[Answer | ModelStreamInferResponse]:
        """Answers ``ModelStreamInfer``: one response for each request, in order; an error ends its request alone."""
        with open_call(context, "infer stream", self._admission, self._limits, self._observer) as call:
            current = _Current()
            call.cancelled.listen(current.cancel)
            for count, received in enumerate(requests, 1):
                call.log.fields["requests"] = count
                try:
                    yield self._infer(received, current.begin(call))
                except (UnderstudyError, RefusedError) as error:
                    if call.cancelled.is_set():
                        raise
                    sentence = str(public(error) if isinstance(error, UnderstudyError) else error)
                    wrong = ModelStreamInferResponse(error_message=sentence[:2000])
                    if isinstance(received, WithRaw):
                        wrong.infer_response.id = received.message.id[:_LONGEST_ID]
                    yield wrong

    def _infer(self, received: Received, call: OpenCall) -> Answer:
        if isinstance(received, ValueError):
            raise UsageError(f"the message can't be read: {received}")
        message = received.message
        if len(message.id) > _LONGEST_ID:
            raise UsageError(f"an id has at most {_LONGEST_ID} characters", where="id")
        owner = self._region_owner(message, call)
        request = read_request(received, self._memory, owner)
        del received
        call.log.fields.update(pack=str(request.pin), bytes=request.inline_bytes, regions=len(request.spans))
        workload = self._workload(request)
        ticket = self._ticket(request, call, workload)
        self._queue.require_time(ticket)
        self._admission.reserve(call.entry, request.inline_bytes, call.cancelled.is_set)
        work = InferWork(request, call.cancelled, self._limits, self._settings, self._statistics, self._learn(workload))
        size = request.inline_bytes
        try:
            handle = self._queue.submit(work, ticket)
        except BaseException:
            self._admission.release(call.entry, size)
            raise
        handle.future.add_done_callback(lambda _: self._admission.release(call.entry, size))
        return _result(handle, call.cancelled)

    def _region_owner(self, message: ModelInferRequest, call: OpenCall) -> str:
        parameters = [tensor.parameters for tensor in message.inputs]
        parameters += [tensor.parameters for tensor in message.outputs]
        if any("shared_memory_region" in one for one in parameters):
            return self._memory.owner(call.caller, call.peer)
        return call.caller.name

    def _workload(self, request: InferRequest) -> Workload | None:
        """What the request means; None where there is no such pack, as the worker will say."""
        pin = request.pin
        found = [pack for pack in self._queue.engines[0].info().packs if pack.pin.id == pin.id]
        pack = next((pack for pack in reversed(found) if pin.version in ("", pack.pin.version)), None)
        if pack is None:
            return None
        shapes = {name: tensor.shape for name, tensor in request.inputs.items()}
        types = sorted({str(tensor.dtype) for tensor in request.inputs.values()})
        facts = {"types": types, "parameters": dict(request.parameters)}
        return workload_of_tensors(Role(pack.role), pin, shapes, request.inline_bytes, facts)

    def _learn(self, workload: Workload | None) -> Callable[[PackPin, str, float], None]:
        def learn(pin: PackPin, device: str, seconds: float) -> None:
            if workload is not None:
                self._queue.costs.observe(workload, pin, device, seconds)

        return learn

    def _ticket(self, request: InferRequest, call: OpenCall, workload: Workload | None) -> Ticket:
        deadline, timeout = call.deadline, timeout_of(request.parameters)
        if timeout is not None:
            until = time.monotonic() + timeout
            deadline = until if deadline is None else min(deadline, until)
        ticket = Ticket(
            caller=call.caller.name,
            priority=priority_of(request.parameters),
            deadline=deadline,
            bytes=request.inline_bytes,
            pack=request.pin.id[:80],
        )
        ticket = ticket if workload is None else priced(ticket, workload, self._queue)
        return replace(ticket, label=f"infer {request.pin.id[:80]}")


class _Current:
    """The one request of a stream that is being answered; it is told when the stream is given up."""

    def __init__(self) -> None:
        self._cancelled = CancelFlag()

    def begin(self, call: OpenCall) -> OpenCall:
        """The next request, as a call whose facts are not logged one by one."""
        self._cancelled = CancelFlag()
        if call.cancelled.is_set():
            self._cancelled.set()
        return replace(call, log=CallLog(call.log.request_id), cancelled=self._cancelled)

    def cancel(self) -> None:
        """Gives it up."""
        self._cancelled.set()


def _result(handle: Handle[T], cancelled: CancelFlag) -> T:
    """Waits for a job, or for its client to give up; a job that runs ends by itself then."""
    ended = threading.Event()
    handle.future.add_done_callback(lambda _: ended.set())
    cancelled.listen(ended.set)
    ended.wait()
    if cancelled.is_set():
        handle.cancel()
        raise JobCancelledError("the job was cancelled")
    return handle.result()
