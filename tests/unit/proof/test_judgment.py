# SPDX-License-Identifier: Apache-2.0
"""The soak's judge sees what it is there to see."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from proof.exact_pack import PACK_ID, gain_of
from proof.judgment import Sample, leaks, log_wrong, requests_wrong
from proof.plan import Item, plan_item, request_of, wrong
from proof.served import Facts
from understudy.contracts.jobs import PackPin, RoleResult
from understudy.roles.engine import LocalEngine


def end(serial: int, what: str = "right") -> tuple[int, str, dict[str, Any]]:
    return serial, what, {"pack": "p", "said": "why"}


def test_each_request_ends_once_and_well() -> None:
    good = [end(0), end(1, "cancelled"), end(2, "late"), end(3, "killed")]
    assert requests_wrong(good, 4) == []
    assert "3 (p) wrong: why" in requests_wrong([*good[:3], end(3, "wrong")], 4)[0]
    assert "1 requests were lost, such as [4]" in requests_wrong(good, 5)[0]
    assert "ended twice" in requests_wrong([*good, end(2)], 4)[0]


def samples(**last: int) -> list[Sample]:
    facts = Facts(rss_bytes=100_000_000, descriptors=10, threads=20, regions=0)
    return [Sample(n, float(n), facts if n < 6 else replace(facts, **last)) for n in range(8)]


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ({"rss_bytes": 106_000_000}, "memory grew from 100 to 106 MB"),
        ({"descriptors": 13}, "descriptors grew from 10 to 13"),
        ({"threads": 25}, "threads grew from 20 to 25"),
    ],
)
def test_what_is_kept_is_seen(last: dict[str, int], sentence: str) -> None:
    assert leaks(samples(), 0.05) == []
    assert leaks(samples(rss_bytes=104_000_000, descriptors=12, threads=24), 0.05) == []
    (found,) = leaks(samples(**last), 0.05)
    assert sentence in found


def test_a_region_that_outlives_its_client_is_seen() -> None:
    assert ["after round 6, 1 regions" in found for found in leaks(samples(regions=1), 0.05)] == [True, False]


def test_what_the_service_still_counts_at_rest_is_seen() -> None:
    rest = [
        replace(sample, counters={"understudy_open_requests": 0.0, "understudy_workers": 2.0}) for sample in samples()
    ]
    assert leaks(rest, 0.05) == []
    busy = replace(rest[3], counters={"understudy_open_requests": 1.0})
    (found,) = leaks([*rest[:3], busy, *rest[4:]], 0.05)
    assert "after round 3, at rest: {'understudy_open_requests': 1.0}" in found


def test_an_error_in_the_log_is_seen() -> None:
    assert log_wrong([{"event": "stopped", "level": "info"}]) == []
    assert len(log_wrong([{"event": "internal error", "level": "error"}])) == 2


def played(item: Item, other: int | None = None, version: str = "1.0.3") -> str:
    """What the judge says of an answer that belongs to ``other``."""
    request = request_of(item)
    plate = request_of(replace(item, serial=item.serial if other is None else other)).plates["plate"]
    gains = np.array([gain_of("1.0.3")] * 3 + [1], np.float32)
    plate = replace(request.plates["plate"], pixels=plate.pixels * gains)
    result = RoleResult(plates={"plate": plate}, pack=PackPin(id=item.pack, version=version))
    return wrong(item, request, result, LocalEngine(device="cpu"))


def test_a_crossed_result_and_a_wrong_version_are_seen() -> None:
    item = Item(7, PACK_ID, "gain", 8, 6)
    assert played(item) == ""
    assert "75.00 % of the samples differ" in played(item, other=8)
    assert "differ" in played(item, version="1.0.4")


def test_a_plan_follows_from_its_seed() -> None:
    plan = [plan_item(3, serial, 41, (64, 32)) for serial in range(500)]
    assert plan == [plan_item(3, serial, 41, (64, 32)) for serial in range(500)]
    assert sum((item.width, item.height) == (64, 32) for item in plan) == 12
    assert {item.end for item in plan} == {"", "cancel", "deadline"}
    assert len({item.pack for item in plan}) == 7
    assert request_of(plan[0]).params.model_dump(mode="json")
    assert gain_of("1.0.7") == Fraction(2)
