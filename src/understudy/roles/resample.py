# SPDX-License-Identifier: Apache-2.0
"""Separable resampling with exact phase, for any rational scale.

Output sample ``i`` (absolute) has its center at ``u = (i + 0.5) / scale - 0.5`` in absolute input samples, told in
integers, so that a tile computes what the whole frame computes. The weights of each output sample sum to 1 and keep the
first moment, so that a constant stays and a ramp stays a ramp. Each axis is a banded matrix, applied in small dense
blocks by matrix products: one path for every factor, up and down, at the speed of a fixed-factor library call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Region
from understudy.contracts.plate import FloatImage

Weights = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_BLOCK = 16
_WIDE = 4
_NEAR_OVERFLOW = 1e36
_HEADROOM = 2.0**8


@dataclass(frozen=True, slots=True)
class Kernel:
    """A symmetric interpolation kernel.

    Attributes:
        radius: It is 0 from here on, in input samples.
        weight: Distance in samples to weight.
    """

    radius: int
    weight: Callable[[Weights], Weights] = field(repr=False)


def _lanczos3(t: Weights) -> Weights:
    weights: Weights = np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0.0)
    return weights


def _cubic(t: Weights) -> Weights:
    t = np.abs(t)
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    weights: Weights = np.where(t <= 1, near, np.where(t < 2, far, 0.0))
    return weights


def _linear(t: Weights) -> Weights:
    return np.maximum(1.0 - np.abs(t), 0.0)


LANCZOS3 = Kernel(3, _lanczos3)
"""Sinc windowed by a sinc of three lobes (Duchon 1979)."""
CUBIC = Kernel(2, _cubic)
"""Cubic convolution with a = -1/2 (Keys 1981)."""
LINEAR = Kernel(1, _linear)
"""Linear interpolation."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a resampling: output ``k`` is the sum over ``j`` of ``weights[k, j] * input[starts[k] + j]``.

    Attributes:
        first: Absolute index of the first output sample; blocks are aligned to it, so that tiles agree to the bit.
        starts: Absolute input index of each output's first tap, never falling.
        weights: ``(outputs, taps)``.
        floors: The input sample at or left of each output's center.
        stretch: Input samples per output sample when shrinking, else 1.
    """

    first: int
    starts: Indices
    weights: Weights
    floors: Indices
    stretch: Fraction

    def matrix(self, columns: int, first_column: int) -> Weights:
        """The dense matrix over inputs ``first_column ..``; taps beyond it land on the nearest column."""
        dense = np.zeros((len(self.starts), columns))
        taps = np.clip(self.starts[:, None] + np.arange(self.weights.shape[1]) - first_column, 0, columns - 1)
        np.add.at(dense, (np.arange(len(self.starts))[:, None], taps), self.weights)
        return dense


@lru_cache(maxsize=64)
def axis(kernel: Kernel, scale: Fraction, first: int, count: int) -> Axis:
    """The axis of ``count`` outputs from absolute index ``first`` on.

    Args:
        kernel: Stretched by ``1 / scale`` when shrinking (antialiasing).
        scale: Output samples per input sample, over 0.
        first: Absolute index of the first output sample.
        count: Output samples.
    """
    floors, offset = centers(scale, first, count)
    stretch = max(Fraction(1), 1 / scale)
    reach = -(-kernel.radius * stretch.numerator // stretch.denominator)
    taps = np.arange(1 - reach, 1 + reach, dtype=np.float64)
    distance = taps[None, :] - offset[:, None]
    weights = _keep_moments(kernel.weight(distance / float(stretch)), distance)
    return Axis(first, floors + (1 - reach), weights, floors, stretch)


def centers(scale: Fraction, first: int, count: int) -> tuple[Indices, Weights]:
    """Output centers in input samples, split exactly into the sample at or left of them and the rest in [0, 1)."""
    p, q = scale.numerator, scale.denominator
    big = 2 * (abs(first) + count + 1) * max(p, q) > 2**62
    index = np.arange(first, first + count).astype(object if big else np.int64)
    numerator = (2 * index + 1) * q - p
    return (numerator // (2 * p)).astype(np.int64), (numerator % (2 * p)).astype(np.float64) / (2 * p)


def nearest(scale: Fraction, first: int, count: int) -> Indices:
    """The absolute input sample whose cell holds each output's center; never a mixture."""
    p, q = scale.numerator, scale.denominator
    big = 2 * (abs(first) + count + 1) * max(p, q) > 2**62
    index = np.arange(first, first + count).astype(object if big else np.int64)
    found: Indices = (((2 * index + 1) * q) // (2 * p)).astype(np.int64)
    return found


def compose(outer: Axis, inner: Axis) -> Axis:
    """The axis that does ``inner`` first and ``outer`` on its result.

    Args:
        outer: Its taps must all lie on outputs of ``inner``.
        inner: The axis nearer to the input.
    """
    taps = outer.weights.shape[1]
    rows = outer.starts[:, None] + np.arange(taps) - inner.first
    starts = inner.starts[rows[:, 0]]
    width = int((inner.starts[rows[:, -1]] - starts).max()) + inner.weights.shape[1]
    weights = np.zeros((len(starts), width))
    at = inner.starts[rows] - starts[:, None]
    lines = np.arange(len(starts))
    for tap in range(taps):
        for inner_tap in range(inner.weights.shape[1]):
            value = outer.weights[:, tap] * inner.weights[rows[:, tap], inner_tap]
            weights[lines, at[:, tap] + inner_tap] += value
    return Axis(outer.first, starts, weights, outer.floors, outer.stretch)


def apply(image: FloatImage, rows: Axis, columns: Axis, *, in_x: int, in_y: int) -> FloatImage:
    """Resamples both axes.

    Args:
        image: ``(h, w, n)``, its first sample at absolute ``(in_x, in_y)``; edges repeat beyond it.
        rows: Vertical axis.
        columns: Horizontal axis.
        in_x: Absolute column of the first sample.
        in_y: Absolute row of the first sample.

    Returns:
        ``(len(rows.starts), len(columns.starts), n)``, a new array.
    """
    return limited(image, rows, columns, in_x=in_x, in_y=in_y, overshoot=None)


def limited(
    image: FloatImage, rows: Axis, columns: Axis, *, in_x: int, in_y: int, overshoot: float | None
) -> FloatImage:
    """Resamples both axes and limits how far a result may pass its neighbors.

    With ``low`` and ``high`` the extremes of the 4x4 input samples around an output's center (stretched when
    shrinking), it stays within ``low - k min(|low|, high - low)`` and ``high + k min(|high|, high - low)`` for
    ``k = overshoot``. The bound goes with exposure, so a highlight leaves no dark halo and a dark area gets no ring of
    it, while the contrast that makes a picture sharp passes. Where the neighbors agree, the result is exactly theirs.

    Args:
        image: As in :func:`apply`.
        rows: As in :func:`apply`.
        columns: As in :func:`apply`.
        in_x: As in :func:`apply`.
        in_y: As in :func:`apply`.
        overshoot: ``k``; 0 allows none, None does not limit.
    """
    count = image.shape[2]
    if count > _WIDE:
        out = np.empty((len(rows.starts), len(columns.starts), count), np.float32)
        for at in range(0, count, _WIDE):
            part = np.ascontiguousarray(image[..., at : at + _WIDE])
            out[..., at : at + _WIDE] = limited(part, rows, columns, in_x=in_x, in_y=in_y, overshoot=overshoot)
        return out
    image = np.ascontiguousarray(image)
    extreme = float(np.abs(image).max(initial=0.0)) > _NEAR_OVERFLOW
    if extreme:
        image = image * np.float32(1 / _HEADROOM)
    middle = _across(image, columns, in_x)
    bounds = None if overshoot is None else _bounds(image, rows, columns, in_x, in_y, overshoot)
    out = _down(middle, rows, in_y, bounds)
    if extreme:
        most = np.finfo(np.float32).max
        out = np.clip(out.astype(np.float64) * _HEADROOM, -most, most).astype(np.float32)
    return out


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


def clamp_to_neighbors(out: FloatImage, image: FloatImage, region: Region, scale: Fraction, *, reach: int = 2) -> None:
    """Limits ``out`` in place to the extremes of the input samples around each center.

    Args:
        out: ``(region.height, region.width, n)``; may be a view.
        image: ``(h, w, n)`` from ``(region.in_x, region.in_y)`` on, n at most 4.
        region: Where both lie.
        scale: Output pixels per input pixel.
        reach: Half the side of the neighborhood, input pixels; stretched when shrinking.
    """
    reach = -int(-reach * max(Fraction(1), 1 / scale) // 1)
    low, high = extremes(image, reach)
    rows = np.clip(centers(scale, region.y, region.height)[0] - region.in_y, 0, image.shape[0] - 1)
    columns = np.clip(centers(scale, region.x, region.width)[0] - region.in_x, 0, image.shape[1] - 1)
    low, high = low[:, columns], high[:, columns]
    for begin, end in _runs(rows):
        strip, row = out[begin:end], rows[begin]
        np.maximum(strip, low[row], out=strip)
        np.minimum(strip, high[row], out=strip)


def _keep_moments(weights: Weights, distance: Weights) -> Weights:
    """Adds to each weight a little of its own size, so that they sum to 1 and their first moment is 0."""
    size = np.abs(weights)
    n0, n1, n2 = size.sum(axis=1), (size * distance).sum(axis=1), (size * distance**2).sum(axis=1)
    lacks0, lacks1 = 1 - weights.sum(axis=1), -(weights * distance).sum(axis=1)
    determinant = n0 * n2 - n1 * n1
    # A center on a sample has one tap and no first moment to mend.
    several = determinant > 1e-9
    safe = np.where(several, determinant, 1.0)
    a = np.where(several, (n2 * lacks0 - n1 * lacks1) / safe, lacks0 / n0)
    b = np.where(several, (n0 * lacks1 - n1 * lacks0) / safe, 0.0)
    kept: Weights = weights + size * (a[:, None] + b[:, None] * distance)
    return kept


def _blocks(first: int, count: int) -> list[tuple[int, int]]:
    """Ranges of outputs whose absolute indices begin at multiples of the block size."""
    edges = [0, *range(_BLOCK - first % _BLOCK, count, _BLOCK), count]
    return list(pairwise(edges))


def _part(which: Axis, begin: int, end: int) -> tuple[int, npt.NDArray[np.float32]]:
    """First input and dense matrix of some of an axis' outputs."""
    start = int(which.starts[begin])
    size = int(which.starts[end - 1]) - start + which.weights.shape[1]
    part = Axis(which.first + begin, which.starts[begin:end], which.weights[begin:end], which.floors, which.stretch)
    return start, part.matrix(size, start).astype(np.float32)


def _across(image: FloatImage, columns: Axis, in_x: int) -> FloatImage:
    height, width, count = image.shape
    low = max(0, in_x - int(columns.starts[0]))
    high = max(0, int(columns.starts[-1]) + columns.weights.shape[1] - (in_x + width))
    if low or high:
        image = np.pad(image, ((0, 0), (low, high), (0, 0)), mode="edge")
    flat = image.reshape(height, -1)
    out = np.empty((height, len(columns.starts), count), np.float32)
    flat_out = out.reshape(height, -1)
    unit = np.eye(count, dtype=np.float32)
    made: dict[bytes, npt.NDArray[np.float32]] = {}
    for begin, end in _blocks(columns.first, len(columns.starts)):
        start, matrix = _part(columns, begin, end)
        key = matrix.tobytes()
        if key not in made:
            made[key] = np.ascontiguousarray(np.kron(matrix, unit).T)
        at = (start - in_x + low) * count
        source = flat[:, at : at + matrix.shape[1] * count]
        np.matmul(source, made[key], out=flat_out[:, begin * count : end * count])
    return out


def _down(
    image: FloatImage, rows: Axis, in_y: int, bounds: tuple[FloatImage, FloatImage, Indices] | None
) -> FloatImage:
    height, width, count = image.shape
    low = max(0, in_y - int(rows.starts[0]))
    high = max(0, int(rows.starts[-1]) + rows.weights.shape[1] - (in_y + height))
    if low or high:
        image = np.pad(image, ((low, high), (0, 0), (0, 0)), mode="edge")
    flat = image.reshape(image.shape[0], -1)
    out = np.empty((len(rows.starts), width, count), np.float32)
    flat_out = out.reshape(len(rows.starts), -1)
    for begin, end in _blocks(rows.first, len(rows.starts)):
        start, matrix = _part(rows, begin, end)
        at = start - in_y + low
        strip = flat_out[begin:end]
        np.matmul(matrix, flat[at : at + matrix.shape[1]], out=strip)
        if bounds is not None:
            least, most, lines = bounds
            for top, bottom in _runs(lines[begin:end]):
                row = lines[begin + top]
                np.maximum(strip[top:bottom], least[row], out=strip[top:bottom])
                np.minimum(strip[top:bottom], most[row], out=strip[top:bottom])
    return out


def _bounds(
    image: FloatImage, rows: Axis, columns: Axis, in_x: int, in_y: int, overshoot: float
) -> tuple[FloatImage, FloatImage, Indices]:
    """Lower and upper bound per input row and output column, and the input row of each output row."""
    reach = -int(-2 * max(rows.stretch, columns.stretch) // 1)
    low, high = extremes(image, reach)
    if overshoot:
        room = high - low
        least = low - np.float32(overshoot) * np.minimum(np.abs(low), room)
        most = high + np.float32(overshoot) * np.minimum(np.abs(high), room)
    else:
        least, most = low, high
    lines = np.clip(rows.floors - in_y, 0, image.shape[0] - 1)
    height = image.shape[0]
    return _spread(least, columns, in_x).reshape(height, -1), _spread(most, columns, in_x).reshape(height, -1), lines


def _spread(image: FloatImage, columns: Axis, in_x: int) -> FloatImage:
    """Each output column's sample at or left of its center, unmixed."""
    one = Axis(columns.first, columns.floors, np.ones((len(columns.floors), 1)), columns.floors, columns.stretch)
    return _across(image, one, in_x)


def _runs(lines: Indices) -> list[tuple[int, int]]:
    """Ranges of equal neighbors."""
    edges = [0, *(np.flatnonzero(np.diff(lines)) + 1).tolist(), len(lines)]
    return list(pairwise(edges))
