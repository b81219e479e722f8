# SPDX-License-Identifier: Apache-2.0
"""A resampler writes into part of a larger picture what it would have returned, and nothing beside it."""

from fractions import Fraction

import numpy as np
import pytest

from understudy.contracts.plate import FloatImage
from understudy.roles.resample import LANCZOS3, axis, limited

_ROWS, _COLUMNS = axis(LANCZOS3, Fraction(2), 0, 40), axis(LANCZOS3, Fraction(2), 0, 60)


@pytest.mark.parametrize("channels", [1, 4, 11])
@pytest.mark.parametrize("largest", [1.0, 3e38])  # the second goes by way of the headroom
def test_writes_into_a_view_of_a_larger_picture(channels: int, largest: float) -> None:
    image = np.random.default_rng(1).uniform(0, largest, (20, 30, channels)).astype(np.float32)
    expected = limited(image, _ROWS, _COLUMNS, in_x=0, in_y=0, overshoot=0.0)
    whole = np.full((44, 66, channels), -7, np.float32)
    view = whole[2:42, 3:63]
    returned = limited(image, _ROWS, _COLUMNS, in_x=0, in_y=0, overshoot=0.0, out=view)
    assert returned is view
    np.testing.assert_array_equal(view, expected)
    view[...] = -7
    assert (whole == -7).all()


def test_refuses_pixels_that_are_not_contiguous_within_rows() -> None:
    image = np.ones((20, 30, 2), np.float32)
    whole: FloatImage = np.empty((40, 60, 3), np.float32)
    with pytest.raises(ValueError, match="copy"):
        limited(image, _ROWS, _COLUMNS, in_x=0, in_y=0, overshoot=0.0, out=whole[..., :2])
