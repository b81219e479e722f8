# SPDX-License-Identifier: Apache-2.0
"""Luminance-chroma EXR files (Y, RY, BY with half-size chroma), through the OpenEXR module: OpenImageIO refuses them.

Chroma is interpolated with the 27-tap filter of OpenEXR's ``ImfRgbaYca``, and RGB rebuilt by the same file's formulas:
``R = (RY + 1) Y``, ``B = (BY + 1) Y``, and G from Y with the luminance weights of the file's primaries.
OpenEXR's optional saturation limiter is not applied: it would change values that the file does hold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR

from understudy.contracts.errors import UnreadableFileError, UnsupportedFileError
from understudy.contracts.header import ColorFacts, FileHeader, Part
from understudy.contracts.plate import FloatImage, MetadataValue, SampleType, Window
from understudy.contracts.primaries import REC709
from understudy.frames.layout import main_first
from understudy.frames.library import check_size
from understudy.frames.metadata import is_structural
from understudy.frames.quantize import as_half

_TAPS = (0.002128, -0.007540, 0.019597, -0.043159, 0.087929, -0.186077, 0.627123)
"""Half of the symmetric filter, outermost first; OpenEXR ``ImfRgbaYca.cpp``, ``reconstructChromaHoriz``."""

_RENAMED = {
    "owner": "Copyright",
    "timeCode": "smpte:TimeCode",
    "framesPerSecond": "FramesPerSecond",
    "comments": "ImageDescription",
}


def _open(path: Path, *, header_only: bool = False) -> Any:
    try:
        return OpenEXR.File(str(path), separate_channels=True, header_only=header_only)
    except (RuntimeError, ValueError, TypeError, OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(
            f"can't be decoded ({error})", where=str(path), fix="write or copy it again"
        ) from None


def _window(box: Any) -> Window:
    (x, y), (right, bottom) = ((int(v) for v in corner) for corner in box)
    return Window(x, y, right - x + 1, bottom - y + 1)


def chroma_header(path: Path) -> FileHeader:
    """The header of a luminance-chroma file; its channels are named as they will be rebuilt.

    Raises:
        UnsupportedFileError: It has several parts, or channels that are subsampled in another way.
    """
    file = _open(path, header_only=True)
    header = file.header()
    channels = {channel.name: channel for channel in header["channels"]}
    if problem := _unread(len(file.parts), channels):
        raise UnsupportedFileError(problem, where=str(path), fix="write it as RGB")
    types = _sample_types(path)
    names = tuple(main_first(["R", "G", "B", *(name for name in channels if name not in ("Y", "RY", "BY"))]))
    window = _window(header["dataWindow"])
    check_size(path, window.width, window.height, len(names))
    metadata = {
        name: value
        for name, value in ((_RENAMED.get(n, n), _value(v)) for n, v in sorted(header.items()))
        if value is not None and not is_structural(name)
    }
    chromaticities = header.get("chromaticities")
    if chromaticities is not None:
        metadata["chromaticities"] = tuple(float(v) for v in chromaticities)
    interop = str(header.get("colorInteropID", ""))
    return FileHeader(
        path=str(path),
        container="exr",
        compression=_compression(header),
        parts=(
            Part(
                name=str(header.get("name", "")),
                view=str(header.get("view", "")),
                channels=names,
                sample_types=tuple(types.get(name, types["Y"]) for name in names),
                data_window=window,
                tile=(header["tiles"].xSize, header["tiles"].ySize) if "tiles" in header else None,
                subsampled=True,
            ),
        ),
        display_window=_window(header["displayWindow"]),
        pixel_aspect=float(header.get("pixelAspectRatio", 1.0)),
        color=ColorFacts(
            path=str(path),
            container="exr",
            sample_type=types["Y"],
            interop_id=interop,
            chromaticities=tuple(float(v) for v in chromaticities) if chromaticities is not None else None,
        ),
        metadata=metadata,
    )


def _unread(parts: int, channels: Mapping[str, Any]) -> str:
    """What keeps a file with subsampled channels from being read; empty when nothing does."""
    if parts > 1:
        return "has subsampled channels in several parts"
    for name, channel in channels.items():
        factor = 2 if name in ("RY", "BY") else 1
        if (channel.xSampling, channel.ySampling) != (factor, factor):
            return f"channel {name} is subsampled in a way that is not read"
    return "" if {"Y", "RY", "BY"} <= channels.keys() else "has chroma without luminance"


def _sample_types(path: Path) -> dict[str, SampleType]:
    """Storage types from the raw channel list (OpenEXR File Layout): the module tells them only after decoding."""
    kinds: tuple[SampleType, ...] = ("uint", "half", "float")
    with path.open("rb") as file:
        head = file.read(2**20)
    mark = b"channels\0chlist\0"
    at = head.index(mark) + len(mark) + 4
    types: dict[str, SampleType] = {}
    while head[at]:
        end = head.index(0, at)
        types[head[at:end].decode("utf-8", "replace")] = kinds[int.from_bytes(head[end + 1 : end + 5], "little")]
        at = end + 17
    return types


def _compression(header: Any) -> str:
    return str(header["compression"].name.removesuffix("_COMPRESSION").lower()).replace("no", "none")


def _value(value: Any) -> MetadataValue | None:
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def read_chroma(path: Path) -> dict[str, FloatImage]:
    """Rebuilds the full-size channels of a luminance-chroma file.

    Args:
        path: A file whose header ``chroma_header`` took.

    Returns:
        float32 ``(height, width)`` per plate channel, linear in the file's own primaries.

    Raises:
        UnreadableFileError: Pixels are missing or damaged.
    """
    file = _open(path)
    header = file.header()
    window = _window(header["dataWindow"])
    planes = {name: channel.pixels for name, channel in file.channels().items()}
    if any(plane is None for plane in planes.values()) or planes["Y"].shape != (window.height, window.width):
        raise UnreadableFileError("is cut short: pixels are missing", where=str(path), fix="write or copy it again")
    luminance = planes["Y"].astype(np.float32)
    ry, by = (_upsample(planes[name].astype(np.float32), luminance.shape) for name in ("RY", "BY"))
    # OpenEXR assumes BT.709 where ``chromaticities`` are absent.
    red_weight, green_weight, blue_weight = luminance_weights(header.get("chromaticities") or REC709)
    red, blue = (ry + 1) * luminance, (by + 1) * luminance
    green = (luminance - red * red_weight - blue * blue_weight) / green_weight
    gray = (ry == 0) & (by == 0)
    for plane in (red, green, blue):
        plane[gray] = luminance[gray]
    if planes["Y"].dtype == np.float16:
        # As halves, because that is what the file stores and what an output of the same types will hold.
        red, green, blue = (as_half(plane) for plane in (red, green, blue))
    rest = {name: plane.astype(np.float32) for name, plane in planes.items() if name not in ("Y", "RY", "BY")}
    return {"R": red, "G": green, "B": blue, **rest}


def _upsample(chroma: FloatImage, shape: tuple[int, ...]) -> FloatImage:
    tall = _double(chroma, shape[0])
    return np.ascontiguousarray(_double(np.ascontiguousarray(tall.T), shape[1]).T)


def _double(samples: FloatImage, length: int) -> FloatImage:
    """Twice the rows: even ones kept, odd ones filtered; edges repeat."""
    count = samples.shape[0]
    out = np.zeros((2 * count, *samples.shape[1:]), np.float32)
    out[::2] = samples
    odd = np.arange(count)
    for step, weight in enumerate(reversed(_TAPS)):
        left, right = np.maximum(odd - step, 0), np.minimum(odd + step + 1, count - 1)
        out[1::2] += np.float32(weight) * (samples[left] + samples[right])
    return out[:length]


def luminance_weights(chromaticities: tuple[float, ...]) -> tuple[float, float, float]:
    """Luminance of unit red, green and blue: the Y row of RGB to XYZ with white at Y = 1 (SMPTE RP 177).

    Args:
        chromaticities: Red, green, blue and white x, y.

    Raises:
        UnreadableFileError: The primaries lie on one line, so no weights exist.
    """
    pairs: npt.NDArray[np.float64] = np.asarray(chromaticities, np.float64).reshape(4, 2)
    xyz = np.column_stack([pairs[:, 0], pairs[:, 1], 1 - pairs.sum(axis=1)])
    try:
        scale = np.linalg.solve(xyz[:3].T, xyz[3] / xyz[3, 1])
    except (np.linalg.LinAlgError, ZeroDivisionError):
        raise UnreadableFileError("states chromaticities that are no primaries") from None
    red, green, blue = (float(v) for v in scale * xyz[:3, 1])
    return red, green, blue
