# SPDX-License-Identifier: Apache-2.0
"""Finds the pictures of a shot, and which of them lies at which media time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from understudy.contracts.errors import InputError, UnderstudyError, UsageError
from understudy.editorial.cut import Shot
from understudy.frames.header import read_header
from understudy.frames.sequence import open_sequence

_TIME_CODE = "smpte:TimeCode"
_DROP_FRAME = 1 << 6


@dataclass(frozen=True, slots=True)
class Media:
    """The pictures of a shot.

    Attributes:
        pattern: As a read node takes it.
        first: Number of the first picture that is there.
        last: Number of the last.
        offset: What turns a media time into a frame number when added.
    """

    pattern: str
    first: int
    last: int
    offset: int


def find_media(shot: Shot, timeline: Path, pattern: str, start: str) -> Media:
    """The pictures of a shot.

    Media times become frame numbers, by the first of these that is known: the start that the user gave; an image
    sequence's own start frame; the times are frame numbers already when they lie within the pictures; the media's first
    frame is the first picture; the time code in the first picture's header.

    Args:
        shot: The shot.
        timeline: Its file; relative media start at its folder.
        pattern: Where pictures lie, with ``{name}``, ``{reel}`` and ``{event}``; empty takes the clip's own media.
        start: Media time of the first picture, a time code or a frame; empty where nobody said.

    Raises:
        InputError: There are no such pictures.
        UsageError: It names no pictures, or no rule tells which is which.
    """
    import opentimelineio as otio

    reference = shot.clip.media_reference
    if pattern:
        try:
            text = pattern.format(name=shot.name, reel=shot.reel, event=shot.event)
        except (KeyError, IndexError, ValueError) as error:
            fix = "use {name}, {reel} and {event}"
            raise UsageError(f"can't be filled in ({error})", where=f"--media {pattern}", fix=fix) from None
    elif isinstance(reference, otio.schema.ImageSequenceReference):
        padding = reference.frame_zero_padding
        number = f"%0{padding}d" if padding > 1 else "%d"
        base = _path(reference.target_url_base, timeline)
        text = str(base / f"{reference.name_prefix}{number}{reference.name_suffix}")
    elif isinstance(reference, otio.schema.ExternalReference) and reference.target_url:
        text = str(_path(reference.target_url, timeline))
    else:
        fix = "say where pictures lie: --media '/shots/{name}/plate.%04d.exr'"
        raise UsageError("the clip names no media", where=_where(shot, timeline), fix=fix)
    sequence = open_sequence(text)
    if sequence.still:
        fix = "a retime needs a sequence, such as plate.%04d.exr"
        raise UsageError("the media is one picture", where=text, fix=fix)
    numbers = sequence.frames
    found = Media(sequence.pattern, numbers[0], numbers[-1], 0)
    first = _time_of_first(shot, found, start, own=not pattern, where=_where(shot, timeline))
    return Media(found.pattern, found.first, found.last, found.first - first)


def _time_of_first(shot: Shot, media: Media, start: str, *, own: bool, where: str) -> int:
    """The media time of the first picture."""
    import opentimelineio as otio

    if start:
        return _frames(start, shot.rate)
    reference = shot.clip.media_reference
    available = reference.available_range if reference is not None else None
    begins = int(available.start_time.value) if available is not None else None
    if own and isinstance(reference, otio.schema.ImageSequenceReference):
        return (begins or 0) - int(reference.start_frame) + media.first
    if media.first <= shot.start <= media.last:
        return media.first
    if begins is not None:
        return begins
    code = _time_code(media, shot.rate)
    if code is not None:
        return code
    raise UsageError(
        f"its media time {shot.start} is none of the pictures {media.first}-{media.last}, and they have no time code",
        where=where,
        fix="say the first picture's media time: --media-start 01:00:00:00",
    )


def _frames(text: str, rate: float) -> int:
    """A time code or a number, in frames."""
    import opentimelineio as otio

    try:
        if ":" in text or ";" in text:
            return int(otio.opentime.RationalTime.from_timecode(text, rate).value)
        return int(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time code at {rate:g} frames a second, and no frame", where="--media-start"
        ) from None


def _time_code(media: Media, rate: float) -> int | None:
    """Time code of the first picture, in frames."""
    try:
        value: Any = read_header(open_sequence(media.pattern).path(media.first)).metadata.get(_TIME_CODE)
        if value is None:
            return None
        bits = int(value[0])
        text = ":".join(f"{(bits >> at & 0xF) + 10 * (bits >> at + 4 & mask):02d}" for at, mask in _DIGITS)
        if bits & _DROP_FRAME:
            text = text[:8] + ";" + text[9:]
        return _frames(text, rate)
    except (InputError, UnderstudyError, TypeError, IndexError, ValueError):
        return None


_DIGITS = ((24, 3), (16, 7), (8, 7), (0, 3))
"""Hours, minutes, seconds, frames: the bit of their units, and the mask of their tens (SMPTE ST 12-1)."""


def _path(url: str, timeline: Path) -> Path:
    """The path of a URL or path; relative ones start at the timeline's folder."""
    parts = urlsplit(url)
    text = unquote(parts.path) if parts.scheme == "file" else url
    return (timeline.parent / text).absolute()


def _where(shot: Shot, timeline: Path) -> str:
    return f"{timeline}: {shot.label}"
