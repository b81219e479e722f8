# SPDX-License-Identifier: Apache-2.0
"""The plate: what an image is in this project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import PlateError

FloatImage = npt.NDArray[np.float32]
"""float32 ``(height, width, channels)``, C-contiguous, top row first."""

SampleType = Literal["half", "float", "uint", "uint8", "uint16"]
"""How a channel is stored in its file. ``uint`` is EXR's 32-bit unsigned integer."""

HALF_MAX = 65504.0
"""The largest finite half float; ±Inf is sanitized to ±this, and the half cast clamps to it."""

MetadataValue = str | int | float | tuple[int, ...] | tuple[float, ...]
"""A header value that survives from input to output."""


@dataclass(frozen=True, slots=True)
class Window:
    """An integer pixel rectangle, as EXR's windows: ``x``, ``y`` may be negative, y runs down."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column beyond the window."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row beyond the window."""
        return self.y + self.height

    def union(self, other: "Window") -> "Window":
        """The smallest window that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Window(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def intersection(self, other: "Window") -> "Window | None":
        """The overlap, or None where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Window(x, y, right - x, bottom - y) if right > x and bottom > y else None

    def slices(self, of: "Window") -> tuple[slice, slice]:
        """Its rows and columns in an array that covers another window, which must hold it."""
        return slice(self.y - of.y, self.bottom - of.y), slice(self.x - of.x, self.right - of.x)

    def scaled(self, scale: Fraction) -> "Window":
        """Both corners times ``scale``, grown outward to whole pixels; exact where they land on pixels."""
        x, y = (self.x * scale).__floor__(), (self.y * scale).__floor__()
        right, bottom = (self.right * scale).__ceil__(), (self.bottom * scale).__ceil__()
        return Window(x, y, right - x, bottom - y)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}{self.x:+d}{self.y:+d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanitized:
    """How many samples were not finite on input: NaN became 0, ±Inf became ±65504."""

    nan: int = 0
    inf: int = 0

    def __bool__(self) -> bool:
        return bool(self.nan or self.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How the plate's file stores it, so that an output can be like its input.

    Attributes:
        container: Lower-case format name: ``exr``, ``dpx``, ``tiff``, ``png``, ``jpeg``, ``hdr``.
        compression: The container's own name for it (``zip``, ``piz``, ``dwaa:45``), empty if unknown.
        colorspace: Canonical name of the file's color space, before any conversion on read.
        aces_container: The file declares itself an ACES container (SMPTE ST 2065-4).
    """

    container: str = "exr"
    compression: str = "zip"
    colorspace: str = ""
    aces_container: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """One image with everything a compositor expects to survive.

    Attributes:
        pixels: float32 ``(height, width, channels)``, C-contiguous, top row first, read-only, all finite
            (``uint`` channels carry their 32 bits unchanged in the float32 array and may look like anything).
        channels: EXR channel names in the order of ``pixels``' last axis, such as ``R``, ``A``, ``left.B``,
            ``depth.Z``.
        sample_types: One per channel: the storage type in the file, and so of the output.
        data_window: Where the pixels lie; its size is the size of ``pixels``.
        display_window: The frame a viewer shows.
        pixel_aspect: Width of a pixel over its height.
        frame: Absolute frame number; None for a still with no number.
        colorspace: Canonical OCIO name of what the color channels mean now.
        premultiplied: Color is associated with alpha (always true for EXR).
        metadata: Header attributes that survive, by their EXR or OIIO name.
        storage: How the file stored it.
        sanitized: What had to be replaced on input.
    """

    pixels: FloatImage
    channels: tuple[str, ...]
    data_window: Window
    display_window: Window
    colorspace: str
    sample_types: tuple[SampleType, ...]
    pixel_aspect: float = 1.0
    frame: int | None = None
    premultiplied: bool = True
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    storage: Storage = Storage()
    sanitized: Sanitized = Sanitized()

    def __post_init__(self) -> None:
        height, width, count = self.pixels.shape if self.pixels.ndim == 3 else (0, 0, 0)
        if self.pixels.dtype != np.float32 or not count:
            raise PlateError(
                f"a plate needs float32 (height, width, channels), got {self.pixels.dtype} {self.pixels.shape}"
            )
        if (width, height) != (self.data_window.width, self.data_window.height):
            raise PlateError(f"pixels are {width}x{height} but the data window is {self.data_window}")
        if count != len(self.channels) or count != len(self.sample_types):
            raise PlateError(f"{count} channels of pixels, {len(self.channels)} names, {len(self.sample_types)} types")
        if len(set(self.channels)) != count:
            raise PlateError(f"channel names repeat: {', '.join(self.channels)}")
        if not self.pixels.flags.c_contiguous:
            object.__setattr__(self, "pixels", np.ascontiguousarray(self.pixels))
        self.pixels.setflags(write=False)

    @property
    def width(self) -> int:
        """Columns of the data window."""
        return self.data_window.width

    @property
    def height(self) -> int:
        """Rows of the data window."""
        return self.data_window.height

    @property
    def nbytes(self) -> int:
        """Bytes of pixels in memory."""
        return self.pixels.nbytes

    def has(self, *names: str) -> bool:
        """Whether all these channels are there."""
        return set(names) <= set(self.channels)

    def index(self, name: str) -> int:
        """Position of a channel.

        Raises:
            PlateError: There is no such channel.
        """
        if name not in self.channels:
            raise PlateError(f"no channel {name!r}; there are {', '.join(self.channels)}", where=self.label)
        return self.channels.index(name)

    def take(self, names: Sequence[str]) -> FloatImage:
        """A new ``(height, width, len(names))`` array of these channels, in this order."""
        return np.ascontiguousarray(self.pixels[..., [self.index(name) for name in names]])

    def only(self, names: Sequence[str]) -> Self:
        """The plate with these channels alone, in this order; itself when they are all it has.

        Raises:
            PlateError: There is no such channel.
        """
        names = tuple(names)
        if names == self.channels:
            return self
        types = tuple(self.sample_types[self.index(name)] for name in names)
        return self.with_pixels(self.take(names), channels=names, sample_types=types)

    @property
    def label(self) -> str:
        """How messages name the plate."""
        return "still" if self.frame is None else f"frame {self.frame}"

    def with_pixels(self, pixels: FloatImage, **changes: object) -> Self:
        """The same plate with other pixels, and whatever else is named."""
        return replace(self, pixels=pixels, **changes)  # type: ignore[arg-type]


def blank_plate(
    pixels: FloatImage,
    channels: Sequence[str],
    *,
    colorspace: str,
    sample_type: SampleType = "float",
    frame: int | None = None,
    like: Plate | None = None,
) -> Plate:
    """A plate of new pixels; windows, aspect, frame and metadata follow ``like`` where given.

    Args:
        pixels: float32 ``(height, width, len(channels))``; with ``like``, of its data window's size.
        channels: Channel names.
        colorspace: What color channels mean; use ``"Raw"`` for data such as vectors.
        sample_type: Storage type of every channel.
        frame: Absolute frame number.
        like: A plate to stand beside.
    """
    height, width = pixels.shape[:2]
    window = Window(0, 0, width, height)
    return Plate(
        pixels=pixels,
        channels=tuple(channels),
        sample_types=(sample_type,) * len(channels),
        data_window=like.data_window if like else window,
        display_window=like.display_window if like else window,
        pixel_aspect=like.pixel_aspect if like else 1.0,
        frame=like.frame if like and frame is None else frame,
        colorspace=colorspace,
        metadata=like.metadata if like else {},
    )
