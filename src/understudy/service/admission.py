# SPDX-License-Identifier: Apache-2.0
"""Who may come in: a bounded number of requests, a bounded number of bytes, nobody once the service stops."""

import threading
from collections import deque
from collections.abc import Callable

from understudy.contracts.errors import JobCancelledError, UnavailableError
from understudy.service.limits import Limits

_RETRY = "try again, or on another service"


class Admission:
    """Counts open requests and their bytes. First come, first served.

    Args:
        limits: The bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._open = 0
        self._bytes = 0
        self._queue: deque[object] = deque()
        self._closed = False

    @property
    def open_requests(self) -> int:
        """Requests that entered and did not leave."""
        with self._changed:
            return self._open

    @property
    def held_bytes(self) -> int:
        """Pixels that open requests hold, bytes."""
        with self._changed:
            return self._bytes

    @property
    def allowed_bytes(self) -> int:
        """Most that they may hold."""
        return self._limits.max_total_bytes

    def enter(self) -> None:
        """Counts a request in.

        Raises:
            UnavailableError: The service is full or stops.
        """
        with self._changed:
            self._refuse_when_closed()
            if self._open >= self._limits.max_requests:
                raise UnavailableError(f"the service is busy with {self._open} requests", fix=_RETRY)
            self._open += 1

    def leave(self) -> None:
        """Counts a request out."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def reserve(self, size: int, cancelled: Callable[[], bool]) -> None:
        """Waits until ``size`` more bytes may be held. A request alone may always hold what one request may bring.

        Args:
            size: Bytes, at most `Limits.max_request_bytes`.
            cancelled: Whether the caller is gone; `wake` has it asked again.

        Raises:
            UnavailableError: The service stops.
            JobCancelledError: The caller is gone.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or (
                    self._bytes and self._bytes + size > self._limits.max_total_bytes
                ):
                    self._refuse_when_closed()
                    if cancelled():
                        raise JobCancelledError("the job was cancelled")
                    self._changed.wait()
                self._bytes += size
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def release(self, size: int) -> None:
        """Gives bytes back."""
        with self._changed:
            self._bytes -= size
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
            return self._changed.wait_for(lambda: self._open == 0, timeout_s)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UnavailableError("the service is stopping", fix=_RETRY)
