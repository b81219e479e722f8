# SPDX-License-Identifier: Apache-2.0
"""How far an enlargement can be trusted, from the enlargement and its input alone.

At each input pixel, over the color channels:

- ``m``, the local level: the largest absolute value in the 9x9 around it, at least 1e-6;
- ``r = |D(out) - in| / m``, at most 1, the back-projection error, where D shrinks the output by an antialiased bicubic:
  what the result contradicts;
- ``h``, the mean of ``|in - G in|`` near by, over ``m``, where G is a Gaussian of one pixel over 5x5 and the mean is
  weighted by the same: how much fine detail there is, and so how much finer detail the input can't tell;
- ``d = sqrt(r^2 + (k h)^2)`` with ``k = 1.05 (1 - 1/scale)^0.6``, the expected relative error.

A network answers for what it adds: with ``u`` the root mean square near by of ``out - B in`` over ``m``, where B is a
bicubic, ``d = q u``; the pack's ``contract.doubt`` gives ``q`` for factors 2, 3 and 4. ``u`` costs nothing and orders
pixels by their true error as well as the spread of eight turned and mirrored answers does, and better than ``h``. There
``r`` adds nothing: pictures that were shrunk as display values contradict linear light a little at every edge.

``k`` was fitted so that ``d`` matches the root mean square of the true error on nine Kodak photographs in linear light,
at factors 2 and 3; ``h`` orders pixels by their true error there with a rank correlation of 0.65 to 0.75, ``r`` alone
with 0.32 to 0.55. **Confidence** is ``1 / (1 + 10 d)``: at 0.5, expect an error of a tenth of the local level.
``back_projection_db`` is ``-10 log10(mean r^2)``, at most 200. Under about 30 dB a result contradicts its input.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.resample import CUBIC, LINEAR, apply, axis
from understudy.roles.tiling import read_tile

_MARGIN = 9
_NEAR = 2
_BAND = 128
_SAMPLE = 8
_EVERY = 512
_LEVEL = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured.

    Attributes:
        db: Back-projection, decibels; higher is more consistent.
        confidence: Mean confidence, 0-1.
        share: Share of the input's rows that were looked at.
        map: Confidence per input pixel ``(h, w, 1)`` when all of it was looked at, else None.
    """

    db: float
    confidence: float
    share: float
    map: FloatImage | None


def measure(
    plate: Plate,
    pixels: FloatImage,
    window: Window,
    color: Sequence[int],
    scale: Fraction,
    *,
    whole: bool,
    doubt: Sequence[float] = (),
) -> Score:
    """Scores an enlargement.

    Args:
        plate: The input.
        pixels: The result, its first channels in the order of the plate's.
        window: Where the result lies.
        color: Positions of the color channels.
        scale: Output pixels per input pixel, at least 1.
        whole: Look at every row; otherwise at one in sixty-four, in bands, which is enough for a mean.
        doubt: ``q`` at factors 2, 3, 4 for a network; empty for a filter.
    """
    q = _between(doubt, float(scale)) if doubt else None
    height = plate.height
    confidence = np.empty((height, plate.width, 1), np.float32) if whole else None
    squares = total = 0.0
    seen = 0
    for begin, end in _bands(height, whole=whole):
        error, expected = _doubt(plate, pixels, window, list(color), scale, begin, end, q)
        here = 1 / (1 + 10 * expected)
        squares += float(np.square(error, dtype=np.float64).sum())
        total += float(here.sum(dtype=np.float64))
        seen += end - begin
        if confidence is not None:
            confidence[begin:end, :, 0] = here
    count = seen * plate.width
    mean = squares / count
    db = 200.0 if mean < 1e-20 else -10 * math.log10(mean)
    return Score(round(db, 3), total / count, seen / height, confidence)


def spread(score: Score, plate: Plate, window: Window, scale: Fraction, into: FloatImage) -> None:
    """Writes a score's map at the size of the output, linearly interpolated.

    Args:
        score: With a map.
        plate: The input.
        window: Where the output lies.
        scale: Output pixels per input pixel.
        into: ``(window.height, window.width)``; may be a view.
    """
    assert score.map is not None
    columns = axis(LINEAR, scale, window.x, window.width)
    for begin in range(0, window.height, _BAND):
        rows = axis(LINEAR, scale, window.y + begin, min(_BAND, window.height - begin))
        top, bottom = int(rows.starts[0]), int(rows.starts[-1]) + rows.weights.shape[1]
        part = Window(plate.data_window.x, top, plate.width, bottom - top)
        band = read_tile(score.map, plate.data_window, part)
        into[begin : begin + _BAND] = apply(band, rows, columns, in_x=part.x, in_y=top)[..., 0]


