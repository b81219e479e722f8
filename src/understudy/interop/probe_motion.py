# SPDX-License-Identifier: Apache-2.0
"""Finds out by running it how a motion model takes its pictures and in what it tells its vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.contracts.errors import MemoryBudgetError, PackError, UnderstudyError
from understudy.interop.probe import MULTIPLES, RANGES, Images, ValueRange, drawn

PairRunner = Callable[[Images, Images], Images]

_SHIFT = (3.0, -2.0)
_MARGIN = 16
_RIGHT_PX = 1.5
_SIDES = (128, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionFacts:
    """What was measured of a motion model.

    Attributes:
        multiple_of: What sides must be a multiple of, pixels.
        minimum_size: The smallest side, pixels.
        range: Of its pictures' values.
        vectors_gain: What its vectors are multiplied by to be pixels of its input.
        vectors_step: Pixels of its input between two vectors.
        error: Endpoint error on a picture moved by 3.6 pixels, in the best reading, pixels.
        guessed: No reading came near: range and gain are the usual ones.
        deterministic: Two runs gave the same bytes.
    """

    multiple_of: int
    minimum_size: int
    range: ValueRange
    vectors_gain: float
    vectors_step: int
    error: float
    guessed: bool
    deterministic: bool


def probe_motion(run: PairRunner, where: str, size: tuple[int, int] | None = None) -> MotionFacts:
    """Measures a motion model.

    Args:
        run: Vectors ``(1, 2, h, w)`` for two pictures ``(1, 3, h, w)``.
        where: How messages name it.
        size: The only height and width it takes, or None.

    Raises:
        PackError: It does not run, or its output is no field of two channels.
        MemoryBudgetError: It ran out of memory.
    """
    height, width = size or _SIDES
    a, b = (_batch(drawn(height, width, right=x, down=y)) for x, y in ((0.0, 0.0), _SHIFT))
    try:
        field = run(a, b)
    except MemoryBudgetError:
        raise
    except UnderstudyError as error:
        fix = "export it for two pictures of 3 channels, or one of 6, with free height and width"
        raise PackError(f"does not run on two pictures: {error.problem}"[:500], where=where, fix=fix) from None
    step = _step(field, height, width, where)
    off, gain, best = min(
        ((_error(run, a, b, one, gain, step), gain, one) for one in RANGES for gain in _gains(step)),
        key=lambda found: found[0],
    )
    guessed = off > _RIGHT_PX
    return MotionFacts(
        multiple_of=1 if size else _multiple(run, step),
        minimum_size=min(_SIDES) if size is None else 1,
        range=RANGES[0] if guessed else best,
        vectors_gain=1.0 if guessed else gain,
        vectors_step=step,
        error=off,
        guessed=guessed,
        deterministic=run(a, b).tobytes() == field.tobytes(),
    )


def _step(field: Images, height: int, width: int, where: str) -> int:
    shape = "x".join(map(str, field.shape))
    if field.ndim != 4 or field.shape[1] != 2 or not np.isfinite(field).all():
        fix = "export it so that it returns vectors of two channels, u and v"
        raise PackError(f"returned {shape} for two pictures of {width}x{height}", where=where, fix=fix)
    step = height // field.shape[2] if field.shape[2] else 0
    if step < 1 or (field.shape[2] * step, field.shape[3] * step) != (height, width):
        fix = "export it so that its field covers the picture"
        raise PackError(f"returned {shape} for two pictures of {width}x{height}", where=where, fix=fix)
    return step


def _gains(step: int) -> Sequence[float]:
    return (1.0,) if step == 1 else (1.0, float(step))


def _error(run: PairRunner, a: Images, b: Images, one: ValueRange, gain: float, step: int) -> float:
    """Mean endpoint error inside, pixels."""
    field = run(*(picture * np.float32(one.gain) + np.float32(one.offset) for picture in (a, b)))[0] * np.float32(gain)
    if step > 1:
        field = np.stack([cv2.resize(axis, a.shape[:1:-1], interpolation=cv2.INTER_LINEAR) for axis in field])
    inside = field[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN] - np.array(_SHIFT, np.float32)[:, None, None]
    error = float(np.hypot(inside[0], inside[1]).mean())
    return error if np.isfinite(error) else float("inf")


def _multiple(run: PairRunner, step: int) -> int:
    """The smallest of `MULTIPLES` that sides may be an odd multiple of; the largest where none was seen to work."""
    for multiple in MULTIPLES:
        odd = max(3, min(_SIDES) // multiple | 1)
        height, width = odd * multiple, (odd + 4) * multiple
        picture = _batch(drawn(height, width))
        try:
            field = run(picture, picture)
        except MemoryBudgetError:
            raise
        except UnderstudyError:
            continue
        if field.shape == (1, 2, -(-height // step), -(-width // step)) and height % step == width % step == 0:
            return multiple
    return MULTIPLES[-1]


def _batch(picture: Images) -> Images:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
