# SPDX-License-Identifier: Apache-2.0
"""Thousands of small jobs with random cancels, deadlines and failures: nothing lost, run twice, crossed or stuck."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest

from contract.service.rig import FakeEngine, wait_until
from understudy.contracts.engine import Engine
from understudy.contracts.errors import BusyError, JobCancelledError, UnavailableError
from understudy.contracts.priority import Priority
from understudy.service.admission import Admission
from understudy.service.fair_order import Ticket
from understudy.service.limits import Limits
from understudy.service.queue import Handle, JobQueue

JOBS, CALLERS = 1500, 6


class Ledger:
    """What became of each job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.runs: Counter[int] = Counter()
        self.ends: Counter[str] = Counter()

    def ran(self, number: int) -> None:
        with self._lock:
            self.runs[number] += 1

    def ended(self, how: str) -> None:
        with self._lock:
            self.ends[how] += 1


Job = tuple[int, Engine]


class Caller:
    """Submits jobs, and settles them now and then."""

    def __init__(self, index: int, seed: int, queue: JobQueue, admission: Admission, ledger: Ledger) -> None:
        self.numbers = range(index * JOBS, (index + 1) * JOBS)
        self.chance = random.Random(seed * 100 + index)
        self.queue = queue
        self.admission = admission
        self.ledger = ledger
        self.open: list[tuple[int, Handle[Job], threading.Event]] = []

    def go(self) -> None:
        for number in self.numbers:
            self.one(number)
            if self.chance.random() < 0.2:
                self.settle()
        self.settle()

    def one(self, number: int) -> None:
        share = self.chance.choice(["", "a", "b", "c"])
        try:
            entry = self.admission.enter()
        except BusyError:
            self.settle()
            return self.ledger.ended("full")
        try:
            self.admission.claim(entry, share)
            give_up = time.monotonic() + self.chance.choice([0.0, 0.01, 10.0])
            self.admission.reserve(entry, self.chance.randrange(700), lambda: time.monotonic() >= give_up)
            handle = self.queue.submit(self.work(number), self.ticket(share))
        except (BusyError, JobCancelledError):
            self.admission.release(entry)
            self.admission.leave(entry)
            return self.ledger.ended("turned away")
        released = threading.Event()

        def give_back(_: object) -> None:
            self.admission.release(entry)
            released.set()

        handle.future.add_done_callback(give_back)
        if self.chance.random() < 0.3:
            handle.cancel()
        self.admission.leave(entry)
        self.open.append((number, handle, released))
        return None

    def work(self, number: int) -> Callable[[Engine], Job]:
        fails = self.chance.random() < 0.1

        def run(engine: Engine) -> Job:
            self.ledger.ran(number)
            if fails:
                raise OwnError(number)
            return number, engine

        return run

    def ticket(self, share: str) -> Ticket:
        soon = time.monotonic() + self.chance.choice([0.0, 1e-4, 5.0])
        return Ticket(
            caller=share,
            priority=self.chance.choice(list(Priority)),
            cost_s=self.chance.choice([1e-4, 1.0]),
            measured=self.chance.random() < 0.2,
            deadline=self.chance.choice([None, None, soon]),
            pack=self.chance.choice("pqr"),
        )

    def settle(self) -> None:
        for number, handle, released in self.open:
            self.ledger.ended(self.outcome(number, handle))
            assert released.wait(20)
        self.open.clear()

    def outcome(self, number: int, handle: Handle[Job]) -> str:
        try:
            got, engine = handle.result()
        except OwnError as error:
            got, engine = error.number, None
        except JobCancelledError:
            return "cancelled" if not self.ledger.runs[number] else "ran, and cancelled"
        except UnavailableError:
            return "expired" if not self.ledger.runs[number] else "ran, and expired"
        if got != number:
            return "crossed"
        return "failed" if engine is None else "done"


class OwnError(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_run_twice_crossed_or_stuck(seed: int) -> None:
    queue = JobQueue([FakeEngine(), FakeEngine()], 2, aging_s=0.01)
    admission = Admission(Limits(max_requests=24, max_total_bytes=1000), queue.retry_after_s)
    ledger = Ledger()
    callers = [Caller(index, seed, queue, admission, ledger) for index in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as pool:
        futures = [pool.submit(caller.go) for caller in callers]
        done, stuck = wait_for(futures, 120)
        assert not stuck
        for future in done:
            future.result()
    ends = ledger.ends
    assert set(ends) <= {"done", "failed", "cancelled", "expired", "turned away", "full"}
    assert min(ends[how] for how in ("done", "failed", "cancelled", "expired", "turned away")) > 0
    assert sum(ends.values()) == JOBS * CALLERS
    assert set(ledger.runs.values()) == {1}
    assert len(ledger.runs) == ends["done"] + ends["failed"]
    wait_until(lambda: not queue.snapshot().running, "a job still runs")
    state = queue.snapshot()
    assert (state.length, state.backlog_s, state.oldest_wait_s) == (0, 0.0, 0.0)
    assert state.started == state.finished == len(ledger.runs)
    assert (state.cancelled, state.expired) == (ends["cancelled"], ends["expired"])
    assert (admission.open_requests, admission.held_bytes, admission._held) == (0, 0, {})
    assert not any(cls.shares for cls in queue._order._classes.values())
    queue.close()
    assert queue.join(20)
