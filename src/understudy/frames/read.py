# SPDX-License-Identifier: Apache-2.0
"""Reads a picture file into a plate, in bands, so that no second full-size copy is ever made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import UnreadableFileError, UnsupportedFileError, UsageError
from understudy.contracts.header import FileHeader
from understudy.contracts.plate import FloatImage, MetadataValue, Plate, Sanitized, Storage, Window
from understudy.frames.chroma import chroma_header, read_chroma
from understudy.frames.deep import flatten
from understudy.frames.header import file_parts, header_of
from understudy.frames.integrity import exr_is_whole, jpeg_is_whole
from understudy.frames.layout import FilePart, choose
from understudy.frames.library import SubsampledError, check_size, last_error, open_input
from understudy.frames.quantize import as_half
from understudy.frames.sanitize import sanitize

_BAND_BYTES = 8 * 2**20


@dataclass(slots=True)
class _Counts:
    nan: int = 0
    inf: int = 0

    def clean(self, samples: Any) -> None:
        nan, inf = sanitize(samples)
        self.nan += nan
        self.inf += inf


def read_plate(
    path: Path | str,
    *,
    frame: int | None,
    colorspace: str,
    header: FileHeader | None = None,
    view: str = "",
    part: str = "",
    channels: Sequence[str] | None = None,
    level: int = 0,
) -> Plate:
    """Reads one picture; safe from several threads.

    Parts become one plate over the union of their data windows, zero where a part has no pixels. Stereo views stay, the
    default one unprefixed. Deep parts are flattened, and ``understudy:flattened`` in the metadata says so.

    Args:
        path: The file.
        frame: Its absolute frame number; None for a still.
        colorspace: Canonical name of its color space, as ``understudy.color`` decided it.
        header: This very file's header, when it was read already.
        view: Only this stereo view.
        part: Only the part of this name or number.
        channels: Only these channels (names as the header has them); the rest is not decoded.
        level: Resolution level of mip-mapped files; 0 is full size.

    Returns:
        A plate of float32: half and float values as stored, 8 and 16-bit codes over 255 and 65535 (10 and 12-bit ones
        over 1023 and 4095), NaN and Inf replaced and counted, ``uint`` channels with their bits unchanged.

    Raises:
        InputError: The file is missing, unreadable, damaged, cut short or refused.
        UsageError: There is no such view, part, channel or level.
        MemoryBudgetError: It is larger than the machine's memory.
    """
    path = Path(path)
    try:
        source = open_input(path)
    except SubsampledError:
        return _read_chroma(path, frame, colorspace, channels, view=view, part=part, level=level)
    try:
        if header is None or header.path != str(path):
            header = header_of(path, source)
        if header.container == "jpeg" and not jpeg_is_whole(path):
            raise _cut_short(path, "")
        parts = file_parts(path, source)
        sources = choose(parts, header.views, view=view, part=part, channels=channels, where=str(path))
        used = {s.part: parts[s.part] for s in sources}
        counts = _Counts()
        windows = _windows(path, source, used, level)
        window = windows[sources[0].part]
        for other in windows.values():
            window = window.union(other)
        check_size(path, window.width, window.height, len(sources))
        # Parts that fill the union leave nothing to be zero.
        covered = all(other == window for other in windows.values())
        pixels = (np.empty if covered else np.zeros)((window.height, window.width, len(sources)), np.float32)
        for index, own in windows.items():
            columns = {s.channel: column for column, s in enumerate(sources) if s.part == index}
            _fill(path, source, used[index], own, columns, pixels[own.slices(window)], counts, level)
        display = _display(source, sources[0].part, level) if level else header.display_window
    finally:
        source.close()
    return Plate(
        pixels=pixels,
        channels=tuple(s.name for s in sources),
        sample_types=tuple(s.sample_type for s in sources),
        data_window=window,
        display_window=display,
        pixel_aspect=header.pixel_aspect,
        frame=frame,
        colorspace=colorspace,
        premultiplied=header.premultiplied,
        metadata=_metadata(header, view, part, flattened=any(p.deep for p in used.values())),
        storage=_storage(header, colorspace),
        sanitized=Sanitized(nan=counts.nan, inf=counts.inf),
    )


def _metadata(header: FileHeader, view: str, part: str, *, flattened: bool) -> dict[str, MetadataValue]:
    """The file's, with views as the plate has them."""
    metadata = dict(header.metadata)
    if flattened:
        metadata["understudy:flattened"] = "deep samples were composited on read"
    if view or part:
        metadata.pop("multiView", None)
    elif len(header.views) > 1:
        metadata["multiView"] = ",".join(header.views)
        metadata.pop("view", None)
    if view:
        metadata["view"] = view
    return metadata


def _storage(header: FileHeader, colorspace: str) -> Storage:
    return Storage(
        container=header.container,
        compression=header.compression,
        colorspace=colorspace,
        aces_container=header.color.aces_container,
    )


def _windows(path: Path, source: oiio.ImageInput, parts: dict[int, FilePart], level: int) -> dict[int, Window]:
    if not level:
        return {index: part.window for index, part in parts.items()}
    windows = {}
    for index, part in parts.items():
        if not 0 <= level < part.levels:
            raise UsageError(f"there is no level {level}", where=str(path), fix=f"it has levels 0 to {part.levels - 1}")
        source.seek_subimage(index, level)
        spec = source.spec()
        windows[index] = Window(spec.x, spec.y, spec.width, spec.height)
    return windows


def _display(source: oiio.ImageInput, part: int, level: int) -> Window:
    source.seek_subimage(part, level)
    spec = source.spec()
    return Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)


