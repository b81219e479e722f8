# SPDX-License-Identifier: Apache-2.0
"""Iterative back-projection: an enlargement that, shrunk by an antialiased bicubic, gives its input back.

Irani and Peleg's iteration ``x <- x + U (l - D x)`` from ``x = U l``, with D the antialiased bicubic (Keys, a = -1/2)
and U the back-projection kernel (Lanczos-3). Every iterate is ``U z`` for an image z of the input's size, so the
iteration is done on z, ``z <- z + g (l - D U z)``: the same arithmetic on a fraction of the pixels. U comes once, last.
``D U`` weakens fine detail; the gain g is as large as what it weakens least allows without ringing.

What D can't see is then chosen along edges: each pass diffuses along the local direction (Weickert's coherence-
enhancing diffusion) and a little between pixels that agree (Perona and Malik), and projects back. Every channel is
treated alone, by rules that go with its exposure, so that premultiplied color and alpha stay together.
"""

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import PackError, UsageError
from understudy.contracts.model import Call, Region, Tensors
from understudy.contracts.plate import FloatImage, Window
from understudy.roles.resample import (
    CUBIC,
    HEADROOM,
    LANCZOS3,
    Axis,
    apply,
    axis,
    compose,
    convolve,
    from_headroom,
    hold_to_neighbors,
    limited,
    near_overflow,
)
from understudy.roles.tiling import read_tile

_OVERSHOOT: dict[object, float | None] = {"hard": 0.0, "soft": 0.25, "off": None}
_Plane = npt.NDArray[np.float32]
_DRAFT_STEPS = 2
_LEAST_FOR_PASSES = Fraction(3, 2)
_SQUARES_OVERFLOW = 1e15
_SMOOTH = np.array([0.25, 0.5, 0.25], np.float32)
_SLOPE = np.array([-0.5, 0, 0.5], np.float32)
_BEND = np.array([1, -2, 1], np.float32)
_STEPS_ALONG = 2
_BLOCK = 128
_REACH = 12
_RATE = np.float32(0.25)
_SHARE = np.float32(0.2)
_CONTRAST = np.float32(0.14)
"""Steps between pixels, relative to the local level, that count as an edge."""
_FLAT = np.float32(1e-4)
_TINY = np.float32(1e-30)


