# SPDX-License-Identifier: Apache-2.0
"""What a channel means, told from its name and storage type, and so how each role may treat it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from understudy.contracts.plate import SampleType


class ChannelKind(StrEnum):
    """Kinds with a policy of their own in every role."""

    COLOR = "color"
    """Scene-referred light: the model's business."""
    ALPHA = "alpha"
    """Coverage: filtered like color, never color-converted."""
    DEPTH = "depth"
    """Distance: filtered without overshoot."""
    NORMAL = "normal"
    """Unit vectors: filtered without overshoot, then normalized again."""
    POSITION = "position"
    """Points in space: filtered without overshoot."""
    VECTOR = "vector"
    """Pixel motion: filtered without overshoot; its values scale with the image."""
    ID = "id"
    """Identifiers and cryptomattes: nearest sample, never mixed."""
    DATA = "data"
    """Anything else: filtered without overshoot."""


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels that belong together, such as ``left.R left.G left.B``.

    Attributes:
        layer: The common prefix without its last dot; empty for the main layer.
        kind: What they are.
        names: Channel names, R before G before B for color.
    """

    layer: str
    kind: ChannelKind
    names: tuple[str, ...]


_COLOR_TRIPLES = (("R", "G", "B"), ("r", "g", "b"), ("red", "green", "blue"), ("Red", "Green", "Blue"))
_SINGLE_COLORS = {"Y", "y", "luminance", "R", "G", "B"}
_ALPHA = re.compile(r"(^|\.)(A|a|alpha|Alpha|AR|AG|AB)$")
_DEPTH = re.compile(r"(^|[._])(Z|z|ZBack|depth|Depth|deep)([._]|$)")
_ID = re.compile(r"(^|[._])((object|material|instance|asset|puzzle)_?ids?|ids?|u?crypto\w*)([._\d]|$)", re.IGNORECASE)
_NORMAL = re.compile(r"(^|[._])(N|normals?|Normals?|nrm|worldNormal|cameraNormal)([._]|$)")
_POSITION = re.compile(r"(^|[._])(P|position|Position|worldPosition|Pworld|Pref)([._]|$)")
_VECTOR = re.compile(r"(^|[._])(forward|backward|motion\w*|velocity|vectors?|disparity\w*|flow)([._]|$)")
_DATA_RGB = re.compile(
    r"(^|[._])(confidence|occlusion|mask|matte|uv|st|roughness|metallic|visibility)([._]|$)", re.IGNORECASE
)


def classify(
    channels: Sequence[str],
    sample_types: Sequence[SampleType] | None = None,
    overrides: Mapping[str, ChannelKind] | None = None,
) -> tuple[ChannelGroup, ...]:
    """Groups channels and tells their kinds.

    Args:
        channels: Channel names in any order.
        sample_types: Storage types beside them; ``uint`` means an ID.
        overrides: Shell patterns such as ``"puzzle.*"`` to kinds; the first that fits wins over the rules.

    Returns:
        Groups in the order of their first channel; each channel is in exactly one.
    """
    types = dict(zip(channels, sample_types or (), strict=False))
    left = list(channels)
    groups: list[ChannelGroup] = []
    while left:
        name = left[0]
        prefix = name.rpartition(".")[0]
        kind = _override(name, overrides) or _kind(name, types.get(name, "half"))
        names: tuple[str, ...] = (name,)
        if kind in (None, ChannelKind.COLOR, ChannelKind.NORMAL, ChannelKind.POSITION):
            names = _triple(name, prefix, left) or names
        if kind is None:
            colored = len(names) == 3 or name.rpartition(".")[2] in _SINGLE_COLORS
            kind = ChannelKind.COLOR if colored else ChannelKind.DATA
        elif kind in (ChannelKind.NORMAL, ChannelKind.POSITION) and len(names) == 1:
            names = _axes(name, prefix, left) or names
        groups.append(ChannelGroup(prefix, kind, names))
        left = [other for other in left if other not in names]
    return tuple(groups)


def _override(name: str, overrides: Mapping[str, ChannelKind] | None) -> ChannelKind | None:
    for pattern, kind in (overrides or {}).items():
        if fnmatchcase(name, pattern):
            return ChannelKind(kind)
    return None


def _kind(name: str, sample_type: SampleType) -> ChannelKind | None:
    if sample_type == "uint" or _ID.search(name):
        return ChannelKind.ID
    for pattern, kind in (
        (_ALPHA, ChannelKind.ALPHA),
        (_DATA_RGB, ChannelKind.DATA),  # before vectors: forward.confidence is no vector
        (_VECTOR, ChannelKind.VECTOR),
        (_NORMAL, ChannelKind.NORMAL),
        (_POSITION, ChannelKind.POSITION),
        (_DEPTH, ChannelKind.DEPTH),
    ):
        if pattern.search(name):
            return kind
    return None


def _triple(name: str, prefix: str, left: Sequence[str]) -> tuple[str, ...] | None:
    return _complete(name, prefix, left, _COLOR_TRIPLES)


def _axes(name: str, prefix: str, left: Sequence[str]) -> tuple[str, ...] | None:
    return _complete(name, prefix, left, (("X", "Y", "Z"), ("x", "y", "z")))


def _complete(
    name: str, prefix: str, left: Sequence[str], families: Sequence[tuple[str, str, str]]
) -> tuple[str, ...] | None:
    for family in families:
        names = tuple(f"{prefix}.{part}" if prefix else part for part in family)
        if name in names and set(names) <= set(left):
            return names
    return None


def color_groups(groups: Sequence[ChannelGroup]) -> tuple[ChannelGroup, ...]:
    """The color groups, main layer first."""
    return tuple(sorted((g for g in groups if g.kind is ChannelKind.COLOR), key=lambda g: bool(g.layer)))


def alpha_of(group: ChannelGroup, groups: Sequence[ChannelGroup]) -> str | None:
    """The alpha channel of a color group's own layer, or None."""
    for other in groups:
        if other.kind is ChannelKind.ALPHA and other.layer == group.layer:
            return other.names[0]
    return None
