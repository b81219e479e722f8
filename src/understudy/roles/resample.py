# SPDX-License-Identifier: Apache-2.0
"""Separable resampling with exact phase, for any rational scale.

Output sample ``i`` (absolute) has its center at ``u = (i + 0.5) / scale - 0.5`` in absolute input samples, told in
integers, so that a tile computes what the whole frame computes. The weights of each output sample sum to 1 and keep the
first moment, so that a constant stays and a ramp stays a ramp. Each axis is a banded matrix, applied in small dense
blocks by matrix products: one path for every factor, up and down, at the speed of a fixed-factor library call.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.model import Region
from understudy.contracts.plate import FloatImage
from understudy.roles.limits import WIDE, Indices, Part, limit, limits, neighborhood

Weights = npt.NDArray[np.float64]

_BLOCK = 16
_NEAR_OVERFLOW = 1e36
HEADROOM = np.float32(2.0**-8)
"""Factor under which sums of the largest floats stay finite; exact, as a power of two is."""
_CHUNK_ROWS = 8
_CHUNK_COLUMNS = 64
_LIMIT_ROWS = 128
_ONE_THREAD = 250_000
"""Multiplications of one matrix product: too few for OpenBLAS to share out among threads, which then wait in turns."""
_WORKERS = max(1, min(8, os.cpu_count() or 1))


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
    # A stretched kernel sums to its stretch; what is mended must be a rounding error, never that.
    weights = _keep_moments(kernel.weight(distance / float(stretch)) / float(stretch), distance)
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
    image: FloatImage,
    rows: Axis,
    columns: Axis,
    *,
    in_x: int,
    in_y: int,
    overshoot: float | None,
    neighbors: FloatImage | None = None,
    out: FloatImage | None = None,
) -> FloatImage:
    """Resamples both axes and limits how far a result may pass its neighbors.

    With ``low`` and ``high`` the extremes of the 4x4 input samples around an output's center (stretched when
    shrinking), it stays within ``low - k min(|low|, high - low)`` and ``high + k min(|high|, high - low)`` for
    ``k = overshoot``. The bound goes with exposure, so a highlight leaves no dark halo and a dark area gets no ring of
    it. Where the neighbors agree, the result is exactly theirs.

    Args:
        image: As in :func:`apply`.
        rows: As in :func:`apply`.
        columns: As in :func:`apply`.
        in_x: As in :func:`apply`.
        in_y: As in :func:`apply`.
        overshoot: ``k``; 0 allows none, None does not limit.
        neighbors: What the extremes are taken of, like ``image``; ``image`` itself when None.
        out: Where the result goes, its pixels contiguous within rows; a new array when None.
    """
    count = image.shape[2]
    height, width = len(rows.starts), len(columns.starts)
    if out is None:
        out = np.empty((height, width, count), np.float32)
    if count > WIDE:
        for at in range(0, count, WIDE):
            out[..., at : at + WIDE] = limited(
                np.ascontiguousarray(image[..., at : at + WIDE]),
                rows,
                columns,
                in_x=in_x,
                in_y=in_y,
                overshoot=overshoot,
                neighbors=None if neighbors is None else np.ascontiguousarray(neighbors[..., at : at + WIDE]),
            )
        return out
    if near_overflow(image):
        near = None if neighbors is None else neighbors * HEADROOM
        far = limited(image * HEADROOM, rows, columns, in_x=in_x, in_y=in_y, overshoot=overshoot, neighbors=near)
        out[...] = from_headroom(far)
        return out
    reach = 0 if overshoot is None else neighborhood(max(rows.stretch, columns.stretch))
    left, right = _lacking(columns, in_x, image.shape[1], reach)
    top, bottom = _lacking(rows, in_y, image.shape[0], reach)
    padding = ((top, bottom), (left, right), (0, 0))
    whole = _padded(image, padding)
    around = whole if neighbors is None else _padded(neighbors, padding)
    x0, y0 = in_x - left, in_y - top
    across, down = _plan(columns, count), _plan(rows, 1)
    flat = out.reshape(height, -1, copy=False)

    def chunk(lines: tuple[_Block, ...], cells: tuple[_Block, ...]) -> None:
        begin, end = lines[0].begin, lines[-1].end
        first, last = cells[0].begin, cells[-1].end
        middle = _across(whole, cells, x0, lines[0].start - y0, lines[-1].stop - y0)
        _down(middle, lines, flat[begin:end, first * count : last * count])
        if overshoot is not None:
            part = Part(rows.floors[begin:end] - y0, columns.floors[first:last] - x0, reach)
            limit(out[begin:end, first:last], around, part, overshoot)

    # Chunks stay in the cache from the first product to the limits, and touch disjoint parts of the output.
    chunks = list(product(_groups(down, _CHUNK_ROWS), _groups(across, _CHUNK_COLUMNS)))
    if len(chunks) < 2 * _WORKERS:
        for lines, cells in chunks:
            chunk(lines, cells)
    else:
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(lambda both: chunk(*both), chunks))
    return out


def near_overflow(image: FloatImage) -> bool:
    """Whether a weighted sum of the samples might pass the largest float."""
    return max(float(image.max()), -float(image.min())) > _NEAR_OVERFLOW


def from_headroom(image: FloatImage) -> FloatImage:
    """Undoes a multiplication by :data:`HEADROOM`; what passes the largest float becomes the largest float."""
    most = np.finfo(np.float32).max * HEADROOM
    return np.clip(image, -most, most) / HEADROOM


def convolve(image: FloatImage, kernel: Weights) -> FloatImage:
    """Filters both axes with one centered kernel of odd length; edges repeat.

    Args:
        image: ``(h, w, n)`` with n at most 4.
        kernel: ``(taps,)``.
    """
    weights = kernel.astype(np.float32)
    out = np.empty_like(image)
    cv2.sepFilter2D(image, cv2.CV_32F, weights, weights, dst=out, borderType=cv2.BORDER_REPLICATE)
    return out


def clamp_to_neighbors(out: FloatImage, image: FloatImage, region: Region, scale: Fraction) -> None:
    """Limits ``out`` in place to the extremes of the 4x4 input samples around each center, stretched when shrinking.

    Args:
        out: ``(region.height, region.width, n)``; may be a view.
        image: ``(h, w, n)`` from ``(region.in_x, region.in_y)`` on; edges repeat beyond it.
        region: Where both lie.
        scale: Output pixels per input pixel.
    """
    hold_to_neighbors(out, image, region, scale, 0.0)


def hold_to_neighbors(out: FloatImage, image: FloatImage, region: Region, scale: Fraction, overshoot: float) -> None:
    """Limits ``out`` in place as :func:`limited` does.

    Args:
        out: ``(region.height, region.width, n)``; may be a view.
        image: ``(h, w, n)`` from ``(region.in_x, region.in_y)`` on; edges repeat beyond it.
        region: Where both lie.
        scale: Output pixels per input pixel.
        overshoot: ``k`` there; 0 allows none.
    """
    for at in range(0, image.shape[2], WIDE):
        few = np.ascontiguousarray(image[..., at : at + WIDE])
        _hold(out[..., at : at + WIDE], few, region, scale, overshoot)


def _hold(out: FloatImage, image: FloatImage, region: Region, scale: Fraction, overshoot: float) -> None:
    reach = neighborhood(max(Fraction(1), 1 / scale))
    rows = np.clip(centers(scale, region.y, region.height)[0] - region.in_y, 0, image.shape[0] - 1)
    columns = np.clip(centers(scale, region.x, region.width)[0] - region.in_x, 0, image.shape[1] - 1)

    def strip(begin: int) -> None:
        view = out[begin : begin + _LIMIT_ROWS]
        # Most often all is within the limits; a copy is quicker to look at than a view of one channel of several.
        copy = np.ascontiguousarray(view)
        for lines, low, high in limits(copy, image, Part(rows[begin : begin + _LIMIT_ROWS], columns, reach), overshoot):
            if (lines < low).any() or (lines > high).any():
                np.minimum(np.maximum(lines, low, out=lines), high, out=lines)
                view[...] = copy

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(strip, range(0, region.height, _LIMIT_ROWS)))


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


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some outputs of an axis as a dense matrix over the inputs ``start .. stop``."""

    begin: int
    end: int
    start: int
    stop: int
    matrix: npt.NDArray[np.float32]


