# SPDX-License-Identifier: Apache-2.0
"""In which order waiting jobs start: by priority, fair between users, in the order they came for each of them.

Within a class every user has a share, and the order is start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996):
each share has a clock that a job moves on by its cost, and the share whose clock is behind goes next. A share that was
idle starts where the class stands, so it neither saves up time nor owes any. Whoever brings one job while another has
five hundred waiting is therefore next.

A class waits for more urgent ones, yet not without end: one whose jobs have waited ``aging_s`` without a single start
gets the next worker. Nothing here knows of threads or clocks; the queue holds its lock and says what time it is.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from understudy.contracts.priority import Priority

_LEAST_COST_S = 1e-3  # jobs that cost nothing would all start at once
_MOST_SHARES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the order of jobs rests on.

    Attributes:
        caller: Who calls, where credentials tell; else empty.
        user: Who the caller says it is for.
        priority: Its class.
        cost_s: Estimated time on a worker, seconds.
        measured: Whether ``cost_s`` rests on runs that were measured; nobody is turned away on a guess.
        deadline: When the result is of no use any more, on the queue's clock (`time.monotonic`); None for never.
        bytes: Memory that the job holds.
        label: What it is, in a few words for people; no paths.
        pack: Digest or id of the pack; a job goes to an engine that has run it where one is free.
    """

    caller: str = ""
    user: str = ""
    priority: Priority = Priority.NORMAL
    cost_s: float = 1.0
    measured: bool = False
    deadline: float | None = None
    bytes: int = 0
    label: str = ""
    pack: str = ""

    @property
    def share(self) -> str:
        """Whose fair share it is: the caller's, or the user's where callers are not told apart."""
        return self.caller or self.user


class Waiting:
    """A job in the order.

    Args:
        ticket: Its facts.
        since: When it came, seconds.
    """

    def __init__(self, ticket: Ticket, since: float) -> None:
        self.ticket = ticket
        self.since = since


@dataclass(slots=True)
class _Share:
    clock: float
    last_turn: int = -1
    waiting: deque[Waiting] = field(default_factory=deque)


@dataclass(slots=True)
class _Class:
    clock: float = 0.0
    turn: int = 0
    waiting: int = 0
    running: int = 0
    since: float = 0.0
    shares: dict[str, _Share] = field(default_factory=dict)


class FairOrder:
    """Waiting jobs.

    Args:
        aging_s: How long a class waits without a start before it gets the next worker, seconds.
    """

    def __init__(self, aging_s: float) -> None:
        self._aging_s = aging_s
        self._classes = {priority: _Class() for priority in Priority}

    def __len__(self) -> int:
        return sum(cls.waiting for cls in self._classes.values())

    def __iter__(self) -> Iterator[Waiting]:
        """The waiting jobs, class by class and user by user."""
        for cls in self._classes.values():
            for share in cls.shares.values():
                yield from share.waiting

    def add(self, job: Waiting) -> None:
        """Puts a job at the end of its user's."""
        cls = self._classes[job.ticket.priority]
        share = cls.shares.setdefault(job.ticket.share, _Share(cls.clock))
        if not share.waiting:
            share.clock = max(share.clock, cls.clock)
        if not cls.waiting:
            cls.since = job.since
        share.waiting.append(job)
        cls.waiting += 1

    def remove(self, job: Waiting) -> bool:
        """Takes a job out; False when it is not waiting."""
        cls = self._classes[job.ticket.priority]
        share = cls.shares.get(job.ticket.share)
        if share is None or job not in share.waiting:
            return False
        share.waiting.remove(job)
        cls.waiting -= 1
        _forget(cls)
        return True

    def pop(self, now: float) -> Waiting:
        """The job that starts next; `done` must follow when it has ended.

        Args:
            now: The time, seconds.

        Raises:
            IndexError: None waits.
        """
        waiting = [cls for cls in self._classes.values() if cls.waiting]
        if not waiting:
            raise IndexError("no job waits")
        overdue = [cls for cls in waiting[1:] if now - cls.since >= self._aging_s]
        cls = min(overdue, key=lambda cls: cls.since) if overdue else waiting[0]
        share = min((s for s in cls.shares.values() if s.waiting), key=lambda s: (s.clock, s.last_turn))
        job = share.waiting.popleft()
        cls.waiting -= 1
        cls.running += 1
        cls.since = now
        cls.clock = max(cls.clock, share.clock)
        share.clock += _cost(job)
        share.last_turn = cls.turn
        cls.turn += 1
        return job

    def done(self, job: Waiting, seconds: float) -> None:
        """Puts right what a job was estimated to cost, once it has ended.

        Args:
            job: One that `pop` gave.
            seconds: What it took.
        """
        cls = self._classes[job.ticket.priority]
        cls.running -= 1
        share = cls.shares.get(job.ticket.share)
        if share is not None:
            share.clock = max(share.clock + max(seconds, _LEAST_COST_S) - _cost(job), cls.clock)
        _forget(cls)

    def ahead_s(self, ticket: Ticket, *, measured_only: bool = False) -> float:
        """Worker seconds of the waiting jobs that would start before a new one.

        Args:
            ticket: The new job's.
            measured_only: Count only jobs whose cost rests on measured runs.
        """
        total = 0.0
        for priority, cls in self._classes.items():
            last = (inf, 0) if priority is not ticket.priority else _tag_of_next(cls, ticket.share)
            total += sum(
                job.ticket.cost_s
                for name, share in cls.shares.items()
                for job, tag in _tags(share)
                if (job.ticket.measured or not measured_only)
                and (tag <= last or (priority is ticket.priority and name == ticket.share))
            )
            if priority is ticket.priority:
                break
        return total


def _forget(cls: _Class) -> None:
    """Drops users who have nothing here: all of them once the class is idle, and when there are absurdly many."""
    if not cls.running and not cls.waiting:
        cls.shares.clear()
    elif len(cls.shares) > _MOST_SHARES:  # the names are the callers' to choose
        cls.shares = {name: share for name, share in cls.shares.items() if share.waiting}


def _cost(job: Waiting) -> float:
    return max(job.ticket.cost_s, _LEAST_COST_S)


def _tags(share: _Share) -> Iterator[tuple[Waiting, tuple[float, float]]]:
    """A share's jobs with what they are ordered by; after its first job a share is the last served."""
    clock, turn = share.clock, float(share.last_turn)
    for job in share.waiting:
        yield job, (clock, turn)
        clock, turn = clock + _cost(job), inf


def _tag_of_next(cls: _Class, name: str) -> tuple[float, float]:
    """What a new job of a user would be ordered by."""
    share = cls.shares.get(name) or _Share(cls.clock)
    if not share.waiting:
        return max(share.clock, cls.clock), share.last_turn
    return share.clock + sum(map(_cost, share.waiting)), inf
