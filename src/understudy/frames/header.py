# SPDX-License-Identifier: Apache-2.0
"""Reads a picture's header: parts, views, windows, types, and what the file says of its color."""

from pathlib import Path
from typing import Any, cast

import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import UnsupportedFileError
from understudy.contracts.header import ColorFacts, FileHeader, Part
from understudy.contracts.plate import SampleType, Window
from understudy.frames.chroma import chroma_header
from understudy.frames.layout import FilePart, plate_names
from understudy.frames.library import SubsampledError, check_size, container_name, open_input, readable
from understudy.frames.metadata import collect

_EXR_TYPES: dict[str, SampleType] = {"half": "half", "float": "float", "uint": "uint"}
_FILE_TYPES: dict[str, SampleType] = {"half": "half", "float": "float", "uint8": "uint8", "uint16": "uint16"}
_MAX_LEVELS = 32


def read_header(path: Path | str) -> FileHeader:
    """Reads everything a header says, and no pixel.

    Args:
        path: A picture file.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It is a folder, empty, damaged or not what its name says.
        UnsupportedFileError: It is sound and of a kind that is refused (a movie, CMYK).
    """
    path = Path(path)
    try:
        source = open_input(path)
    except SubsampledError:
        return chroma_header(path)
    try:
        return header_of(path, source)
    finally:
        source.close()


def header_of(path: Path, source: oiio.ImageInput) -> FileHeader:
    """``read_header`` of a file that is open already."""
    container = container_name(source)
    first = source.spec()
    _refuse_inks(path, first)
    parts = file_parts(path, source)
    metadata = collect(first)
    views = views_of(parts, str(metadata.get("multiView", "")))
    names = plate_names(parts, views if len(parts) > 1 else ())
    display = Window(first.full_x, first.full_y, first.full_width, first.full_height)
    return FileHeader(
        path=str(path),
        container=container,
        compression=_compression(first),
        parts=tuple(
            Part(
                name=part.name,
                view=part.view,
                channels=names[part.index],
                sample_types=part.sample_types,
                data_window=part.window,
                tile=part.tile,
                levels=part.levels,
                deep=part.deep,
            )
            for part in parts
        ),
        views=views,
        display_window=display,
        pixel_aspect=_aspect(first),
        color=_color_facts(path, container, first, parts[0], metadata),
        metadata=metadata,
        premultiplied=not (first.alpha_channel >= 0 and first.get_int_attribute("oiio:UnassociatedAlpha")),
    )


def file_parts(path: Path, source: oiio.ImageInput) -> tuple[FilePart, ...]:
    """The parts of an open file, as the file has them.

    Raises:
        UnreadableFileError: A part claims an absurd size.
        UnsupportedFileError: A sample type is none of ours.
    """
    parts: list[FilePart] = []
    exr = container_name(source) == "exr"
    while source.seek_subimage(len(parts), 0):
        spec = source.spec()
        check_size(path, spec.width, spec.height, spec.nchannels)
        index = len(parts)
        parts.append(
            FilePart(
                index=index,
                name=readable(spec.get_string_attribute("oiio:subimagename")) if exr else "",
                view=readable(spec.get_string_attribute("view")),
                channels=tuple(readable(name) for name in spec.channelnames),
                sample_types=_sample_types(path, spec, exr=exr),
                window=Window(spec.x, spec.y, spec.width, spec.height),
                tile=(spec.tile_width, spec.tile_height) if exr and spec.tile_width else None,
                levels=_levels(source, index) if exr and spec.tile_width else 1,
                deep=bool(spec.deep),
            )
        )
        if not exr:
            break
    source.seek_subimage(0, 0)
    return tuple(parts)


def _levels(source: oiio.ImageInput, part: int) -> int:
    levels = 1
    while levels < _MAX_LEVELS and source.seek_subimage(part, levels):
        levels += 1
    return levels