@lru_cache(maxsize=64)
def _plan(which: Axis, channels: int) -> tuple[_Block, ...]:
    """The blocks of an axis. For packed channels the matrix is repeated for each, transposed, to stand on the right.

    Blocks begin at multiples of their size in absolute outputs, so that a tile multiplies what the whole frame does.
    """
    count = len(which.starts)
    known: dict[bytes, npt.NDArray[np.float32]] = {}
    blocks = []
    for begin, end in pairwise([0, *range(_BLOCK - which.first % _BLOCK, count, _BLOCK), count]):
        start = int(which.starts[begin])
        taps = which.weights.shape[1]
        dense = np.zeros((end - begin, int(which.starts[end - 1]) - start + taps))
        at = which.starts[begin:end, None] - start + np.arange(taps)
        dense[np.arange(end - begin)[:, None], at] = which.weights[begin:end]
        matrix = dense.astype(np.float32)
        key = matrix.tobytes()
        if key not in known:
            unit = np.eye(channels, dtype=np.float32)
            known[key] = matrix if channels == 1 else np.ascontiguousarray(np.kron(matrix, unit).T)
        blocks.append(_Block(begin, end, start, start + matrix.shape[1], known[key]))
    return tuple(blocks)


def _groups(blocks: tuple[_Block, ...], size: int) -> Iterator[tuple[_Block, ...]]:
    for at in range(0, len(blocks), size):
        yield blocks[at : at + size]


