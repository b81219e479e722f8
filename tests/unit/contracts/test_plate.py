# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.errors import PlateError
from understudy.contracts.plate import Plate, Window, blank_plate


def _plate() -> Plate:
    pixels = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    return blank_plate(pixels, ("R", "id.X", "Z"), colorspace="ACEScg", frame=7)


def test_slices_find_a_window_s_pixels_in_the_array_of_another() -> None:
    whole, part = Window(-2, -3, 6, 5), Window(-1, 0, 2, 1)
    pixels = np.zeros((whole.height, whole.width))
    pixels[part.slices(whole)] = 1
    assert {(int(y) + whole.y, int(x) + whole.x) for y, x in np.argwhere(pixels)} == {(0, -1), (0, 0)}
    assert pixels[whole.slices(whole)].shape == pixels.shape


def test_windows_that_do_not_meet_have_no_intersection() -> None:
    assert Window(0, 0, 2, 2).intersection(Window(2, 0, 2, 2)) is None
    assert Window(0, 0, 3, 2).intersection(Window(2, 1, 9, 9)) == Window(2, 1, 1, 1)
    assert Window(0, 0, 2, 2).union(Window(-3, 5, 1, 1)) == Window(-3, 0, 5, 6)


def test_scaled_windows_grow_outward_to_whole_pixels() -> None:
    assert Window(-1, 1, 3, 3).scaled(Fraction(2)) == Window(-2, 2, 6, 6)
    assert Window(-1, 1, 3, 3).scaled(Fraction(1, 2)) == Window(-1, 0, 2, 2)


def test_only_keeps_the_types_and_the_order_asked_for() -> None:
    plate = _plate().with_pixels(_plate().pixels.copy(), sample_types=("half", "uint", "float"))
    few = plate.only(["Z", "R"])
    assert (few.channels, few.sample_types, few.frame) == (("Z", "R"), ("float", "half"), 7)
    assert few.pixels.tobytes() == plate.pixels[..., [2, 0]].tobytes()
    assert plate.only(plate.channels) is plate
    with pytest.raises(PlateError, match=r"frame 7: no channel 'A'; there are R, id\.X, Z"):
        plate.only(["A"])


def test_a_plate_s_pixels_can_not_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _plate().pixels[0] = 1
