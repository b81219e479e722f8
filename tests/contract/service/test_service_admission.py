# SPDX-License-Identifier: Apache-2.0
"""Who comes in when memory is short: in the order they came, and nobody who is gone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, make_request, wait_until
from understudy.contracts.errors import JobCancelledError, UnavailableError
from understudy.service.admission import Admission
from understudy.service.limits import Limits


def never() -> bool:
    return False


def waiting(admission: Admission) -> int:
    return len(admission._queue)


def test_a_small_request_does_not_overtake_a_large_one_that_waits() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    admission.reserve(500, never)
    order: list[int] = []

    def reserve(size: int) -> None:
        admission.reserve(size, never)
        order.append(size)

    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(reserve, 900)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        small = pool.submit(reserve, 50)
        wait_until(lambda: waiting(admission) == 2, "the small one does not wait")
        assert order == []
        admission.release(500)
        large.result(20)
        small.result(20)
    assert order == [900, 50]


def test_who_is_gone_leaves_the_queue_to_the_next() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    admission.reserve(500, never)
    gone = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(admission.reserve, 900, gone.is_set)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        small = pool.submit(admission.reserve, 50, never)
        gone.set()
        admission.wake()
        with pytest.raises(JobCancelledError):
            large.result(20)
        small.result(20)


def test_a_stopping_service_sends_away_who_waits_and_who_comes() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    admission.enter()
    admission.reserve(500, never)
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(admission.reserve, 900, never)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        admission.close()
        with pytest.raises(UnavailableError, match="stopping"):
            large.result(20)
    with pytest.raises(UnavailableError, match="stopping"):
        admission.enter()
    assert not admission.wait_empty(0.01)
    admission.leave()
    assert admission.wait_empty(20)


def test_a_job_cancelled_while_it_waits_gives_its_memory_back_at_once(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving(workers=1)
    admission = service._servicer.admission
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connect(service.address).run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        with pytest.raises(UnavailableError, match="no answer"):
            connect(service.address, timeout_s=0.3).run(make_request("echo"))
        wait_until(lambda: admission._bytes == 560, "the cancelled job still holds its plates")
        assert not running.done()
        engine.release.set()
        running.result(20)
    wait_until(lambda: admission._bytes == 0, "the finished job still holds its plates")
