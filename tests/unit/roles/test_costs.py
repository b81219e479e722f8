# SPDX-License-Identifier: Apache-2.0
"""What is learned from runs, with made-up ones whose truth is known."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from understudy.contracts.jobs import InterpolateParams, MotionParams, PackPin, RelightParams, RoleParams, UpscaleParams
from understudy.contracts.manifest import Role
from understudy.contracts.workload import PlateSize, Workload, workload_of
from understudy.roles.costs import Costs

PIN = PackPin(id="p", version="1.0.0", sha256="a" * 64)
FRAME = PlateSize(100, 50, 4)


def load(megapixels: float, variant: str = "v", pack: PackPin = PIN) -> Workload:
    return Workload(
        role=Role.UPSCALE,
        pack=pack,
        variant=variant,
        megapixels=megapixels,
        input_bytes=0,
        output_bytes=0,
        peak_bytes=0,
    )


def taught(runs: list[tuple[float, float]], variant: str = "v", pack: PackPin = PIN, device: str = "cpu") -> Costs:
    costs = Costs()
    for megapixels, seconds in runs:
        costs.observe(load(megapixels, variant), pack, device, seconds)
    return costs


def test_before_any_run_there_is_a_rule_of_thumb_that_says_so() -> None:
    costs = Costs()
    for role in Role:
        small, large = (costs.cost(replace(load(size), role=role)) for size in (1.0, 8.0))
        assert 0 < small.low < small.seconds < small.high
        assert small.seconds < large.seconds
        assert (small.runs, small.trusted, small.device) == (0, False, "")


def test_a_line_is_found_exactly() -> None:
    cost = taught([(mp, 0.5 + 2 * mp) for mp in (1, 2, 4, 8)]).cost(load(16))
    assert (cost.seconds, cost.low, cost.high) == pytest.approx((32.5, 32.5, 32.5))
    assert (cost.runs, cost.device, cost.trusted) == (4, "cpu", True)


def test_a_quarter_of_odd_runs_moves_nothing() -> None:
    runs = [(float(mp), 1.0 + 3 * mp) for mp in range(1, 25)]
    for index in (0, 5, 11, 17, 20, 23):
        runs[index] = (runs[index][0], runs[index][1] * 40)
    assert taught(runs).cost(load(10)).seconds == pytest.approx(31.0, rel=0.05)


def test_half_of_the_runs_lie_in_the_band() -> None:
    chance = random.Random(5)
    runs = [(2.0, chance.uniform(1, 3)) for _ in range(32)]
    cost = taught(runs).cost(load(2.0))
    inside = sum(cost.low <= seconds <= cost.high for _, seconds in runs)
    assert 15 <= inside <= 18


def test_few_runs_give_a_rate_and_a_wide_band() -> None:
    cost = taught([(2.0, 6.0)]).cost(load(4.0))
    assert (cost.seconds, cost.low, cost.high, cost.runs, cost.trusted) == (12.0, 6.0, 24.0, 1, False)


def test_another_kind_of_run_of_the_pack_is_better_than_none_and_is_not_trusted() -> None:
    cost = taught([(1.0, 5.0)] * 8, variant="other").cost(load(1.0))
    assert (cost.seconds, cost.runs, cost.trusted) == (5.0, 8, False)


def test_far_from_the_sizes_seen_nothing_is_trusted() -> None:
    costs = taught([(1.0, 5.0)] * 8)
    assert [costs.cost(load(size)).trusted for size in (0.2, 0.25, 4.0, 4.1)] == [False, True, True, False]


def test_packs_and_versions_do_not_mix() -> None:
    costs = taught([(1.0, 5.0)] * 4)
    newer = PackPin(id="p", version="2.0.0", sha256="b" * 64)
    costs.observe(load(1.0), newer, "cuda:0", 1.0)
    assert costs.cost(load(1.0)).seconds == 5.0
    assert costs.cost(load(1.0, pack=newer)).seconds == 1.0
    latest = costs.cost(load(1.0, pack=PackPin(id="p")))  # not pinned: what ran last
    assert (latest.seconds, latest.device) == (1.0, "cuda:0")
    assert costs.cost(load(1.0, pack=PackPin(id="p", version="1.0.0", sha256="a" * 12))).seconds == 5.0
    assert costs.cost(load(1.0, pack=PackPin(id="q"))).runs == 0


def test_old_runs_are_forgotten() -> None:
    costs = taught([(1.0, 9.0)] * 40 + [(1.0, 2.0)] * 32)
    cost = costs.cost(load(1.0))
    assert (cost.seconds, cost.high, cost.runs) == (2.0, 2.0, 32)
    for number in range(1100):
        costs.observe(load(1.0), PackPin(id=f"p{number}"), "cpu", 1.0)
    assert len(costs.dump()) == 1024


def test_what_is_dumped_is_what_is_loaded() -> None:
    costs = taught([(1.0, 5.5), (3.0, 9.25)])
    again = Costs()
    again.load(json.loads(json.dumps(costs.dump())))
    assert again.dump() == costs.dump()
    assert again.cost(load(2.0)) == costs.cost(load(2.0))
    assert again.changes == 0


@pytest.mark.parametrize(
    "change",
    [
        {"runs": [[1.0]]},
        {"runs": [["x", 1]]},
        {"runs": [[float("nan"), 1]]},
        {"runs": [[-1, 1]]},
        {"id": 7},
        {"runs": 3},
    ],
)
def test_what_is_wrong_is_refused_whole(change: dict[str, object]) -> None:
    entries = taught([(1.0, 1.0)]).dump()
    costs = Costs()
    with pytest.raises((ValueError, TypeError, KeyError)):
        costs.load([*entries, {**entries[0], **change}])
    with pytest.raises((ValueError, TypeError, KeyError)):
        costs.load([*entries, {}])
    assert costs.dump() == []


@pytest.mark.parametrize(
    ("params", "sizes", "output"),
    [
        (UpscaleParams(scale=Fraction(2)), {"plate": FRAME}, 201 * 101 * 4 * 4),
        (UpscaleParams(scale=Fraction(2), confidence=True), {"plate": FRAME}, 201 * 101 * 5 * 4),
        (InterpolateParams(outputs=((Fraction(1, 2),), (Fraction(1),))), {"a": FRAME, "b": FRAME}, 2 * 5000 * 5 * 4),
        (MotionParams(), {"a": FRAME, "b": FRAME}, 2 * 5000 * 4 * 4),
        (RelightParams(passes=("normal", "ratio")), {"plate": FRAME}, 5000 * 4 * 4 + 2 * 3 * 5000 * 4),
    ],
)
def test_sizes_of_results_are_told_from_the_request(
    params: RoleParams, sizes: dict[str, PlateSize], output: int
) -> None:
    work = workload_of(params, PIN, sizes)
    assert work.output_bytes == output
    assert work.input_bytes == len(sizes) * 100 * 50 * 4 * 4
    assert work.held_bytes == work.input_bytes + output
    assert work.peak_bytes > work.held_bytes


def test_what_changes_the_cost_changes_the_variant_and_what_does_not_does_not() -> None:
    def variant(params: RoleParams, channels: int = 4) -> str:
        return workload_of(params, PIN, {"plate": PlateSize(100, 50, channels)}).variant

    plain = variant(UpscaleParams())
    assert variant(UpscaleParams(kinds={"x": "id"})) == plain
    assert workload_of(UpscaleParams(), PIN, {"plate": PlateSize(7, 7, 4)}).variant == plain
    others = [
        variant(UpscaleParams(draft=True)),
        variant(UpscaleParams(scale=Fraction(3))),
        variant(UpscaleParams(options={"iterations": 3})),
        variant(UpscaleParams(tile=64)),
        variant(UpscaleParams(), channels=3),
        variant(RelightParams()),
    ]
    assert len({plain, *others}) == 7


def test_pictures_that_are_sources_cost_nothing() -> None:
    def variant(*outputs: tuple[Fraction, ...]) -> str:
        return workload_of(InterpolateParams(outputs=outputs), PIN, {"a": FRAME, "b": FRAME}).variant

    half, end = (Fraction(1, 2),), (Fraction(1),)
    assert variant(half) == variant(half, end)
    assert variant(half) != variant(half, half)
    assert variant((Fraction(1, 4), Fraction(3, 4))) == variant(half, half)


def test_no_plates_and_unknown_plates_are_measured_too() -> None:
    assert workload_of(UpscaleParams(), PIN, {}).input_bytes == 0
    assert workload_of(UpscaleParams(), PIN, {"x": FRAME}).megapixels > 0
