# SPDX-License-Identifier: Apache-2.0
"""Measuring: each number is right on pictures whose answer is known, and each check can fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.color.config import ColorConfig
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.demo.measure import Judge, auroc, foreign_ids, identical_bits, ids_of, probe, psnr, score_motion


def color_plate(values: FloatImage) -> Plate:
    return blank_plate(np.ascontiguousarray(values, dtype=np.float32), ("R", "G", "B"), colorspace="ACES2065-1")


@pytest.fixture
def bright() -> FloatImage:
    rng = np.random.default_rng(1)
    pixels = rng.normal(0.3, 0.4, (24, 32, 3)).astype(np.float32)
    pixels[4:8, 4:8] = 500
    return pixels


def test_probe_of_the_same_picture_holds(bright: FloatImage) -> None:
    measured = probe([color_plate(bright)], [color_plate(bright)])
    assert measured.holds
    assert measured.line == "in max 500.0 → out max 500.0 · clamped 0 px"


def test_probe_sees_a_clamp_at_white(bright: FloatImage) -> None:
    measured = probe([color_plate(bright)], [color_plate(np.minimum(bright, 1))])
    assert not measured.holds
    assert measured.clamped == int((bright > 1.05).any(axis=-1).sum())
    assert "out max 1.0" in measured.line


def test_probe_sees_negatives_cut_to_zero(bright: FloatImage) -> None:
    measured = probe([color_plate(bright)], [color_plate(np.maximum(bright, 0))])
    assert not measured.holds
    assert not measured.negatives
    assert measured.clamped == int((bright < 0).any(axis=-1).sum())


def test_probe_sees_an_overshoot(bright: FloatImage) -> None:
    assert not probe([color_plate(bright)], [color_plate(bright * np.float32(1.01))]).holds


def test_identical_bits_tells_zero_from_minus_zero() -> None:
    a = color_plate(np.zeros((2, 2, 3), np.float32))
    b = color_plate(-np.zeros((2, 2, 3), np.float32))
    assert identical_bits(a, a, a.channels)
    assert not identical_bits(a, b, a.channels)


def test_a_blended_id_is_foreign() -> None:
    ids = blank_plate(np.array([[[1.0], [3.0]], [[2.0], [3.0]]], np.float32), ("id.X",), colorspace="Raw")
    assert ids_of(ids) == {1.0, 2.0, 3.0}
    assert foreign_ids(ids, {1.0, 3.0}) == 1
    assert foreign_ids(ids, ids_of(ids)) == 0


def test_psnr_of_a_known_error() -> None:
    a = np.full((4, 4, 3), 0.5, np.float32)
    assert psnr(a, a) == float("inf")
    assert psnr(a, a + np.float32(0.1)) == pytest.approx(20, abs=1e-3)
    where = np.zeros((4, 4), bool)
    where[0, 0] = True
    b = a.copy()
    b[1:] = 9
    assert psnr(a, b, where) == float("inf")


def test_auroc_of_perfect_worst_and_no_order() -> None:
    score = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    positive = np.array([False, False, True, True])
    assert auroc(score, positive) == 1.0
    assert auroc(-score, positive) == 0.0
    assert auroc(np.zeros(4, np.float32), positive) == 0.5
    assert auroc(score, np.ones(4, bool)) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_counts_pairs(items: list[tuple[int, bool]]) -> None:
    score = np.array([value for value, _ in items], np.float32)
    positive = np.array([flag for _, flag in items])
    found = auroc(score, positive)
    pairs = [(p, n) for p in score[positive] for n in score[~positive]]
    if not pairs:
        assert found is None
    else:
        assert found == pytest.approx(sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs))


def test_motion_score_of_a_known_error() -> None:
    names = ("forward.u", "forward.v", "backward.u", "backward.v")
    true = np.ones((9, 9, 6), np.float32)
    true[..., 4:] = 0
    true[0, :, 4] = 1  # hidden going forward
    found = np.ones((9, 9, 6), np.float32)
    found[..., 4:] = 1
    found[0, :, 0] += 3  # wrong there, by 3 px, and sure of it
    truth = blank_plate(true, (*names, "occlusion.forward", "occlusion.backward"), colorspace="Raw")
    result = blank_plate(found, (*names, "forward.confidence", "backward.confidence"), colorspace="Raw")
    score = score_motion([(result, truth)], stride=1)
    assert score.mean == pytest.approx(3 * 9 / 162)
    assert score.visible == 0
    assert score.within == 1
    assert score.auroc == 0.5


def test_judge_sees_what_the_display_hides() -> None:
    judge = Judge(ColorConfig.load(), "ACES2065-1")
    bright = np.full((4, 4, 3), 400, np.float32)
    on_display, in_log = judge.compare(bright, bright * np.float32(1.2))
    assert on_display > 45
    assert in_log < 45
