# SPDX-License-Identifier: Apache-2.0
"""One job between the thread that computes it and the thread that talks to its client."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future

from understudy.contracts.engine import Control, Engine
from understudy.contracts.errors import JobCancelledError
from understudy.contracts.jobs import RoleRequest, RoleResult


class CancelFlag:
    """Set once, when the client cancels, its deadline passes or the service gives up; tells whoever asked to hear."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

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

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls ``listener`` once when the flag is set, at once if it is already."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return
        listener()


class Job:
    """Runs a request on an executor and hands its progress over; between two reads only the latest progress is kept.

    Args:
        engine: What runs it.
        request: The request.
        cancelled: Asked between tiles.
        executor: Its number of threads bounds how many jobs run at once; others wait in order.
    """

    def __init__(self, engine: Engine, request: RoleRequest, cancelled: CancelFlag, executor: Executor) -> None:
        self._changed = threading.Condition()
        self._latest: tuple[int, int] | None = None
        self._cancelled = cancelled
        control = Control(progress=self._report, cancelled=cancelled.is_set)

        def work() -> RoleResult:
            control.check()
            return engine.run(request, control)

        self.future: Future[RoleResult] = executor.submit(work)
        self.future.add_done_callback(lambda _: self._wake())
        cancelled.listen(self._wake)

    def events(self) -> Iterator[tuple[int, int] | RoleResult]:
        """Progress (done, total) as it comes, then the result.

        Raises:
            JobCancelledError: The flag was set; the work stops at its next tile.
            Exception: What the engine raised.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest or self.future.done() or self._cancelled.is_set())
                latest, self._latest = self._latest, None
            if self._cancelled.is_set():
                self.future.cancel()
                raise JobCancelledError("the job was cancelled")
            if latest is not None:
                yield latest
            elif self.future.done():
                yield self.future.result()
                return

    def _report(self, done: int, total: int) -> None:
        with self._changed:
            self._latest = (int(done), int(total))
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