def _sample_types(path: Path, spec: oiio.ImageSpec, *, exr: bool) -> tuple[SampleType, ...]:
    known = _EXR_TYPES if exr else _FILE_TYPES
    stored = [str(kind) for kind in spec.channelformats] or [str(spec.format)] * spec.nchannels
    strange = sorted({kind for kind in stored if kind not in known})
    if strange:
        raise UnsupportedFileError(
            f"stores {', '.join(strange)} samples, which a plate can't hold exactly",
            where=str(path),
            fix="convert it to float EXR",
        )
    return tuple(known[kind] for kind in stored)


def views_of(parts: tuple[FilePart, ...], multi_view: str) -> tuple[str, ...]:
    """Stereo views, the default one first: of the parts, or of a single part's ``multiView``."""
    found = dict.fromkeys(part.view for part in parts if part.view)
    if len(found) > 1:
        return tuple(found)
    return tuple(multi_view.split(",")) if multi_view and len(parts) == 1 else ()


def _refuse_inks(path: Path, spec: oiio.ImageSpec) -> None:
    inks = " ".join(
        spec.get_string_attribute(name)
        for name in ("tiff:ColorSpace", "jpeg:ColorSpace", "oiio:ColorSpace", "psd:ColorMode")
    )
    separated = spec.get_int_attribute("tiff:PhotometricInterpretation") == 5  # TIFF 6.0, section 16
    if separated or "CMYK" in inks.upper() or "separated" in inks:
        raise UnsupportedFileError("holds printing inks (CMYK), not light", where=str(path), fix="convert it to RGB")


def _compression(spec: oiio.ImageSpec) -> str:
    name = spec.get_string_attribute("compression")
    level = spec.get_float_attribute("openexr:dwaCompressionLevel", -1.0)
    return f"{name}:{level:g}" if name.startswith("dwa") and level >= 0 else name


def _aspect(spec: oiio.ImageSpec) -> float:
    aspect = float(spec.get_float_attribute("PixelAspectRatio", 1.0))
    return aspect if 0 < aspect < 1e6 else 1.0


def _color_facts(
    path: Path, container: str, spec: oiio.ImageSpec, part: FilePart, metadata: dict[str, Any]
) -> ColorFacts:
    colors = [
        kind for name, kind in zip(part.channels, part.sample_types, strict=True) if name.rpartition(".")[2] in "RGBY"
    ]
    chromaticities = metadata.get("chromaticities")
    return ColorFacts(
        path=str(path),
        container=container,
        sample_type=(colors or list(part.sample_types))[0],
        interop_id=str(metadata.get("colorInteropID", "")),
        hint=_hint(path, container, spec),
        aces_container=spec.get_int_attribute("acesImageContainerFlag") == 1,
        chromaticities=cast("tuple[float, ...]", chromaticities)
        if isinstance(chromaticities, tuple) and len(chromaticities) == 8
        else None,
    )


def _hint(path: Path, container: str, spec: oiio.ImageSpec) -> str:
    """The reader's color space where the file itself states one; a format's convention is no statement."""
    named = str(spec.get_string_attribute("oiio:ColorSpace"))
    if container == "png":
        return named if png_color_chunks(path) & {"sRGB", "gAMA", "cICP"} else ""
    if container == "dpx":
        stated = spec.get_string_attribute("dpx:Transfer")
        return named if stated not in ("", "Undefined", "User defined") else ""
    if container in ("jpeg", "tiff"):
        return named if spec.get_int_attribute("Exif:ColorSpace") == 1 else ""
    return ""


def png_color_chunks(path: Path) -> set[str]:
    """The color chunks of a PNG file (PNG, third edition, section 11.3.2); an ICC profile silences the weaker ones."""
    found: set[str] = set()
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:].decode("latin-1")
            if kind == "IDAT":
                break
            if kind in ("sRGB", "gAMA", "cICP", "iCCP"):
                found.add(kind)
            file.seek(length + 4, 1)
    if "iCCP" in found and "cICP" not in found:
        return {"iCCP"}
    return found
