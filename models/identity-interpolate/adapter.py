# SPDX-License-Identifier: Apache-2.0
"""Follows the vectors it is given no further than zero: both frames stand still, b's share is the time."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage


class Dissolve:
    """A linear dissolve: the floor that every interpolator is measured against."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Zero displacements and a weight of ``call.time`` everywhere."""
        height, width = tensors["a"].shape[:2]
        zero = np.zeros((height, width, 2), np.float32)
        return {"to_a": zero, "to_b": zero.copy(), "weight": np.full((height, width, 1), call.time, np.float32)}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> Dissolve:
    """The model; it reads no files."""
    del folder
    return Dissolve()
