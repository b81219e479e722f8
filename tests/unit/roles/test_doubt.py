# SPDX-License-Identifier: Apache-2.0
"""The confidence of a network's enlargement: it answers for what it adds to a bicubic."""

from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.plate import FloatImage, Plate, Window, blank_plate
from understudy.roles.back_projection import measure
from understudy.roles.resample import CUBIC, apply, axis

SIDE = 40
DOUBT = (0.8, 1.2, 1.6)


def plate() -> Plate:
    pixels = np.random.default_rng(2).uniform(0.2, 0.9, (SIDE, SIDE, 3)).astype(np.float32)
    return blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg")


def bicubic(source: Plate, scale: Fraction) -> FloatImage:
    size = int(SIDE * scale)
    return apply(source.pixels, axis(CUBIC, scale, 0, size), axis(CUBIC, scale, 0, size), in_x=0, in_y=0)


def confidence(source: Plate, out: FloatImage, scale: Fraction, doubt: tuple[float, ...] = DOUBT) -> FloatImage:
    window = Window(0, 0, out.shape[1], out.shape[0])
    score = measure(source, out, window, [0, 1, 2], scale, whole=True, doubt=doubt)
    assert score.map is not None
    return score.map[..., 0]


@pytest.mark.parametrize("scale", [Fraction(2), Fraction(3), Fraction(5, 2), Fraction(6)])
def test_a_bicubic_is_not_in_doubt_and_what_is_added_is(scale: Fraction) -> None:
    source = plate()
    smooth = bicubic(source, scale)
    np.testing.assert_allclose(confidence(source, smooth, scale), 1, atol=1e-4)
    # A checker of 0.1 everywhere: its root mean square is 0.1, over a level of about 0.9.
    rows, columns = np.mgrid[: smooth.shape[0], : smooth.shape[1]]
    added = smooth + (0.1 * (1 - 2 * ((rows + columns) % 2)))[..., None].astype(np.float32)
    inner = confidence(source, added, scale)[8:-8, 8:-8]
    q = float(np.interp(float(scale), (1, 2, 3, 4), (0, *DOUBT)))
    level = source.pixels.max()
    np.testing.assert_allclose(inner.mean(), 1 / (1 + 10 * q * 0.1 / level), rtol=0.03)


def test_doubt_goes_with_exposure_and_lies_where_something_was_added() -> None:
    source, scale = plate(), Fraction(2)
    out = bicubic(source, scale)
    out[30:40, 30:40] += 0.3
    seen = confidence(source, out, scale)
    assert seen[15:20, 15:20].max() < 0.5
    assert seen[:10].min() > 0.999
    brighter = source.with_pixels(source.pixels * np.float32(8))
    np.testing.assert_allclose(confidence(brighter, out * np.float32(8), scale), seen, rtol=1e-4)


def test_bands_agree_with_the_whole() -> None:
    pixels = np.random.default_rng(2).uniform(0.2, 0.9, (300, 24, 3)).astype(np.float32)
    source = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg")
    out = np.random.default_rng(3).uniform(0.2, 0.9, (600, 48, 3)).astype(np.float32)
    whole = measure(source, out, Window(0, 0, 48, 600), [0, 1, 2], Fraction(2), whole=True, doubt=DOUBT)
    part = source.with_pixels(np.ascontiguousarray(pixels[100:160]), data_window=Window(0, 0, 24, 60))
    cut = np.ascontiguousarray(out[200:320])
    inner = measure(part, cut, Window(0, 0, 48, 120), [0, 1, 2], Fraction(2), whole=True, doubt=DOUBT)
    assert whole.map is not None
    assert inner.map is not None
    np.testing.assert_allclose(whole.map[112:148], inner.map[12:48], rtol=1e-5)
