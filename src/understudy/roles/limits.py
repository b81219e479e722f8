# SPDX-License-Identifier: Apache-2.0
"""How far a resampled value may leave its neighbors: the extremes around each result, and holding results to them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.plate import FloatImage

Indices = npt.NDArray[np.int64]

WIDE = 4
"""Channels that OpenCV takes at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Which input row and column each output row and column lies at, and how far its neighborhood reaches."""

    rows: Indices
    columns: Indices
    reach: int


def extremes(image: FloatImage, reach: int = 2) -> tuple[FloatImage, FloatImage]:
    """Minimum and maximum over the samples ``i - reach + 1 .. i + reach`` on both axes, per channel.

    Args:
        image: ``(h, w, n)`` with n at most 4.
        reach: Samples to the right; 2 makes the 4x4 around a center between ``i`` and ``i + 1``.
    """
    box = np.ones((2 * reach, 2 * reach), np.uint8)
    anchor = (reach - 1, reach - 1)
    low, high = np.empty_like(image), np.empty_like(image)
    cv2.erode(image, box, dst=low, anchor=anchor)
    cv2.dilate(image, box, dst=high, anchor=anchor)
    return low, high


def neighborhood(stretch: Fraction) -> int:
    """How many samples on each side count as neighbors, for ``stretch`` input samples to an output sample."""
    return math.ceil(2 * stretch)


def limit(out: FloatImage, image: FloatImage, part: Part, overshoot: float) -> None:
    """Limits a chunk in place; ``part`` holds indices into ``image``."""
    for lines, low, high in limits(out, image, part, overshoot):
        np.maximum(lines, low, out=lines)
        np.minimum(lines, high, out=lines)


def limits(
    out: FloatImage, image: FloatImage, part: Part, overshoot: float
) -> Iterator[tuple[FloatImage, FloatImage, FloatImage]]:
    """Views that cover a chunk once, ``(rows, each, columns, n)``, and their limits, ``(rows, 1, columns, n)``."""
    reach = part.reach
    top, bottom = max(0, int(part.rows[0]) + 1 - reach), int(part.rows[-1]) + reach + 1
    left, right = max(0, int(part.columns[0]) + 1 - reach), int(part.columns[-1]) + reach + 1
    low, high = extremes(np.ascontiguousarray(image[top:bottom, left:right]), reach)
    if overshoot:
        share, room = np.float32(overshoot), high - low
        low, high = low - share * np.minimum(np.abs(low), room), high + share * np.minimum(np.abs(high), room)
    low, high = _picked(low, part.columns - left), _picked(high, part.columns - left)
    for begin, end, each in _runs(part.rows):
        row, last = int(part.rows[begin]) - top, int(part.rows[end - 1]) - top + 1
        # Rows that share their neighbors as one axis: a few large operations instead of many small ones.
        yield out[begin:end].reshape(last - row, each, *out.shape[1:]), low[row:last, None], high[row:last, None]


def _runs(rows: Indices) -> Iterator[tuple[int, int, int]]:
    """Ranges ``begin .. end`` in which the row goes up by one after every ``each`` outputs."""
    steps = np.flatnonzero(np.diff(rows)) + 1
    edges = [0, *steps.tolist(), len(rows)]
    begin = 0
    while begin < len(edges) - 1:
        each = edges[begin + 1] - edges[begin]
        end = begin + 1
        while (
            end < len(edges) - 1
            and edges[end + 1] - edges[end] == each
            and rows[edges[end]] - rows[edges[end - 1]] == 1
        ):
            end += 1
        yield edges[begin], edges[end], each
        begin = end


def _picked(image: FloatImage, columns: Indices) -> FloatImage:
    """Whole pixels by column; of four channels as one item of 16 bytes, which numpy moves faster."""
    height, _, count = image.shape
    if count == 1:
        return np.ascontiguousarray(image[..., 0][:, columns])[..., None]  # much quicker than take
    if count != WIDE:
        return image.take(columns, axis=1)
    packed = image.view(np.complex128)[..., 0]
    return packed.take(columns, axis=1).view(np.float32).reshape(height, len(columns), count)
