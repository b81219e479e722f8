# SPDX-License-Identifier: Apache-2.0
"""The relit plate: its color replaced, everything else as it was, and passes as further layers."""

from collections.abc import Mapping, Sequence

import numpy as np

from understudy.contracts.plate import FloatImage, Plate, SampleType
from understudy.roles.relight.aovs import Aovs
from understudy.roles.relight.shading import Planes

_AXES = {"normal": ("X", "Y", "Z"), "confidence": ("Y",)}


def layers_of(passes: Sequence[str], channels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The channels of each pass, beside a plate of these channels: a layer that came with it stays untouched."""
    found: dict[str, tuple[str, ...]] = {}
    for each in dict.fromkeys(passes):
        layer = [f"{each}.{axis}" for axis in _AXES.get(each, ("R", "G", "B"))]
        found[each] = tuple(f"relight.{name}" if set(layer) & set(channels) else name for name in layer)
    return found


class Canvas:
    """Pixels being relit, band by band.

    Args:
        aovs: The plate and its AOVs.
        passes: Layers to add.
    """

    def __init__(self, aovs: Aovs, passes: Sequence[str]) -> None:
        plate = aovs.plate
        self.plate = plate
        self.color = [plate.index(name) for name in aovs.group.names]
        self._at: dict[str, slice] = {}
        names = list(plate.channels)
        for each, layer in layers_of(passes, plate.channels).items():
            self._at[each] = slice(len(names), len(names) + len(layer))
            names += layer
        self.names = tuple(names)
        self.pixels = np.empty((plate.height, plate.width, len(names)), np.float32)

    def write(self, top: int, bottom: int, color: FloatImage, layers: Mapping[str, FloatImage | Planes]) -> None:
        """One band.

        Args:
            top: First row.
            bottom: Row after the last.
            color: ``(3, n)``, or ``(1, n)`` for a plate of luminance: the new color.
            layers: For each pass ``(channels, n)``, or its planes; those not asked for are ignored.
        """
        shape = (bottom - top, self.plate.width)
        count = len(self.plate.channels)
        self.pixels[top:bottom, :, :count] = self.plate.pixels[top:bottom]
        for channel, values in zip(self.color, color, strict=True):
            self.pixels[top:bottom, :, channel] = values.reshape(shape)
        for name, where in self._at.items():
            self.pixels[top:bottom, :, where] = np.moveaxis(np.asarray(layers[name]).reshape(-1, *shape), 0, -1)

    def relit(self) -> Plate:
        """The result."""
        plate = self.plate
        of_color = plate.sample_types[self.color[0]]
        kind: SampleType = "float" if of_color == "float" else "half"
        added: tuple[SampleType, ...] = (kind,) * (len(self.names) - len(plate.channels))
        return plate.with_pixels(self.pixels, channels=self.names, sample_types=plate.sample_types + added)
