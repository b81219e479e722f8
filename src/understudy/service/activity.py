# SPDX-License-Identifier: Apache-2.0
"""What the service does now, and what last went wrong, for people to look at. Nothing of a request's pixels or user."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

LAST_ERRORS = 10
"""Errors that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A request that has not ended.

    Attributes:
        request_id: Its name in the log.
        role: Empty until its header is read.
        pack: Id and version.
        stage: One of `understudy.service.metrics.STAGES`; empty before the first.
        done: Steps done.
        total: Steps in all; 0 until it is known.
        since: When it came, by `time.monotonic`.
    """

    request_id: str
    role: str = ""
    pack: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastError:
    """A call that failed. Its sentence is not kept: it may quote what only its caller may know.

    Attributes:
        time: When.
        kind: Class of the error.
        role: Of the request; empty for other calls.
        pack: Id and version.
        request_id: Its name in the log.
    """

    time: datetime
    kind: str
    role: str
    pack: str
    request_id: str


class Activity:
    """Open requests and past errors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, OpenRequest] = {}
        self._errors: deque[PastError] = deque(maxlen=LAST_ERRORS)
        self._next = 0

    def begin(self, request_id: str) -> int:
        """Notes a request; returns the number to change it by."""
        with self._lock:
            self._next += 1
            self._open[self._next] = OpenRequest(request_id=request_id, since=time.monotonic())
            return self._next

    def change(self, number: int, **fields: object) -> None:
        """Changes fields of an `OpenRequest` by name; ignored once it has ended."""
        with self._lock:
            if number in self._open:
                self._open[number] = replace(self._open[number], **fields)  # type: ignore[arg-type] # by name

    def end(self, number: int) -> None:
        """Forgets a request."""
        with self._lock:
            self._open.pop(number, None)

    def failed(self, kind: str, *, role: str = "", pack: str = "", request_id: str = "") -> None:
        """Remembers that a call failed."""
        error = PastError(time=datetime.now(UTC), kind=kind, role=role, pack=pack, request_id=request_id)
        with self._lock:
            self._errors.append(error)

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Requests that have not ended, oldest first."""
        with self._lock:
            return tuple(self._open.values())

    def last_errors(self) -> tuple[PastError, ...]:
        """Past errors, latest first."""
        with self._lock:
            return tuple(reversed(self._errors))
