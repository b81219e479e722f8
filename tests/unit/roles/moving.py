# SPDX-License-Identifier: Apache-2.0
"""Moving pictures with known motion, for the tests of both motion roles."""

from collections.abc import Sequence

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage, Plate, SampleType, Window

HEIGHT, WIDTH = 96, 128
_MARGIN = 24


def texture(seed: int = 0) -> FloatImage:
    """float32 ``(h + 2 margin, w + 2 margin, 3)`` with slopes everywhere."""
    rng = np.random.default_rng(seed)
    noise = rng.random((HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2) * 2 - 0.5, np.float32)


def shifted(picture: FloatImage, right: int, down: int) -> FloatImage:
    """The middle of ``picture`` after its content moved."""
    top, left = _MARGIN - down, _MARGIN - right
    return np.ascontiguousarray(picture[top : top + HEIGHT, left : left + WIDTH])


def plate(
    pixels: FloatImage,
    channels: Sequence[str] = ("R", "G", "B"),
    *,
    at: tuple[int, int] = (0, 0),
    types: Sequence[SampleType] | None = None,
    frame: int | None = 1001,
) -> Plate:
    """A scene-linear plate with its data window's corner ``at`` (x, y), in a display window of 128x96."""
    height, width = pixels.shape[:2]
    return Plate(
        pixels=np.array(pixels, np.float32),
        channels=tuple(channels),
        sample_types=tuple(types or ["half"] * len(channels)),
        data_window=Window(*at, width, height),
        display_window=Window(0, 0, WIDTH, HEIGHT),
        colorspace="ACEScg",
        frame=frame,
    )
