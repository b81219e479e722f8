# SPDX-License-Identifier: Apache-2.0
"""A plate without its pixels: what is known of it before it is read or computed."""

from dataclasses import dataclass, field, replace
from typing import Self

from understudy.contracts.plate import Plate, SampleType, Storage, Window
from understudy.contracts.workload import PlateSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a plate will be like.

    Attributes:
        channels: Names, as of a plate.
        sample_types: One per channel.
        data_window: Where its pixels lie.
        display_window: The frame a viewer shows.
        storage: How the file that it comes from stores it.
    """

    channels: tuple[str, ...]
    sample_types: tuple[SampleType, ...]
    data_window: Window
    display_window: Window
    storage: Storage = field(default_factory=Storage)

    @property
    def size(self) -> PlateSize:
        """Its size, as requests are measured by."""
        return PlateSize(self.data_window.width, self.data_window.height, len(self.channels))

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels in memory."""
        return self.size.nbytes

    @property
    def megasamples(self) -> float:
        """Millions of samples: pixels times channels."""
        return self.data_window.width * self.data_window.height * len(self.channels) / 1e6

    def only(self, names: tuple[str, ...]) -> Self:
        """The same with these of its channels alone."""
        types = dict(zip(self.channels, self.sample_types, strict=True))
        return replace(self, channels=names, sample_types=tuple(types[name] for name in names))

    def plus(self, names: tuple[str, ...], sample_type: SampleType) -> Self:
        """The same with further channels; those that it has already stay as they are."""
        new = tuple(name for name in names if name not in self.channels)
        types = (*self.sample_types, *(sample_type for _ in new))
        return replace(self, channels=(*self.channels, *new), sample_types=types)


def outline_of(plate: Plate) -> Outline:
    """The outline of a plate that is there."""
    return Outline(
        channels=plate.channels,
        sample_types=plate.sample_types,
        data_window=plate.data_window,
        display_window=plate.display_window,
        storage=plate.storage,
    )
