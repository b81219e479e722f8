# SPDX-License-Identifier: Apache-2.0
"""Which models stay in memory: single flight, order of eviction, leases, draining, failure, idleness."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.contracts.engine import Control, PackState
from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, PackError, UnavailableError
from unit.roles.resident_fakes import Rig, fake_pack

A, B, C, D = (fake_pack(name) for name in "abcd")


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(resident_bytes=30)
    yield made
    made.loader.hold.set()
    made.residency.close()


def test_many_at_once_load_once(rig: Rig) -> None:
    rig.loader.hold.clear()
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(rig.use, A) for _ in range(8)]
        assert rig.loader.begun.acquire(timeout=20)
        rig.loader.hold.set()
        for call in calls:
            call.result(20)
    assert rig.loader.loads == {"a@1.0.0": 1}
    assert rig.residency.find(A.digest).users == 0


def test_who_waits_can_be_cancelled_and_the_load_goes_on(rig: Rig) -> None:
    rig.loader.hold.clear()
    first, second = rig.residency.reserve(A), rig.residency.reserve(A)
    assert rig.loader.begun.acquire(timeout=20)
    with pytest.raises(JobCancelledError):
        rig.residency.wait(second, Control(cancelled=lambda: True))
    rig.residency.release(second)
    rig.loader.hold.set()
    assert rig.residency.wait(first).packed.pin == A.pin
    rig.residency.release(first)
    assert rig.loader.loads == {"a@1.0.0": 1}
    assert rig.resident() == ["a"]


def test_the_longest_unused_goes_first_and_no_more_than_needed(rig: Rig) -> None:
    for pack in (A, B, C):
        rig.use(pack)
    assert rig.resident() == ["a", "b", "c"]
    rig.use(A)
    assert rig.resident() == ["b", "c", "a"]
    rig.use(D)
    assert rig.resident() == ["c", "a", "d"]
    assert rig.loader.closes == {"b@1.0.0": 1}
    rig.use(B)
    assert rig.resident() == ["a", "d", "b"]
    assert rig.loader.loads == {"a@1.0.0": 1, "b@1.0.0": 2, "c@1.0.0": 1, "d@1.0.0": 1}


def test_a_size_known_from_before_makes_room_before_the_load() -> None:
    rig = Rig(resident_bytes=30, sizes={"d": 25})
    rig.use(D)
    rig.use(A)  # 35 bytes: d leaves
    rig.use(B)
    assert rig.resident() == ["a", "b"]
    rig.loader.on_load = lambda: seen.append(rig.resident())
    seen: list[list[str]] = []
    rig.use(D)
    assert seen == [[]]  # gone before the load began
    assert rig.resident() == ["d"]


def test_a_model_in_use_or_pinned_stays(rig: Rig) -> None:
    held = rig.residency.reserve(A)
    rig.residency.wait(held)
    pinned = rig.residency.reserve(B)
    rig.residency.wait(pinned)
    rig.residency.pin(pinned)
    rig.residency.release(pinned)
    rig.use(C)
    rig.use(D)
    assert set(rig.resident()) == {"a", "b", "d"}  # c was the only one free to go
    rig.residency.release(held)
    rig.use(D)
    rig.use(C)
    assert set(rig.resident()) == {"b", "c", "d"}


def test_two_models_at_once_under_a_budget_for_none() -> None:
    rig = Rig(resident_bytes=1)
    with ThreadPoolExecutor(4) as threads:

        def both(first: str, second: str) -> None:
            for _ in range(25):
                entries = []
                for name in (first, second):
                    entry = rig.residency.reserve(fake_pack(name))
                    entries.append(entry)
                    rig.residency.wait(entry)
                for entry in entries:
                    rig.residency.release(entry)

        for call in [threads.submit(both, *order) for order in ("ab", "ba", "ac", "ca")]:
            call.result(60)
    assert rig.resident() == []
    assert rig.loader.loads == rig.loader.closes


def test_vram_has_a_budget_of_its_own() -> None:
    rig = Rig(resident_bytes=5, resident_vram_bytes=20)
    rig.loader.device = "cuda:0"
    for pack in (A, B, C):
        rig.use(pack)
    assert rig.resident() == ["b", "c"]


def test_retiring_drains(rig: Rig) -> None:
    old, new = fake_pack("m", "1.0.0"), fake_pack("m", "1.0.1")
    used = rig.residency.reserve(old)
    rig.residency.wait(used)
    rig.use(new)
    assert rig.residency.retire(old.digest).state == "draining"
    assert {(s.pin.version, s.state, s.users) for s in rig.residency.states()} == {
        ("1.0.0", "draining", 1),
        ("1.0.1", "ready", 0),
    }
    assert not rig.loader.closes
    rig.residency.release(used)
    assert [s.pin.version for s in rig.residency.states()] == ["1.0.1"]
    assert rig.loader.closes == {"m@1.0.0": 1}
    assert rig.residency.retire(old.digest) is None


def test_retiring_what_nobody_uses_or_what_still_loads(rig: Rig) -> None:
    rig.use(A)
    assert rig.residency.retire(A.digest).state == "available"
    assert rig.resident() == []
    rig.loader.hold.clear()
    entry = rig.residency.reserve(B)
    rig.residency.retire(B.digest)
    rig.residency.release(entry)
    rig.loader.hold.set()
    rig.residency.close()
    assert rig.loader.loads == rig.loader.closes


def test_the_same_bytes_wanted_again_stay(rig: Rig) -> None:
    first = rig.residency.reserve(A)
    rig.residency.wait(first)
    rig.residency.retire(A.digest)
    rig.use(A)
    rig.residency.release(first)
    assert rig.resident() == ["a"]
    assert rig.loader.loads == {"a@1.0.0": 1}


def test_a_failure_is_shown_and_not_repeated_until_its_time_comes() -> None:
    rig = Rig(retry_s=5.0)
    rig.loader.failures["a"] = PackError("is broken", where="adapter.py:3", fix="mend it")
    assert rig.failing(A) == "adapter.py:3: is broken; mend it"
    assert rig.failing(A) == "adapter.py:3: is broken; mend it"
    assert rig.loader.loads["a@1.0.0"] == 1
    state = rig.residency.find(A.digest)
    assert (state.state, state.problem, state.users) == ("failed", "adapter.py:3: is broken; mend it", 0)
    rig.use(B)  # nothing else suffers
    waits = []
    for _ in range(9):
        before = rig.loader.loads["a@1.0.0"]
        step = 0.0
        while rig.loader.loads["a@1.0.0"] == before:
            rig.clock.now += 5.0
            step += 5.0
            rig.failing(A)
        waits.append(step)
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]
    rig.loader.failures.clear()
    rig.clock.now += 300.0
    rig.use(A)
    assert rig.residency.find(A.digest).problem == ""


def test_each_who_waited_gets_an_error_of_its_own(rig: Rig) -> None:
    rig.loader.failures["a"] = PackError("is broken")
    rig.loader.hold.clear()
    errors: list[PackError] = []

    def call() -> None:
        with pytest.raises(PackError, match="is broken") as caught:
            rig.use(A)
        errors.append(caught.value)

    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(call) for _ in range(3)]
        rig.loader.hold.set()
        for done in calls:
            done.result(20)
    assert len({id(error) for error in errors}) == 3


def test_a_fault_of_ours_while_loading_ends_the_wait_too(rig: Rig) -> None:
    rig.loader.failures["a"] = ZeroDivisionError("oh")
    assert rig.failing(A) == "loading a@1.0.0#a@1.0.0 failed: ZeroDivisionError: oh"


def test_no_memory_lets_the_unused_go_and_tries_once_more(rig: Rig) -> None:
    held = rig.residency.reserve(A)
    rig.residency.wait(held)
    rig.use(B)
    rig.loader.failures["c"] = MemoryBudgetError("too big")
    assert rig.failing(C) == "too big"
    assert rig.resident() == ["a"]
    assert rig.loader.loads["c@1.0.0"] == 2
    rig.residency.release(held)


def test_idle_models_leave_when_their_time_is_over() -> None:
    rig = Rig(idle_unload_s=60.0)
    for pack in (A, B, C):
        rig.use(pack)
    used = rig.residency.reserve(B)
    pinned = rig.residency.reserve(C)
    rig.residency.pin(pinned)
    rig.residency.release(pinned)
    rig.clock.now += 59.0
    rig.residency.unload_idle()
    assert set(rig.resident()) == {"a", "b", "c"}
    rig.clock.now += 1.0
    rig.residency.unload_idle()
    assert set(rig.resident()) == {"b", "c"}
    rig.residency.release(used)
    rig.residency.unload_idle()
    assert set(rig.resident()) == {"b", "c"}
    rig.clock.now += 60.0
    rig.residency.unload_idle()
    assert rig.resident() == ["c"]


def test_zero_means_never_idle() -> None:
    rig = Rig(idle_unload_s=0.0)
    rig.use(A)
    rig.clock.now += 1e9
    rig.residency.unload_idle()
    assert rig.resident() == ["a"]


def test_what_is_told(rig: Rig) -> None:
    rig.use(A)
    rig.use(A)
    entry = rig.residency.reserve(A)
    rig.residency.pin(entry)
    rig.residency.retire(A.digest)
    rig.residency.release(entry)
    assert rig.events() == ["a loading", "a ready", "a ready", "a draining", "a available"]
    assert [state.pinned for state in rig.told] == [False, False, True, False, False]
    assert rig.told[1].resident_bytes == 10


def test_a_listener_may_ask_and_change(rig: Rig) -> None:
    order: list[str] = []

    def listen(state: PackState) -> None:
        order.append(f"{state.pin.id} {state.state}")
        if (state.pin.id, state.state) == ("a", "ready"):
            rig.residency.retire(A.digest)
            assert rig.residency.find(B.digest) is None

    rig.residency._tell = listen
    rig.use(A)
    rig.residency.close()
    assert order[:2] == ["a loading", "a ready"]
    assert order[-1] == "a available"


def test_closing_ends_every_wait(rig: Rig) -> None:
    rig.loader.hold.clear()
    first, second = rig.residency.reserve(A), rig.residency.reserve(B)
    assert rig.loader.begun.acquire(timeout=20)
    closing = threading.Thread(target=rig.residency.close)
    closing.start()
    with pytest.raises(UnavailableError, match="closed"):
        rig.residency.wait(second)
    rig.loader.hold.set()
    closing.join(20)
    assert rig.loader.loads == rig.loader.closes == {"a@1.0.0": 1}
    with pytest.raises(UnavailableError, match="closed"):
        rig.residency.reserve(C)
    assert first.resident is None
