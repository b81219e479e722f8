# SPDX-License-Identifier: Apache-2.0
"""An engine whose requests wait in the queue like everybody's."""

from dataclasses import replace

from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo, ServiceTimings
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.workload import workload_of_request
from understudy.service.admission import Admission, Entry
from understudy.service.fair_order import Ticket
from understudy.service.limits import Limits
from understudy.service.measured import submit_request
from understudy.service.observer import Observer
from understudy.service.queue import JobQueue
from understudy.service.result_size import require_plates_fit, require_result_fits


class QueuedEngine:
    """Runs each request as a job of a queue, so that a long render takes a worker one frame at a time.

    To be used from a thread of its own, never from a worker of the same queue, which would wait for itself.

    Args:
        queue: Where the requests wait.
        ticket: Whose they are and how urgent; label, pack and cost are each request's own.
        observer: Watches each request.
        admission: Lends each request the bytes of its plates and its result, beside those of everybody else.
        limits: How large a result may be.
    """

    def __init__(
        self,
        queue: JobQueue,
        ticket: Ticket,
        observer: Observer,
        admission: Admission,
        limits: Limits | None = None,
    ) -> None:
        self._observer = observer
        self._admission = admission
        self._limits = limits or Limits()
        self._queue = queue
        self._ticket = ticket

    def info(self) -> EngineInfo:
        """What the engine is and which packs it has."""
        return self._queue.engines[0].info()

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Waits for memory and a worker, and runs one request.

        Raises:
            JobCancelledError: It was cancelled, waiting or running.
            MemoryBudgetError: Its plates or its result are larger than allowed.
            UnavailableError: Its deadline passed while it waited, or the service stops.
            UnderstudyError: Any of the tree, as the engine raised it.
        """
        with self._observer.frame(request) as call:

            def progress(done: int, total: int) -> None:
                call.progress(done, total)
                control.progress(done, total)

            workload = workload_of_request(request)
            require_plates_fit(workload, self._limits)
            require_result_fits(workload, self._limits)
            watched = replace(control, progress=progress)
            entry = Entry(share=self._ticket.share)
            self._admission.reserve(entry, workload.held_bytes, control.cancelled)
            try:
                job = submit_request(self._queue, request, watched, self._ticket, call.running)
            except BaseException:
                self._admission.release(entry)
                raise
            job.future.add_done_callback(lambda _: self._admission.release(entry))
            result = job.result(control.cancelled)
            control.timed(ServiceTimings(receive_s=0.0, queue_s=job.queue_s, run_s=job.run_s))
            call.sent({"files": sum(plate.nbytes for plate in result.plates.values())})
            return result

    def close(self) -> None:
        """Nothing: the engines are the service's."""
