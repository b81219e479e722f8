# SPDX-License-Identifier: Apache-2.0
"""What a picture's header says, as a record keeps it: JSON values by name, the file's structure under ``file:``."""

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from understudy.contracts.header import FileHeader
from understudy.contracts.plate import MetadataValue, Window

STORAGE = frozenset({"file:container", "file:compression", "file:tile", "file:levels"})
"""How samples are packed; no more than that changes when a file is compressed another way or put into tiles."""

_LONG = 64


def header_facts(header: FileHeader) -> dict[str, Any]:
    """The facts of one header."""
    parts = header.parts
    facts: dict[str, Any] = {
        "file:container": header.container,
        "file:compression": header.compression,
        "file:tile": _alone([list(part.tile) if part.tile else "scan lines" for part in parts]),
        "file:levels": _alone([part.levels for part in parts]),
        "file:parts": _alone([part.name for part in parts]),
        "file:channels": [
            f"{name}:{kind}" for part in parts for name, kind in zip(part.channels, part.sample_types, strict=True)
        ],
        "file:dataWindow": _alone([_window(part.data_window) for part in parts]),
        "file:displayWindow": _window(header.display_window),
        "file:pixelAspectRatio": header.pixel_aspect,
        "file:premultiplied": header.premultiplied,
        "file:acesImageContainer": header.color.aces_container,
    }
    return facts | {name: _plain(value) for name, value in header.metadata.items()}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """What differs between two headers: name to a phrase such as ``zip, was piz``."""
    found: dict[str, str] = {}
    for name in sorted({*before, *after}):
        if name not in after:
            found[name] = f"removed, was {_short(before[name])}"
        elif name not in before:
            found[name] = f"added, {_short(after[name])}"
        elif before[name] != after[name]:
            found[name] = f"{_short(after[name])}, was {_short(before[name])}"
    return found


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _window(window: Window) -> list[int]:
    return [window.x, window.y, window.width, window.height]


def _plain(value: MetadataValue) -> Any:
    if isinstance(value, tuple):
        if len(value) > _LONG:  # an ICC profile
            return f"sha256:{sha256(repr(value).encode()).hexdigest()}"
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
