# SPDX-License-Identifier: Apache-2.0
"""Quality on real photographs: back-projection beats bicubic, and confidence orders pixels by their true error."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.roles.engine import LocalEngine
from understudy.roles.resample import CUBIC, apply, axis


def photograph(folder: Path) -> FloatImage:
    """A crop of the first Kodak still, 8-bit codes."""
    path = sorted((folder / "stills").glob("kodim*.png"))[0]
    image: FloatImage = cv2.imread(str(path))[128:384, 256:512, ::-1].astype(np.float32)
    return np.ascontiguousarray(image)


def resized(image: FloatImage, scale: Fraction) -> FloatImage:
    size = int(image.shape[0] * scale)
    return apply(image, axis(CUBIC, scale, 0, size), axis(CUBIC, scale, 0, size), in_x=0, in_y=0)


def psnr(image: FloatImage, truth: FloatImage) -> float:
    error = np.clip(image, 0, 255)[4:-4, 4:-4] - truth[4:-4, 4:-4]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def test_the_shrinking_filter_does_not_move_the_picture(shared_data: Path) -> None:
    truth = photograph(shared_data)
    area = cv2.resize(truth, (128, 128), interpolation=cv2.INTER_AREA)
    small = resized(truth, Fraction(1, 2))
    here = np.abs(small - area).mean()
    for axis_, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        half_a_pixel = (small + np.roll(small, step, axis_)) / 2
        assert here < np.abs(half_a_pixel - area)[2:-2, 2:-2].mean()


def test_back_projection_beats_bicubic(engine: LocalEngine, shared_data: Path) -> None:
    truth = photograph(shared_data)
    small = np.clip(np.round(resized(truth, Fraction(1, 2))), 0, 255).astype(np.float32)
    plate = blank_plate(small, ("R", "G", "B"), colorspace="ACEScg")
    score = {}
    for pack in ("lanczos", "bicubic-back-projection"):
        params = UpscaleParams(scale=Fraction(2), confidence=True)
        out = engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates={"plate": plate})).plates["plate"]
        score[pack] = psnr(out.take(["R", "G", "B"]), truth)
        true_error = np.abs(out.take(["R", "G", "B"]) - truth).max(axis=2).reshape(128, 2, 128, 2).max(axis=(1, 3))
        doubt = 1 - out.take(["confidence.Y"])[::2, ::2, 0]
        relative = true_error / cv2.dilate(small.max(axis=2), np.ones((9, 9), np.uint8))
        ranks = [values.ravel().argsort().argsort() for values in (doubt[4:-4, 4:-4], relative[4:-4, 4:-4])]
        assert np.corrcoef(ranks)[0, 1] > 0.5
    bicubic = max(psnr(resized(small, Fraction(2)), truth), psnr(cv2.resize(small, (256, 256), interpolation=2), truth))
    assert score["bicubic-back-projection"] > bicubic + 0.6
    assert score["lanczos"] > bicubic - 0.2