def _bands(height: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    if whole or height <= 2 * _SAMPLE:
        yield from ((at, min(at + _BAND, height)) for at in range(0, height, _BAND))
        return
    first = min((_EVERY - _SAMPLE) // 2, (height - _SAMPLE) // 2)
    yield from ((at, min(at + _SAMPLE, height)) for at in range(first, height, _EVERY))


def _doubt(
    plate: Plate,
    pixels: FloatImage,
    window: Window,
    color: list[int],
    scale: Fraction,
    begin: int,
    end: int,
    q: float | None,
) -> tuple[FloatImage, FloatImage]:
    """``r`` and ``d`` over the rows ``begin .. end`` of the input, ``(rows, width)`` each."""
    lies = plate.data_window
    around = Window(lies.x, lies.y + begin - _MARGIN, lies.width, end - begin + 2 * _MARGIN)
    source = read_tile(plate.pixels, lies, around, color)
    core = slice(_MARGIN, _MARGIN + end - begin)
    # Two rows more on each side than are scored: what is near by counts.
    rows = axis(CUBIC, 1 / scale, lies.y + begin - _NEAR, end - begin + 2 * _NEAR)
    columns = axis(CUBIC, 1 / scale, lies.x, lies.width)
    top, bottom = int(rows.starts[0]), int(rows.starts[-1]) + rows.weights.shape[1]
    result = read_tile(pixels, window, Window(window.x, top, window.width, bottom - top), color)
    with np.errstate(over="ignore", invalid="ignore"):
        back = apply(result, rows, columns, in_x=window.x, in_y=top)[_NEAR:-_NEAR]
        level = np.maximum(cv2.dilate(_largest(source), np.ones((9, 9), np.uint8)), _LEVEL)
        error = np.minimum(_largest(back - source[core]) / level[core], 1)
        if q is None:
            unseen = np.float32(1.05 * float(1 - 1 / scale) ** 0.6)
            expected = np.hypot(error, unseen * _detail(source)[core] / level[core])
        else:
            first, last = max(top, window.y), min(bottom, window.bottom)
            lies, inside = Window(window.x, first, window.width, last - first), result[first - top : last - top]
            expected = np.float32(q) * _added(source, inside, around, lies, scale)[core] / level[core]
    return np.nan_to_num(error, nan=1.0, posinf=1.0), np.nan_to_num(expected, nan=1.0, posinf=1.0)


def _detail(source: FloatImage) -> FloatImage:
    """Fine detail near by, the largest of the channels: ``h`` without the level."""
    fine = np.zeros(source.shape[:2], np.float32)
    for channel in np.moveaxis(source, 2, 0):  # OpenCV takes few channels at once
        np.maximum(fine, np.abs(channel - cv2.GaussianBlur(np.ascontiguousarray(channel), (5, 5), 1)), out=fine)
    return cv2.GaussianBlur(fine, (5, 5), 1)


def _added(source: FloatImage, result: FloatImage, around: Window, lies: Window, scale: Fraction) -> FloatImage:
    """What ``result``, over ``lies``, has beyond a bicubic of ``source``, over ``around``: ``u`` without the level."""
    rows, columns = axis(CUBIC, scale, lies.y, lies.height), axis(CUBIC, scale, lies.x, lies.width)
    smooth = apply(source, rows, columns, in_x=around.x, in_y=around.y)
    added = np.square(_largest(result - smooth))[..., None]
    rows, columns = (
        axis(LINEAR, 1 / scale, start, size) for start, size in ((around.y, around.height), (around.x, around.width))
    )
    mean = apply(added, rows, columns, in_x=lies.x, in_y=lies.y)[..., 0]
    return cv2.GaussianBlur(np.sqrt(np.maximum(mean, 0)), (5, 5), 1)


def _between(doubt: Sequence[float], scale: float) -> float:
    """``q`` of any factor; nothing is in doubt at 1."""
    return float(np.interp(scale, (1, *range(2, 2 + len(doubt))), (0, *doubt)))


def _largest(image: FloatImage) -> FloatImage:
    """The largest absolute value of each pixel's channels; numpy's own reduction of so short an axis is slow."""
    first, *others = np.moveaxis(image, 2, 0)
    largest = np.abs(first)
    for channel in others:
        np.maximum(largest, np.abs(channel), out=largest)
    return largest
