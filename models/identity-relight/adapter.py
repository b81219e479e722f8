# SPDX-License-Identifier: Apache-2.0
"""Returns the picture under the light it has."""

from collections.abc import Mapping
from pathlib import Path

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage


class SameLight:
    """A relight that changes nothing."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """The input image, as it came."""
        del call
        return {"image": tensors["image"].copy()}

    def close(self) -> None:
        """Holds nothing."""


def load(folder: Path) -> SameLight:
    """The model; it reads no files."""
    del folder
    return SameLight()
