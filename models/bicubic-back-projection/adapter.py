# SPDX-License-Identifier: Apache-2.0
"""Iterative back-projection: an enlargement that, shrunk by an antialiased bicubic, gives its input back.

Irani and Peleg's iteration ``x <- x + U (l - D x)`` from ``x = U l``, with D the antialiased bicubic (Keys, a = -1/2)
and U the back-projection kernel (Lanczos-3). Every iterate is ``U z`` for an image z of the input's size, so the
iteration is done on z, ``z <- z + (l - D U z)``: the same arithmetic on a fraction of the pixels. U comes once, last.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from understudy.contracts.errors import PackError, UsageError
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage, Window
from understudy.roles.resample import CUBIC, LANCZOS3, Axis, apply, axis, compose, limited
from understudy.roles.tiling import read_tile

_OVERSHOOT: dict[object, float | None] = {"hard": 0.0, "soft": 0.25, "off": None}


class BackProjection:
    """The iteration, stopped after a set number of steps."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """The pixels of ``call.region``; input edges repeat beyond the tensor."""
        image, region = tensors["image"], call.region
        if region is None:
            raise PackError("an upscaler needs a region", where="bicubic-back-projection")
        if call.scale == 1:
            height, width = image.shape[:2]
            lies = Window(region.in_x, region.in_y, width, height)
            return {"image": read_tile(image, lies, Window(region.x, region.y, region.width, region.height))}
        if call.scale < 1:
            raise UsageError(
                f"back-projection enlarges, and {call.scale} is under 1", where="scale", fix="take the pack lanczos"
            )
        rows, columns = (
            _round_trip(call.scale, region.in_y, image.shape[0]),
            _round_trip(call.scale, region.in_x, image.shape[1]),
        )
        estimate = image
        steps = int(call.options.get("iterations", 6))
        for _ in range(min(steps, 2) if call.draft else steps):
            error = apply(estimate, rows, columns, in_x=region.in_x, in_y=region.in_y)
            error -= image
            estimate = estimate - error
        return {
            "image": limited(
                estimate,
                axis(LANCZOS3, call.scale, region.y, region.height),
                axis(LANCZOS3, call.scale, region.x, region.width),
                in_x=region.in_x,
                in_y=region.in_y,
                overshoot=_OVERSHOOT[call.options.get("antiringing", "hard")],
                neighbors=image,
            )
        }

    def close(self) -> None:
        """Holds nothing."""


@lru_cache(maxsize=64)
def _round_trip(scale: Fraction, first: int, count: int) -> Axis:
    """``D U`` on one axis, from input samples to input samples."""
    down = axis(CUBIC, 1 / scale, first, count)
    start = int(down.starts[0])
    end = int(down.starts[-1]) + down.weights.shape[1]
    return compose(down, axis(LANCZOS3, scale, start, end - start))


def load(folder: Path) -> BackProjection:
    """The model; it reads no files."""
    del folder
    return BackProjection()
