# SPDX-License-Identifier: Apache-2.0
"""Warping keeps samples that need no filter, and never rings."""

import cv2
import numpy as np
import pytest

from understudy.contracts.plate import Window
from understudy.roles.warp import Kernel, crop, enlarge, extend, inside, reduce, warp

RNG = np.random.default_rng(5)
WINDOW = Window(3, -7, 41, 29)
IMAGE = (RNG.standard_normal((29, 41, 6)) * 100).astype(np.float32)
KERNELS: tuple[Kernel, ...] = ("sharp", "bounded", "linear", "nearest")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("right", "down"), [(0, 0), (4, -3), (-40, 28)])
def test_whole_pixel_shifts_return_samples_bit_for_bit(kernel: Kernel, right: int, down: int) -> None:
    flow = np.broadcast_to(np.array([right, down], np.float32), (29, 41, 2)).copy()
    rows, columns = np.clip(np.arange(29) + down, 0, 28), np.clip(np.arange(41) + right, 0, 40)
    assert np.array_equal(warp(IMAGE, WINDOW, WINDOW, flow, kernel), IMAGE[rows][:, columns])


@pytest.mark.parametrize("kernel", KERNELS)
def test_windows_are_absolute_and_bands_change_nothing(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Window(-5, -10, 60, 40)
    flow = (RNG.standard_normal((40, 60, 2)) * 3).astype(np.float32)
    whole = warp(IMAGE, WINDOW, target, flow, kernel)
    monkeypatch.setattr("understudy.roles.warp._BAND_ROWS", 7)
    monkeypatch.setattr("understudy.roles.warp._BAND_COLUMNS", 11)
    banded = warp(IMAGE, WINDOW, target, flow, kernel)
    assert np.allclose(whole, banded, rtol=0, atol=0.05)  # remap rounds coordinates to 1/32 of a pixel
    picked = np.ascontiguousarray(IMAGE[..., [4, 1]])
    taken = warp(IMAGE, WINDOW, target, flow, kernel, [4, 1])
    assert np.array_equal(taken, warp(picked, WINDOW, target, flow, kernel))


@pytest.mark.parametrize("kernel", KERNELS)
def test_threads_change_no_bit(kernel: Kernel) -> None:
    flow = (RNG.standard_normal((29, 41, 2)) * 3).astype(np.float32)
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            results.append(warp(IMAGE, WINDOW, WINDOW, flow, kernel).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert results[0] == results[1]


def test_a_sun_leaves_no_ring_and_alpha_no_overshoot() -> None:
    sky = np.full((32, 32, 1), 0.01, np.float32)
    sky[12:16, 12:16] = 500
    window = Window(0, 0, 32, 32)
    flow = np.full((32, 32, 2), 0.37, np.float32)
    sharp = warp(sky, window, window, flow, "sharp")
    assert sharp.min() >= 0.01 * 0.995
    assert sharp.max() <= 500 * 1.005
    assert sharp[:9].max() == sharp[:9].min() == np.float32(0.01)
    bounded = warp((sky > 1).astype(np.float32), window, window, flow, "bounded")
    assert bounded.min() == 0
    assert bounded.max() == 1


def test_alpha_is_held_beside_its_color() -> None:
    flow = (RNG.standard_normal((29, 41, 2)) * 3).astype(np.float32)
    both = warp(IMAGE, WINDOW, WINDOW, flow, "sharp", [0, 5, 2], held=[5])
    assert np.array_equal(both[..., [0, 2]], warp(IMAGE, WINDOW, WINDOW, flow, "sharp", [0, 2]))
    assert np.array_equal(both[..., 1:2], warp(IMAGE, WINDOW, WINDOW, flow, "bounded", [5]))
    assert not np.array_equal(both[..., 1:2], warp(IMAGE, WINDOW, WINDOW, flow, "sharp", [5]))


def test_sharp_beats_linear_on_detail() -> None:
    x = np.arange(64, dtype=np.float32)
    wave = lambda shift: np.broadcast_to(0.5 + 0.3 * np.sin((x + shift) * 1.2)[None, :, None], (16, 64, 1)).astype("f4")  # noqa: E731
    window = Window(0, 0, 64, 16)
    flow = np.zeros((16, 64, 2), np.float32)
    flow[..., 0] = 0.5
    error = {k: np.abs(warp(wave(0), window, window, flow, k) - wave(0.5))[:, 8:-8].mean() for k in KERNELS}
    assert error["sharp"] < error["linear"] / 4


def test_nearest_copies_bits_that_are_no_numbers() -> None:
    bits = RNG.integers(0, 2**32, (8, 8, 1), dtype=np.uint32)
    window = Window(0, 0, 8, 8)
    flow = (RNG.standard_normal((8, 8, 2))).astype(np.float32)
    out = warp(bits.view(np.float32), window, window, flow, "nearest").view(np.uint32)
    assert set(out.ravel().tolist()) <= set(bits.ravel().tolist())


def test_inside_says_where_a_vector_ends_in_the_picture() -> None:
    flow = np.zeros((10, 10, 2), np.float32)
    flow[:, 8:, 0] = 2
    assert np.array_equal(inside(Window(0, 0, 10, 10), Window(0, 0, 10, 10), flow)[0], [True] * 8 + [False] * 2)


def test_extend_and_crop_undo_each_other() -> None:
    around = Window(0, -10, 60, 50)
    grown = extend(IMAGE, WINDOW, around)
    assert grown.shape == (50, 60, 6)
    assert np.array_equal(crop(grown, around, WINDOW), IMAGE)
    assert np.array_equal(grown[0, 0], IMAGE[0, 0])


def test_a_ramp_keeps_its_phase_through_reduce_and_enlarge() -> None:
    ramp = np.broadcast_to(np.arange(33, dtype=np.float32)[None, :, None], (9, 33, 1)).copy()
    back = enlarge(reduce(ramp, 2), 2, 9, 33)
    assert back.shape == ramp.shape
    assert np.allclose(back[:, 1:-3], ramp[:, 1:-3], atol=1e-5)
