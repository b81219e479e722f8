# SPDX-License-Identifier: Apache-2.0
"""Conversions of samples and pixels, memory layouts, regions: exact properties."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.ofx_host import RowLayout
from understudy.ofx_host.images import ImageMemory
from understudy.ofx_host.names import Depth
from understudy.ofx_host.pixels import convert_components, convert_depth
from understudy.ofx_host.regions import bounded, to_canonical, to_pixels, union


def test_bytes_and_shorts_convert_exactly() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 64, 4)
    wide = convert_depth(codes, "short")
    np.testing.assert_array_equal(wide, codes.astype(np.uint16) * 257)
    deeper: tuple[Depth, ...] = ("short", "half", "float")
    for depth in deeper:
        np.testing.assert_array_equal(convert_depth(convert_depth(codes, depth), "byte"), codes)
    shorts = np.arange(65536, dtype=np.uint16).reshape(64, 256, 4)
    np.testing.assert_array_equal(convert_depth(convert_depth(shorts, "float"), "short"), shorts)
    np.testing.assert_array_equal(convert_depth(shorts, "byte"), np.rint(shorts / 257.0).astype(np.uint8))


def test_half_to_float_and_back_is_the_same_for_every_half() -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(64, 256, 4)
    back = convert_depth(convert_depth(halves, "float"), "half")
    finite = np.isfinite(halves)
    np.testing.assert_array_equal(back[finite], halves[finite])
    assert np.isposinf(convert_depth(np.full((1, 1, 1), 1e6, np.float32), "half")).all()


@pytest.mark.parametrize(
    ("given_", "wanted", "result"),
    [
        ([0.1, 0.2, 0.3], "RGBA", [0.1, 0.2, 0.3, 1.0]),
        ([0.1, 0.2, 0.3, 0.4], "RGB", [0.1, 0.2, 0.3]),
        ([0.1, 0.2, 0.3, 0.4], "Alpha", [0.4]),
        ([0.1, 0.2, 0.3], "Alpha", [1.0]),
        ([0.4], "RGBA", [0.0, 0.0, 0.0, 0.4]),
        ([0.4], "RGB", [0.0, 0.0, 0.0]),
        ([0.1, 0.2], "RGBA", [0.1, 0.2, 0.0, 1.0]),
        ([0.1, 0.2, 0.3, 0.4], "MotionVectors", [0.1, 0.2]),
    ],
)
def test_components(given_: list[float], wanted: Any, result: list[float]) -> None:
    pixels = np.array([[given_]], np.float32)
    np.testing.assert_array_equal(convert_components(pixels, wanted)[0, 0], np.array(result, np.float32))


def test_a_missing_alpha_is_white_in_every_depth() -> None:
    for kind, white in ((np.uint8, 255), (np.uint16, 65535), (np.float16, 1), (np.float32, 1)):
        assert convert_components(np.zeros((1, 1, 3), kind), "RGBA")[0, 0, 3] == white


@pytest.mark.parametrize("layout", [RowLayout(), RowLayout(padding=7), RowLayout(negative=True)])
def test_memory_gives_back_what_it_got(layout: RowLayout) -> None:
    pixels = np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)
    memory = ImageMemory.of(pixels, layout)
    np.testing.assert_array_equal(memory.pixels(), pixels)
    assert not memory.overrun()
    assert (memory.row_bytes < 0) is layout.negative
    if layout.negative:  # handed over as it is: the bottom row is the array's last
        assert memory.address == pixels[-1].ctypes.data


_sizes = st.integers(1, 5000)
_scales = st.sampled_from([1.0, 0.5, 0.25, 1 / 3, 0.7, 2.0])


@given(st.integers(-5000, 5000), st.integers(-5000, 5000), _sizes, _sizes, _scales, st.sampled_from([1.0, 2.0, 1.0667]))
def test_pixels_and_canonical_coordinates_go_back_and_forth(
    x: int, y: int, width: int, height: int, scale: float, aspect: float
) -> None:
    bounds = (x, y, x + width, y + height)
    assert to_pixels(to_canonical(bounds, (scale, scale), aspect), (scale, scale), aspect) == bounds


def test_regions() -> None:
    assert to_pixels((0.2, 0.2, 9.8, 9.8), (1.0, 1.0), 1.0) == (0, 0, 10, 10)
    assert union([(0, 0, 1, 1), (-5, 2, 0, 3)]) == (-5, 0, 1, 3)
    assert union([]) is None
    low, high = -(2.0**31), 2.0**31 - 1
    assert bounded((low, 5, high, high), (0, 0, 8, 9)) == (0, 5, 8, 9)
