# SPDX-License-Identifier: Apache-2.0
"""What a file's header says, before any pixel is decoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from understudy.contracts.plate import MetadataValue, SampleType, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorFacts:
    """What a file says of its color space, for the decision in ``understudy.color.decide``.

    Attributes:
        path: The file's path, for OCIO's file rules and for messages.
        container: Lower-case format name (``exr``, ``png`` ...).
        sample_type: Storage type of its color channels.
        interop_id: ``colorInteropID`` of the header, empty if absent.
        hint: The reader's own color-space attribute when the **file** states one (a PNG sRGB chunk, a DPX transfer);
            empty for mere conventions of the format.
        aces_container: ``acesImageContainerFlag`` is 1.
        chromaticities: Red, green, blue and white x, y; None if absent.
    """

    path: str
    container: str
    sample_type: SampleType
    interop_id: str = ""
    hint: str = ""
    aces_container: bool = False
    chromaticities: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part (subimage) of a file.

    Attributes:
        name: Part name; empty in single-part files.
        view: Stereo view; empty if none.
        channels: Names as the plate will have them.
        sample_types: Their storage types.
        data_window: Where its pixels lie.
        tile: Tile size in pixels, or None for scan-lines.
        levels: Resolution levels (1: no mip-map).
        deep: It holds deep samples.
        subsampled: It is luminance-chroma with subsampled chroma.
    """

    name: str
    view: str
    channels: tuple[str, ...]
    sample_types: tuple[SampleType, ...]
    data_window: Window
    tile: tuple[int, int] | None = None
    levels: int = 1
    deep: bool = False
    subsampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHeader:
    """The header of one picture file.

    Attributes:
        path: The file.
        container: Lower-case format name.
        compression: The container's own name for it.
        parts: At least one.
        views: Stereo views, the default one first; empty if none.
        display_window: The frame a viewer shows.
        pixel_aspect: Width of a pixel over its height.
        color: What it says of its color space.
        metadata: Attributes that survive into outputs.
        premultiplied: Color is associated with alpha in the file.
    """

    path: str
    container: str
    compression: str
    parts: tuple[Part, ...]
    display_window: Window
    color: ColorFacts
    pixel_aspect: float = 1.0
    views: tuple[str, ...] = ()
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    premultiplied: bool = True
