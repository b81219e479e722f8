# SPDX-License-Identifier: Apache-2.0
"""The ``Run`` call: reads the plates, has the job done, sends progress and the result."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from understudy.codec.estimates import plate_sizes
from understudy.codec.jobs import clean_request_id, request_from_pb
from understudy.codec.messages import Malformed, RequestPart, ResponsePart
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import RoleResult
from understudy.contracts.workload import workload_of
from understudy.service.admission import Admission, Entry
from understudy.service.caller import Caller, caller_of
from understudy.service.disclosure import told_to
from understudy.service.intake import Holding, Intake, reason
from understudy.service.job import CancelFlag, Job, ticket_for
from understudy.service.known_plates import KnownPlates
from understudy.service.limits import Limits
from understudy.service.observer import Observer, RunWatch
from understudy.service.outlet import Outlet
from understudy.service.queue import JobQueue
from understudy.service.regions import Regions
from understudy.service.result_size import require_result_fits
from understudy.service.roots import Roots
from understudy.service.rpc_errors import rpc_errors
from understudy.service.silence import Silence
from understudy.wire.understudy.v1 import understudy_pb2 as pb

Requests = Iterator[RequestPart | Malformed]


class RunCalls:
    """Serves ``Run``.

    Args:
        queue: Where requests wait for a worker.
        limits: How much to take on.
        admission: Who may come in.
        regions: Memory that clients share.
        observer: Watches.
    """

    def __init__(
        self,
        queue: JobQueue,
        limits: Limits,
        admission: Admission,
        regions: Regions,
        observer: Observer,
        roots: Roots,
    ) -> None:
        self._roots = roots
        self._silence: Silence[RequestPart | Malformed] = Silence(limits.max_silence_s)
        self._observer = observer
        self._regions = regions
        self._known = KnownPlates(limits.known_plate_bytes)
        self._queue = queue
        self._limits = limits
        self._admission = admission

    def run(self, requests: Requests, context: Any) -> Iterator[ResponsePart]:
        """Answers one call."""
        call = self._observer.run_began(context)
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
                entry = self._admission.enter()
                try:
                    yield from self._run(
                        self._silence.heard(requests, context), call, cancelled, caller_of(context), entry, remaining
                    )
                finally:
                    self._admission.leave(entry)
        finally:
            if timer is not None:
                timer.cancel()
            call.end()

    def close(self) -> None:
        """Ends the watch over silent clients."""
        self._silence.close()

    def _run(
        self,
        requests: Requests,
        call: RunWatch,
        cancelled: CancelFlag,
        caller: Caller,
        entry: Entry,
        remaining_s: float | None,
    ) -> Iterator[ResponsePart]:
        started = time.monotonic()
        call.enter("receive")
        header = _first(requests)
        call.request_id = clean_request_id(header.request_id) or call.request_id
        head = request_from_pb(header)
        self._roots.require_config(head.ocio_config, caller)
        call.header_read(head.params.role.value, head.pack, len(header.plates))
        inputs, outputs = Holding(), Holding()
        job: Job | None = None
        try:
            intake = Intake(header, caller, self._regions, self._known, inputs, self._limits.max_request_bytes)
            outlet = Outlet(header, caller, self._regions, intake.shared, outputs)
            call.fields.update(bytes=intake.total, bytes_received=intake.size)
            workload = workload_of(head.params, head.pack, plate_sizes(header))
            require_result_fits(workload, self._limits)
            ticket = ticket_for(header, workload, caller, self._queue, remaining_s=remaining_s)
            self._queue.require_time(ticket)
            self._admission.claim(entry, ticket.share)
            self._admission.reserve(entry, intake.size + workload.output_bytes, cancelled.is_set)
            inputs.add(partial(self._admission.release, entry))
            if intake.answer is not None:
                yield intake.answer
            request = head.with_plates(intake.receive(requests))
            received = time.monotonic()
            call.received(intake.by_transport)
            call.enter("queue")
            job = Job(self._queue, request, cancelled, ticket, call)
            # The hashes are computed beside the job.
            self._admission.release(entry, intake.keep(list(request.plates.values())))
            del intake, request
            for event in job.events():
                if isinstance(event, RoleResult):
                    timings = pb.Timings(receive=received - started, queue=job.handle.queue_s, run=job.handle.run_s)
                    call.enter("send")
                    result = replace(event, report=told_to(caller, event.report))
                    yield from outlet.answer(result, call.request_id, timings)
                    call.sent(outlet.by_transport)
                else:
                    yield pb.RunResponse(progress=pb.Progress(done=max(0, event[0]), total=max(0, event[1])))
        finally:
            outputs.release()
            # A job that was told to stop may still run for a tile; its plates count until it ends.
            if job is None:
                inputs.release()
            else:
                job.handle.future.add_done_callback(lambda _: inputs.release())


def _first(requests: Requests) -> pb.RunHeader:
    part = next(requests, None)
    if isinstance(part, pb.RunRequest) and part.WhichOneof("part") == "header":
        return part.header
    raise UsageError(f"the call does not begin with a header{reason(part)}")
