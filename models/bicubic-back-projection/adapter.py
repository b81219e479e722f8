# SPDX-License-Identifier: Apache-2.0
"""Iterative back-projection: an enlargement that, shrunk by an antialiased bicubic, gives its input back.

Irani and Peleg's iteration ``x <- x + U (l - D x)`` from ``x = U l``, with D the antialiased bicubic (Keys, a = -1/2)
and U the back-projection kernel (Lanczos-3). Every iterate is ``U z`` for an image z of the input's size, so the
iteration is done on z, ``z <- z + g (l - D U z)``: the same arithmetic on a fraction of the pixels. U comes once, last.
The gain g is under 1 for the larger factors, where ``D U`` amplifies some frequencies so much that g = 1 diverges.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from understudy.contracts.errors import PackError, UsageError
from understudy.contracts.model import Call, Tensors
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
    limited,
    near_overflow,
)
from understudy.roles.tiling import read_tile

_OVERSHOOT: dict[object, float | None] = {"hard": 0.0, "soft": 0.25, "off": None}
_DRAFT_STEPS = 2


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
        steps = int(call.options.get("iterations", 6))
        huge = near_overflow(image)
        low = image * HEADROOM if huge else image
        out = limited(
            _consistent(low, scale, region.in_x, region.in_y, min(steps, _DRAFT_STEPS) if call.draft else steps),
            axis(LANCZOS3, scale, region.y, region.height),
            axis(LANCZOS3, scale, region.x, region.width),
            in_x=region.in_x,
            in_y=region.in_y,
            overshoot=_OVERSHOOT[call.options.get("antiringing", "hard")],
            neighbors=low,
        )
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
    """1, or less so that the largest eigenvalue of a step stays within (-1/2, 1)."""
    largest = float(np.abs(np.fft.rfft(_kernel(Fraction(math.ceil(scale))), 4096)).max()) ** 2
    return np.float32(min(1.0, 1.5 / largest))


def load(folder: Path) -> BackProjection:
    """The model; it reads no files."""
    del folder
    return BackProjection()
