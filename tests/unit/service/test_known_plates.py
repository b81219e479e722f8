# SPDX-License-Identifier: Apache-2.0
"""Pixels that were sent before: found by who sent them alone, within a budget, and never put out while in use."""

import random

import numpy as np
import numpy.typing as npt
import pytest

from understudy.service.known_plates import Known, KnownPlates


def samples(count: int, value: float = 0.0) -> npt.NDArray[np.float32]:
    return np.full(count, value, np.float32)


def keep(plates: KnownPlates, name: str, count: int = 10, caller: str = "a") -> Known | None:
    return plates.keep(caller, name.encode(), samples(count), finite=True)


def finds(plates: KnownPlates, name: str, count: int = 10, caller: str = "a") -> bool:
    found = plates.find(caller, name.encode(), 4 * count)
    if found is not None:
        found.release()
    return found is not None


def test_what_was_kept_is_found_as_it_was() -> None:
    plates = KnownPlates(1000)
    pixels = samples(10, 3.0)
    kept = plates.keep("a", b"x", pixels, finite=False)
    assert kept is not None
    found = plates.find("a", b"x", 40)
    assert found is not None
    assert found.samples is pixels
    assert not found.finite
    assert plates.nbytes == 40


def test_nobody_finds_what_another_sent_nor_under_another_size_or_hash() -> None:
    plates = KnownPlates(1000)
    keep(plates, "x")
    assert finds(plates, "x")
    assert not finds(plates, "x", caller="b")
    assert not finds(plates, "x", caller="")
    assert not finds(plates, "x", count=11)
    assert not finds(plates, "y")
    assert keep(plates, "x", caller="b") is not None  # a copy of its own
    assert plates.nbytes == 80


def test_the_same_pixels_are_kept_once() -> None:
    plates = KnownPlates(1000)
    assert keep(plates, "x") is not None
    assert keep(plates, "x") is None
    assert plates.nbytes == 40


@pytest.mark.parametrize("budget", [0, 39])
def test_what_does_not_fit_is_not_kept(budget: int) -> None:
    plates = KnownPlates(budget)
    assert keep(plates, "x") is None
    assert not finds(plates, "x")
    assert plates.nbytes == 0


def test_the_one_used_longest_ago_goes_first() -> None:
    plates = KnownPlates(120)
    for name in "xyz":
        kept = keep(plates, name)
        assert kept is not None
        kept.release()
    assert finds(plates, "x")  # y is the oldest now
    kept = keep(plates, "w")
    assert kept is not None
    assert [finds(plates, name) for name in "xyzw"] == [True, False, True, True]
    assert plates.nbytes == 120


def test_plates_in_use_stay_and_the_new_one_is_not_kept() -> None:
    plates = KnownPlates(120)
    users = [keep(plates, name) for name in "xyz"]
    assert keep(plates, "w") is None
    assert all(finds(plates, name) for name in "xyz")
    assert users[1] is not None
    users[1].release()
    assert keep(plates, "w") is not None
    assert [finds(plates, name) for name in "xyzw"] == [True, False, True, True]


def test_a_plate_is_in_use_until_its_last_user_lets_go() -> None:
    plates = KnownPlates(40)
    first = keep(plates, "x")
    second = plates.find("a", b"x", 40)
    assert first is not None
    assert second is not None
    first.release()
    assert keep(plates, "y") is None
    second.release()
    assert keep(plates, "y") is not None
    assert not finds(plates, "x")


def test_no_room_is_made_for_what_can_never_fit() -> None:
    plates = KnownPlates(100)
    kept = keep(plates, "x")
    assert kept is not None
    kept.release()
    assert keep(plates, "y", count=26) is None
    assert finds(plates, "x")


def test_the_budget_holds_whatever_is_done() -> None:
    dice = random.Random(1)
    plates = KnownPlates(400)
    held: list[Known] = []
    for _ in range(3000):
        name, count = str(dice.randrange(12)), dice.randrange(1, 40)
        found = keep(plates, name, count) if dice.random() < 0.5 else plates.find("a", name.encode(), 4 * count)
        if found is not None:
            held.append(found)
        while held and dice.random() < 0.6:
            held.pop(dice.randrange(len(held))).release()
        assert 0 <= plates.nbytes <= 400
