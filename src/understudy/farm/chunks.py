# SPDX-License-Identifier: Apache-2.0
"""Frames in portions, and frame ranges as Open Job Description writes them.

Both we and OpenJD write ``1001-1010``; a step of two is ``1001-1010x2`` here and ``1001-1010:2`` there. fileseq, whose
notation ours is, takes a colon for something else, so that ranges are translated here and nowhere else.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from understudy.contracts.errors import UsageError
from understudy.frames.sequence import MAX_FRAMES, format_frames

_RANGE = re.compile(r"\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?)?")


def runs(frames: Sequence[int]) -> list[tuple[int, ...]]:
    """Frames in runs that follow each other without a gap.

    Args:
        frames: Sorted, each once.
    """
    found: list[list[int]] = []
    for frame in frames:
        if found and found[-1][-1] + 1 == frame:
            found[-1].append(frame)
        else:
            found.append([frame])
    return [tuple(run) for run in found]


def chunks(frames: Sequence[int], size: int, *, contiguous: bool) -> list[tuple[int, ...]]:
    """Frames in chunks of about one size, in order; every frame is in one of them.

    As OpenJD does it, a last small chunk is avoided: ten frames by four become 4, 3, 3.

    Args:
        frames: Sorted, each once.
        size: Most frames of a chunk.
        contiguous: The frames of a chunk follow each other without a gap.

    Raises:
        UsageError: The size is none.
    """
    if size < 1:
        raise UsageError(f"chunks of {size} frames", where="--chunk", fix="give 1 or more")
    parts = runs(frames) if contiguous else [tuple(frames)] if frames else []
    return [chunk for part in parts for chunk in _even(part, size)]


def are_scattered(frames: Sequence[int], size: int) -> bool:
    """Whether contiguous chunks of frames would be far more than needed, as of every second frame of a shot.

    Args:
        frames: Sorted, each once.
        size: Most frames of a chunk.
    """
    together = len(chunks(frames, size, contiguous=False))
    return len(chunks(frames, size, contiguous=True)) >= 2 * max(1, together)


def to_openjd(frames: Sequence[int]) -> str:
    """Frames as an OpenJD range expression, such as ``1001-1004,1010-1020:2``.

    Args:
        frames: Sorted, each once, at least one.
    """
    parts: list[str] = []
    rest = list(frames)
    while rest:
        count = _evenly_spaced(rest)
        if count < 3 and not (count == 2 and rest[1] == rest[0] + 1):
            parts.append(str(rest.pop(0)))
            continue
        step = rest[1] - rest[0]
        parts.append(f"{rest[0]}-{rest[count - 1]}" + (f":{step}" if step > 1 else ""))
        del rest[:count]
    return ",".join(parts)


def from_openjd(text: str) -> str:
    """A range expression of OpenJD as we write frames.

    Args:
        text: Such as ``20-20``, ``5,20,24,28`` or ``32-40:4``; descending ranges, ``10-1:-3``, too.

    Raises:
        UsageError: It is none.
    """
    frames: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        step = int(match[3] or 1) if match else 0
        if not match or not step:
            raise UsageError(f"{text!r} is no range of frames", where="frames", fix="write it like 1-10, 1-9:2 or 1,5")
        first = int(match[1])
        span = range(first, int(match[2] or first) + (1 if step > 0 else -1), step)
        if not span or len(span) > MAX_FRAMES:
            raise UsageError(f"the range {part.strip()} means {len(span)} frames", where="frames")
        frames.update(span)
    return format_frames(frames)


def _even(frames: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """A run in as many chunks as the size asks for, none of them longer than another by more than a frame."""
    count = -(-len(frames) // size)
    base, longer = divmod(len(frames), count)
    found, start = [], 0
    for index in range(count):
        end = start + base + (index < longer)
        found.append(tuple(frames[start:end]))
        start = end
    return found


def _evenly_spaced(frames: Sequence[int]) -> int:
    """How many of the first frames have one distance."""
    steps = [after - before for before, after in pairwise(frames)]
    same = next((index for index, step in enumerate(steps) if step != steps[0]), len(steps))
    return same + 1
