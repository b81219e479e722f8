# SPDX-License-Identifier: Apache-2.0
"""Writes a plate to a picture file: in bands, atomically, deterministically, checked by reading back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import InputError, OutputError
from understudy.contracts.plate import FloatImage, MetadataValue, Plate, SampleType
from understudy.frames import compression as exr_compression
from understudy.frames.aces import aces_spec, check_aces_file, check_aces_plate
from understudy.frames.association import associate, dissociate
from understudy.frames.atomic import atomic, require_room
from understudy.frames.containers import Encoding, encoding_for, name_dpx
from understudy.frames.integers import write_with_integers
from understudy.frames.labels import INTEROP_IDS, color_labels
from understudy.frames.library import container_of, last_error, open_input
from understudy.frames.metadata import put, survivors
from understudy.frames.pixel_hash import PixelHash
from understudy.frames.quantize import check_finite, clamp_half, to_codes, to_half
from understudy.frames.reframe import reframe

_BAND_BYTES = 8 * 2**20
_BAND_ROWS = 256
"""Bands are whole chunks of every EXR compression, so that none is compressed twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How to store a plate.

    Attributes:
        compression: EXR compression (``zip``, ``piz``, ``dwaa:45`` ...) or the JPEG quality (``95``); empty for the
            input's where that is lossless, else zip.
        sample_type: One storage type for all channels but ``uint`` ones; empty keeps each channel's own.
        container: ``aces`` writes a SMPTE ST 2065-4 file, or refuses.
        metadata: Header attributes over the plate's own; an empty string removes one.
        hash_pixels: Tell the hash of the pixels, where that takes no second reading.
        ready: Hears the report when the file is whole, right before it takes its place.
    """

    compression: str = ""
    sample_type: SampleType | Literal[""] = ""
    container: Literal["plain", "aces"] = "plain"
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    hash_pixels: bool = False
    ready: Callable[["WriteReport"], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What was written.

    Attributes:
        path: The file.
        clamped: Samples that the storage type can't hold: beyond ±65504 for half, outside 0-1 for integer codes.
        lossy: Values were changed by the compression.
        bytes: Size of the file.
        compression: The container's own name for it.
        notes: What else the user should know, as sentences.
        pixel_hash: What ``pixel_hash`` says of the file; empty where it was not asked or has to be read back.
    """

    path: Path
    clamped: int
    lossy: bool
    bytes: int
    compression: str = ""
    notes: tuple[str, ...] = ()
    pixel_hash: str = ""


def write_plate(plate: Plate, path: Path | str, options: WriteOptions = WriteOptions()) -> WriteReport:
    """Writes one picture; safe from several threads, and the same plate gives the same bytes.

    EXR color is always associated with alpha: an unpremultiplied plate is multiplied in its own color space, so convert
    to linear light first. PNG is the other way round. Channels that a container can't hold are refused, never dropped;
    DPX, TIFF, PNG, JPEG and HDR get the display window, and the report says so where that is not all.

    Args:
        plate: The plate, in the color space that the file is to have.
        path: Where; its extension names the container. Missing folders are made.
        options: How.

    Returns:
        What was written.

    Raises:
        OutputError: The disk is full or the folder can't be written; whatever was at ``path`` is untouched.
        UsageError: The container can't hold these channels, or there is no such compression or type.
        UnsupportedFileError: The extension is no format of ours.
        PlateError: The plate holds NaN or infinity.
    """
    path = Path(path)
    container = container_of(path)
    if options.container == "aces":
        check_aces_plate(plate, path, options.compression, options.sample_type)
        plate = associate(plate)
        encoding = Encoding(sample_types=exr_compression.exr_types(plate.sample_types, "half"), compression="none")
        spec = aces_spec(plate, _metadata(plate, options, "aces"))
    elif container == "exr":
        plate = associate(plate)
        types = exr_compression.exr_types(plate.sample_types, options.sample_type)
        chosen, notes = exr_compression.settle(options.compression, plate, types)
        encoding = Encoding(
            sample_types=types, compression=chosen, lossy=exr_compression.is_lossy(chosen, types), notes=notes
        )
        if "uint" in types:
            return _write_integers(plate, path, encoding, options)
        spec = _exr_spec(plate, types, chosen, _metadata(plate, options, "exr"))
    else:
        encoding = encoding_for(plate, path, container, options.sample_type, options.compression)
        plate = associate(plate) if encoding.associated else dissociate(plate)
        plate = reframe(plate, plate.display_window)
        spec = _flat_spec(plate, container, encoding, _metadata(plate, options, container))
    told = options.hash_pixels and container == "exr" and not encoding.lossy
    pixels = PixelHash(plate.channels, encoding.sample_types, plate.data_window) if told else None
    with atomic(path) as temporary:
        if container == "jpeg":  # libjpeg calls exit() on a full disk
            require_room(path, 2 * spec.image_bytes())
        clamped = _write(plate, temporary, path, spec, encoding, pixels)
        if container == "dpx":
            name_dpx(temporary, path)
        _verify(temporary, path, spec, encoding.compression if container == "exr" else "")
        if options.container == "aces":
            check_aces_file(temporary, path)
        report = _report(path, temporary, encoding, clamped, pixels.hexdigest() if pixels else "")
        if options.ready is not None:
            options.ready(report)
    return report


