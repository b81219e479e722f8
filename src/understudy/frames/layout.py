# SPDX-License-Identifier: Apache-2.0
"""How the channels of a file's parts and views become the channels of one plate."""

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.contracts.errors import UnsupportedFileError, UsageError
from understudy.contracts.plate import SampleType, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A part as the file has it.

    Attributes:
        index: Its number in the file.
        name: Part name; empty in single-part files.
        view: Its ``view`` attribute; empty if none.
        channels: Channel names in the reader's order.
        sample_types: Their storage types.
        window: Where its pixels lie, at level 0.
        tile: Tile size, or None for scan-lines.
        levels: Resolution levels.
        deep: It holds deep samples.
    """

    index: int
    name: str
    view: str
    channels: tuple[str, ...]
    sample_types: tuple[SampleType, ...]
    window: Window
    tile: tuple[int, int] | None = None
    levels: int = 1
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where one plate channel comes from.

    Attributes:
        part: Index of the part in the file.
        channel: Index of the channel in the part.
        name: Its name in the plate.
        sample_type: Its storage type.
    """

    part: int
    channel: int
    name: str
    sample_type: SampleType


_MAIN_PARTS = {"", "rgba", "rgb", "beauty", "c", "main", "color"}
_MAIN_ORDER = ("R", "G", "B", "A")


def plate_names(parts: Sequence[FilePart], views: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Plate channel names per part: the default view unprefixed, other views as single-part stereo files name them.

    ``R`` of view ``left`` becomes ``left.R``, and a layer gets its view before the last component (``forward.left.u``),
    which is the rule of OpenEXR's ``insertViewName``. Names that clash become ``part.channel``.
    """
    names: dict[int, tuple[str, ...]] = {}
    taken: set[str] = set()
    for part in sorted(parts, key=lambda part: not _is_main(part)):
        stereo = len(views) > 1 and part.view in views
        mine: list[str] = []
        for channel in part.channels:
            name = _with_view(channel, part.view, default=part.view == views[0]) if stereo else channel
            if name in taken:
                name = f"{part.name or part.index}.{channel}"
            if name in taken:
                name = f"{part.index}.{part.name}.{channel}"
            mine.append(name)
            taken.add(name)
        names[part.index] = tuple(mine)
    return {part.index: names[part.index] for part in parts}


def main_first(names: Sequence[str]) -> list[str]:
    """Channel names with the main layer's R, G, B, A first and the rest in the order they came."""
    return [name for name in _MAIN_ORDER if name in names] + [name for name in names if name not in _MAIN_ORDER]


def _is_main(part: FilePart) -> bool:
    stem = part.name.lower().removesuffix(part.view.lower()).rstrip("._-") if part.view else part.name.lower()
    return stem in _MAIN_PARTS


def _with_view(channel: str, view: str, *, default: bool) -> str:
    layer, _, last = channel.rpartition(".")
    if layer.rpartition(".")[2] == view:
        return channel
    if layer:
        return f"{layer}.{view}.{last}"
    return channel if default else f"{view}.{channel}"


def view_of(name: str, views: Sequence[str]) -> str:
    """The view of a single-part channel name; empty for channels of no view (OpenEXR's ``viewFromChannelName``)."""
    pieces = name.split(".")
    if len(pieces) == 1:
        return views[0] if views else ""
    return pieces[-2] if pieces[-2] in views else ""


def _without_view(name: str, view: str) -> str:
    pieces = name.split(".")
    if len(pieces) > 1 and pieces[-2] == view:
        del pieces[-2]
    return ".".join(pieces)


def choose(
    parts: Sequence[FilePart],
    views: Sequence[str],
    *,
    view: str = "",
    part: str = "",
    channels: Sequence[str] | None = None,
    where: str = "",
) -> tuple[Source, ...]:
    """The channels of the plate, main layer R, G, B, A first, the rest in file order.

    Args:
        parts: All parts of the file.
        views: Its views, the default one first.
        view: Only this view's channels, without its name; channels of no view stay.
        part: Only the part of this name (or number).
        channels: Only these plate channels.
        where: The file, for messages.

    Raises:
        UsageError: There is no such view, part or channel.
        UnsupportedFileError: The file has no channels.
    """
    if view and view not in views:
        known = ", ".join(views) or "none, the file is not stereo"
        raise UsageError(f"there is no view {view!r}", where=where, fix=f"its views are: {known}")
    chosen = [p for p in parts if not part or part in (p.name, str(p.index))]
    if not chosen:
        raise UsageError(
            f"there is no part {part!r}",
            where=where,
            fix="its parts are: " + ", ".join(p.name or str(p.index) for p in parts),
        )
    if view and len(parts) > 1:
        chosen = [p for p in chosen if p.view in ("", view)]
    # A part or a view that was asked for by name needs no prefixes to keep it apart from the others.
    named = plate_names(chosen, () if part or view else views)
    found = [
        Source(p.index, channel, name, p.sample_types[channel])
        for p in chosen
        for channel, name in enumerate(named[p.index])
    ]
    if view and len(parts) == 1:
        found = [
            Source(s.part, s.channel, _without_view(s.name, view), s.sample_type)
            for s in found
            if view_of(s.name, views) in ("", view)
        ]
    order = main_first([s.name for s in found])
    found.sort(key=lambda s: order.index(s.name))
    if channels is not None:
        there = {s.name: s for s in found}
        absent = [name for name in channels if name not in there]
        if absent:
            raise UsageError(
                f"no channel {', '.join(absent)}", where=where, fix="its channels are: " + ", ".join(there)
            )
        found = [there[name] for name in channels]
    if not found:
        raise UnsupportedFileError("holds no channels", where=where)
    return tuple(found)
