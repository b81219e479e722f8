# SPDX-License-Identifier: Apache-2.0
"""Which header attributes survive from input to output, and under which type they are written.

EXR to EXR keeps every attribute of a simple type (string, number, short vector, matrix, time code, key code, rational),
except those that describe the file's own structure, which the writer sets. Between other containers, and into the ACES
container, only the names in ``CARRIED`` pass. ``understudy:*`` always passes.
"""

from collections.abc import Mapping
from typing import Any

import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.plate import MetadataValue
from understudy.frames.library import readable

CARRIED = frozenset(
    {
        "Artist", "Copyright", "DateTime", "ExposureTime", "FNumber", "FocalLength", "FramesPerSecond", "HostComputer",
        "ImageDescription", "Make", "Model", "Orientation", "Software", "aperture", "adoptedNeutral", "altitude",
        "ascFramingDecisionList", "cameraColorBalance", "cameraCCTSetting", "cameraFirmwareVersion", "cameraIdentifier",
        "cameraLabel", "cameraMake", "cameraModel", "cameraSerialNumber", "cameraTintSetting", "cameraUuid",
        "captureRate", "comments", "creator", "effectiveFocalLength", "entrancePupilOffset", "expTime", "focus",
        "imageCounter", "isoSpeed", "latitude", "lensFirmwareVersion", "lensMake", "lensModel", "lensSerialNumber",
        "longitude", "nominalFocalLength", "originalDataWindow", "pinholeFocalLength", "recorderFirmwareVersion",
        "recorderMake", "recorderModel", "reelName", "sensorAcquisitionRectangle", "sensorCenterOffset",
        "sensorOverallDimensions", "sensorPhotositePitch", "shutterAngle", "smpte:KeyCode", "smpte:TimeCode",
        "storageMediaSerialNumber", "tStop", "utcOffset", "whiteLuminance", "worldToCamera", "worldToNDC", "xDensity",
        "originalImageFlag", "uniqueID", "keyCode",
    }
)  # fmt: skip
"""Attributes that mean the same in every container (standard OpenEXR attributes, by their OpenImageIO names)."""

_STRUCTURE = frozenset(
    {
        "ICCProfile", "PixelAspectRatio", "acesImageContainerFlag", "chromaticities", "chunkCount", "colorInteropID",
        "compression", "dataWindow", "displayWindow", "lineOrder", "multiView", "name", "pixelAspectRatio",
        "planarconfig", "preview", "screenWindowCenter", "screenWindowWidth", "textureformat", "tiles", "type",
        "version", "view", "ResolutionUnit", "XResolution", "YResolution", "wrapmodes",
    }
)  # fmt: skip
_STRUCTURE_PREFIXES = (
    "oiio:",
    "openexr:",
    "png:",
    "jpeg:",
    "tiff:",
    "dpx:",
    "thumbnail_",
    "ICCProfile:",
    "IPTC:",
    "hdr:",
)

_KEPT_APART = (
    "chromaticities",
    "colorInteropID",
    "multiView",
    "view",
    "oiio:BitsPerSample",
    "screenWindowCenter",
    "screenWindowWidth",
)
"""Structural, yet held in a plate's metadata: the writer decides on each of them."""

_TYPES: dict[str, Any] = {
    "smpte:TimeCode": oiio.TypeTimeCode,
    "FramesPerSecond": oiio.TypeRational,
    "framesPerSecond": oiio.TypeRational,
    "captureRate": oiio.TypeRational,
    "smpte:KeyCode": oiio.TypeKeyCode,
    "chromaticities": "float[8]",
}


_EXR_RATE = "framesPerSecond"
"""The standard's spelling, which the library takes for a name of its own."""


def is_structural(name: str) -> bool:
    """Whether an attribute describes the file's own structure, which its writer sets."""
    return name in _STRUCTURE or name.startswith(_STRUCTURE_PREFIXES)


def collect(spec: oiio.ImageSpec) -> dict[str, MetadataValue]:
    """The attributes of a header that a plate keeps, in name order.

    ``multiView`` becomes one comma-separated string. An ICC profile becomes a tuple of its bytes.
    """
    found: dict[str, MetadataValue] = {}
    attributes: Any = spec.extra_attribs
    for attribute in attributes:
        name = readable(str(attribute.name))
        if name == "multiView":
            views = (attribute.value,) if isinstance(attribute.value, str) else attribute.value
            found[name] = ",".join(readable(str(view)) for view in views)
        elif name == "ICCProfile":
            found[name] = tuple(int(byte) for byte in attribute.value)
        elif name in _KEPT_APART or not is_structural(name):
            value = _simple(attribute.value)
            if value is not None:
                found["FramesPerSecond" if name == _EXR_RATE else name] = value
    if found.get("screenWindowCenter") == (0.0, 0.0):
        del found["screenWindowCenter"]
    if found.get("screenWindowWidth") == 1.0:
        del found["screenWindowWidth"]
    return dict(sorted(found.items()))


def _simple(value: Any) -> MetadataValue | None:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, float) or (isinstance(value, int) and -(2**31) <= value < 2**32):
        return value
    if isinstance(value, tuple) and value and len(value) <= 64:
        if all(isinstance(item, int) for item in value):
            return tuple(int(item) for item in value)
        if all(isinstance(item, (int, float)) for item in value):
            return tuple(float(item) for item in value)
    return None


def survivors(metadata: Mapping[str, MetadataValue], source: str, target: str) -> dict[str, MetadataValue]:
    """What of a plate's metadata an output of another (or the same) container gets.

    Args:
        metadata: The plate's.
        source: Container it was read from.
        target: Container to write; ``aces`` for an ACES container.
    """
    keep_all = source == target == "exr"
    return {
        name: value
        for name, value in sorted(metadata.items())
        if name.startswith("understudy:") or (not is_structural(name) and (keep_all or name in CARRIED))
    }


def put(spec: oiio.ImageSpec, name: str, value: MetadataValue, *, exr: bool = True) -> None:
    """Sets one attribute with the type its name or shape calls for, spelled as the EXR standard has it."""
    if exr and name == "FramesPerSecond":
        name = _EXR_RATE
    if isinstance(value, str):
        spec.attribute(name, value)
    elif isinstance(value, int):
        if not -(2**31) <= value < 2**31:
            spec.attribute(name, str(value))  # headers hold 32 bits; as text nothing of it is lost
        else:
            spec.attribute(name, "int", value)
    elif isinstance(value, float):
        spec.attribute(name, "float", value)
    else:
        spec.attribute(name, _TYPES.get(name) or _tuple_type(value), value)


def _tuple_type(value: tuple[int, ...] | tuple[float, ...]) -> Any:
    if all(isinstance(item, int) for item in value):
        return oiio.TypeKeyCode if len(value) == 7 else f"int[{len(value)}]"
    named: dict[int, Any] = {9: oiio.TypeMatrix33, 16: oiio.TypeMatrix}
    return named.get(len(value), f"float[{len(value)}]")
