# SPDX-License-Identifier: Apache-2.0
"""Who comes in when memory is short: in the order they came, and nobody who is gone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.service.conftest import Connect, Serving
from contract.service.rig import HELD, FakeEngine, make_request, wait_until
from understudy.contracts.errors import BusyError, JobCancelledError, UnavailableError
from understudy.service.admission import Admission, Entry
from understudy.service.limits import Limits


def never() -> bool:
    return False


def waiting(admission: Admission) -> int:
    return len(admission._queue)


def hold(admission: Admission, size: int, share: str = "", cancelled: Callable[[], bool] = never) -> Entry:
    entry = admission.enter()
    admission.claim(entry, share)
    admission.reserve(entry, size, cancelled)
    return entry


def test_a_small_request_does_not_overtake_a_large_one_that_waits() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    first = hold(admission, 500)
    order: list[int] = []

    def reserve(size: int) -> None:
        hold(admission, size)
        order.append(size)

    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(reserve, 900)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        small = pool.submit(reserve, 50)
        wait_until(lambda: waiting(admission) == 2, "the small one does not wait")
        assert order == []
        admission.release(first)
        large.result(20)
        small.result(20)
    assert order == [900, 50]


def test_memory_goes_to_the_user_who_holds_least() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    first = [hold(admission, 400, "a"), hold(admission, 400, "a")]
    order: list[str] = []

    def reserve(share: str) -> None:
        hold(admission, 400, share)
        order.append(share)

    with ThreadPoolExecutor(3) as pool:
        futures = []
        for share in ("a", "a", "b"):
            futures.append(pool.submit(reserve, share))
            wait_until(lambda: waiting(admission) == len(futures), "it does not wait")
        admission.release(first[0])
        futures[2].result(20)
        assert order == ["b"]
        admission.release(first[1])
        wait_until(lambda: order == ["b", "a"], "the next one of a does not get it")
        admission.release(Entry())  # of nobody: nothing changes
        assert admission.held_bytes == 800
        admission._limits = Limits(max_total_bytes=1200)
        admission.wake()
        for future in futures:
            future.result(20)
    assert order == ["b", "a", "a"]


def test_parts_and_wholes_are_given_back_once() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    entry = hold(admission, 500, "a")
    admission.release(entry, 200)
    assert admission.held_bytes == 300
    admission.release(entry)
    admission.release(entry)
    assert admission.held_bytes == 0
    assert not admission._held


def test_one_user_leaves_room_for_others() -> None:
    admission = Admission(Limits(max_requests=8), lambda: 7.0)
    entries = [admission.enter() for _ in range(7)]
    for entry in entries[:6]:
        admission.claim(entry, "a")
    with pytest.raises(BusyError, match="6 requests of this user are open") as busy:
        admission.claim(entries[6], "a")
    assert busy.value.retry_after_s == 7.0
    admission.claim(entries[6], "b")
    admission.leave(entries[0])
    admission.claim(admission.enter(), "a")


def test_callers_that_nothing_tells_apart_share_all_places_and_a_full_service_says_when() -> None:
    admission = Admission(Limits(max_requests=4), lambda: 3.5)
    for _ in range(4):
        admission.claim(admission.enter(), "")
    with pytest.raises(BusyError, match="busy with 4 requests") as busy:
        admission.enter()
    assert busy.value.retry_after_s == 3.5


def test_who_is_gone_leaves_the_queue_to_the_next() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    hold(admission, 500)
    gone = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(hold, admission, 900, "", gone.is_set)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        small = pool.submit(hold, admission, 50)
        gone.set()
        admission.wake()
        with pytest.raises(JobCancelledError):
            large.result(20)
        small.result(20)


def test_a_stopping_service_sends_away_who_waits_and_who_comes() -> None:
    admission = Admission(Limits(max_total_bytes=1000))
    first = hold(admission, 500)
    with ThreadPoolExecutor(1) as pool:
        late = admission.enter()
        large = pool.submit(admission.reserve, late, 900, never)
        wait_until(lambda: waiting(admission) == 1, "the large one does not wait")
        admission.close()
        with pytest.raises(UnavailableError, match="stopping"):
            large.result(20)
    with pytest.raises(UnavailableError, match="stopping"):
        admission.enter()
    assert not admission.wait_empty(0.01)
    admission.leave(first)
    admission.leave(late)
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
        wait_until(lambda: admission.held_bytes == HELD, "the cancelled job still holds its plates")
        assert not running.done()
        engine.release.set()
        running.result(20)
    wait_until(lambda: admission.held_bytes == 0, "the finished job still holds its plates")
