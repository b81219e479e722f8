# SPDX-License-Identifier: Apache-2.0
"""Tiles cover a frame once, have one size, and repeat edges beyond it."""

from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError
from understudy.contracts.manifest import Contract, Encoding
from understudy.contracts.plate import Window
from understudy.roles.tiling import crop, default_sides, each_tile, plan_tiles, read_tile


def contract(radius: int = 3, multiple_of: int = 1, minimum_size: int = 1) -> Contract:
    return Contract(encoding=Encoding.PLATE, radius=radius, multiple_of=multiple_of, minimum_size=minimum_size)


WINDOWS = [Window(0, 0, 100, 70), Window(-13, 7, 61, 33), Window(5, -90, 1, 1), Window(3, 2, 17, 200)]
SCALES = [Fraction(1), Fraction(2), Fraction(3), Fraction(3, 2), Fraction("1.37"), Fraction(1, 2), Fraction(2, 3)]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize(("side", "multiple"), [(16, 1), (23, 8), (1000, 16), (1, 1)])
def test_targets_cover_the_output_once(window: Window, scale: Fraction, side: int, multiple: int) -> None:
    tiles = plan_tiles(window, contract(multiple_of=multiple, minimum_size=12), scale=scale, side=side)
    out = window.scaled(scale)
    seen = np.zeros((out.height, out.width, 1), np.float32)
    cores = np.zeros((window.height, window.width, 1), np.float32)
    for tile in tiles:
        crop(seen, out, tile.target)[...] += 1
        crop(cores, window, tile.core)[...] += 1
    assert (seen == 1).all()
    assert (cores == 1).all()
    assert len({(tile.source.width, tile.source.height) for tile in tiles}) == 1
    source = tiles[0].source
    assert source.width % multiple == 0
    assert source.height % multiple == 0
    assert min(source.width, source.height) >= 12
    assert all((tile.source.x - source.x) % multiple == 0 for tile in tiles)


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_every_tap_within_the_radius_lies_in_the_source(scale: Fraction) -> None:
    for tile in plan_tiles(Window(-13, 7, 61, 33), contract(radius=3), scale=scale, side=10):
        first = (tile.target.x + Fraction(1, 2)) / scale - Fraction(1, 2)
        last = (tile.target.right - Fraction(1, 2)) / scale - Fraction(1, 2)
        assert tile.source.x <= (first - 3).__floor__() + 1
        assert tile.source.right - 1 >= (last + 3).__ceil__() - 1


def test_a_whole_frame_pack_has_one_tile() -> None:
    (tile,) = plan_tiles(Window(4, 5, 3001, 2003), contract(radius=-1, multiple_of=16), side=64)
    assert tile.source == Window(4, 5, 3008, 2016)
    assert tile.core == tile.target == Window(4, 5, 3001, 2003)


def test_the_callers_reach_widens_the_halo() -> None:
    (tile,) = plan_tiles(Window(0, 0, 32, 32), contract(radius=0), reach=2)
    assert tile.source == Window(-2, -2, 36, 36)


def test_read_repeats_edges_and_keeps_bits() -> None:
    bits = np.arange(4 * 5 * 3, dtype=np.uint32).reshape(4, 5, 3) + np.uint32(0x7F800001)
    pixels, window = bits.view(np.float32), Window(-2, 3, 5, 4)
    for source in (
        Window(-2, 3, 5, 4),
        Window(-4, 1, 11, 9),
        Window(0, 4, 2, 2),
        Window(40, 50, 3, 2),
        Window(-40, -50, 3, 2),
    ):
        got = read_tile(pixels, window, source, [2, 0])
        rows = np.clip(np.arange(source.y, source.bottom) - window.y, 0, 3)
        columns = np.clip(np.arange(source.x, source.right) - window.x, 0, 4)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got.view(np.uint32), bits[rows][:, columns][..., [2, 0]])


def test_progress_and_cancel_between_tiles() -> None:
    tiles = plan_tiles(Window(0, 0, 40, 20), contract(), side=20)
    steps: list[tuple[int, int]] = []
    assert list(each_tile(tiles, Control(progress=lambda done, total: steps.append((done, total))))) == list(tiles)
    assert steps == [(1, 2), (2, 2)]
    steps.clear()
    control = Control(progress=lambda done, total: steps.append((done, total)), cancelled=lambda: bool(steps))
    with pytest.raises(JobCancelledError):
        list(each_tile(tiles, control))
    assert steps == [(1, 2)]


def test_networks_get_smaller_tiles_and_big_factors_too() -> None:
    network = Contract(encoding=Encoding.ACESCCT, domain=(0, 1), radius=8)
    assert default_sides(network)[0] < default_sides(contract())[0]
    assert default_sides(contract(), Fraction(4))[0] < default_sides(contract())[0]
    assert min(default_sides(contract(radius=200), Fraction(64))) >= 1600
