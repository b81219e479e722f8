# SPDX-License-Identifier: Apache-2.0
"""What a node is, for both of ComfyUI's ways to declare one: inputs, outputs, and a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .bridge import BridgeError, run

DEFAULT_PACK = "default"
FROM_FILE = "from file"
SAME = "same as the image"
COLORSPACES = (
    "sRGB Encoded Rec.709 (sRGB)",
    "Linear Rec.709 (sRGB)",
    "ACEScg",
    "ACES2065-1",
    "ACEScct",
    "Linear P3-D65",
    "Linear Rec.2020",
    "Raw",
)
"""Names of the ACES studio config that people want most; ``other_colorspace`` takes any."""

_PACKS_FOR_S = 30.0
_packs: tuple[float, dict[str, list[str]]] = (float("-inf"), {})


@dataclass(frozen=True)
class Input:
    """An input or a knob.

    Attributes:
        name: As the function takes it.
        kind: ComfyUI's type: ``IMAGE MASK INT FLOAT STRING BOOLEAN COMBO``.
        tip: Shown when the pointer rests on it.
        default: Of a knob.
        choices: Of a ``COMBO``; asked each time the node is looked at.
        low: Least number.
        high: Largest number.
        step: Of a ``FLOAT``.
        optional: The node works without it.
        multiline: Of a ``STRING``.
    """

    name: str
    kind: str
    tip: str = ""
    default: Any = None
    choices: Callable[[], list[str]] = field(default=list)
    low: float | None = None
    high: float | None = None
    step: float | None = None
    optional: bool = False
    multiline: bool = False


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        id: Stored in workflows; never changes.
        title: For people.
        about: What it does.
        inputs: In order.
        outputs: ComfyUI's type and a name for each.
        run: Takes the inputs by name, returns a value for each output.
        ends: A workflow may end here.
        stamp: Takes the inputs, tells what changes when files do; None for a node that depends on its inputs alone.
    """

    id: str
    title: str
    about: str
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]
    run: Callable[..., tuple[Any, ...]]
    ends: bool = False
    stamp: Callable[..., str] | None = None


def colorspace(name: str, tip: str, *first: str, default: str = "") -> Input:
    """A color-space knob; ``first`` stands before the usual names."""
    names = [*first, *COLORSPACES]
    return Input(name, "COMBO", tip, default or names[0], lambda: names)


def shared(role: str) -> tuple[Input, ...]:
    """The knobs of every role."""
    return (
        colorspace("colorspace", "What the image's numbers mean; the result has the same space"),
        Input(
            "pack", "COMBO", "Which model plays; packs of your own show up here", DEFAULT_PACK, lambda: packs_of(role)
        ),
        Input("draft", "BOOLEAN", "Quick and rough, at the same size", default=False),
        Input("first_frame", "INT", "Number of the batch's first picture", 1001, low=0, high=9_999_999),
        Input(
            "other_colorspace", "STRING", "Any name of the OCIO config, instead of the knob above", "", optional=True
        ),
        Input("server", "STRING", "host:port of an Understudy service; empty computes here", "", optional=True),
    )


def packs_of(role: str) -> list[str]:
    """The packs of a role, the default first. Asked of the command at most twice a minute; never fails."""
    global _packs
    if time.monotonic() - _packs[0] > _PACKS_FOR_S:
        found: dict[str, list[str]] = {}
        try:
            for event in run(["packs", "list"]):
                for pack in event.get("packs", ()):
                    found.setdefault(pack["role"], []).append(pack["id"])
        except (BridgeError, KeyError, TypeError):
            found = _packs[1]
        _packs = (time.monotonic(), found)
    return [DEFAULT_PACK, *_packs[1].get(role, ())]