def _fill(
    path: Path,
    source: oiio.ImageInput,
    part: FilePart,
    window: Window,
    columns: dict[int, int],
    target: FloatImage,
    counts: _Counts,
    level: int,
) -> None:
    """Decodes one part into its place in the plate; ``columns`` maps file channels to plate channels."""
    if part.deep:
        samples = flatten(path, part.index)
        counts.clean(samples)
        for channel, column in columns.items():
            half = part.sample_types[channel] == "half"
            target[..., column] = as_half(samples[..., channel]) if half else samples[..., channel]
        return
    # Integer channels too, though their values are replaced below: this finds missing pixels without printing.
    for run in _runs(list(columns)):
        _fill_run(path, source, part, window, run, [columns[c] for c in range(*run)], target, counts, level)
    integers = {c: column for c, column in columns.items() if part.sample_types[c] == "uint"}
    if integers:
        _fill_uint(path, part, integers, target, level)


def _runs(channels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of neighboring channels."""
    if not channels:
        return
    ordered = sorted(channels)
    start = ordered[0]
    for before, after in pairwise(ordered):
        if after != before + 1:
            yield start, before + 1
            start = after
    yield start, ordered[-1] + 1


def _fill_run(
    path: Path,
    source: oiio.ImageInput,
    part: FilePart,
    window: Window,
    run: tuple[int, int],
    columns: list[int],
    target: FloatImage,
    counts: _Counts,
    level: int,
) -> None:
    types = set(part.sample_types[run[0] : run[1]])
    # Half is read as half and widened here: several times faster than the library's own conversion, and as exact.
    stored = types.pop() if len(types) == 1 and "uint" not in types else "float"
    if not source.seek_subimage(part.index, level):
        raise _cut_short(path, last_error(source))
    spec = source.spec()
    depth = spec.get_int_attribute("oiio:BitsPerSample") if stored == "uint16" else 0
    place = slice(columns[0], columns[-1] + 1) if columns == list(range(columns[0], columns[-1] + 1)) else columns
    step = spec.tile_height or 32
    rows = max(step, _BAND_BYTES // (window.width * (run[1] - run[0]) * 4) // step * step)
    for top in range(window.y, window.bottom, rows):
        bottom = min(top + rows, window.bottom)
        if spec.tile_width:
            band = source.read_tiles(window.x, window.right, top, bottom, 0, 1, run[0], run[1], stored)
        else:
            band = source.read_scanlines(top, bottom, 0, run[0], run[1], stored)
        if band is None:
            raise _cut_short(path, last_error(source))
        band = band.reshape(bottom - top, window.width, run[1] - run[0])
        if stored in ("half", "float"):
            counts.clean(band)
        else:
            band = _decode(band, depth)
        target[top - window.y : bottom - window.y, :, place] = band


def _decode(codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], depth: int) -> FloatImage:
    """Integer codes as 0-1. The library widens 10 and 12 bits to 16 by repeating high bits, so the code is on top."""
    widened = codes.dtype == np.uint16 and depth in (10, 12)
    top = 2**depth - 1 if widened else np.iinfo(codes.dtype).max
    values: FloatImage = np.divide(codes >> (16 - depth) if widened else codes, np.float32(top), dtype=np.float32)
    return values


def _cut_short(path: Path, reason: str) -> UnreadableFileError:
    detail = f" ({reason.replace(str(path), path.name)})" if reason else ""
    return UnreadableFileError(
        f"is cut short or damaged: pixels are missing{detail}", where=str(path), fix="render or copy it again"
    )


def _fill_uint(path: Path, part: FilePart, columns: dict[int, int], target: FloatImage, level: int) -> None:
    """32-bit integers as they are, through the OpenEXR module: OpenImageIO's Python side has no such type."""
    if level:
        raise UnsupportedFileError(
            "has 32-bit integer channels, which are read at full size only", where=str(path), fix="read level 0"
        )
    try:
        found = OpenEXR.File(str(path), separate_channels=True).parts[part.index].channels
    except (RuntimeError, ValueError, TypeError, OSError, UnicodeDecodeError, IndexError) as error:
        raise _cut_short(path, str(error)) from None
    for channel, column in columns.items():
        stored = found.get(part.channels[channel])
        plane = stored.pixels if stored else None
        if plane is None or plane.shape != target.shape[:2]:
            raise _cut_short(path, "")
        target[..., column] = plane.view(np.float32)


def _read_chroma(
    path: Path, frame: int | None, colorspace: str, channels: Sequence[str] | None, *, view: str, part: str, level: int
) -> Plate:
    header = chroma_header(path)
    own = header.parts[0]
    if view or level or part not in ("", own.name, "0"):
        raise UsageError("luminance-chroma files have one view, one part and one level", where=str(path))
    names = tuple(own.channels if channels is None else channels)
    absent = [name for name in names if name not in own.channels]
    if absent:
        raise UsageError(
            f"no channel {', '.join(absent)}", where=str(path), fix="its channels are: " + ", ".join(own.channels)
        )
    if not exr_is_whole(path):
        raise _cut_short(path, "")
    planes = read_chroma(path)
    pixels = np.stack([planes[name] for name in names], axis=-1)
    counts = _Counts()
    counts.clean(pixels)
    types = dict(zip(own.channels, own.sample_types, strict=True))
    return Plate(
        pixels=pixels,
        channels=names,
        sample_types=tuple(types[name] for name in names),
        data_window=own.data_window,
        display_window=header.display_window,
        pixel_aspect=header.pixel_aspect,
        frame=frame,
        colorspace=colorspace,
        metadata=header.metadata,
        storage=_storage(header, colorspace),
        sanitized=Sanitized(nan=counts.nan, inf=counts.inf),
    )
