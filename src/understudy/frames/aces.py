# SPDX-License-Identifier: Apache-2.0
"""The ACES container, SMPTE ST 2065-4: checks that OpenImageIO's strict policy makes, and those it does not.

The standard wants ACES2065-1 in half floats, uncompressed scan-lines, one part, the channels {B,G,R} with or without A
(or the stereo set with ``left.`` names), ``acesImageContainerFlag`` = 1 and the AP0 chromaticities.
"""

from collections.abc import Mapping
from pathlib import Path

import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import OutputError, UsageError
from understudy.contracts.plate import MetadataValue, Plate
from understudy.contracts.primaries import AP0
from understudy.frames.library import open_input
from understudy.frames.metadata import put

ACES_SPACE = "ACES2065-1"
_MAIN = ("R", "G", "B")
_SETS = tuple(
    frozenset(main + extra)
    for main, extra in (
        (_MAIN, ()),
        (_MAIN, ("A",)),
        (_MAIN, tuple(f"left.{name}" for name in _MAIN)),
        ((*_MAIN, "A"), tuple(f"left.{name}" for name in (*_MAIN, "A"))),
    )
)
_VERSION_FLAGS_ALLOWED = 0x400
"""Only the long-names bit may be set beside version 2 (OpenEXR File Layout)."""


def check_aces_plate(plate: Plate, path: Path, compression: str = "", sample_type: str = "") -> None:
    """Refuses what an ACES container can't hold.

    Raises:
        UsageError: The plate is in another space, has other channels, or compression or float was asked for.
    """
    if path.suffix.lower() != ".exr":
        raise UsageError("an ACES container is an EXR file", where=str(path), fix="name it .exr")
    if plate.colorspace != ACES_SPACE:
        raise UsageError(
            f"an ACES container holds ACES2065-1, and the plate is {plate.colorspace or 'undeclared'}",
            where=str(path),
            fix="convert it first",
        )
    if frozenset(plate.channels) not in _SETS:
        extra = [name for name in plate.channels if name not in _SETS[-1]]
        what = f"can't hold {', '.join(extra[:8])}" if extra else "needs R, G and B, with or without A"
        raise UsageError(f"an ACES container {what}", where=str(path), fix="write other channels to a sidecar EXR")
    if compression not in ("", "none"):
        raise UsageError(
            f"an ACES container is not compressed, and {compression} was asked for", where=str(path), fix="leave it out"
        )
    if sample_type not in ("", "half"):
        raise UsageError(
            f"an ACES container holds half floats, and {sample_type} was asked for", where=str(path), fix="leave it out"
        )


def aces_spec(plate: Plate, metadata: Mapping[str, MetadataValue]) -> oiio.ImageSpec:
    """A header for OpenImageIO's strict ACES policy.

    Args:
        plate: A plate that ``check_aces_plate`` took.
        metadata: Attributes that the standard knows.
    """
    spec = oiio.ImageSpec(plate.width, plate.height, len(plate.channels), "half")
    spec.channelnames = plate.channels
    spec.attribute("DateTime", "")
    for name, value in metadata.items():
        put(spec, name, value)
    spec.x, spec.y = plate.data_window.x, plate.data_window.y
    display = plate.display_window
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display.x, display.y, display.width, display.height
    spec.attribute("PixelAspectRatio", float(plate.pixel_aspect))
    spec.attribute("compression", "none")
    spec.attribute("openexr:ACESContainerPolicy", "strict")
    if "left.R" in plate.channels:
        spec.attribute("multiView", "string[2]", ("right", "left"))
    return spec


def check_aces_file(written: Path, path: Path) -> None:
    """Re-opens a file and makes sure that it is an ACES container.

    Args:
        written: The file to look at.
        path: Its name in messages.

    Raises:
        OutputError: It is not.
    """
    with written.open("rb") as file:
        magic, version = file.read(4), int.from_bytes(file.read(4), "little")
    found = open_input(written)
    try:
        spec = found.spec()
        single = not found.seek_subimage(1, 0)
    finally:
        found.close()
    stated = spec.getattribute("chromaticities") or ()
    checks = {
        "the magic number": magic == b"\x76\x2f\x31\x01",
        f"the version field {version:#x}": version & 0xFF == 2 and version >> 8 & ~(_VERSION_FLAGS_ALLOWED >> 8) == 0,
        "one part": single,
        "scan-lines": not spec.tile_width and not spec.deep,
        "half floats": not spec.channelformats and str(spec.format) == "half",
        "no compression": spec.get_string_attribute("compression") == "none",
        "the container flag": spec.get_int_attribute("acesImageContainerFlag") == 1,
        "the AP0 chromaticities": len(stated) == 8 and all(abs(a - b) < 1e-6 for a, b in zip(stated, AP0, strict=True)),
    }
    failed = [what for what, holds in checks.items() if not holds]
    if failed:
        raise OutputError(
            f"is no ACES container after writing: {', '.join(failed)} failed", where=str(path), fix="report this"
        )
