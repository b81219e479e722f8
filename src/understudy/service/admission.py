# SPDX-License-Identifier: Apache-2.0
"""Who may come in: a bounded number of requests, a bounded number of bytes, nobody once the service stops.

A request takes its place before its header is read, says then whose it is, and reserves all the memory of its plates,
those of its result included, in one go before a pixel is read. Nobody holds memory while waiting for more, so nobody
waits for somebody who waits. Memory goes to the user who holds least of it, and among those, and for each user, to who
came first; who is next is waited for and not overtaken.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from understudy.contracts.errors import BusyError, JobCancelledError, UnavailableError
from understudy.service.limits import Limits

_RETRY = "try again, or on another service"


@dataclass(slots=True, eq=False)
class Entry:
    """A request that was let in.

    Attributes:
        share: Whose it is, once its header was read.
        held: Bytes that it reserved and did not give back.
    """

    share: str = ""
    held: int = field(default=0, init=False)


class Admission:
    """Counts open requests and their bytes.

    Args:
        limits: The bounds.
        retry_after_s: Asked when somebody is sent away: when trying again may help.
    """

    def __init__(self, limits: Limits, retry_after_s: Callable[[], float] = lambda: 2.0) -> None:
        self._limits = limits
        self._retry_after_s = retry_after_s
        self._changed = threading.Condition()
        self._open: set[Entry] = set()
        self._bytes = 0
        self._held: dict[str, int] = {}
        self._queue: list[tuple[Entry, int]] = []
        self._closed = False
        self._empty_since = time.monotonic()

    @property
    def open_requests(self) -> int:
        """Requests that entered and did not leave."""
        with self._changed:
            return len(self._open)

    @property
    def idle_s(self) -> float:
        """How long no request has been open, seconds; 0 while one is."""
        with self._changed:
            return 0.0 if self._open else time.monotonic() - self._empty_since

    @property
    def held_bytes(self) -> int:
        """Bytes that are reserved."""
        with self._changed:
            return self._bytes

    @property
    def allowed_bytes(self) -> int:
        """Most that may be."""
        return self._limits.max_total_bytes

    @property
    def closed(self) -> bool:
        """Whether nobody is let in any more."""
        with self._changed:
            return self._closed

    def enter(self) -> Entry:
        """Counts a request in; `leave` must follow.

        Raises:
            BusyError: The service is full.
            UnavailableError: The service stops.
        """
        with self._changed:
            self._refuse_when_closed()
            count = len(self._open)
            if count < self._limits.max_requests:
                entry = Entry()
                self._open.add(entry)
                return entry
        raise BusyError(
            f"the service is busy with {count} requests", fix=_RETRY, retry_after_s=self._retry_after_s()
        )  # asked outside the lock: the queue has one of its own

    def claim(self, entry: Entry, share: str) -> None:
        """Says whose a request is.

        Args:
            entry: Of `enter`.
            share: Whose; empty where nobody is told apart.

        Raises:
            BusyError: These have as many requests open as one user may.
        """
        with self._changed:
            count = sum(other.share == share for other in self._open if other is not entry)
            if not share or count < self._limits.requests_per_user:
                entry.share = share
                return
        raise BusyError(
            f"{count} requests of this user are open, as many as one may have",
            fix="send fewer at once",
            retry_after_s=self._retry_after_s(),
        )

    def leave(self, entry: Entry) -> None:
        """Counts a request out. What it still holds stays reserved until `release`."""
        with self._changed:
            self._open.discard(entry)
            self._empty_since = time.monotonic()
            self._changed.notify_all()

    def reserve(self, entry: Entry, size: int, cancelled: Callable[[], bool]) -> None:
        """Waits until ``size`` bytes may be held. A request alone may always hold what one request may bring.

        Args:
            entry: Of `enter`; it reserves once.
            size: Bytes, those of the result too.
            cancelled: Whether the caller is gone; `wake` has it asked again.

        Raises:
            UnavailableError: The service stops.
            JobCancelledError: The caller is gone.
        """
        ticket = (entry, size)
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._next() is not ticket or (self._bytes and self._bytes + size > self._limits.max_total_bytes):
                    self._refuse_when_closed()
                    if cancelled():
                        raise JobCancelledError("the job was cancelled")
                    self._changed.wait()
                self._count(entry, size)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def release(self, entry: Entry, size: int | None = None) -> None:
        """Gives back what a request holds.

        Args:
            entry: Of `enter`.
            size: Bytes; all when left out.
        """
        with self._changed:
            self._count(entry, -entry.held if size is None else -min(size, entry.held))
            self._changed.notify_all()

    def wake(self) -> None:
        """Has waiting requests look again whether they are cancelled."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Lets nobody in from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_empty(self, timeout_s: float) -> bool:
        """Waits for the last request to leave; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout_s)

    def _next(self) -> tuple[Entry, int]:
        """Whose turn it is: of the user who holds least, the one who came first."""
        return min(self._queue, key=lambda ticket: self._held.get(ticket[0].share, 0))

    def _count(self, entry: Entry, size: int) -> None:
        entry.held += size
        self._bytes += size
        held = self._held.get(entry.share, 0) + size
        if held:
            self._held[entry.share] = held
        else:
            self._held.pop(entry.share, None)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UnavailableError("the service is stopping", fix=_RETRY)
