# SPDX-License-Identifier: Apache-2.0
"""Lets go of clients that began to send a request and fell silent: each holds a thread and a place."""

import threading
import time
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Waiting:
    def __init__(self, context: Any, since: float) -> None:
        self.context = context
        self.since = since


class Silence(Generic[T]):
    """Cancels calls whose next message does not come in time.

    Args:
        limit_s: Longest wait for one message, seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._changed = threading.Condition()
        self._waiting: set[_Waiting] = set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def heard(self, requests: Iterator[T], context: Any) -> Iterator[T]:
        """The messages of a call. Only the time in which one is waited for counts.

        Args:
            requests: They.
            context: Of the call.
        """
        self._begin()
        while True:
            entry = _Waiting(context, time.monotonic())
            with self._changed:
                self._waiting.add(entry)
            try:
                message = next(requests)
            except StopIteration:
                return
            finally:
                with self._changed:
                    self._waiting.discard(entry)
            yield message

    def close(self) -> None:
        """Ends the watch."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._watch, name="understudy-silence", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        pause = min(1.0, self._limit_s / 4)
        with self._changed:
            while not self._closed:
                overdue = time.monotonic() - self._limit_s
                silent = [entry.context for entry in self._waiting if entry.since < overdue]
                self._changed.release()
                try:
                    for context in silent:
                        context.cancel()
                finally:
                    self._changed.acquire()
                self._changed.wait(pause)
