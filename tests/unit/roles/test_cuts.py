# SPDX-License-Identifier: Apache-2.0
"""Cuts are found; motion, flashes, grain and fades are none."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.color.config import ColorConfig
from understudy.contracts.errors import PlateError
from understudy.contracts.plate import Plate, blank_plate
from understudy.frames.read import read_plate
from understudy.roles.cuts import THRESHOLD, is_cut
from unit.roles.moving import plate, shifted, texture

COLOR = ColorConfig.load()


def scene(seed: int, right: int = 0) -> Plate:
    return plate(np.clip(shifted(texture(seed), right, 0), 0.01, None))


def test_another_picture_is_a_cut_and_a_moved_one_is_none() -> None:
    assert is_cut(scene(0), scene(1), COLOR).cut
    moved = is_cut(scene(0), scene(0, 7), COLOR)
    assert not moved.cut
    assert moved.score < THRESHOLD / 2
    assert is_cut(scene(0), scene(0), COLOR).score < 0.05


@pytest.mark.parametrize("gain", [1 / 16, 8.0])
def test_a_change_of_exposure_is_no_cut(gain: float) -> None:
    flash = replace(scene(2, 3), pixels=scene(2, 3).pixels * np.float32(gain))
    assert not is_cut(scene(2), flash, COLOR).cut


def test_grain_is_no_cut() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        replace(scene(3), pixels=scene(3).pixels + rng.normal(0, 0.05, scene(3).pixels.shape).astype(np.float32))
        for _ in range(2)
    )
    assert not is_cut(first, second, COLOR).cut


def test_flat_pictures_fade_or_cut() -> None:
    black, gray, white = (plate(np.full((96, 128, 3), level, np.float32)) for level in (0.0, 0.001, 1.0))
    assert not is_cut(black, black, COLOR).cut
    assert not is_cut(black, gray, COLOR).cut
    assert is_cut(black, white, COLOR).cut
    assert is_cut(black, scene(0), COLOR).cut


def test_a_plate_without_color_is_refused() -> None:
    with pytest.raises(PlateError, match="no color channels"):
        is_cut(plate(np.zeros((8, 8, 1), np.float32), ["Z"]), scene(0), COLOR)


def _photo(path: Path) -> Plate:
    code = cv2.imread(str(path))[:512, :768, ::-1].astype(np.float32) / 255
    return blank_plate(np.asarray(code**2.2, np.float32), ["R", "G", "B"], colorspace="Linear Rec.709 (sRGB)")


def test_real_scenes_join_with_a_cut_and_run_without_one(shared_data: Path) -> None:
    room = [_photo(path) for path in sorted((shared_data / "seq_bedroom").glob("*.jpg"))]
    assert len(room) == 24
    scores = [is_cut(a, b, COLOR) for a, b in pairwise(room)]
    assert not any(score.cut for score in scores)
    stills = [_photo(path) for path in sorted((shared_data / "stills").glob("kodim*.png"))]
    stills = [still for still in stills if still.width > still.height]
    assert all(is_cut(room[0], still, COLOR).cut for still in stills)
    assert all(is_cut(a, b, COLOR).cut for a, b in pairwise(stills))


def test_a_fast_element_over_black_is_no_cut(shared_data: Path) -> None:
    ball = [
        read_plate(path, frame=n, colorspace="Linear Rec.709 (sRGB)", channels=["R", "G", "B", "A"])
        for n, path in enumerate(sorted((shared_data / "exr_seq_beachball").glob("*.exr")))
    ]
    assert len(ball) == 6
    assert not any(is_cut(a, b, COLOR).cut for a, b in pairwise(ball))
