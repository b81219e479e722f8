# SPDX-License-Identifier: Apache-2.0
"""A graph for each retimed shot of a cut, and a cut that shows what the graphs will make."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from understudy.contracts.errors import OutputError, UnderstudyError, UsageError
from understudy.editorial.cut import Shot, read_cut
from understudy.editorial.media import Media, find_media
from understudy.frames.atomic import atomic
from understudy.graph.parsing import parse_graph

_PADDING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How shots are retimed.

    Attributes:
        handles: Frames of the cut that are made beyond a shot at both ends, as far as its media reaches.
        media: Where pictures lie, with ``{name}``, ``{reel}`` and ``{event}``; empty takes the clips' own media.
        media_start: Media time of the first picture.
        colorspace: Of the pictures; empty: told by their files.
        everything: Shots without a retime too.
        nodes: Further fields of the interpolate node: packs, shutter ...
        ocio: The OCIO config of the graphs.
    """

    handles: int = 0
    media: str = ""
    media_start: str = ""
    colorspace: str = ""
    everything: bool = False
    nodes: Mapping[str, Any] = field(default_factory=dict)
    ocio: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformed:
    """One shot of the cut and the graph that makes it.

    Attributes:
        shot: The shot.
        graph: The graph's file; None for a shot that is left as it is.
        pictures: Pattern of what it will make.
        first: Number of the first picture, handles included.
        last: Number of the last.
        head: Handles before the shot; fewer than were asked for where the media begins.
        tail: Handles after it.
    """

    shot: Shot
    graph: Path | None
    pictures: str = ""
    first: int = 0
    last: int = 0
    head: int = 0
    tail: int = 0


def conform(
    path: Path, out: Path, wishes: Wishes, *, rate: float | None = None, leave_out_refused: bool = False
) -> tuple[list[Conformed], list[UnderstudyError], Path]:
    """Writes a graph for each retimed shot, and the cut with what they make.

    A shot's pictures are numbered from the frame that it starts at, as ``interpolate --timeline`` numbers them; only
    frames of its own media are read, so nothing of a neighbor gets into it.

    Args:
        path: The cut, ``.otio`` or EDL.
        out: The folder for graphs, pictures and the new cut.
        wishes: How.
        rate: Frames per second of an EDL; 24 where nobody says.
        leave_out_refused: Go on without the shots that can't be done.

    Returns:
        All shots, what was refused, and the new cut's file.

    Raises:
        UnderstudyError: A shot can't be done (nothing is written then), or a file can't be written.
    """
    timeline, shots = read_cut(path, rate)
    done: list[Conformed] = []
    refused: list[UnderstudyError] = []
    documents: dict[Path, dict[str, Any]] = {}
    for shot in shots:
        try:
            if isinstance(shot, UsageError):
                raise shot
            if not shot.retimed and not wishes.everything:
                done.append(Conformed(shot=shot, graph=None))
                continue
            media = find_media(shot, path, wishes.media, wishes.media_start)
            found, document = _shot_graph(shot, media, out.absolute(), wishes)
            parse_graph(document, source=str(found.graph))
        except UnderstudyError as error:
            if not leave_out_refused:
                raise
            refused.append(error)
            continue
        assert found.graph is not None
        documents[found.graph] = document
        done.append(found)
    for file, document in documents.items():
        _write(file, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    relinked = out.absolute() / f"{path.stem}.retimed.otio"
    _relink(done)
    _write(relinked, timeline.to_json_string())
    return done, refused, relinked


def _shot_graph(shot: Shot, media: Media, out: Path, wishes: Wishes) -> tuple[Conformed, dict[str, Any]]:
    name = f"{shot.event:03d}" + (f"_{_safe(shot.name)}" if shot.name else "")

    def source(frame: int) -> Fraction:
        return shot.media_time(frame) + media.offset

    head = _reach(shot.head + wishes.handles, lambda step: source(-step), media)
    tail = _reach(shot.tail + wishes.handles, lambda step: source(shot.count - 1 + step), media)
    ends = (-head, shot.count - 1 + tail)
    first, last = (shot.start + media.offset + frame for frame in ends)
    shown = sorted(source(frame) for frame in ends)
    if not media.first <= shown[0] <= shown[1] <= media.last:
        raise UsageError(
            f"shows the frames {_told(shown[0])} to {_told(shown[1])}, and there are {media.first}-{media.last}",
            where=f"{shot.label}: {media.pattern}",
            fix="bring the missing frames, or check --media-start",
        )
    keys = [{"frame": shot.start + media.offset + frame, "source": str(source(frame))} for frame in ends]
    if keys[0]["frame"] == keys[1]["frame"]:
        keys = keys[:1]
    frames = f"{shown[0].__floor__()}-{shown[1].__ceil__()}"
    pictures = str(out / name / f"{name}.%0{_PADDING}d.exr")
    read = {"type": "read", "file": media.pattern, "frames": frames, "colorspace": wishes.colorspace}
    nodes = {
        "plate": {key: value for key, value in read.items() if value},
        "retime": {"type": "interpolate", "input": "plate", "curve": keys, **wishes.nodes},
        "out": {"type": "write", "input": "retime", "file": pictures},
    }
    document = {"schema": "understudy.graph/1", "ocio": wishes.ocio, "frames": f"{first}-{last}", "nodes": nodes}
    found = Conformed(
        shot=shot, graph=out / f"{name}.yaml", pictures=pictures, first=first, last=last, head=head, tail=tail
    )
    return found, {key: value for key, value in document.items() if value}


def _reach(wanted: int, source: Any, media: Media) -> int:
    """How many handles there are media for."""
    return next((step - 1 for step in range(1, wanted + 1) if not media.first <= source(step) <= media.last), wanted)


def _relink(done: Sequence[Conformed]) -> None:
    """Has the clips of the cut show what the graphs make, at its own speed."""
    import opentimelineio as otio

    for one in done:
        if one.graph is None:
            continue
        clip, rate = one.shot.clip, one.shot.rate

        def span(start: int, count: int, rate: float = rate) -> Any:
            time = otio.opentime.RationalTime
            return otio.opentime.TimeRange(time(start, rate), time(count, rate))

        pictures = Path(one.pictures)
        prefix, _, suffix = pictures.name.partition(f"%0{_PADDING}d")
        clip.media_reference = otio.schema.ImageSequenceReference(
            target_url_base=pictures.parent.as_uri(),
            name_prefix=prefix,
            name_suffix=suffix,
            start_frame=one.first,
            rate=rate,
            frame_zero_padding=_PADDING,
            available_range=span(one.first, one.last - one.first + 1),
        )
        clip.source_range = span(one.first + one.head, one.shot.count)
        clip.effects[:] = [effect for effect in clip.effects if not isinstance(effect, otio.schema.TimeEffect)]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"can't be made ({error.strerror})", where=str(path.parent)) from None
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "clip"


def _told(time: Fraction) -> str:
    return str(time) if time.denominator == 1 else f"{float(time):.3f}"
