# SPDX-License-Identifier: Apache-2.0
"""The queue: jobs wait in a fair order, and each worker thread runs them on the engine of its device.

Everything that computes in the service goes through here, so that priorities and fair shares hold for all of it: the
``Run`` call, the Open Inference Protocol, and each single request of a render by reference
(`understudy.service.queued_engine`).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from understudy.contracts.engine import Engine
from understudy.contracts.errors import BusyError, JobCancelledError, UnavailableError, UnderstudyError
from understudy.contracts.priority import Priority
from understudy.roles.costs import Costs
from understudy.service.fair_order import FairOrder, Ticket, Waiting

T = TypeVar("T")

_POLL_S = 0.05
_PACKS_REMEMBERED = 64
_SHORTEST_RETRY_S, _LONGEST_RETRY_S = 0.5, 60.0


class Handle(Waiting, Generic[T]):
    """A job that was submitted.

    Attributes:
        ticket: As it was submitted.
        future: Its result. It ends with UnavailableError for a job that was dropped.
        began: When it got a worker, on the queue's clock; 0 before.
        queue_s: How long it waited for a worker, seconds; 0 while it does.
        run_s: How long it ran, seconds; 0 before its end.
    """

    def __init__(self, queue: "JobQueue", work: Callable[[Engine], T], ticket: Ticket, since: float) -> None:
        super().__init__(ticket, since)
        self.future: Future[T] = Future()
        self.began = 0.0
        self.queue_s = 0.0
        self.run_s = 0.0
        self._queue = queue
        self._work: Callable[[Engine], T] | None = work

    def cancel(self) -> bool:
        """Takes the job out of the queue; False when it no longer waits: a running job ends by its own control."""
        return self._queue.withdraw(self)

    def run(self, engine: Engine) -> Callable[[], None]:
        """Does the work, on a worker's thread.

        Returns:
            What tells the future of the end, once the worker is free again.
        """
        if not self.future.set_running_or_notify_cancel():  # its holder cancelled the future itself
            return lambda: None
        try:
            assert self._work is not None
            result = self._work(engine)
        except BaseException as error:
            if isinstance(error, UnderstudyError):
                error.__traceback__ = None  # its frames hold pixels, and this future; nobody may ever ask for it
            failure = error
            return lambda: self.future.set_exception(failure)
        finally:
            self.let_go()
        return lambda: self.future.set_result(result)

    def let_go(self) -> None:
        """Forgets the work, and with it the request's pixels."""
        self._work = None

    def result(self, cancelled: Callable[[], bool] = lambda: False) -> T:
        """Waits for the result.

        Args:
            cancelled: Asked while the job waits; once it runs, its own control is.

        Raises:
            JobCancelledError: It was cancelled while it waited.
            Exception: What the work raised.
        """
        while True:
            if cancelled() and self.cancel():
                raise JobCancelledError("the job was cancelled")
            try:
                return self.future.result(None if self.future.running() else _POLL_S)
            except CancelledError:
                raise JobCancelledError("the job was cancelled") from None
            except FutureTimeoutError:
                if self.future.done():  # the work itself raised it
                    raise


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job on a worker.

    Attributes:
        label: What it is.
        user: Whose share it is.
        priority: Its class.
        device: Position of its engine, from 0.
        seconds: How long it has run.
        cost_s: How long it was estimated to run.
    """

    label: str
    user: str
    priority: Priority
    device: int
    seconds: float
    cost_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """The queue at one moment.

    Attributes:
        workers: Worker threads in all.
        waiting: Jobs that wait, by class and user.
        running: Jobs on workers.
        oldest_wait_s: How long the job that waits longest has waited; 0 when none waits.
        backlog_s: Estimated worker seconds of all that waits and of what is left of what runs.
        started: Jobs that began, since the queue was made.
        finished: Jobs that ended, in whatever way.
        cancelled: Jobs that were taken out while they waited.
        expired: Jobs that were dropped because their deadline had passed while they waited.
        refused: Jobs that were turned away because they could not have met their deadline.
    """

    workers: int
    waiting: Mapping[tuple[Priority, str], int]
    running: tuple[RunningJob, ...]
    oldest_wait_s: float
    backlog_s: float
    started: int
    finished: int
    cancelled: int
    expired: int
    refused: int

    @property
    def length(self) -> int:
        """Jobs that wait."""
        return sum(self.waiting.values())


class _Worker:
    """A thread, the engine it runs jobs on, and the job it has."""

    def __init__(self, device: int, engine: Engine, packs: "OrderedDict[str, None]") -> None:
        self.device = device
        self.engine = engine
        self.packs = packs  # shared by the workers of one engine: what ran there, latest last
        self.job: Handle[Any] | None = None
        self.thread: threading.Thread | None = None


class JobQueue:
    """Runs jobs on engines, one thread per worker.

    Args:
        engines: One per device. They stay their owner's to close.
        workers: Jobs that run at once on each engine.
        aging_s: How long a class of jobs waits without a start before it gets the next worker, seconds.
        costs: What jobs took so far; it starts with nothing when left out.
        clock: Seconds; deadlines are on it.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        workers: int,
        *,
        aging_s: float = 60.0,
        costs: Costs | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engines = tuple(engines)
        self.costs = costs or Costs()
        self._clock = clock
        self._changed = threading.Condition()
        self._order = FairOrder(aging_s)
        self._closed = False
        self._counts = dict.fromkeys(("started", "finished", "cancelled", "expired", "refused"), 0)
        self._workers: list[_Worker] = []
        for device, engine in enumerate(engines):
            packs: OrderedDict[str, None] = OrderedDict()
            self._workers += [_Worker(device, engine, packs) for _ in range(workers)]
        for number, worker in enumerate(self._workers):
            name = f"understudy-worker-{worker.device}-{number}"
            worker.thread = threading.Thread(target=self._work, args=(worker,), name=name, daemon=True)
            worker.thread.start()

    def submit(self, work: Callable[[Engine], T], ticket: Ticket) -> Handle[T]:
        """Puts a job into the queue.

        Args:
            work: Called once, on a worker's thread, with that worker's engine. It must not wait for another job of this
                queue.
            ticket: Whose it is, how urgent, and what it costs.

        Raises:
            UnavailableError: The queue is closed.
            BusyError: It would not be done by its deadline, as far as measured runs tell.
        """
        self.require_time(ticket)
        job = Handle(self, work, ticket, self._clock())
        with self._changed:
            if self._closed:
                raise _stopping()
            self._order.add(job)
            expired = self._assign()
        _drop(expired)
        return job

    def require_time(self, ticket: Ticket) -> None:
        """Turns a job away that could not meet its deadline; to be asked before its pixels are read.

        Raises:
            BusyError: The estimated wait and run take longer than is left, and both rest on measured runs.
        """
        if ticket.deadline is None or not ticket.measured:
            return
        with self._changed:
            need = self._wait_s(ticket, measured_only=True) + ticket.cost_s
            left = ticket.deadline - self._clock()
            if need <= left:
                return
            self._counts["refused"] += 1
        raise BusyError(
            f"the job would be done in about {need:.0f} s, and its deadline is in {max(left, 0.0):.0f} s",
            fix="allow more time, or use a less busy service",
            retry_after_s=max(left, 0.0),  # not within this deadline; another replica may be asked sooner
        )

    def wait_s(self, ticket: Ticket) -> float:
        """Estimated time until a new job would start, seconds."""
        with self._changed:
            return self._wait_s(ticket)

    def retry_after_s(self) -> float:
        """When trying again may help somebody for whom there was no room: about when the next job ends, seconds."""
        with self._changed:
            left = [self._left_s(job) for worker in self._workers if (job := worker.job) is not None]
            return _retry_s(min(left, default=0.0))

    def withdraw(self, job: Handle[Any]) -> bool:
        """Takes a waiting job out; False when it is not waiting."""
        with self._changed:
            if not self._order.remove(job):
                return False
            self._counts["cancelled"] += 1
        job.let_go()
        job.future.cancel()
        job.future.set_running_or_notify_cancel()
        return True

    def snapshot(self) -> QueueSnapshot:
        """What waits and what runs, at one moment."""
        with self._changed:
            now = self._clock()
            waiting: dict[tuple[Priority, str], int] = {}
            oldest = now
            backlog = 0.0
            for job in self._order:
                key = (job.ticket.priority, job.ticket.share)
                waiting[key] = waiting.get(key, 0) + 1
                oldest = min(oldest, job.since)
                backlog += job.ticket.cost_s
            running = []
            for worker in self._workers:
                if (current := worker.job) is not None:
                    backlog += self._left_s(current)
                    running.append(_running(current, worker.device, now))
            return QueueSnapshot(
                workers=len(self._workers),
                waiting=waiting,
                running=tuple(running),
                oldest_wait_s=now - oldest,
                backlog_s=backlog,
                **self._counts,
            )

    def close(self) -> None:
        """Takes no more jobs and drops those that wait; running ones go on."""
        with self._changed:
            self._closed = True
            waiting = [job for job in self._order if isinstance(job, Handle)]
            for job in waiting:
                self._order.remove(job)
            self._counts["cancelled"] += len(waiting)
            self._changed.notify_all()
        for job in waiting:
            _fail(job, _stopping())

    def join(self, timeout_s: float) -> bool:
        """Waits for running jobs after `close`; False when the time is over first."""
        end = time.monotonic() + timeout_s
        for worker in self._workers:
            if worker.thread is not None:
                worker.thread.join(max(0.0, end - time.monotonic()))
        return not any(worker.thread is not None and worker.thread.is_alive() for worker in self._workers)

    def _work(self, worker: _Worker) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: worker.job is not None or self._closed)
                job = worker.job
            if job is None:
                return
            tell = job.run(worker.engine)
            with self._changed:
                job.run_s = self._clock() - job.began
                self._order.done(job, job.run_s)
                self._counts["finished"] += 1
                worker.job = None
                expired = self._assign()
            tell()
            _drop(expired)
            del job, tell  # a worker that waits holds nobody's pixels

    def _assign(self) -> list[Handle[Any]]:
        """Gives waiting jobs to free workers; returns those to be dropped, outside the lock."""
        expired: list[Handle[Any]] = []
        while not self._closed and len(self._order) and (free := [w for w in self._workers if w.job is None]):
            now = self._clock()
            job = self._order.pop(now)
            assert isinstance(job, Handle)
            if job.ticket.deadline is not None and now >= job.ticket.deadline:
                self._order.done(job, 0.0)
                self._counts["expired"] += 1
                expired.append(job)
                continue
            worker = min(free, key=lambda worker: (job.ticket.pack not in worker.packs, self._load(worker.device)))
            if job.ticket.pack:
                worker.packs[job.ticket.pack] = None
                worker.packs.move_to_end(job.ticket.pack)
                if len(worker.packs) > _PACKS_REMEMBERED:
                    worker.packs.popitem(last=False)
            job.began = now
            job.queue_s = now - job.since
            worker.job = job
            self._counts["started"] += 1
            self._changed.notify_all()
        return expired

    def _load(self, device: int) -> int:
        return sum(worker.job is not None for worker in self._workers if worker.device == device)

    def _left_s(self, job: Handle[Any]) -> float:
        return max(0.0, job.ticket.cost_s - (self._clock() - job.began))

    def _wait_s(self, ticket: Ticket, *, measured_only: bool = False) -> float:
        """The work ahead, shared by all workers."""
        if any(worker.job is None for worker in self._workers):
            return 0.0
        jobs = [worker.job for worker in self._workers if worker.job is not None]
        left = sum(self._left_s(job) for job in jobs if job.ticket.measured or not measured_only)
        return (left + self._order.ahead_s(ticket, measured_only=measured_only)) / max(1, len(self._workers))


def _running(job: Handle[Any], device: int, now: float) -> RunningJob:
    ticket = job.ticket
    return RunningJob(
        label=ticket.label,
        user=ticket.share,
        priority=ticket.priority,
        device=device,
        seconds=now - job.began,
        cost_s=ticket.cost_s,
    )


def _drop(expired: Sequence[Handle[Any]]) -> None:
    for job in expired:
        fix = "allow more time, or use a less busy service"
        _fail(job, UnavailableError("the deadline passed while the job waited for a worker", fix=fix))


def _fail(job: Handle[Any], error: Exception) -> None:
    job.let_go()
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)


def _retry_s(seconds: float) -> float:
    return min(max(seconds, _SHORTEST_RETRY_S), _LONGEST_RETRY_S)


def _stopping() -> UnavailableError:
    return UnavailableError("the service is stopping", fix="try again, or on another service")
