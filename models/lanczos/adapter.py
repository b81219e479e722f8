# SPDX-License-Identifier: Apache-2.0
"""Lanczos-3 resampling by any factor, with exact phase; shrinking stretches the kernel (antialiasing)."""

from collections.abc import Mapping
from pathlib import Path

from understudy.contracts.errors import PackError
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage, Window
from understudy.roles.resample import LANCZOS3, axis, limited
from understudy.roles.tiling import read_tile

_OVERSHOOT: dict[object, float | None] = {"hard": 0.0, "soft": 0.25, "off": None}


class Lanczos:
    """One separable filter."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """The pixels of ``call.region``; input edges repeat beyond the tensor."""
        image, region = tensors["image"], call.region
        if region is None:
            raise PackError("an upscaler needs a region", where="lanczos")
        if call.scale == 1:
            height, width = image.shape[:2]
            lies = Window(region.in_x, region.in_y, width, height)
            return {"image": read_tile(image, lies, Window(region.x, region.y, region.width, region.height))}
        rows = axis(LANCZOS3, call.scale, region.y, region.height)
        columns = axis(LANCZOS3, call.scale, region.x, region.width)
        overshoot = _OVERSHOOT[call.options.get("antiringing", "hard")]
        x, y = region.in_x, region.in_y
        return {"image": limited(image, rows, columns, in_x=x, in_y=y, overshoot=overshoot, out=call.out)}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> Lanczos:
    """The model; it reads no files."""
    del folder
    return Lanczos()
