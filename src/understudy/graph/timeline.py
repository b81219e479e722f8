# SPDX-License-Identifier: Apache-2.0
"""Retimes from OpenTimelineIO: linear time warps and freezes of one clip. Anything else is refused, never dropped."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError
from understudy.graph.retime import RetimePlan, SourceRange

_EDL_RATE = 24.0
_MAX_BYTES = 256 * 1024 * 1024  # the edit of a whole film; OpenTimelineIO needs many times as much memory


def plan_timeline(source: SourceRange, path: Path, clip_name: str = "") -> RetimePlan:
    """The retime of a clip: its output frames are numbered from its first source frame.

    ``source_range.duration`` counts output frames; a ``LinearTimeWarp`` of scalar s shows ``start + k s`` at the k-th
    one (counted from the other end of the same stretch where s is negative); a ``FreezeFrame`` (and a scalar of 0)
    shows ``start`` throughout. Effects that are switched off do not count.

    Media times become frame numbers by an image sequence's own start frame; else they are frame numbers already when
    the clip starts within the source; else the media's first frame is the source's.

    Args:
        source: The frames that are there.
        path: An ``.otio`` file, or an EDL.
        clip_name: The clip; empty takes the only one.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It is not a timeline.
        UsageError: The clip is not there or not the only one, or it has effects other than linear retimes.
    """
    clip = _clip(read_timeline(path), path, clip_name)
    where = f"{path}: {clip.name or 'clip'}"
    span = clip_range(clip, where)
    start, count = whole_frame(span.start_time.value, where), whole_frame(span.duration.value, where)
    if count < 1:
        raise UsageError("the clip has no duration", where=where)
    start += _first_frame(clip, start, source, where)
    scalar = clip_speed(clip, where)
    shown = start if scalar >= 0 else start - (count - 1) * scalar
    return source.plan(range(start, start + count), lambda frame: shown + (frame - start) * scalar)


def _first_frame(clip: Any, start: int, source: SourceRange, where: str) -> int:
    """What turns the clip's media times into frame numbers when added."""
    import opentimelineio as otio

    media = clip.media_reference
    available = media.available_range if media is not None else None
    begins = whole_frame(available.start_time.value, where) if available is not None else 0
    if isinstance(media, otio.schema.ImageSequenceReference):
        return int(media.start_frame) - begins
    if available is not None and not source.first <= start <= source.last:
        return source.first - begins
    return 0


def read_timeline(path: Path, rate: float | None = None) -> Any:
    """What a timeline file holds, an OpenTimelineIO object.

    Args:
        path: An ``.otio`` file, or an EDL (CMX 3600).
        rate: Frames per second of an EDL; 24 where nobody says.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It is not a timeline.
        UsageError: Its format loses retimes, or its reader is not installed.
    """
    import opentimelineio as otio

    if not path.exists():
        raise MissingFileError("there is no such timeline", where=str(path))
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableFileError("is too large for a timeline", where=str(path))
    kind = path.suffix.lower()
    if kind not in (".otio", ".edl"):
        raise UsageError(
            f"is {kind or 'without an ending'}, and retimes are read from .otio and .edl only",
            where=str(path),
            fix="export it as .otio; FCP XML and AAF lose retimes on the way",
        )
    if kind == ".edl" and "cmx_3600" not in otio.adapters.available_adapter_names():
        fix = "pip install 'understudy[editorial]', or export it as .otio"
        raise UsageError("is an EDL, whose reader is not installed", where=str(path), fix=fix)
    options = {"rate": rate or _EDL_RATE} if kind == ".edl" else {}
    try:
        return otio.adapters.read_from_file(str(path), **options)
    except Exception as error:  # the reader raises many kinds, C++ ones among them
        raise UnreadableFileError(f"is not a timeline: {' '.join(str(error).split())}", where=str(path)) from None


def _clip(timeline: Any, path: Path, name: str) -> Any:
    import opentimelineio as otio

    find = getattr(timeline, "find_clips", None)
    if isinstance(timeline, otio.schema.Clip):
        clips = [timeline]
    elif isinstance(timeline, otio.schema.Timeline):
        clips = [clip for track in timeline.video_tracks() for clip in track.find_clips()]
    else:
        clips = list(find()) if find else []
    if name:
        clips = [clip for clip in clips if clip.name == name] or _no_clip(name, clips, path)
    if len(clips) != 1:
        names = ", ".join(clip.name or "(unnamed)" for clip in clips) or "none"
        raise UsageError(f"holds {len(clips)} clips: {names}", where=str(path), fix="name one of them (--clip)")
    return clips[0]


def _no_clip(name: str, clips: list[Any], path: Path) -> list[Any]:
    names = ", ".join(clip.name or "(unnamed)" for clip in clips) or "none"
    raise UsageError(f"has no clip {name!r}; there are {names}", where=str(path))


def clip_range(clip: Any, where: str) -> Any:
    """The media times that a clip shows, an OpenTimelineIO range.

    Raises:
        UsageError: It does not say.
    """
    import opentimelineio as otio

    try:
        return clip.trimmed_range()
    except otio.exceptions.OTIOError:
        fix = "give it a source_range, or its media an available_range"
        raise UsageError("the clip does not say which frames it shows", where=where, fix=fix) from None


def clip_speed(clip: Any, where: str) -> Fraction:
    """Media frames a frame of the cut: 1 without an effect, 0 for a freeze.

    Raises:
        UsageError: It has effects other than linear retimes.
    """
    import opentimelineio as otio

    scalar = Fraction(1)
    for effect in [effect for effect in clip.effects if getattr(effect, "enabled", True)]:
        if isinstance(effect, otio.schema.FreezeFrame):  # a kind of LinearTimeWarp, so it is asked first
            return Fraction(0)
        if not isinstance(effect, otio.schema.LinearTimeWarp):
            raise UsageError(
                f"has the effect {effect.effect_name or type(effect).__name__!r}, which is not a linear retime",
                where=where,
                fix="bake it to a curve and give that (--curve), or remove it",
            )
        if not math.isfinite(effect.time_scalar):
            raise UsageError(f"is retimed by {effect.time_scalar}", where=where, fix="give a finite speed")
        scalar *= Fraction(str(effect.time_scalar))
    return scalar


def whole_frame(value: float, where: str) -> int:
    """A time as a frame.

    Raises:
        UsageError: It lies between frames.
    """
    if not math.isfinite(value) or value != int(value):
        raise UsageError(f"starts or ends between frames ({value})", where=where, fix="snap the clip to whole frames")
    return int(value)
