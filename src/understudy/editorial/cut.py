# SPDX-License-Identifier: Apache-2.0
"""The shots of a cut: what each clip of the video tracks shows, and how it is retimed."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from understudy.contracts.errors import UsageError
from understudy.graph.timeline import clip_range, clip_speed, read_timeline, whole_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One clip of a cut.

    Attributes:
        event: Its place among the clips that are pictures, from 1, track by track.
        name: Its name, empty for none.
        reel: Reel of an EDL, empty for none.
        start: Media time of its first frame, in frames.
        count: How many frames of the cut it shows.
        speed: Media frames a frame of the cut; 0 is a freeze, negative runs backwards.
        head: Frames of the cut before it that a transition needs.
        tail: Frames of the cut after it that a transition needs.
        rate: Frames per second of the cut.
        clip: The clip itself.
    """

    event: int
    name: str
    reel: str
    start: int
    count: int
    speed: Fraction
    head: int
    tail: int
    rate: float
    clip: Any

    @property
    def retimed(self) -> bool:
        """Whether it shows other than its media, frame by frame."""
        return self.speed != 1

    @property
    def label(self) -> str:
        """What people call it."""
        return f"event {self.event}" + (f" ({self.name})" if self.name else "")

    def media_time(self, frame: int) -> Fraction:
        """The media time that is shown at a frame, counted from the shot's first."""
        shown = self.start if self.speed >= 0 else self.start - (self.count - 1) * self.speed
        return shown + frame * self.speed


def read_cut(path: Path, rate: float | None = None) -> tuple[Any, list[Shot | UsageError]]:
    """The timeline and its shots in order; a clip that can't be done stands as the error that says why.

    Args:
        path: An ``.otio`` file, or an EDL (CMX 3600).
        rate: Frames per second of an EDL.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It is not a timeline.
        UsageError: Its format loses retimes, or it has no clip on a video track.
    """
    import opentimelineio as otio

    timeline = read_timeline(path, rate)
    if not isinstance(timeline, otio.schema.Timeline):
        raise UsageError(f"holds a {type(timeline).__name__} and no cut", where=str(path), fix="export the timeline")
    clips = list(_clips(timeline))
    if not clips:
        raise UsageError("has no clip on a video track", where=str(path))
    return timeline, [_shot(number, clip, path) for number, clip in enumerate(clips, 1)]


def _clips(timeline: Any) -> Iterator[Any]:
    for track in timeline.video_tracks():
        for clip in track.find_clips():
            if clip.enabled:
                yield clip


def _shot(event: int, clip: Any, path: Path) -> Shot | UsageError:
    where = f"{path}: event {event}" + (f" ({clip.name})" if clip.name else "")
    try:
        _refuse_nested_retime(clip, where)
        span = clip_range(clip, where)
        start, count = whole_frame(span.start_time.value, where), whole_frame(span.duration.value, where)
        _require_duration(count, where)
        head, tail = _transitions(clip, where)
        return Shot(
            event=event,
            name=clip.name or "",
            reel=str(clip.metadata.get("cmx_3600", {}).get("reel", "")),
            start=start,
            count=count,
            speed=clip_speed(clip, where),
            head=head,
            tail=tail,
            rate=float(span.duration.rate),
            clip=clip,
        )
    except UsageError as error:
        return error


def _require_duration(count: int, where: str) -> None:
    if count < 1:
        raise UsageError("the clip has no duration", where=where)


def _refuse_nested_retime(clip: Any, where: str) -> None:
    import opentimelineio as otio

    parent = clip.parent()
    while parent is not None:
        if any(isinstance(effect, otio.schema.TimeEffect) and effect.enabled for effect in parent.effects):
            name = parent.name or type(parent).__name__
            raise UsageError(f"is inside {name!r}, which is retimed as a whole", where=where, fix="retime its clips")
        parent = parent.parent()


def _transitions(clip: Any, where: str) -> tuple[int, int]:
    """Frames that dissolves before and after a clip take of it beyond its own."""
    import opentimelineio as otio

    before, after = clip.parent().neighbors_of(clip, otio.schema.NeighborGapPolicy.never)
    head = before.in_offset.value if isinstance(before, otio.schema.Transition) else 0
    tail = after.out_offset.value if isinstance(after, otio.schema.Transition) else 0
    return whole_frame(head, where), whole_frame(tail, where)
