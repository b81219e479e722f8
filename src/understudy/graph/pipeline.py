# SPDX-License-Identifier: Apache-2.0
"""Evaluates frames so that reading, computing and writing overlap, within a byte budget.

Reads of the coming frames run in a thread each; roles run in the calling thread; several writes run behind. What no
coming frame needs is forgotten. Frames too large for the budget are read and written one at a time instead.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from understudy.contracts.cores import available_cores
from understudy.contracts.engine import Control
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.outline import outline_of
from understudy.contracts.plate import Plate
from understudy.graph.step_labels import step_label
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame, Key, Outcome, Step
from understudy.roles.stopwatch import NO_STOPWATCH, Stopwatch

LOOKAHEAD_BYTES = 512 * 1024 * 1024
"""Plates read ahead or waiting to be written hold at most this much, or one plate."""

MAX_AHEAD = 8
READERS = 2
_MAX_WRITERS = 4

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output: the step whose plate is written, at a frame."""

    step: str
    frame: Frame


class Pipeline:
    """Gives the outcomes of wanted frames in order.

    Args:
        steps: Every step by name.
        control: Cancels between plates.
        stopwatch: Learns what reading and computing took.
    """

    def __init__(self, steps: Mapping[str, Step], control: Control, stopwatch: Stopwatch = NO_STOPWATCH) -> None:
        self._steps = steps
        self._control = control
        self._stopwatch = stopwatch
        self._done: dict[Key, Outcome] = {}
        self._reading: dict[Key, Future[Outcome]] = {}
        self._plate_bytes = 0

    def run(self, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, Outcome, Mapping[Key, Outcome]]]:
        """Yields each wanted outcome with the outcomes it was made from.

        Raises:
            UnderstudyError: Reading or computing failed; nothing is left running.
        """
        with self._readers() as readers:
            for position, item in enumerate(wanted):
                ahead = self._ahead()
                coming = [self._closure((w.step, w.frame)) for w in wanted[position : position + 1 + ahead]]
                self._forget(set().union(*coming))
                for keys in coming:
                    self._start_reading(keys, readers)
                outcome = self._outcome((item.step, item.frame))
                made_from = {key: self._done[key] for key in coming[0] if key in self._done}
                yield item, outcome, made_from

    def _ahead(self) -> int:
        if not self._plate_bytes:
            return 1
        return min(MAX_AHEAD, LOOKAHEAD_BYTES // self._plate_bytes)

    def _closure(self, key: Key) -> dict[Key, None]:
        keys: dict[Key, None] = {}
        queue = [key]
        while queue:
            current = queue.pop()
            if current not in keys:
                keys[current] = None
                queue += self._steps[current[0]].needs(current[1])
        return keys

    def _forget(self, needed: set[Key]) -> None:
        for key in [known for known in self._done if known not in needed]:
            del self._done[key]

    def _start_reading(self, keys: Iterable[Key], readers: ThreadPoolExecutor) -> None:
        for key in keys:
            step = self._steps[key[0]]
            if isinstance(step, ReadStep) and key not in self._done and key not in self._reading:
                self._reading[key] = readers.submit(self._computed, step, key[1])

    def _fetch(self, name: str, frame: Frame) -> Plate:
        return self._outcome((name, frame)).plate

    def _outcome(self, key: Key) -> Outcome:
        if key not in self._done:
            self._control.check()
            if key in self._reading:
                with self._stopwatch.span():  # waiting is no work
                    self._done[key] = self._reading.pop(key).result()
            else:
                self._done[key] = self._computed(self._steps[key[0]], key[1])
            self._plate_bytes = max(self._plate_bytes, self._done[key].plate.nbytes)
        return self._done[key]

    def _computed(self, step: Step, frame: Frame) -> Outcome:
        with self._stopwatch.span() as span:
            outcome = step.compute(frame, self._fetch)
        kind, what = step_label(step, frame)
        self._stopwatch.took(kind, what, outline_of(outcome.plate).megasamples, span.seconds)
        return outcome

    @contextmanager
    def _readers(self) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._reading.clear()


def writers() -> int:
    """Frames that are written at once."""
    return min(_MAX_WRITERS, available_cores())


class Writers(Generic[Result]):
    """Runs writes behind the computation, at most a byte budget of them waiting; results come back in order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(writers(), thread_name_prefix="write")
        self._waiting: list[tuple[Future[Result], Callable[[Result], None], int]] = []

    def submit(self, write: Callable[[], Result], then: Callable[[Result], None], nbytes: int) -> None:
        """Queues a write.

        Args:
            write: Runs in a thread.
            then: Hears its result, in this thread, once those before it are done.
            nbytes: Bytes of the plate it holds.

        Raises:
            UnderstudyError: An earlier write failed.
        """
        self._waiting.append((self._pool.submit(write), then, nbytes))
        while self._waiting and (
            self._waiting[0][0].done() or sum(size for _, _, size in self._waiting) > LOOKAHEAD_BYTES
        ):
            self._settle_first()

    def finish(self) -> None:
        """Waits for every write.

        Raises:
            UnderstudyError: A write failed.
        """
        while self._waiting:
            self._settle_first()

    def close(self) -> None:
        """Lets the running writes end and drops those that have not begun; what was written is told even now."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future, then, _ in self._waiting:
            if not future.cancelled() and future.exception() is None:
                with suppress(UnderstudyError):  # what ended the render goes before
                    then(future.result())
        self._waiting.clear()

    def _settle_first(self) -> None:
        future, then, _ = self._waiting.pop(0)
        then(future.result())