def _report(path: Path, temporary: Path, encoding: Encoding, clamped: int, pixel_hash: str = "") -> WriteReport:
    return WriteReport(
        path=path,
        clamped=clamped,
        lossy=encoding.lossy,
        bytes=temporary.stat().st_size,
        compression=encoding.compression,
        notes=encoding.notes,
        pixel_hash=pixel_hash,
    )


def _metadata(plate: Plate, options: WriteOptions, target: str) -> dict[str, MetadataValue]:
    kept = survivors(plate.metadata, plate.storage.container, target)
    kept.update(options.metadata)
    return {name: value for name, value in kept.items() if value != ""}


def _base_spec(plate: Plate, kind: str, metadata: Mapping[str, MetadataValue], *, exr: bool) -> oiio.ImageSpec:
    spec = oiio.ImageSpec(plate.width, plate.height, len(plate.channels), kind)
    spec.channelnames = plate.channels
    # The library stamps the current time where there is none, and then no two runs give the same bytes.
    spec.attribute("DateTime", "")
    for name, value in metadata.items():
        put(spec, name, value, exr=exr)
    if plate.pixel_aspect != 1.0:
        spec.attribute("PixelAspectRatio", float(plate.pixel_aspect))
    return spec


def _exr_spec(
    plate: Plate, types: Sequence[SampleType], compression: str, metadata: Mapping[str, MetadataValue]
) -> oiio.ImageSpec:
    spec = _base_spec(plate, "half" if set(types) == {"half"} else "float", metadata, exr=True)
    if len(set(types)) > 1:
        spec.channelformats = tuple(oiio.HALF if kind == "half" else oiio.FLOAT for kind in types)
    spec.x, spec.y = plate.data_window.x, plate.data_window.y
    display = plate.display_window
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display.x, display.y, display.width, display.height
    spec.attribute("compression", compression)
    for name, value in color_labels(plate).items():
        put(spec, name, value)
    for name in ("screenWindowCenter", "screenWindowWidth", "view"):
        if name in plate.metadata:
            put(spec, name, plate.metadata[name])
    if views := plate.metadata.get("multiView"):
        names = tuple(str(views).split(","))
        spec.attribute("multiView", f"string[{len(names)}]", names)
    return spec


def _flat_spec(
    plate: Plate, container: str, encoding: Encoding, metadata: Mapping[str, MetadataValue]
) -> oiio.ImageSpec:
    spec = _base_spec(plate, encoding.sample_types[0], metadata, exr=False)
    if "A" in plate.channels:
        spec.alpha_channel = plate.channels.index("A")
        if not encoding.associated:
            spec.attribute("oiio:UnassociatedAlpha", 1)
    if encoding.depth not in (0, 8, 16):
        spec.attribute("oiio:BitsPerSample", encoding.depth)
    if container == "jpeg":
        spec.attribute("jpeg:subsampling", "4:4:4")
    if encoding.compression:
        spec.attribute("compression", encoding.compression)
    # Without a name the library claims sRGB for every PNG.
    spec.attribute("oiio:ColorSpace", INTEROP_IDS.get(plate.colorspace, "unknown"))
    profile = plate.metadata.get("ICCProfile")
    if (
        isinstance(profile, tuple)
        and plate.colorspace
        and plate.colorspace == plate.storage.colorspace
        and container != "dpx"
    ):
        spec.attribute("ICCProfile", f"uint8[{len(profile)}]", np.array(profile, np.uint8))
    return spec


