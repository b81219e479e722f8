# SPDX-License-Identifier: Apache-2.0
"""Repeats pixels: at scale 1 the input itself, at other whole factors each pixel scale x scale times."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from understudy.contracts.errors import PackError
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage


class Repeat:
    """Nearest-neighbor upscaling by a whole factor."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Output pixel i is input pixel floor(i / scale)."""
        image, region = tensors["image"], call.region
        if region is None or call.scale.denominator != 1:
            raise PackError(f"repeats pixels a whole number of times, not {call.scale}", fix="use a whole scale")
        rows = np.arange(region.y, region.y + region.height) // call.scale.numerator - region.in_y
        columns = np.arange(region.x, region.x + region.width) // call.scale.numerator - region.in_x
        return {"image": image[np.ix_(rows, columns)]}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> Repeat:
    """The model; it reads no files."""
    del folder
    return Repeat()
