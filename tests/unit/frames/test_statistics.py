# SPDX-License-Identifier: Apache-2.0
"""Value ranges."""

import numpy as np

from understudy.contracts.plate import Window
from understudy.frames.reframe import reframe
from understudy.frames.statistics import plate_statistics
from unit.frames.makers import MakePlate


def test_statistics_over_bands(make_plate: MakePlate) -> None:
    window = Window(0, 0, 1500, 900)
    plate = make_plate("RG", "half", window)
    pixels = plate.pixels.copy()
    integers = np.arange(pixels[..., 1].size, dtype=np.uint32).reshape(pixels.shape[:2])
    pixels[..., 1] = integers.view(np.float32)
    red, identifier = plate_statistics(make_plate(["R", "id"], ("half", "uint"), window, pixels=pixels))
    assert red.name == "R"
    assert red.minimum == pixels[..., 0].min()
    assert red.maximum == pixels[..., 0].max()
    np.testing.assert_allclose(red.mean, pixels[..., 0].mean(dtype=np.float64))
    assert red.over_one == np.count_nonzero(pixels[..., 0] > 1)
    assert red.below_zero == np.count_nonzero(pixels[..., 0] < 0)
    assert (identifier.minimum, identifier.maximum) == (0, integers.size - 1)
    assert identifier.below_zero == 0


def test_reframe(make_plate: MakePlate) -> None:
    plate = make_plate("RG", "half", Window(2, 3, 4, 5), Window(0, 0, 10, 10))
    assert reframe(plate, plate.data_window) is plate
    full = reframe(plate, plate.display_window)
    np.testing.assert_array_equal(full.pixels[3:8, 2:6], plate.pixels)
    assert np.count_nonzero(full.pixels) == np.count_nonzero(plate.pixels)
    np.testing.assert_array_equal(reframe(full, plate.data_window).pixels, plate.pixels)
    assert not reframe(plate, Window(100, 100, 3, 3)).pixels.any()