def _bands(plate: Plate) -> Iterator[tuple[int, FloatImage]]:
    row = plate.width * len(plate.channels) * 4
    rows = max(_BAND_ROWS, _BAND_BYTES // row // _BAND_ROWS * _BAND_ROWS)
    for top in range(0, plate.height, rows):
        yield top, plate.pixels[top : top + rows]


def _write(
    plate: Plate, temporary: Path, path: Path, spec: oiio.ImageSpec, encoding: Encoding, pixels: PixelHash | None
) -> int:
    output = oiio.ImageOutput.create(str(temporary))
    if output is None:
        raise OutputError(f"can't be written ({last_error()})", where=str(path))
    clamped = 0
    try:
        _expect(output.open(str(temporary), spec), path, output)
        for top, band in _bands(plate):
            samples, count = _encode(band, encoding)
            clamped += count
            if pixels is not None:
                pixels.add(samples)
            first = spec.y + top
            _expect(output.write_scanlines(first, first + len(band), 0, samples), path, output)
    except BaseException:
        output.close()
        last_error(output)
        raise
    _expect(output.close(), path, output)
    last_error(output)
    return clamped


def _expect(done: bool, path: Path, output: oiio.ImageOutput) -> None:  # noqa: FBT001
    if not done:
        reason = last_error(output) or "no reason given"
        raise OutputError(f"can't be written ({reason})", where=str(path), fix="check the folder and the disk")


def _encode(band: FloatImage, encoding: Encoding) -> tuple[Any, int]:
    if encoding.depth:
        return to_codes(band, encoding.depth)
    types = encoding.sample_types
    if set(types) == {"half"}:
        return to_half(band)
    if set(types) == {"float"}:
        check_finite(band)
        return band, 0
    # The library rounds to half as numpy does, so a mixed file only needs its halves clamped.
    halves = [index for index, kind in enumerate(types) if kind == "half"]
    limited, count = clamp_half(band[..., halves])
    check_finite(band[..., [index for index, kind in enumerate(types) if kind != "half"]])
    if count:
        band = band.copy()
        band[..., halves] = limited
    return band, count


def _write_integers(plate: Plate, path: Path, encoding: Encoding, options: WriteOptions) -> WriteReport:
    header = {**_metadata(plate, options, "exr"), **color_labels(plate)}
    types, compression = encoding.sample_types, encoding.compression
    with atomic(path) as temporary:
        clamped = write_with_integers(plate, temporary, path, types, compression, header)
        _verify(temporary, path, _exr_spec(plate, types, compression, {}), compression)
        report = _report(path, temporary, encoding, clamped)
        if options.ready is not None:
            options.ready(report)
    return report


def _verify(temporary: Path, path: Path, spec: oiio.ImageSpec, compression: str) -> None:
    """Re-opens what was written: size, channels, compression, and the last row, which a full disk would have lost.

    Raises:
        OutputError: The file is not what was asked for.
    """
    try:
        found = open_input(temporary)
    except InputError as error:
        raise OutputError(f"was written damaged ({error.problem})", where=str(path), fix="check the disk") from None
    try:
        back = found.spec()
        if (back.width, back.height, back.nchannels) != (spec.width, spec.height, spec.nchannels):
            raise OutputError("was written with another size than asked for", where=str(path))
        if compression and back.get_string_attribute("compression") != compression.partition(":")[0]:
            raise OutputError(
                f"the library wrote another compression than {compression}", where=str(path), fix="choose another"
            )
        if found.read_scanlines(back.y + back.height - 1, back.y + back.height, 0, 0, back.nchannels, "float") is None:
            raise OutputError(f"was written damaged ({last_error(found)})", where=str(path), fix="check the disk")
    finally:
        found.close()
