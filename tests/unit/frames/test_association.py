# SPDX-License-Identifier: Apache-2.0
import numpy as np

from understudy.contracts.plate import Plate, blank_plate
from understudy.frames.association import associate, dissociate

NAMES = ("R", "G", "B", "A", "left.R", "left.G", "left.B", "left.A", "sheen.R", "sheen.G", "sheen.B", "Z")


def _plate(alpha: float, left_alpha: float) -> Plate:
    values = [0.5, -2.0, 4000.0, alpha, 1.0, 2.0, 3.0, left_alpha, 7.0, 8.0, 9.0, 100.0]
    return blank_plate(np.array(values, np.float32).reshape(1, 1, -1), NAMES, colorspace="ACEScg")


def test_each_layer_is_divided_by_its_own_alpha_and_nothing_else_changes() -> None:
    loose = dissociate(_plate(0.25, 0.5))
    assert not loose.premultiplied
    assert loose.take("RGB").ravel().tolist() == [2.0, -8.0, 16000.0]
    assert loose.take(("left.R", "left.G", "left.B")).ravel().tolist() == [2.0, 4.0, 6.0]
    kept = ("A", "left.A", "sheen.R", "sheen.G", "sheen.B", "Z")
    assert loose.take(kept).tobytes() == _plate(0.25, 0.5).take(kept).tobytes()
    assert associate(loose).pixels.tobytes() == _plate(0.25, 0.5).pixels.tobytes()


def test_color_without_coverage_survives_the_division() -> None:
    loose = dissociate(_plate(0.0, -1.0))
    assert loose.take("RGB").ravel().tolist() == [0.5, -2.0, 4000.0]
    assert loose.take(("left.R", "left.G", "left.B")).ravel().tolist() == [1.0, 2.0, 3.0]


def test_what_is_associated_already_or_opaque_is_not_copied() -> None:
    plate = _plate(1.0, 1.0)
    assert associate(plate) is plate
    assert dissociate(plate).pixels is plate.pixels
    assert dissociate(dissociate(plate)).premultiplied is False
