# SPDX-License-Identifier: Apache-2.0
"""Nothing moves: both fields are zero."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage


class Still:
    """The motion of a locked-off still."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Zero vectors over both frames; it claims no confidence of its own."""
        del call
        height, width = tensors["a"].shape[:2]
        zero = np.zeros((height, width, 2), np.float32)
        return {"forward": zero, "backward": zero.copy()}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> Still:
    """The model; it reads no files."""
    del folder
    return Still()
