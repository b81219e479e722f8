# SPDX-License-Identifier: Apache-2.0
"""EXR files with 32-bit integer channels, through the OpenEXR module: OpenImageIO's Python side has no such type.

The module wants whole planes, so these files cost one copy in their storage types.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from understudy.contracts.errors import OutputError
from understudy.contracts.plate import MetadataValue, Plate, SampleType
from understudy.frames.quantize import check_finite, to_half

_NAMES = {
    "Artist": "artist", "Copyright": "owner", "DateTime": "capDate", "ExposureTime": "expTime", "FNumber": "aperture",
    "FocalLength": "focalLength", "FramesPerSecond": "framesPerSecond", "ImageDescription": "comments",
    "smpte:TimeCode": "timeCode", "smpte:KeyCode": "keyCode",
}  # fmt: skip
_RATIONALS = {"framesPerSecond", "captureRate"}


def write_with_integers(
    plate: Plate,
    temporary: Path,
    path: Path,
    types: tuple[SampleType, ...],
    compression: str,
    metadata: Mapping[str, MetadataValue],
) -> int:
    """Writes a scan-line EXR whose ``uint`` channels keep their 32 bits.

    Args:
        plate: The plate.
        temporary: Where to write.
        path: Where it will be, for messages.
        types: Storage type per channel.
        compression: A checked EXR compression.
        metadata: Header attributes by their OpenImageIO names.

    Returns:
        How many samples were clamped to half.

    Raises:
        OutputError: The library can't write it.
        PlateError: A half or float channel holds NaN or infinity.
    """
    planes: dict[str, Any] = {}
    clamped = 0
    for index, (name, kind) in enumerate(zip(plate.channels, types, strict=True)):
        column = np.ascontiguousarray(plate.pixels[..., index])
        if kind == "uint":
            planes[name] = column.view(np.uint32)
        elif kind == "half":
            planes[name], count = to_half(column)
            clamped += count
        else:
            check_finite(column)
            planes[name] = column
    try:
        file = OpenEXR.File(_header(plate, compression, metadata), planes)
        file.write(str(temporary))
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise OutputError(f"can't be written ({error})", where=str(path), fix="check the folder and the disk") from None
    return clamped


def _header(plate: Plate, compression: str, metadata: Mapping[str, MetadataValue]) -> dict[str, Any]:
    name, _, level = compression.partition(":")
    data, display = plate.data_window, plate.display_window
    header: dict[str, Any] = {
        "compression": getattr(OpenEXR, f"{'NO' if name == 'none' else name.upper()}_COMPRESSION"),
        "type": OpenEXR.scanlineimage,
        "dataWindow": ((data.x, data.y), (data.right - 1, data.bottom - 1)),
        "displayWindow": ((display.x, display.y), (display.right - 1, display.bottom - 1)),
        "pixelAspectRatio": float(plate.pixel_aspect),
    }
    if level:
        header["dwaCompressionLevel"] = float(level)
    if views := plate.metadata.get("multiView"):
        header["multiView"] = str(views).split(",")
    kept = {
        key: plate.metadata[key] for key in ("screenWindowCenter", "screenWindowWidth", "view") if key in plate.metadata
    }
    for key, value in {**kept, **metadata}.items():
        own = _NAMES.get(key, key)
        converted = _value(own, value)
        if converted is not None:
            header[own] = converted
    return header


def _value(name: str, value: MetadataValue) -> Any:
    if name == "chromaticities" and isinstance(value, tuple):
        return tuple(float(v) for v in value)
    if name in _RATIONALS and isinstance(value, tuple) and len(value) == 2:
        return Fraction(int(value[0]), int(value[1] or 1))
    if name == "timeCode" and isinstance(value, tuple):
        return _time_code(int(value[0]), int(value[1]))
    if name == "keyCode" and isinstance(value, tuple):
        return OpenEXR.KeyCode(*(int(v) for v in value))
    if not isinstance(value, tuple):
        return value
    if len(value) in (9, 16) and not all(isinstance(v, int) for v in value):
        return np.array(value, np.float32).reshape(-1, 3 if len(value) == 9 else 4)
    if len(value) in (2, 3):
        return value
    return [float(v) for v in value]


def _time_code(packed: int, user: int) -> Any:
    """SMPTE 12M packed binary-coded decimals (OpenEXR's TV60 packing) to the module's fields."""

    def decimal(shift: int, tens_mask: int) -> int:
        byte = packed >> shift
        return (byte & 0xF) + 10 * (byte >> 4 & tens_mask)

    bits = [bool(packed >> bit & 1) for bit in (6, 7, 15, 23, 30, 31)]
    groups = [user >> 4 * index & 0xF for index in range(8)]
    frame, seconds, minutes, hours = decimal(0, 3), decimal(8, 7), decimal(16, 7), decimal(24, 3)
    return OpenEXR.TimeCode(hours, minutes, seconds, frame, *[int(bit) for bit in bits], *groups)
