# SPDX-License-Identifier: Apache-2.0
"""What DPX, TIFF, PNG, JPEG and HDR can hold, and how a plate is stored in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import UsageError
from understudy.contracts.outline import Outline
from understudy.contracts.plate import Plate, SampleType

_LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "png": (("Y",), ("Y", "A"), ("R", "G", "B"), ("R", "G", "B", "A")),
    "tiff": (("Y",), ("Y", "A"), ("R", "G", "B"), ("R", "G", "B", "A")),
    "jpeg": (("Y",), ("R", "G", "B")),
    "dpx": (("R", "G", "B"), ("R", "G", "B", "A")),
    "hdr": (("R", "G", "B"),),
}
_TYPES: dict[str, tuple[SampleType, ...]] = {
    "png": ("uint8", "uint16"),
    "tiff": ("uint8", "uint16", "float"),
    "jpeg": ("uint8",),
    "dpx": ("uint8", "uint16"),
    "hdr": ("float",),
}
JPEG_QUALITY = 95

ASSOCIATED = frozenset({"exr", "dpx", "tiff", "jpeg", "hdr"})
"""Containers whose color is written multiplied by alpha; TIFF can also say that it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How samples are stored.

    Attributes:
        sample_types: One per channel.
        depth: Bits of integer codes; 0 for half and float.
        associated: Color is multiplied by alpha in the file.
        compression: The container's own name for it.
        lossy: It changes values.
        notes: What the user should know.
    """

    sample_types: tuple[SampleType, ...]
    depth: int = 0
    associated: bool = True
    compression: str = ""
    lossy: bool = False
    notes: tuple[str, ...] = ()


def storable(container: str, channels: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of a plate's channels a container can hold.

    Args:
        container: ``exr`` or one of the formats above.
        channels: The plate's.

    Returns:
        The largest main-layer set it holds (maybe empty), and the rest.
    """
    if container == "exr":
        return tuple(channels), ()
    fits = [layout for layout in _LAYOUTS[container] if set(layout) <= set(channels)]
    kept = max(fits, key=len, default=())
    return kept, tuple(name for name in channels if name not in kept)


def encoding_for(plate: Plate, path: Path, container: str, asked: str, compression: str) -> Encoding:
    """How a plate is stored in one of these containers.

    Raises:
        UsageError: It can't hold the plate's channels, type or compression.
    """
    kept, rest = storable(container, plate.channels)
    if rest or not kept:
        fix = "write EXR" + (f", or only {', '.join(kept)}" if kept else "")
        raise UsageError(f"{container} can't hold the channels {', '.join(rest[:8])}", where=str(path), fix=fix)
    if kept != plate.channels:
        raise UsageError(
            f"{container} wants the channels in the order {', '.join(kept)}", where=str(path), fix="reorder them"
        )
    kind = sample_type_in(plate, path, container, asked)
    if container == "jpeg":
        quality = _quality(compression)
        return Encoding(
            sample_types=(kind,) * len(kept),
            depth=8,
            compression=f"jpeg:{quality}",
            lossy=True,
            notes=_window_notes(plate),
        )
    if compression and container != "tiff":
        raise UsageError(f"{container} has no compression to choose", where=str(path), fix="leave it out")
    if compression not in ("", "none", "zip", "lzw", "packbits"):
        raise UsageError(
            f"there is no TIFF compression {compression!r}", where=str(path), fix="use one of none, zip, lzw, packbits"
        )
    depth = {"uint8": 8, "uint16": 16}.get(kind, 0)
    stored = plate.metadata.get("oiio:BitsPerSample", 0)
    if container == "dpx" and depth == 16:
        depth = stored if isinstance(stored, int) and stored in (10, 12, 16) else 10
    notes = _window_notes(plate)
    if container == "hdr":
        notes += ("HDR stores 8 bits a channel and a shared exponent, so values were rounded",)
    return Encoding(
        sample_types=(kind,) * len(kept),
        depth=depth,
        associated=plate.premultiplied if container == "tiff" else container in ASSOCIATED,
        compression=compression or ("zip" if container == "tiff" else ""),
        lossy=container == "hdr",
        notes=notes,
    )


def _window_notes(plate: Plate) -> tuple[str, ...]:
    """What becomes of a data window that is not the display window: these formats have one window only."""
    display = plate.display_window
    if plate.data_window == display:
        return ()
    cut = plate.data_window.intersection(display) != plate.data_window
    fate = "pixels outside it are cut" if cut else "the rest is 0"
    return (f"only the display window {display.width}x{display.height} is written; {fate}",)


def sample_type_in(plate: Plate | Outline, path: Path, container: str, asked: str) -> SampleType:
    """How one of these containers stores a plate's samples.

    Raises:
        UsageError: It has no such type.
    """
    allowed = _TYPES[container]
    for kind in allowed:
        if kind == asked:
            return kind
    if asked and not (asked == "half" and container == "tiff"):
        raise UsageError(f"{container} holds no {asked} samples", where=str(path), fix="use " + " or ".join(allowed))
    if asked == "half":
        return "float"
    own = set(plate.sample_types)
    if len(own) == 1 and (kind := own.pop()) in allowed:
        return kind
    return allowed[-1]


def _quality(text: str) -> int:
    digits = text.removeprefix("jpeg:") or str(JPEG_QUALITY)
    if not digits.isdigit() or not 1 <= int(digits) <= 100:
        raise UsageError(f"{text!r} is no JPEG quality", where="compression", fix="use a number from 1 to 100")
    return int(digits)


def name_dpx(written: Path, path: Path) -> None:
    """Puts a DPX file's own name into its header (SMPTE ST 268-1), where the library left that of the temporary.

    Args:
        written: The file to change.
        path: Where it will be.
    """
    with written.open("r+b") as file:
        file.seek(36)
        file.write(path.name.encode("utf-8", "replace")[:99].ljust(100, b"\0"))
