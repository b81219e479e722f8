# SPDX-License-Identifier: Apache-2.0
"""EXR compression: what the linked library offers, what loses values, and what an output gets by default."""

from collections.abc import Sequence
from functools import cache

import OpenEXR

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.errors import UsageError
from understudy.contracts.outline import Outline
from understudy.contracts.plate import Plate, SampleType

_KNOWN = ("none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32", "zstd")
_LOSES = {"b44": {"half"}, "b44a": {"half"}, "dwaa": {"half", "float"}, "dwab": {"half", "float"}, "pxr24": {"float"}}
"""Storage types whose values each compression changes (OpenEXR, Technical Introduction)."""
_SAFE_KINDS = {ChannelKind.COLOR, ChannelKind.ALPHA}


@cache
def offered() -> tuple[str, ...]:
    """Compressions that the linked OpenEXR writes."""
    return tuple(name for name in _KNOWN if name == "none" or hasattr(OpenEXR, f"{name.upper()}_COMPRESSION"))


def parse(text: str) -> str:
    """Checks a compression as a user writes it: ``zip``, ``piz``, ``dwaa:45``.

    Raises:
        UsageError: The library does not offer it (it would write zip and say nothing), or the level is no number.
    """
    name, _, level = text.partition(":")
    name = "htj2k256" if name == "htj2k" else name
    if name not in offered():
        raise UsageError(
            f"there is no EXR compression {name!r}", where="compression", fix="use one of " + ", ".join(offered())
        )
    if not level:
        return name
    try:
        value = float(level)
    except ValueError:
        value = -1.0
    if not name.startswith("dwa") or not 0 < value <= 100000:
        raise UsageError(
            f"{text!r} has no such level", where="compression", fix="levels are for dwaa and dwab, such as dwaa:45"
        )
    return f"{name}:{value:g}"


def exr_types(sample_types: Sequence[SampleType], asked: str) -> tuple[SampleType, ...]:
    """How an EXR stores channels.

    Args:
        sample_types: The plate's own.
        asked: ``half`` or ``float`` for all but ``uint`` ones; empty keeps each channel's own.

    Raises:
        UsageError: EXR has no such type for color.
    """
    if asked not in ("", "half", "float"):
        raise UsageError(f"EXR holds no {asked} color", where="type", fix="use half or float")
    # 8 and 16-bit codes fit a half and a float without loss worth a word.
    natural: dict[SampleType, SampleType] = {"uint8": "half", "uint16": "float"}
    wished: SampleType | None = "half" if asked == "half" else "float" if asked == "float" else None
    return tuple("uint" if kind == "uint" else wished or natural.get(kind, kind) for kind in sample_types)


def is_lossy(compression: str, sample_types: Sequence[SampleType]) -> bool:
    """Whether a compression changes values of these types."""
    return bool(_LOSES.get(compression.partition(":")[0], set()) & set(sample_types))


def settle(asked: str, plate: Plate | Outline, sample_types: Sequence[SampleType]) -> tuple[str, tuple[str, ...]]:
    """The compression of an EXR output.

    Without a wish it is the input's where that is lossless for these types, else zip: a dwaa plate is not compressed a
    second time with loss. A lossy wish holds for pictures; a plate that also has vectors, depth, IDs or other data goes
    to zip, because their exact values are their meaning.

    Args:
        asked: What the user wants; empty for the default.
        plate: The plate to write.
        sample_types: Storage types it will have.

    Returns:
        The compression and notes for the report.

    Raises:
        UsageError: There is no such compression.
    """
    if asked:
        chosen = parse(asked)
        if is_lossy(chosen, sample_types):
            data = [n for g in classify(plate.channels, sample_types) if g.kind not in _SAFE_KINDS for n in g.names]
            if data:
                note = f"written as zip instead of {chosen}, which would change the values of {', '.join(data[:6])}"
                return "zip", (note,)
        return chosen, ()
    like = plate.storage.compression if plate.storage.container == "exr" else ""
    if like.partition(":")[0] in offered() and not is_lossy(like, sample_types):
        return like, ()
    return "zip", ()
