# SPDX-License-Identifier: Apache-2.0
"""How findings name frames."""

from collections.abc import Iterable

from understudy.frames.sequence import format_frames
from understudy.publish.checks.check import FrameNumber


def frames_text(frames: Iterable[FrameNumber]) -> str:
    """``frame 1003`` or ``frames 1003-1004``; ``the picture`` for a still."""
    numbers = [frame for frame in frames if frame is not None]
    if not numbers:
        return "the picture"
    return f"frame {numbers[0]}" if len(numbers) == 1 else f"frames {format_frames(numbers)}"


def frames_are(frames: Iterable[FrameNumber]) -> str:
    """The same with ``is`` or ``are``."""
    text = frames_text(frames)
    return f"{text} are" if text.startswith("frames ") else f"{text} is"


def frames_have(frames: Iterable[FrameNumber]) -> str:
    """The same with ``has`` or ``have``."""
    text = frames_text(frames)
    return f"{text} have" if text.startswith("frames ") else f"{text} has"
