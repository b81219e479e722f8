# SPDX-License-Identifier: Apache-2.0
"""The ``Run`` call: reads the plates, has the job done, sends progress and the result."""

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from understudy.codec.jobs import clean_request_id, request_from_pb, result_to_pb
from understudy.codec.messages import Malformed, RequestPart, ResponsePart
from understudy.codec.pixels import Receiver, chunks
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import RoleResult
from understudy.service.admission import Admission
from understudy.service.caller import Caller, caller_of
from understudy.service.job import CancelFlag, Job, ticket_for
from understudy.service.limits import Limits
from understudy.service.log import log_event
from understudy.service.queue import JobQueue
from understudy.service.rpc_errors import CallLog, rpc_errors
from understudy.wire.understudy.v1 import understudy_pb2 as pb

Requests = Iterator[RequestPart | Malformed]


class RunCalls:
    """Serves ``Run``.

    Args:
        queue: Where requests wait for a worker.
        limits: How much to take on.
        admission: Who may come in.
    """

    def __init__(self, queue: JobQueue, limits: Limits, admission: Admission) -> None:
        self._queue = queue
        self._limits = limits
        self._admission = admission

    def run(self, requests: Requests, context: Any) -> Iterator[ResponsePart]:
        """Answers one call."""
        call = CallLog(uuid.uuid4().hex)
        started = time.monotonic()
        cancelled = CancelFlag()
        cancelled.listen(self._admission.wake)
        if not context.add_callback(cancelled.set):
            cancelled.set()
        remaining = context.time_remaining()
        timer: threading.Timer | None = None
        if remaining is None or remaining > self._limits.max_run_s:
            timer = threading.Timer(self._limits.max_run_s, context.cancel)
            timer.daemon = True
            timer.start()
        try:
            with rpc_errors(context, call):
                self._admission.enter()
                try:
                    yield from self._run(requests, call, cancelled, caller_of(context), remaining)
                finally:
                    self._admission.leave()
        finally:
            if timer is not None:
                timer.cancel()
            seconds = round(time.monotonic() - started, 4)
            facts = {"request_id": call.request_id, "peer": context.peer(), "seconds": seconds, **call.fields}
            log_event("run", facts)

    def _run(
        self, requests: Requests, call: CallLog, cancelled: CancelFlag, caller: Caller, remaining_s: float | None
    ) -> Iterator[ResponsePart]:
        header = _first(requests)
        call.request_id = clean_request_id(header.request_id) or call.request_id
        head = request_from_pb(header)
        call.fields.update(role=head.params.role.value, pack=str(head.pack), plates=len(header.plates))
        receiver = Receiver(header.plates, max_bytes=self._limits.max_request_bytes)
        call.fields["bytes"] = receiver.size
        ticket = ticket_for(header, caller, size=receiver.size, remaining_s=remaining_s)
        self._queue.require_time(ticket)
        self._admission.reserve(receiver.size, cancelled.is_set)
        job: Job | None = None
        try:
            _receive(requests, receiver)
            request = head.with_plates(receiver.finish())
            job = Job(self._queue, request, cancelled, ticket)
            del receiver, request
            for event in job.events():
                if isinstance(event, RoleResult):
                    yield from _answer(event, call.request_id)
                else:
                    yield pb.RunResponse(progress=pb.Progress(done=max(0, event[0]), total=max(0, event[1])))
        finally:
            # A job that was told to stop may still run for a tile; its plates count until it ends.
            size = call.fields["bytes"]
            assert isinstance(size, int)
            if job is None:
                self._admission.release(size)
            else:
                job.handle.future.add_done_callback(lambda _: self._admission.release(size))


def _first(requests: Requests) -> pb.RunHeader:
    part = next(requests, None)
    if isinstance(part, pb.RunRequest) and part.WhichOneof("part") == "header":
        return part.header
    raise UsageError(f"the call does not begin with a header{_reason(part)}")


def _receive(requests: Requests, receiver: Receiver) -> None:
    for part in requests:
        if isinstance(part, memoryview):
            receiver.add(part)
        elif isinstance(part, pb.RunRequest) and part.WhichOneof("part") == "end":
            if part.end.size != receiver.size:
                raise UsageError(f"the call ends after {part.end.size} bytes and its header declares {receiver.size}")
            return
        else:
            raise UsageError(f"only pixels and an end may follow the header{_reason(part)}")
    raise UsageError("the call breaks off before its end")


def _reason(part: RequestPart | Malformed | None) -> str:
    return f": {part.reason}" if isinstance(part, Malformed) else ""


def _answer(result: RoleResult, request_id: str) -> Iterator[ResponsePart]:
    header = result_to_pb(result, request_id)
    yield pb.RunResponse(header=header)
    yield from chunks(result.plates.values())
    yield pb.RunResponse(end=pb.End(size=sum(plate.inline.size for plate in header.plates)))
