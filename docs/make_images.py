# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script, not a package
"""Makes the picture of the README, ``docs/images/roles.jpg``, from what ``understudy demo`` wrote.

Run ``understudy demo demo_out``, then ``python docs/make_images.py demo_out``.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.plate import FloatImage, Plate
from understudy.demo.pictures import crop_to_display, doubt_overlay, wheel
from understudy.demo.shot import COLORSPACE
from understudy.frames.read import read_plate

OUT = Path(__file__).parent / "images" / "roles.jpg"
FRAME = 1012
SIZE = (480, 270)
FULL = 16.0
"""Vector length of full color, pixels."""


def main(demo: Path) -> None:
    """Six panels: the plate, its vectors and their doubt; motion blur, twice the size (a part of it), night."""
    color = ColorConfig.load()
    vectors = _plate(demo / "motion" / f"vectors.{FRAME}.exr")
    flow = crop_to_display(vectors.take(["forward.u", "forward.v"]), vectors)
    confidence = crop_to_display(vectors.take(["forward.confidence"]), vectors)[..., 0]
    plate = _shown(demo / "shot" / f"plate.{FRAME}.exr", color)
    red = doubt_overlay(confidence)
    doubt = plate + (red[..., :3] - plate) * red[..., 3:]
    larger = _shown(demo / "upscale" / f"double.{FRAME}.exr", color)
    rows = (
        (plate, wheel(flow, FULL), doubt),
        (
            _shown(demo / "motion" / f"blur.{FRAME}.exr", color),
            larger[larger.shape[0] // 2 :, : larger.shape[1] // 2],
            _shown(demo / "relight" / f"relit.{FRAME}.exr", color),
        ),
    )
    picture = np.vstack(
        [np.hstack([cv2.resize(panel, SIZE, interpolation=cv2.INTER_AREA) for panel in row]) for row in rows]
    )
    codes = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    OUT.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(OUT), codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


def _plate(path: Path) -> Plate:
    return read_plate(path, frame=FRAME, colorspace=COLORSPACE)


def _shown(path: Path, color: ColorConfig) -> FloatImage:
    """Display code values of a file, within its display window."""
    plate = _plate(path)
    return color.to_display(crop_to_display(plate.take(["R", "G", "B"]), plate), COLORSPACE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
