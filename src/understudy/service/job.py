# SPDX-License-Identifier: Apache-2.0
"""One job between the thread that computes it and the thread that talks to its client."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from understudy.codec.jobs import priority_from_pb
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.workload import Workload
from understudy.service.caller import Caller
from understudy.service.fair_order import Ticket
from understudy.service.measured import priced, submit_request
from understudy.service.observer import RunWatch
from understudy.service.queue import JobQueue
from understudy.service.rpc_errors import forget_frames
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_LONGEST_USER = 64


class CancelFlag:
    """Set once, when the client cancels, its deadline passes or the service gives up; tells whoever asked to hear."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Whether the work should stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Stops the work."""
        with self._lock:
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], object]) -> None:
        """Calls ``listener`` once when the flag is set, at once if it is already."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return
        listener()


def ticket_for(
    header: pb.RunHeader, workload: Workload, caller: Caller, queue: JobQueue, *, remaining_s: float | None
) -> Ticket:
    """A call's place in the queue.

    Args:
        header: What it asks for.
        workload: What that means.
        caller: Who asks.
        queue: Knows what such requests cost.
        remaining_s: Time until its deadline, seconds; None without one.
    """
    ticket = Ticket(
        caller=caller.name,
        user="".join(c for c in header.user if c.isprintable())[:_LONGEST_USER],
        priority=priority_from_pb(header.priority),
        deadline=None if remaining_s is None else time.monotonic() + remaining_s,
    )
    return priced(ticket, workload, queue)


class Job:
    """Has a request run by the queue and hands its progress over; between two reads only the latest progress is kept.

    Attributes:
        handle: The job in the queue.

    Args:
        queue: Where it waits for a worker.
        request: The request.
        cancelled: Takes the job out of the queue when it is set; asked between tiles once it runs.
        ticket: Its place in the queue.
        watch: Told when it begins, and of its progress.

    Raises:
        UnavailableError: The queue does not take it.
    """

    def __init__(
        self, queue: JobQueue, request: RoleRequest, cancelled: CancelFlag, ticket: Ticket, watch: RunWatch
    ) -> None:
        self._watch = watch
        self._changed = threading.Condition()
        self._latest: tuple[int, int] | None = None
        self._cancelled = cancelled
        control = Control(progress=self._report, cancelled=cancelled.is_set)
        self.handle = submit_request(queue, request, control, ticket, watch.running)
        # A future keeps its callbacks: this one must not hold the job, or the result would stay in a cycle with it.
        wake = _waker(self._changed)
        self.handle.future.add_done_callback(lambda _: wake())
        cancelled.listen(self.handle.cancel)
        cancelled.listen(wake)

    def events(self) -> Iterator[tuple[int, int] | RoleResult]:
        """Progress (done, total) as it comes, then the result.

        Raises:
            JobCancelledError: The flag was set; the work stops at its next tile.
            Exception: What the engine raised.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest or self.handle.future.done() or self._cancelled.is_set())
                latest, self._latest = self._latest, None
            if self._cancelled.is_set():
                self.handle.future.add_done_callback(_forget)  # nobody asks how it ended
                raise JobCancelledError("the job was cancelled")
            if latest is not None:
                yield latest
            elif self.handle.future.done():
                yield self.handle.result()
                return

    def _report(self, done: int, total: int) -> None:
        self._watch.progress(int(done), int(total))
        with self._changed:
            self._latest = (int(done), int(total))
            self._changed.notify_all()


def _waker(changed: threading.Condition) -> Callable[[], None]:
    def wake() -> None:
        with changed:
            changed.notify_all()

    return wake


def _forget(future: Future[RoleResult]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        forget_frames(error)
