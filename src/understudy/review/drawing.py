# SPDX-License-Identifier: Apache-2.0
"""Draws words beside pictures: burn-ins in bars above and below, so that no pixel is covered, and the slate.

The letters are OpenCV's own vector font, which needs no font file and knows ASCII only.
"""

from typing import Literal

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage
from understudy.review.labels import Labels

Ink = tuple[float, float, float]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BAR: Ink = (0.07, 0.07, 0.07)
_TEXT: Ink = (0.85, 0.85, 0.85)
_QUIET: Ink = (0.55, 0.55, 0.55)
_MARK: Ink = (1.0, 0.62, 0.2)
_BADGES: dict[str, Ink] = {"green": (0.35, 0.75, 0.4), "amber": (0.95, 0.68, 0.2), "red": (0.95, 0.3, 0.25)}

_SMALLEST = 0.6
_FONT_HEIGHT = 21.0
"""Height of a capital letter of the font at scale 1, pixels."""


def bar_height(height: int) -> int:
    """Height of each of the two bars of a picture; even."""
    return max(14, round(height * 0.06 / 2) * 2)


def burn_in(picture: FloatImage, labels: Labels, frame: int | None) -> FloatImage:
    """The picture with a bar above (name, mark, version) and a bar below (color, badge, frame).

    Args:
        picture: float32 ``(height, width, 3)``, display code values.
        labels: The words.
        frame: Its absolute frame number.

    Returns:
        float32 ``(height + 2 bars, width, 3)``.
    """
    height, width = picture.shape[:2]
    bar = bar_height(height)
    out = np.empty((height + 2 * bar, width, 3), np.float32)
    out[:] = _BAR
    out[bar:-bar] = picture
    top, bottom = out[:bar], out[-bar:]
    gap = round(0.02 * width)
    badge = _BADGES.get(labels.badge, _QUIET)
    number = "" if frame is None else str(frame)
    _write(top, labels.name, "left", _TEXT, share=0.38, gap=gap)
    _write(top, labels.mark, "center", _MARK, share=0.22)
    _write(top, labels.version, "right", _TEXT, share=0.2, gap=gap)
    _write(bottom, labels.color, "left", _QUIET, share=0.42, gap=gap)
    _write(bottom, labels.badge.upper(), "center", badge, share=0.12)
    _write(bottom, number, "right", _TEXT, share=0.2, gap=gap)
    return out


def slate(size: tuple[int, int], labels: Labels) -> FloatImage:
    """A picture that says what follows.

    Args:
        size: Width and height, pixels.
        labels: The words.

    Returns:
        float32 ``(height, width, 3)``, display code values.
    """
    width, height = size
    out = np.empty((height, width, 3), np.float32)
    out[:] = _BAR
    margin = max(8, width // 16)
    head = max(10, height // 9)
    lines = max(len(labels.facts), 9)
    step = (height - margin - 2 * head) / lines
    inside = out[:, margin : width - margin]
    _write(inside[head // 2 : head // 2 + head], f"{labels.name}  {labels.version}".strip(), "left", _TEXT)
    if labels.mark:
        _write(inside[head + head // 2 : 2 * head + head // 4], labels.mark, "left", _MARK)
    column = inside.shape[1] // 5
    for index, (word, text) in enumerate(labels.facts):
        first = round(2 * head + head // 4 + index * step)
        row = inside[first : first + max(6, min(round(step), head // 2))]
        _write(row[:, :column], word, "left", _QUIET)
        ending = text.rpartition(" ")[2]
        _write(row[:, column:], text, "left", _BADGES.get(ending, _TEXT))
    return out


def numbered(picture: FloatImage, text: str, ink: str = "") -> FloatImage:
    """A picture for a contact sheet with a line under it; ``ink`` names a badge's color."""
    bar = max(12, picture.shape[0] // 8)
    out = np.empty((picture.shape[0] + bar, picture.shape[1], 3), np.float32)
    out[:] = _BAR
    out[:-bar] = picture
    _write(out[-bar:], text, "left", _BADGES.get(ink, _TEXT), gap=bar // 3)
    return out


def _write(
    area: FloatImage,
    text: str,
    where: Literal["left", "center", "right"],
    ink: Ink,
    *,
    share: float = 1.0,
    gap: int = 0,
) -> None:
    """One line of text into an area; smaller or cut where it would take more than its share of the width."""
    height, width = area.shape[:2]
    text = text.encode("ascii", "replace").decode()
    if not text or height < 4:
        return
    scale = 0.5 * height / _FONT_HEIGHT
    room = share * (width - 2 * gap)
    long = _length(text, scale)
    if long > room:
        scale *= max(room / long, _SMALLEST)
        long = _length(text, scale)
    if long > room:
        text = text[: max(1, int(len(text) * room / long) - 3)] + "..."
        long = _length(text, scale)
    x = {"left": gap, "center": (width - long) // 2, "right": width - long - gap}[where]
    mask = np.zeros((height, width), np.uint8)
    y = round((height + scale * _FONT_HEIGHT) / 2)
    cv2.putText(mask, text, (x, y), _FONT, scale, 255, max(1, round(scale * 1.6)), cv2.LINE_AA)
    share_of_ink = (mask / np.float32(255))[..., None]
    area[:] = area * (1 - share_of_ink) + np.asarray(ink, np.float32) * share_of_ink


def _length(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])
