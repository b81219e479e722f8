# SPDX-License-Identifier: Apache-2.0
"""Plates at a fraction of their size, and back: what drafts are computed on.

A proxy's pixel ``i`` covers the plate's pixels ``i n .. i n + n - 1``, counted from the plate's absolute zero, so that
proxies of one shot lie on one grid whatever their data windows are. Each kind of channel has its rule: identifiers take
the sample at the center, vectors are also divided by n, normals keep their length, all else is the mean of the pixels
that are covered. Larger again, everything but identifiers is interpolated linearly: nothing overshoots, and nothing is
clamped.

A proxy knows the windows that it stands for. They travel in its metadata, which every role and the wire keep.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from understudy.contracts.channels import ChannelGroup, ChannelKind, classify
from understudy.contracts.outline import Outline
from understudy.contracts.plate import FloatImage, Plate, Window
from understudy.roles.resample import HEADROOM, from_headroom, nearest
from understudy.roles.tiling import as_index
from understudy.roles.warp import crop, enlarge, extend, reduce

PROXY_OF = "understudy:proxyOf"
"""Attribute of a proxy: data window, then display window, of the plate that it stands for. Never in a file."""

_WINDOWS = 8

Resample = Callable[[FloatImage], FloatImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """How plates are made smaller and larger again.

    Attributes:
        factor: Plate pixels per proxy pixel, both axes; 1 leaves plates as they are.
        kinds: Channel-name patterns to kinds, over the built-in rules.
    """

    factor: int = 1
    kinds: Mapping[str, ChannelKind] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """What decides pixels, as JSON types; nothing where plates stay as they are."""
        if self.factor == 1:
            return {}
        return {"proxy": self.factor, "proxy_kinds": {pattern: str(kind) for pattern, kind in self.kinds.items()}}

    @property
    def label(self) -> str:
        """The size of proxies for people, such as ``1/2``; empty where plates stay as they are."""
        return f"1/{self.factor}" if self.factor > 1 else ""

    def small_outline(self, outline: Outline) -> Outline:
        """The outline of a plate's proxy."""
        return _scaled_outline(outline, Fraction(1, self.factor))

    def large_outline(self, outline: Outline) -> Outline:
        """The outline of what a proxy stands for, to within the pixels of one of the proxy's."""
        return _scaled_outline(outline, Fraction(self.factor))

    def shrink(self, plate: Plate) -> Plate:
        """The proxy of a plate; color must be premultiplied."""
        n = self.factor
        if n == 1:
            return plate
        data, display = (window.scaled(Fraction(1, n)) for window in (plate.data_window, plate.display_window))
        covered = data.scaled(Fraction(n))

        def small(image: FloatImage) -> FloatImage:
            return reduce(extend(image, plate.data_window, covered), n)

        pixels = _resized(plate, self.kinds, small, data, Fraction(1, n))
        proxy = plate.with_pixels(pixels, data_window=data, display_window=display)
        return standing_for(proxy, plate.data_window, plate.display_window)

    def grow(self, plate: Plate) -> Plate:
        """The picture that a proxy stands for, over exactly that picture's windows."""
        n = self.factor
        if n == 1:
            return plate
        covers = plate.data_window.scaled(Fraction(n))
        data, display = stands_for(plate) or (covers, plate.display_window.scaled(Fraction(n)))
        whole = covers.union(data)

        def large(image: FloatImage) -> FloatImage:
            return crop(extend(enlarge(image, n, covers.height, covers.width), covers, whole), whole, data)

        pixels = _resized(plate, self.kinds, large, data, Fraction(n))
        metadata = {name: value for name, value in plate.metadata.items() if name != PROXY_OF}
        return plate.with_pixels(pixels, data_window=data, display_window=display, metadata=metadata)


FULL_SIZE = Proxy()
"""Leaves plates as they are."""