def _lacking(which: Axis, first: int, count: int, reach: int) -> tuple[int, int]:
    """How many samples an axis asks for before and after the ``count`` from ``first`` on."""
    low = min(int(which.starts[0]), int(which.floors[0]) + 1 - reach if reach else int(which.starts[0]))
    high = max(int(which.starts[-1]) + which.weights.shape[1], int(which.floors[-1]) + reach + 1 if reach else 0)
    return max(0, first - low), max(0, high - first - count)


def _padded(image: FloatImage, padding: tuple[tuple[int, int], ...]) -> FloatImage:
    return np.pad(image, padding, mode="edge") if any(map(any, padding)) else np.ascontiguousarray(image)


def _across(image: FloatImage, blocks: tuple[_Block, ...], in_x: int, top: int, bottom: int) -> FloatImage:
    count = image.shape[2]
    flat = image.reshape(image.shape[0], -1)[top:bottom]
    first = blocks[0].begin
    out = np.empty((bottom - top, (blocks[-1].end - first) * count), np.float32)
    for block in blocks:
        source = flat[:, (block.start - in_x) * count : (block.stop - in_x) * count]
        target = out[:, (block.begin - first) * count : (block.end - first) * count]
        # A single channel's matrix is shared with the vertical pass, where it stands on the left.
        right = block.matrix if count > 1 else block.matrix.T
        step = max(1, _ONE_THREAD // right.size)
        for at in range(0, len(source), step):
            np.matmul(source[at : at + step], right, out=target[at : at + step])
    return out


def _down(middle: FloatImage, blocks: tuple[_Block, ...], out: FloatImage) -> None:
    first, top = blocks[0].begin, blocks[0].start
    for block in blocks:
        source = middle[block.start - top : block.stop - top]
        target = out[block.begin - first : block.end - first]
        step = max(1, _ONE_THREAD // block.matrix.size)
        for at in range(0, source.shape[1], step):
            np.matmul(block.matrix, source[:, at : at + step], out=target[:, at : at + step])
