# SPDX-License-Identifier: Apache-2.0
"""The contact sheet: frames of a whole range on one picture; and pictures as PNG and JPEG files."""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import cv2
import numpy as np

from understudy.contracts.errors import OutputError
from understudy.contracts.plate import FloatImage
from understudy.frames.atomic import atomic
from understudy.review.drawing import numbered
from understudy.review.proxy import codes

MOST = 30
"""Pictures on one sheet."""

_GAP = 8
_PAPER = np.float32(0.12)
_QUALITY = 90


def chosen(frames: Sequence[int | None], most: int = MOST) -> tuple[int | None, ...]:
    """At most so many frames, evenly spread, the first and the last among them."""
    if len(frames) <= most:
        return tuple(frames)
    return tuple(frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most))


def contact_sheet(pictures: Sequence[tuple[FloatImage, str, bool]]) -> FloatImage:
    """Pictures in rows, each with a line under it.

    Args:
        pictures: Display code values of one size, the line, and whether it is doubtful (amber then); at least one.

    Returns:
        float32 ``(height, width, 3)``, display code values.
    """
    cells = [numbered(picture, text, "amber" if doubt else "") for picture, text, doubt in pictures]
    height, width = cells[0].shape[:2]
    columns = min(len(cells), max(1, ceil(sqrt(len(cells) * height / width * 1.6))))
    rows = ceil(len(cells) / columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), _PAPER, np.float32)
    for index, cell in enumerate(cells):
        y, x = (_GAP + (index // columns) * (height + _GAP), _GAP + (index % columns) * (width + _GAP))
        sheet[y : y + height, x : x + width] = cell
    return sheet


def encoded(picture: FloatImage, suffix: str) -> bytes:
    """A picture as the bytes of a file.

    Args:
        picture: float32 ``(height, width, 3)``, display code values in 0-1.
        suffix: ``.png`` or ``.jpg``.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else []
    made, data = cv2.imencode(suffix, cv2.cvtColor(codes(picture), cv2.COLOR_RGB2BGR), options)
    if not made:
        raise OutputError(f"OpenCV could not encode a {suffix} picture")
    return bytes(data)


def write_picture(picture: FloatImage, path: Path) -> None:
    """Writes a PNG or a JPEG, whole or not at all.

    Raises:
        OutputError: It can't be written.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(encoded(picture, path.suffix))
