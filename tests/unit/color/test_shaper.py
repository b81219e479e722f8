# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve

CURVE = HybridCurve.of(policy().display_log)


def test_known_codes() -> None:
    light = np.array([0.0, 0.18, 1.0, CURVE.peak], np.float32)
    # By hand: sRGB(0.5) = 0.7353570, growth 0.3293154, so g(16) = 1.8766772; sRGB(0.18) = 0.4613561.
    assert np.allclose(CURVE.encode(light), [0, 0.2458367, 0.5134719, 1], rtol=0, atol=2e-7)


def test_below_the_knee_it_is_srgb() -> None:
    x = np.linspace(0, CURVE.knee, 4001, dtype=np.float32)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    assert np.abs(CURVE.encode(x) * CURVE.scale - srgb).max() < 2e-5


@pytest.mark.parametrize("joint", ["toe", "knee"])
def test_value_and_slope_meet(joint: str) -> None:
    at = CURVE.toe[0] if joint == "toe" else CURVE.knee
    (toe, toe_height), (height, growth) = CURVE.toe, CURVE.shoulder
    root = (1 + CURVE.offset) * at ** (1 / CURVE.gamma)
    value, slope = root - CURVE.offset, root / CURVE.gamma / at
    expected = (toe_height, toe_height / toe) if joint == "toe" else (height, growth / CURVE.knee)
    assert (value, slope) == pytest.approx(expected, rel=1e-12)
    step = np.float32(at * 2**-9)
    x = np.array([at - step, at, at + step], np.float32)
    low, middle, high = CURVE.encode(x).astype(np.float64)
    left, right = (middle - low) / float(x[1] - x[0]), (high - middle) / float(x[2] - x[1])
    assert left == pytest.approx(right, rel=4e-3)


def every_half() -> np.ndarray:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    return np.unique(halves[np.isfinite(halves)])


def test_strictly_increasing_over_all_halves() -> None:
    code = CURVE.encode(every_half())
    assert (np.diff(code) > 0).all()


def test_every_half_survives_the_round_trip() -> None:
    halves = every_half()
    back = CURVE.decode(CURVE.encode(halves))
    assert np.isfinite(back).all()
    assert (np.abs(back - halves) <= np.abs(halves) * 4e-6).all()
    assert np.array_equal(back.astype(np.float16), halves.astype(np.float16))


def test_negatives_follow_the_line_without_bound() -> None:
    x = np.array([-1e-4, -1, -100, -65504], np.float32)
    assert np.allclose(CURVE.encode(x) / x, CURVE.encode(np.array([1e-4], np.float32)) / np.float32(1e-4), rtol=1e-6)


def test_never_anything_but_finite() -> None:
    huge = np.float32(3.4e38)
    assert np.isfinite(CURVE.encode(np.array([huge, -huge], np.float32))).all()
    assert np.isfinite(CURVE.decode(np.array([huge, -huge, 1000], np.float32))).all()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 15, 17, 31, 33, 101])
def test_a_value_does_not_depend_on_its_neighbors(size: int) -> None:
    x = (2.0 ** np.random.default_rng(3).uniform(-14, 16, 4096)).astype(np.float32)
    code, back = CURVE.encode(x), CURVE.decode(x)
    for start in range(0, 2000, 97):
        part = slice(start, start + size)
        assert CURVE.encode(x[part]).tobytes() == code[part].tobytes()
        assert CURVE.decode(x[part]).tobytes() == back[part].tobytes()
