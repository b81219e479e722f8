# SPDX-License-Identifier: Apache-2.0
"""Clips: the inputs and the output of an effect, and what a person connects to them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from understudy.ofx_host.abi import Refused, Status
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.names import (
    COMPONENTS,
    DEPTHS,
    NONE_COMPONENTS,
    NONE_DEPTH,
    Components,
    Depth,
    short_name,
    short_names,
)
from understudy.ofx_host.object_properties import CLIP_DESCRIPTOR, CLIP_INSTANCE
from understudy.ofx_host.pixels import Pixels, check_pixels
from understudy.ofx_host.properties import PropertySet

Region = tuple[float, float, float, float]
"""x1, y1, x2, y2 in canonical coordinates: square pixels at full resolution, y up."""

Point = tuple[int, int]
"""x and y, pixels, y up."""

Alpha = Literal["premultiplied", "unpremultiplied", "opaque"]
"""How color and alpha of a clip go together."""

ALPHAS: dict[str, str] = {
    "premultiplied": "OfxImageAlphaPremultiplied",
    "unpremultiplied": "OfxImageAlphaUnPremultiplied",
    "opaque": "OfxImageOpaque",
}

Fetch = Callable[[float], "np.ndarray[Any, Any] | None"]
"""The picture at a time (frames), (height, width, channels), top row first; None where there is none."""


@dataclass(frozen=True)
class Footage:
    """What is connected to an input.

    Attributes:
        fetch: Gives pictures. They are at the render scale: a proxy's when the scale is below 1.
        first: First frame that there is; None for the project's.
        last: Last one.
        frame_rate: Frames a second; None for the project's.
        origin: Where the bottom left pixel lies, pixels at the render scale (a data window's offset, y up); a callable
            gives it for a frame.
        alpha: How color and alpha go together.
        pixel_aspect: Width of a pixel by its height; None for the project's.
        colorspace: Name of the color space of the pictures; empty for unknown. Told to the plug-in where the host
            offers color management.
        continuous: Whether there is a picture between frames.
    """

    fetch: Fetch
    first: float | None = None
    last: float | None = None
    frame_rate: float | None = None
    origin: Point | Callable[[float], Point] = (0, 0)
    alpha: Alpha = "premultiplied"
    pixel_aspect: float | None = None
    colorspace: str = ""
    continuous: bool = False

    def origin_at(self, time: float) -> Point:
        """Where the bottom left pixel of a frame lies."""
        return self.origin(time) if callable(self.origin) else self.origin

    def at(self, time: float, where: str) -> Pixels | None:
        """The picture at a time.

        Raises:
            PlateError: What came is no picture.
        """
        if (self.first is not None and time < self.first) or (self.last is not None and time > self.last):
            return None
        found = self.fetch(time)
        return None if found is None else check_pixels(found, f"{where} at frame {time:g}")


Source = Footage | Fetch | np.ndarray[Any, Any]
"""What may be connected: an array is the same picture at all times."""


def footage_of(source: Source) -> Footage:
    """What a person gave, as footage."""
    if isinstance(source, Footage):
        return source
    if isinstance(source, np.ndarray):
        return Footage(lambda _time: source, continuous=True)
    return Footage(source)


class ClipTable:
    """What a plug-in defines while it describes itself in a context.

    Attributes:
        defined: Properties of each clip, in order.
    """

    def __init__(self) -> None:
        self.defined: dict[str, PropertySet] = {}

    def define(self, name: str) -> PropertySet:
        """Adds a clip.

        Raises:
            Refused: The name is taken.
        """
        if name in self.defined:
            raise Refused(Status.EXISTS)
        properties = PropertySet(f"clip {name}", CLIP_DESCRIPTOR)
        for label in ("OfxPropName", "OfxPropLabel", "OfxPropShortLabel", "OfxPropLongLabel"):
            properties.put(label, name)
        self.defined[name] = properties
        return properties

    def close(self) -> None:
        """Makes all handles bad."""
        for properties in self.defined.values():
            properties.close()


class Clip:
    """A clip of an instance.

    Args:
        name: ``Source``, ``Output`` and so on.
        described: Its properties as the plug-in described them.
        owner: The instance; what the suites ask about a clip is asked of it.
        colors: Whether the plug-in is told of color spaces.

    Attributes:
        name: As given.
        properties: Its own.
        handle: The plug-in's (``OfxImageClipHandle``).
    """

    def __init__(self, name: str, described: PropertySet, owner: object, *, colors: bool) -> None:
        self.name = name
        self.owner = owner
        rules = CLIP_INSTANCE if colors else {key: rule for key, rule in CLIP_INSTANCE.items() if "Colour" not in key}
        self.properties = PropertySet(f"clip {name}", rules)
        self.properties.take(described)
        self.handle = HANDLES.add(self)

    @property
    def is_output(self) -> bool:
        """Whether it is the effect's result."""
        return self.name == "Output"

    @property
    def optional(self) -> bool:
        """Whether the effect works without it."""
        return bool(self.properties.integer("OfxImageClipPropOptional"))

    @property
    def temporal(self) -> bool:
        """Whether the plug-in said that it fetches it at other times than that of the render."""
        return bool(self.properties.integer("OfxImageEffectPropTemporalClipAccess"))

    @property
    def is_mask(self) -> bool:
        """Whether it holds no color."""
        return bool(self.properties.integer("OfxImageClipPropIsMask"))

    @property
    def connected(self) -> bool:
        """Whether something is connected to it."""
        return bool(self.properties.integer("OfxImageClipPropConnected"))

    @property
    def supported(self) -> tuple[Components, ...]:
        """Components that the plug-in takes here, in its order."""
        return short_names(COMPONENTS, self.properties.texts("OfxImageEffectPropSupportedComponents"))

    @property
    def components(self) -> Components | None:
        """Components that the plug-in gets; None when nothing is connected."""
        return short_name(COMPONENTS, self.properties.text("OfxImageEffectPropComponents"))

    @property
    def depth(self) -> Depth | None:
        """Depth that the plug-in gets; None when nothing is connected."""
        return short_name(DEPTHS, self.properties.text("OfxImageEffectPropPixelDepth"))

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel by its height."""
        return self.properties.number("OfxImagePropPixelAspectRatio")

    @property
    def colorspace(self) -> str:
        """Name of its color space; empty for unknown."""
        name = "OfxImageClipPropColourspace"
        return self.properties.text(name) if name in self.properties else ""

    def disconnect(self) -> None:
        """Says that nothing is connected."""
        self.properties.put("OfxImageClipPropConnected", 0)
        for mapped in ("OfxImageEffectPropComponents", "OfxImageClipPropUnmappedComponents"):
            self.properties.put(mapped, NONE_COMPONENTS)
        for mapped in ("OfxImageEffectPropPixelDepth", "OfxImageClipPropUnmappedPixelDepth"):
            self.properties.put(mapped, NONE_DEPTH)

    def close(self) -> None:
        """Makes its handles bad."""
        HANDLES.drop(self.handle)
        self.properties.close()
