# SPDX-License-Identifier: Apache-2.0
"""Events of a render on their way from its thread to the one that sends them."""

import threading
from collections import deque
from collections.abc import Iterator

from understudy.contracts.errors import JobCancelledError
from understudy.graph.events import Event
from understudy.service.job import CancelFlag

_MOST = 1000


class RenderEvents:
    """Holds events until they are sent.

    When many wait for a slow client, steps are left out, and the render itself waits; a worker of the queue, which also
    tells of steps and warnings, never does.

    Args:
        cancelled: Ends the waiting of both sides.
    """

    def __init__(self, cancelled: CancelFlag) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._cancelled = cancelled
        self._ended = False
        self._failure: BaseException | None = None
        self._teller: int | None = None
        cancelled.listen(self._wake)

    def begin(self) -> None:
        """Says that this thread is the render's."""
        self._teller = threading.get_ident()

    def tell(self, event: Event) -> None:
        """Takes an event.

        Raises:
            JobCancelledError: Nobody waits for it any more.
        """
        with self._changed:
            if len(self._waiting) >= _MOST:
                if event.get("event") == "step":
                    return
                if threading.get_ident() == self._teller:
                    self._changed.wait_for(lambda: len(self._waiting) < _MOST or self._cancelled.is_set())
            if self._cancelled.is_set():
                raise JobCancelledError("the render was cancelled")
            self._waiting.append(event)
            self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """Says that no event follows, and why when it was no good end."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Event]:
        """The events as they come.

        Raises:
            JobCancelledError: The flag was set.
            BaseException: What the render ended with.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended or self._cancelled.is_set())
                if self._cancelled.is_set():
                    raise JobCancelledError("the render was cancelled")
                if not self._waiting:
                    if self._failure is not None:
                        raise self._failure
                    return
                event = self._waiting.popleft()
                self._changed.notify_all()
            yield event

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
