# SPDX-License-Identifier: Apache-2.0
"""What a picture file would hold, told without its pixels: an outline of what is read, the size of what is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.header import FileHeader
from understudy.contracts.outline import Outline
from understudy.contracts.plate import SampleType, Storage
from understudy.frames.compression import exr_types, settle
from understudy.frames.containers import sample_type_in
from understudy.frames.header import file_parts
from understudy.frames.layout import choose
from understudy.frames.library import SubsampledError, container_of, open_input

_BYTES = {"half": 2, "float": 4, "uint": 4, "uint8": 1, "uint16": 2}
_HEADER = 2048
"""Bytes of an EXR header with the attributes of a render, in order of magnitude."""
_PER_CHANNEL = 30  # its name, type and sampling
_PER_LINE = 16  # its place in the table of offsets, and what stands before it
_DPX_HEADER = 2048
_DPX_PIXEL = 4  # three 10-bit codes in a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How an output would be stored.

    Attributes:
        label: Container, compression and sample types: files of one label cost the same per sample.
        raw_bytes: Size of the file without compression.
        packed: A compression makes it smaller, by how much only the pixels tell.
    """

    label: str
    raw_bytes: int
    packed: bool


def read_outline(
    path: Path, header: FileHeader, *, view: str = "", part: str = "", channels: Sequence[str] | None = None
) -> Outline:
    """What ``read_plate`` would give for a file; no pixel is read.

    Args:
        path: The file.
        header: Its header.
        view: As for ``read_plate``.
        part: As for ``read_plate``.
        channels: As for ``read_plate``.

    Raises:
        InputError: The file can't be read.
        UsageError: There is no such view, part or channel.
    """
    storage = Storage(
        container=header.container, compression=header.compression, aces_container=header.color.aces_container
    )
    try:
        source = open_input(path)
    except SubsampledError:
        own = header.parts[0]
        types = dict(zip(own.channels, own.sample_types, strict=True))
        names = tuple(own.channels if channels is None else channels)
        return Outline(
            channels=names,
            sample_types=tuple(types[name] for name in names),
            data_window=own.data_window,
            display_window=header.display_window,
            storage=storage,
        )
    try:
        parts = file_parts(path, source)
    finally:
        source.close()
    sources = choose(parts, header.views, view=view, part=part, channels=channels, where=str(path))
    window = parts[sources[0].part].window
    for each in sources:
        window = window.union(parts[each.part].window)
    return Outline(
        channels=tuple(source.name for source in sources),
        sample_types=tuple(source.sample_type for source in sources),
        data_window=window,
        display_window=header.display_window,
        storage=storage,
    )


def stored(outline: Outline, path: Path, *, compression: str = "", sample_type: str = "", aces: bool = False) -> Stored:
    """How ``write_plate`` would store a plate.

    Args:
        outline: The plate; only channels that the container can hold.
        path: Its extension names the container.
        compression: As in ``WriteOptions``.
        sample_type: As in ``WriteOptions``.
        aces: It is an ACES container.

    Raises:
        UsageError: The container can't hold the type, or there is no such compression.
        UnsupportedFileError: The extension is no format of ours.
    """
    container = container_of(path)
    if container == "exr":
        types = exr_types(outline.sample_types, sample_type or ("half" if aces else ""))
        packing = "none" if aces else settle(compression, outline, types)[0]
        return _exr(outline, types, packing)
    kind = sample_type_in(outline, path, container, sample_type)
    window = outline.display_window
    pixels, count = window.width * window.height, len(outline.channels)
    packing = compression or {"tiff": "zip"}.get(container, "")
    if container == "dpx":
        size = _BYTES[kind] * count if kind == "uint8" else _DPX_PIXEL * -(-count // 3)
        return Stored(label=f"dpx {kind}", raw_bytes=_DPX_HEADER + pixels * size, packed=False)
    size = _DPX_PIXEL if container == "hdr" else _BYTES[kind] * count
    label = " ".join(filter(None, (container, packing, kind)))
    return Stored(label=label, raw_bytes=pixels * size, packed=not (container == "tiff" and packing == "none"))


def _exr(outline: Outline, types: Sequence[SampleType], packing: str) -> Stored:
    window = outline.data_window
    line = window.width * sum(_BYTES[kind] for kind in types)
    raw = _HEADER + _PER_CHANNEL * len(types) + window.height * (line + _PER_LINE)
    label = " ".join(["exr", packing, *sorted(set(types))])
    return Stored(label=label, raw_bytes=raw, packed=packing != "none")