class BackProjection:
    """The iteration, stopped after a set number of steps."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """The pixels of ``call.region``; input edges repeat beyond the tensor."""
        image, region, scale = tensors["image"], call.region, call.scale
        if region is None:
            raise PackError("an upscaler needs a region", where="bicubic-back-projection")
        if scale < 1:
            raise UsageError(
                f"back-projection enlarges, and {scale} is under 1", where="scale", fix="take the pack lanczos"
            )
        if scale == 1:
            lies = Window(region.in_x, region.in_y, image.shape[1], image.shape[0])
            return {"image": read_tile(image, lies, Window(region.x, region.y, region.width, region.height))}
        steps, passes = int(call.options.get("iterations", 6)), int(call.options.get("passes", 3))
        if call.draft:
            steps, passes = min(steps, _DRAFT_STEPS), 0
        huge = near_overflow(image)
        low = image * HEADROOM if huge else image
        overshoot = _OVERSHOOT[call.options.get("antiringing", "hard")]
        seen = _consistent(low, scale, region.in_x, region.in_y, steps)
        if passes == 0 or scale < _LEAST_FOR_PASSES or float(np.abs(low).max()) > _SQUARES_OVERFLOW:
            out = limited(
                seen,
                axis(LANCZOS3, scale, region.y, region.height),
                axis(LANCZOS3, scale, region.x, region.width),
                in_x=region.in_x,
                in_y=region.in_y,
                overshoot=overshoot,
                neighbors=low,
            )
        else:
            out = np.empty((region.height, region.width, image.shape[2]), np.float32)
            for channel in range(image.shape[2]):
                pick = (..., slice(channel, channel + 1))
                out[pick] = _along_edges(
                    np.ascontiguousarray(low[pick]), np.ascontiguousarray(seen[pick]), region, scale, passes
                )
            if overshoot is not None:
                hold_to_neighbors(out, low, region, scale, overshoot)
        return {"image": from_headroom(out) if huge else out}

    def close(self) -> None:
        """Holds nothing."""


def _consistent(image: FloatImage, scale: Fraction, in_x: int, in_y: int, steps: int) -> FloatImage:
    """The image z whose enlargement, shrunk, is about ``image``."""
    if image.shape[2] > 4:
        parts = (np.ascontiguousarray(image[..., at : at + 4]) for at in range(0, image.shape[2], 4))
        return np.concatenate([_consistent(part, scale, in_x, in_y, steps) for part in parts], axis=2)
    estimate, gain = image, _gain(scale)
    for _ in range(steps):
        if scale.denominator == 1:
            error = convolve(estimate, _kernel(scale))
        else:
            rows = _round_trip(scale, in_y, image.shape[0])
            error = apply(estimate, rows, _round_trip(scale, in_x, image.shape[1]), in_x=in_x, in_y=in_y)
        np.subtract(image, error, out=error)
        error *= gain
        error += estimate
        estimate = error
    return estimate


@lru_cache(maxsize=64)
def _round_trip(scale: Fraction, first: int, count: int) -> Axis:
    """``D U`` on one axis, from input samples to input samples."""
    down = axis(CUBIC, 1 / scale, first, count)
    start = int(down.starts[0])
    end = int(down.starts[-1]) + down.weights.shape[1]
    return compose(down, axis(LANCZOS3, scale, start, end - start))


def _kernel(scale: Fraction) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """``D U`` of a whole factor: the same centered kernel at every sample."""
    one = _round_trip(scale, 0, 1)
    reach = -int(one.starts[0])
    return one.weights[0, : 2 * reach + 1]


@lru_cache(maxsize=64)
def _gain(scale: Fraction) -> np.float32:
    """As much as keeps every eigenvalue of a step within (-1/2, 1)."""
    largest = float(np.abs(np.fft.rfft(_kernel(Fraction(math.ceil(scale))), 4096)).max()) ** 2
    return np.float32(1.5 / largest)


def _along_edges(low: FloatImage, seen: FloatImage, region: Region, scale: Fraction, passes: int) -> FloatImage:
    """One channel of ``U seen``, diffused along edges and projected back onto what shrinks to ``low``."""
    height, width = low.shape[:2]
    lies = Window(region.in_x, region.in_y, width, height)
    big = lies.scaled(scale)
    up = axis(LANCZOS3, scale, big.y, big.height), axis(LANCZOS3, scale, big.x, big.width)
    down = axis(CUBIC, 1 / scale, lies.y, height), axis(CUBIC, 1 / scale, lies.x, width)
    gain = _gain(scale)
    y = apply(seen, *up, in_x=lies.x, in_y=lies.y)
    for _ in range(passes):
        y = _in_blocks(y[..., 0])[..., None]
        error = apply(y, *down, in_x=big.x, in_y=big.y)
        np.subtract(low, error, out=error)
        error *= gain
        y += apply(error, *up, in_x=lies.x, in_y=lies.y)
    return read_tile(y, big, Window(region.x, region.y, region.width, region.height))


def _in_blocks(y: _Plane) -> _Plane:
    """:func:`_diffused` in blocks that stay in the cache; each sees as far beyond its pixels as diffusion reaches."""
    out = np.empty_like(y)

    def block(at: tuple[int, int]) -> None:
        (top, left), (bottom, right) = at, (at[0] + _BLOCK, at[1] + 4 * _BLOCK)
        y0, x0 = max(0, top - _REACH), max(0, left - _REACH)
        done = _diffused(np.ascontiguousarray(y[y0 : bottom + _REACH, x0 : right + _REACH]))
        here = out[top:bottom, left:right]
        here[...] = done[top - y0 :, left - x0 :][: here.shape[0], : here.shape[1]]

    blocks = list(product(range(0, y.shape[0], _BLOCK), range(0, y.shape[1], 4 * _BLOCK)))
    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1, len(blocks)))) as pool:
        list(pool.map(block, blocks))
    return out


def _diffused(y: _Plane) -> _Plane:
    across, down = _filtered(y, _SLOPE, _SMOOTH), _filtered(y, _SMOOTH, _SLOPE)
    xx, xy, yy, level = (_blurred(a * b) for a, b in ((across, across), (across, down), (down, down), (y, y)))
    whole = xx + yy
    whole += _FLAT * level + _TINY
    difference, xy = (xx - yy) / whole, xy / whole
    # How much of the slopes near by share one direction, 0-1.
    coherence = np.sqrt(difference * difference + 4 * xy * xy)
    along_x, along_y = (coherence - difference) * (0.5 * _RATE), (coherence + difference) * (0.5 * _RATE)
    mixed = xy * (-2 * _RATE)
    for _ in range(_STEPS_ALONG):
        change = along_x * _filtered(y, _BEND, _SMOOTH)
        change += along_y * _filtered(y, _SMOOTH, _BEND)
        change += mixed * _filtered(y, _SLOPE, _SLOPE)
        y = y + change
    level *= _CONTRAST * _CONTRAST
    level += _TINY
    out = y.copy()
    for here, there in (((slice(None), slice(0, -1)), (slice(None), slice(1, None))), (slice(0, -1), slice(1, None))):
        step = y[there] - y[here]
        flow = step * _SHARE / (1 + step * step * 2 / (level[here] + level[there]))
        out[here] += flow
        out[there] -= flow
    return out


def _filtered(y: _Plane, across: _Plane, down: _Plane) -> _Plane:
    out = np.empty_like(y)
    cv2.sepFilter2D(y, cv2.CV_32F, across, down, dst=out, borderType=cv2.BORDER_REPLICATE)
    return out


def _blurred(y: _Plane) -> _Plane:
    out = np.empty_like(y)
    cv2.GaussianBlur(y, (13, 13), 2.0, dst=out, borderType=cv2.BORDER_REPLICATE)
    return out


def load(folder: Path) -> BackProjection:
    """The model; it reads no files."""
    del folder
    return BackProjection()
