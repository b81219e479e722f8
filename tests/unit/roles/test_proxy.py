# SPDX-License-Identifier: Apache-2.0
"""Plates made smaller and large again: the same windows, the same place, every kind of channel by its rule."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.channels import ChannelKind
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.proxy import PROXY_OF, Proxy, standing_for_all, standing_for_scaled, stands_for

FACTORS = pytest.mark.parametrize("factor", [2, 3, 4, 8])
WINDOWS = pytest.mark.parametrize(
    ("data", "display"),
    [
        pytest.param(Window(0, 0, 64, 48), Window(0, 0, 64, 48), id="even"),
        pytest.param(Window(-7, -5, 67, 51), Window(0, 0, 53, 41), id="odd, overscan"),
        pytest.param(Window(13, 3, 17, 9), Window(0, 0, 101, 67), id="cropped, off the grid"),
    ],
)


def _plate(
    pixels: FloatImage, channels: tuple[str, ...], data: Window, display: Window, stored: str = "float"
) -> Plate:
    return Plate(
        pixels=pixels,
        channels=channels,
        sample_types=(stored,) * len(channels),  # type: ignore[arg-type]  # the tests give one of them
        data_window=data,
        display_window=display,
        colorspace="ACEScg",
        metadata={"shot": "010"},
    )


def _filled(value: float, data: Window, display: Window, channels: tuple[str, ...] = ("R", "G", "B")) -> Plate:
    return _plate(np.full((data.height, data.width, len(channels)), value, np.float32), channels, data, display)


def _there_and_back(plate: Plate, factor: int, kinds: Mapping[str, ChannelKind] | None = None) -> Plate:
    proxy = Proxy(factor=factor, kinds=kinds or {})
    return proxy.grow(proxy.shrink(plate))


@FACTORS
@WINDOWS
@pytest.mark.parametrize("value", [500.0, -0.25, 65504.0, 3.0e38])
def test_windows_metadata_and_any_flat_value_come_back(
    factor: int, data: Window, display: Window, value: float
) -> None:
    plate = _filled(value, data, display)
    small = Proxy(factor=factor).shrink(plate)
    assert small.data_window == data.scaled(Fraction(1, factor))
    assert stands_for(small) == (data, display)
    back = Proxy(factor=factor).grow(small)
    assert (back.data_window, back.display_window, back.metadata) == (data, display, {"shot": "010"})
    np.testing.assert_allclose(back.pixels, plate.pixels, rtol=3e-7)


@FACTORS
@WINDOWS
def test_a_ramp_stays_where_it_is(factor: int, data: Window, display: Window) -> None:
    columns = np.arange(data.x, data.right, dtype=np.float32)
    rows = np.arange(data.y, data.bottom, dtype=np.float32)
    ramp = np.stack(np.broadcast_arrays(columns[None, :], rows[:, None]), axis=-1).astype(np.float32)
    back = _there_and_back(_plate(ramp, ("u", "v"), data, display), factor, {"*": ChannelKind.DATA})
    inside = np.abs(back.pixels - ramp)[2 * factor : -2 * factor, 2 * factor : -2 * factor]
    assert inside.size == 0 or inside.max() < 1e-4
    assert np.abs(back.pixels - ramp).max() <= factor  # edges repeat


@FACTORS
@pytest.mark.parametrize("at", range(40, 48))
def test_an_edge_shifts_by_less_than_a_pixel(factor: int, at: int) -> None:
    data = Window(-8, -8, 112, 16)
    pixels = np.zeros((16, 112, 1), np.float32)
    pixels[:, at - data.x :] = 8
    back = _there_and_back(_plate(pixels, ("Y",), data, data), factor).pixels[8, :, 0]
    place = data.x + 112 - back.sum() / 8  # where an ideal edge of the same light stands
    assert abs(place - at) < 1e-3
    crossing = data.x + int(np.argmax(back >= 4))
    assert abs(crossing - at) < max(1, factor / 2)


@FACTORS
def test_an_impulse_stays_where_it_is(factor: int) -> None:
    data = Window(3, -6, 60, 60)
    for x, y in ((20, 20), (21, 23), (27, 30)):
        pixels = np.zeros((60, 60, 1), np.float32)
        pixels[y - data.y, x - data.x] = 1000
        back = _there_and_back(_plate(pixels, ("Y",), data, data), factor).pixels[..., 0]
        rows, columns = np.mgrid[data.y : data.bottom, data.x : data.right]
        centroid = np.array([(back * columns).sum(), (back * rows).sum()]) / back.sum()
        assert back.sum() == pytest.approx(1000, rel=1e-5)
        assert np.abs(centroid - (x, y)).max() <= (factor - 1) / 2 + 1e-4  # it can be anywhere in its cell


def test_the_mean_place_of_impulses_does_not_shift() -> None:
    for factor in (2, 3, 4, 8):
        line = np.zeros((24, 96, 1), np.float32)
        found = []
        for x in range(40, 40 + factor):
            pixels = line.copy()
            pixels[:, x] = 1
            back = _there_and_back(_plate(pixels, ("Y",), Window(0, 0, 96, 24), Window(0, 0, 96, 24)), factor)
            row = back.pixels[12, :, 0]
            found.append((row * np.arange(96)).sum() / row.sum() - x)
        assert np.mean(found) == pytest.approx(0, abs=1e-4)


@FACTORS
@WINDOWS
def test_identifiers_are_never_mixed(factor: int, data: Window, display: Window) -> None:
    random = np.random.default_rng(factor)
    bits = random.integers(0, 2**32, (data.height, data.width, 1), dtype=np.uint32)
    bits[0, 0] = 0x7FA00001  # a signaling NaN
    plate = _plate(bits.view(np.float32), ("id.X",), data, display, stored="uint")
    for kinds in ({}, {"id.*": ChannelKind.DATA}):
        back = _there_and_back(plate, factor, kinds)
        assert set(back.pixels.view(np.uint32).ravel()) <= set(bits.ravel())
    mixed = _filled(0.5, data, display, ("R", "crypto00.R", "A"))
    assert (_there_and_back(mixed, factor).pixels == 0.5).all()


@FACTORS
def test_vectors_are_in_pixels_of_the_proxy_and_normals_stay_unit_long(factor: int) -> None:
    data = Window(0, 0, 48, 48)
    vectors = _filled(12, data, data, ("forward.u", "forward.v", "forward.confidence"))
    small = Proxy(factor=factor).shrink(vectors)
    np.testing.assert_allclose(small.pixels[..., :2], 12 / factor, rtol=1e-6)
    assert (small.pixels[..., 2] == 12).all()
    np.testing.assert_allclose(_there_and_back(vectors, factor).pixels, 12, rtol=1e-6)
    angle = np.linspace(0, 3, 48, dtype=np.float32)
    across = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    normals = _plate(np.tile(across, (48, 1, 1)), ("N.X", "N.Y", "N.Z"), data, data)
    for plate in (Proxy(factor=factor).shrink(normals), _there_and_back(normals, factor)):
        np.testing.assert_allclose(np.linalg.norm(plate.pixels, axis=-1), 1, atol=1e-5)


def test_a_proxy_stands_for_what_was_made_of_its_plate() -> None:
    first, second = (_filled(1, window, Window(0, 0, 31, 21)) for window in (Window(1, 1, 9, 9), Window(-5, 3, 11, 13)))
    a, b = map(Proxy(factor=2).shrink, (first, second))
    both = standing_for_all(a, (a, b))
    assert stands_for(both) == (Window(-5, 1, 15, 15), Window(0, 0, 31, 21))
    assert stands_for(standing_for_scaled(a, Fraction(3, 2))) == (Window(1, 1, 14, 14), Window(0, 0, 47, 32))
    assert standing_for_all(first, (first, second)) is first
    assert standing_for_scaled(first, Fraction(2)) is first
    assert PROXY_OF not in Proxy(factor=2).grow(both).metadata


def test_factor_one_is_the_plate_itself() -> None:
    plate = _filled(1, Window(0, 0, 4, 4), Window(0, 0, 4, 4))
    assert Proxy().shrink(plate) is plate
    assert Proxy().grow(plate) is plate