def stands_for(plate: Plate) -> tuple[Window, Window] | None:
    """Data and display window of the plate that a proxy stands for; None for a plate that is no proxy."""
    told = plate.metadata.get(PROXY_OF)
    if not isinstance(told, tuple) or len(told) != _WINDOWS:
        return None
    numbers = [int(number) for number in told]
    return Window(*numbers[:4]), Window(*numbers[4:])


def standing_for(plate: Plate, data: Window, display: Window) -> Plate:
    """The proxy of a plate with these windows."""
    numbers = tuple(number for w in (data, display) for number in (w.x, w.y, w.width, w.height))
    return plate.with_pixels(plate.pixels, metadata={**plate.metadata, PROXY_OF: numbers})


def standing_for_scaled(plate: Plate, scale: Fraction) -> Plate:
    """A proxy that was made of another by scaling; a plate that is no proxy comes back as it is."""
    windows = stands_for(plate)
    return standing_for(plate, *(window.scaled(scale) for window in windows)) if windows else plate


def standing_for_all(plate: Plate, sources: Sequence[Plate]) -> Plate:
    """A proxy over the union of its sources' windows; a plate that is no proxy comes back as it is."""
    windows = stands_for(plate)
    if not windows:
        return plate
    data = windows[0]
    for other in filter(None, map(stands_for, sources)):
        data = data.union(other[0])
    return standing_for(plate, data, windows[1])


def _resized(
    plate: Plate, kinds: Mapping[str, ChannelKind], resample: Resample, target: Window, scale: Fraction
) -> FloatImage:
    """Every channel over ``target``, each kind by its rule."""
    groups = _groups(plate, kinds)
    pixels = resample(plate.pixels)
    for group in groups:
        for at in (plate.index(name) for name in group.names):
            if group.kind is ChannelKind.ID:
                _take_nearest(pixels, target, plate, at, scale)
            elif scale < 1 and not np.isfinite(pixels[..., at]).all():  # the sum of a few of the largest floats
                pixels[..., at : at + 1] = from_headroom(resample(plate.pixels[..., at : at + 1] * HEADROOM))
    for group in groups:
        where = as_index([plate.index(name) for name in group.names])
        if group.kind is ChannelKind.VECTOR:
            pixels[..., where] *= np.float32(scale)
        elif group.kind is ChannelKind.NORMAL and len(group.names) == 3:
            wanted, found = resample(_length(plate.pixels[..., where])), _length(pixels[..., where])
            pixels[..., where] *= np.where(found > 0, wanted / np.where(found > 0, found, 1), 1)
    return pixels


def _take_nearest(pixels: FloatImage, target: Window, plate: Plate, channel: int, scale: Fraction) -> None:
    """Writes a channel of the plate's samples nearest to those of ``pixels`` over ``target``, bit for bit."""
    source = plate.data_window
    rows = np.clip(nearest(scale, target.y, target.height) - source.y, 0, source.height - 1)
    columns = np.clip(nearest(scale, target.x, target.width) - source.x, 0, source.width - 1)
    # As integers: bits that look like a signaling NaN must not pass a float register.
    pixels.view(np.uint32)[..., channel] = plate.pixels.view(np.uint32)[rows[:, None], columns, channel]


def _scaled_outline(outline: Outline, scale: Fraction) -> Outline:
    windows = outline.data_window.scaled(scale), outline.display_window.scaled(scale)
    return replace(outline, data_window=windows[0], display_window=windows[1])


def _length(vectors: FloatImage) -> FloatImage:
    length: FloatImage = np.sqrt(np.einsum("hwc,hwc->hw", vectors, vectors))[..., None]
    return length


def _groups(plate: Plate, kinds: Mapping[str, ChannelKind]) -> tuple[ChannelGroup, ...]:
    """Groups by kind; what is stored as ``uint`` is bits, and an ID whatever anyone calls it."""
    types = zip(plate.channels, plate.sample_types, strict=True)
    bits = {name: ChannelKind.ID for name, stored in types if stored == "uint"}
    return classify(
        plate.channels, plate.sample_types, bits | {name: kinds[name] for name in kinds if name not in bits}
    )
