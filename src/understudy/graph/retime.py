# SPDX-License-Identifier: Apache-2.0
"""Retimes as exact arithmetic: which source times each output frame shows. No floats: an integer time is an integer.

A retime is a function from output frames (fractions too, for the shutter) to source frames, and a range of outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from understudy.contracts.errors import UsageError

Edge = Literal["error", "hold"]
Key = tuple[Fraction, Fraction]
"""Output frame and value."""

MAX_OUTPUTS = 1_000_000
"""More outputs than this in one retime are taken for a typing error."""


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """One picture to make: its number, and the source times whose pictures are averaged (one without a shutter)."""

    frame: int
    times: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class RetimePlan:
    """Every picture of a retime, in order."""

    outputs: tuple[OutputFrame, ...]


@dataclass(frozen=True, slots=True)
class ShutterTimes:
    """When a shutter is open, in output frames from a frame's own time.

    Attributes:
        opening: When it opens.
        length: How long it stays open.
        samples: Pictures taken, evenly, each in the middle of its share.
    """

    opening: Fraction
    length: Fraction
    samples: int

    @classmethod
    def of(cls, angle: float, samples: int, phase: float | None) -> "ShutterTimes":
        """From degrees; a phase of None centers the opening on the frame."""
        length = Fraction(str(angle)) / 360
        return cls(-length / 2 if phase is None else Fraction(str(phase)) / 360, length, samples)

    def offsets(self) -> tuple[Fraction, ...]:
        """The samples' times."""
        share = self.length / self.samples
        return tuple(self.opening + share * (index + Fraction(1, 2)) for index in range(self.samples))


@dataclass(frozen=True, slots=True)
class SourceRange:
    """The frames that are there, and what times beyond them mean; the shutter always holds the ends."""

    first: int
    last: int
    edge: Edge = "error"
    shutter: ShutterTimes | None = None

    def plan(self, frames: Sequence[int], source: Callable[[Fraction], Fraction]) -> RetimePlan:
        """The plan of these output frames.

        Raises:
            UsageError: A frame shows a time beyond the source, and that is an error.
        """
        if not frames:
            raise UsageError("the retime has no output frame", where="retime")
        if len(frames) > MAX_OUTPUTS:
            raise UsageError(f"the retime has {len(frames)} output frames", where="retime", fix="check its speed")
        return RetimePlan(tuple(OutputFrame(frame, self._times(frame, source)) for frame in frames))

    def _times(self, frame: int, source: Callable[[Fraction], Fraction]) -> tuple[Fraction, ...]:
        time = source(Fraction(frame))
        if self.edge == "error" and not self.first <= time <= self.last:
            raise UsageError(
                f"output frame {frame} shows source time {_shown(time)}, and the source is {self.first}-{self.last}",
                where="retime",
                fix="choose fewer output frames, or hold the ends with edge: hold (--edge hold)",
            )
        if self.shutter is None:
            return (self._held(time),)
        return tuple(self._held(source(frame + offset)) for offset in self.shutter.offsets())

    def _held(self, time: Fraction) -> Fraction:
        return min(max(time, Fraction(self.first)), Fraction(self.last))


def plan_speed(source: SourceRange, speed: Fraction) -> RetimePlan:
    """Constant speed: the first output frame is the first source frame (the last one, when speed is negative).

    Raises:
        UsageError: The speed is 0.
    """
    if speed == 0:
        raise UsageError("a speed of 0 shows one frame forever", where="speed", fix="take that frame with at (--at)")
    start = source.first if speed > 0 else source.last
    count = (Fraction(source.last - source.first) / abs(speed)).__floor__() + 1
    frames = range(source.first, source.first + min(count, MAX_OUTPUTS + 1))
    return source.plan(frames, lambda frame: start + (frame - source.first) * speed)


def plan_fps(source: SourceRange, fps_in: Fraction, fps_out: Fraction) -> RetimePlan:
    """Another frame rate, the same duration: output frame k shows the source at k * fps_in / fps_out."""
    return plan_speed(source, fps_in / fps_out)


def plan_at(source: SourceRange, time: Fraction) -> RetimePlan:
    """One picture at one source time, numbered by the frame before it."""
    frame = time.__floor__()
    return source.plan([frame], lambda output: time + (output - frame))


def plan_list(source: SourceRange, times: Sequence[Fraction]) -> RetimePlan:
    """The source time of each output frame, from the first source frame on; linear between them for the shutter."""
    keys = [(Fraction(source.first + index), time) for index, time in enumerate(times)]
    return source.plan(range(source.first, source.first + len(times)), lambda frame: _linear(keys, frame))


def plan_source_curve(source: SourceRange, keys: Sequence[Key]) -> RetimePlan:
    """Keys of (output frame, source time), linear between them; the outputs run from the first key to the last.

    Raises:
        UsageError: Two keys have one frame.
    """
    ordered = _ordered(keys)
    frames = range(ordered[0][0].__ceil__(), ordered[-1][0].__floor__() + 1)
    return source.plan(frames, lambda frame: _linear(ordered, frame))


def plan_speed_curve(source: SourceRange, keys: Sequence[Key]) -> RetimePlan:
    """Keys of (output frame, speed), linear between them and constant beyond; integrated exactly.

    The first key's frame shows the first source frame. Outputs run on until the source ends, or to the last key where
    the speed after it is not over 0.

    Raises:
        UsageError: Two keys have one frame.
    """
    ordered = _ordered(keys)
    start = ordered[0][0].__ceil__()

    def position(frame: Fraction) -> Fraction:
        return source.first + _integral(ordered, frame)

    last_key, last_speed = ordered[-1]
    end = start
    while end <= last_key and end - start <= MAX_OUTPUTS:
        if source.edge == "error" and position(Fraction(end)) > source.last:
            return source.plan(range(start, end), position)
        end += 1
    left = source.last - position(Fraction(end))
    if last_speed > 0 and left >= 0:  # constant from here on
        end += (left / last_speed).__floor__() + 1
    return source.plan(range(start, end), position)


def _ordered(keys: Sequence[Key]) -> list[Key]:
    ordered = sorted(keys)
    if not ordered:
        raise UsageError("the curve has no keys", where="curve")
    for (left, _), (right, _) in pairwise(ordered):
        if left == right:
            raise UsageError(f"two keys stand at frame {_shown(left)}", where="curve", fix="keep one of them")
    return ordered


def _linear(keys: Sequence[Key], frame: Fraction) -> Fraction:
    """Piecewise linear; beyond the ends it goes on with the slope of the last piece (1 for a single key)."""
    if len(keys) == 1:
        return keys[0][1] + (frame - keys[0][0])
    for (x0, y0), (x1, y1) in pairwise(keys):
        if frame <= x1 or x1 == keys[-1][0]:
            return y0 + (y1 - y0) * (frame - x0) / (x1 - x0)
    raise AssertionError(frame)


def _integral(keys: Sequence[Key], frame: Fraction) -> Fraction:
    """The integral of a piecewise linear speed from the first key; the ends' speeds go on."""
    if frame <= keys[0][0]:
        return (frame - keys[0][0]) * keys[0][1]
    total = Fraction(0)
    for (x0, v0), (x1, v1) in pairwise(keys):
        end = min(frame, x1)
        if end > x0:
            speed_at_end = v0 + (v1 - v0) * (end - x0) / (x1 - x0)
            total += (v0 + speed_at_end) / 2 * (end - x0)
    if frame > keys[-1][0]:
        total += (frame - keys[-1][0]) * keys[-1][1]
    return total


def _shown(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.4f}"
