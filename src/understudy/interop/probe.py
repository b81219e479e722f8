# SPDX-License-Identifier: Apache-2.0
"""Finds out by running it what a model of pictures takes and gives: scale, sizes, reach, the range of its values.

All of it is measured on pictures that are drawn here. What a model was trained to see can't be measured, only guessed
from which range it treats a picture best in; the guess is told as one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import MemoryBudgetError, PackError, UnderstudyError
from understudy.contracts.plate import FloatImage

Images = npt.NDArray[np.float32]
"""``(1, channels, h, w)``."""

Runner = Callable[[Images], Images]

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""What sides may have to be a multiple of."""

_SIDE = 64
_LARGEST = 384
_TOUCHED = 1e-6
_BETTER_DB = 1.0
_BETTER_THAN_FLAT_DB = 3.0


@dataclass(frozen=True, slots=True)
class ValueRange:
    """What a model's numbers are, for pictures of 0-1: ``x * gain + offset``.

    Attributes:
        gain: Factor.
        offset: What is added.
        told: For people.
    """

    gain: float
    offset: float
    told: str


RANGES = (ValueRange(1, 0, "0 to 1"), ValueRange(255, 0, "0 to 255"), ValueRange(2, -1, "-1 to 1"))
"""The ranges that are tried, the usual one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What was measured of a model that makes a picture of a picture.

    Attributes:
        channels: Of its input and output.
        scale: Output pixels per input pixel.
        multiple_of: What sides must be a multiple of, pixels.
        minimum_size: The smallest side, pixels.
        radius: How far an input pixel reaches, pixels; -1 for the whole frame.
        range: Of its values.
        guessed: Nothing told the range, because the model makes too little of a picture: the usual one was taken.
        deterministic: Two runs gave the same bytes.
        size: The only height and width it takes, or None.
    """

    channels: int
    scale: int
    multiple_of: int
    minimum_size: int
    radius: int
    range: ValueRange
    guessed: bool
    deterministic: bool
    size: tuple[int, int] | None = None


def probe_picture(run: Runner, channels: Sequence[int], size: tuple[int, int] | None, where: str) -> PictureFacts:
    """Measures a model that makes a picture of a picture.

    Args:
        run: Runs it.
        channels: How many it may take, the likeliest first.
        size: The only height and width it takes, or None.
        where: How messages name it.

    Raises:
        PackError: It does not run on any picture that was tried, or its output is no picture of one scale.
        MemoryBudgetError: It ran out of memory.
    """
    depth, scale = _first_run(run, channels, size, where)
    if size is not None:
        multiple, minimum = 1, 1
        radius = _radius(run, depth, scale, 1, [min(size)]) if size[0] == size[1] else -1
    else:
        multiple = _multiple(run, depth, scale, where)
        minimum = _minimum(run, depth, scale, multiple)
        sides = [_up(side, multiple) for side in (96, 192, _LARGEST) if side >= minimum]
        radius = _radius(run, depth, scale, multiple, sides)
    found, guessed = _range(run, depth, scale, multiple, max(minimum, _SIDE), size)
    picture = _batch(drawn(*(size or (_up(_SIDE, multiple),) * 2)), depth)
    same = run(picture).tobytes() == run(picture).tobytes()
    return PictureFacts(
        channels=depth,
        scale=scale,
        multiple_of=multiple,
        minimum_size=minimum,
        radius=radius,
        range=found,
        guessed=guessed,
        deterministic=same,
        size=size,
    )


def drawn(height: int, width: int, *, right: float = 0.0, down: float = 0.0) -> FloatImage:
    """Waves of many lengths with some hard edges, 0-1, float32 ``(h, w, 3)``; moved by any distance."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - right, y - down
    layers = []
    for channel in range(3):
        waves = np.zeros((height, width))
        for n, (length, angle) in enumerate(((23.0, 0.3), (11.0, 1.4), (7.3, 2.2), (5.1, 0.9))):
            turn = angle + 0.5 * channel
            phase = (x * math.cos(turn) + y * math.sin(turn)) * 2 * math.pi / length
            waves += np.sin(phase + channel + n) / (1 + 0.5 * n)
        blocks = np.sign(np.sin((x + 3 * channel) / 9.0) * np.sin(y / 7.0))
        layers.append(0.5 + 0.13 * waves + 0.08 * blocks)
    return np.clip(np.stack(layers, axis=-1), 0, 1).astype(np.float32)


def _batch(picture: FloatImage, channels: int) -> Images:
    chosen = picture if channels == 3 else picture[..., :1]
    return np.ascontiguousarray(chosen.transpose(2, 0, 1)[None])


def _first_run(run: Runner, channels: Sequence[int], size: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """Channels and scale."""
    problem: UnderstudyError | None = None
    for depth in channels:
        sizes = [size] if size else [(64, 64), (128, 128), (256, 256)]
        for height, width in sizes:
            try:
                out = run(_batch(drawn(height, width), depth))
            except MemoryBudgetError:
                raise
            except UnderstudyError as error:
                problem = problem or error
                continue
            return depth, _scale(out, depth, height, width, where)
    told = problem.problem if problem else "it takes none of the channels that were tried"
    fix = "export it for one picture of 3 channels, or of 1, with free height and width"
    raise PackError(f"does not run on a picture: {told}"[:500], where=where, fix=fix) from None


def _scale(out: Images, depth: int, height: int, width: int, where: str) -> int:
    shape = "x".join(map(str, out.shape))
    if out.ndim != 4 or out.shape[1] != depth:
        fix = "export it so that it returns as many channels as it takes"
        raise PackError(f"returned {shape} for a picture of {depth} channels", where=where, fix=fix)
    if not np.isfinite(out).all():
        raise PackError("returned values that are not finite", where=where, fix="export the model again")
    tall, wide = out.shape[2] / height, out.shape[3] / width
    if tall != wide or tall != int(tall) or tall < 1:
        fix = "export it so that it enlarges by one whole factor, or keeps the size"
        raise PackError(f"made {shape} of {width}x{height}", where=where, fix=fix)
    return int(tall)


def _works(run: Runner, depth: int, scale: int, height: int, width: int) -> bool:
    try:
        out = run(_batch(drawn(height, width), depth))
    except MemoryBudgetError:
        raise
    except UnderstudyError:
        return False
    return out.shape == (1, depth, height * scale, width * scale)


def _multiple(run: Runner, depth: int, scale: int, where: str) -> int:
    """The smallest of `MULTIPLES` that sides may be an odd multiple of."""
    for multiple in MULTIPLES:
        odd = max(3, _SIDE // multiple | 1)
        if all(_works(run, depth, scale, *size) for size in ((odd * multiple, (odd + 4) * multiple),)):
            return multiple
    fix = "export it with free height and width"
    raise PackError(f"takes no size that was tried, up to {MULTIPLES[-1] * 7} pixels", where=where, fix=fix)


def _minimum(run: Runner, depth: int, scale: int, multiple: int) -> int:
    """The smallest square that works, with all larger ones."""
    smallest = _up(_SIDE, multiple)
    for side in (48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1):
        tried = _up(side, multiple)
        if tried < smallest:
            if not _works(run, depth, scale, tried, tried):
                break
            smallest = tried
    return smallest


def _radius(run: Runner, depth: int, scale: int, multiple: int, sides: Sequence[int]) -> int:
    """How far one input pixel reaches, whatever its place in the network's own cells; -1 where that is everywhere."""
    offsets = sorted({0, multiple // 2, multiple - 1})
    for side in sides:
        base = _batch(drawn(side, side), depth)
        before = run(base)
        reach, largest = -0.5, side // 2 - multiple - 1
        for down, right in product(offsets, offsets):
            row, column = (side // 2 // multiple * multiple + offset for offset in (down, right))
            for change in (0.35, -0.35, math.nan):
                touched = base.copy()
                touched[:, :, row, column] += np.float32(change)
                reach = max(reach, _reach(before, run(touched), row, column, scale))
            if reach >= largest:
                break
        if reach < largest:
            return max(0, math.ceil(reach - 0.5))
    return -1


def _reach(before: Images, after: Images, row: int, column: int, scale: int) -> float:
    """Input pixels from a pixel to the furthest output pixel that it changed."""
    with np.errstate(invalid="ignore"):
        change = np.abs(after - before).max(axis=(0, 1))
    largest = float(np.nanmax(np.where(np.isnan(change), 0, change)))
    rows, columns = np.nonzero(np.isnan(change) | (change > _TOUCHED * max(largest, 1e-3)))
    if not rows.size:
        return -0.5
    # Output pixel i has its center at (i + 0.5) / scale - 0.5 input pixels.
    return float(
        max(np.abs((rows + 0.5) / scale - 0.5 - row).max(), np.abs((columns + 0.5) / scale - 0.5 - column).max())
    )


def _range(
    run: Runner, depth: int, scale: int, multiple: int, least: int, size: tuple[int, int] | None
) -> tuple[ValueRange, bool]:
    """The range in which the model makes the best of a picture; the usual one where none is clearly better."""
    height, width = size or (_up(max(96, least), multiple),) * 2
    large = drawn(height * scale, width * scale)
    small = large if scale == 1 else cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    truth = _batch(large, depth)
    inside = (..., slice(8 * scale, -8 * scale), slice(8 * scale, -8 * scale))  # edges depend on the padding
    scores = []
    for one in RANGES:
        shown = _batch(small, depth) * np.float32(one.gain) + np.float32(one.offset)
        made = (run(shown) - np.float32(one.offset)) / np.float32(one.gain)
        scores.append(_db(np.clip(made[inside], -1, 2) - truth[inside]))
    # A model that makes nothing of the picture is no better than its mean.
    enough = _db(truth[inside].mean() - truth[inside]) + _BETTER_THAN_FLAT_DB
    best = int(np.argmax(scores))
    if best and scores[best] > max(scores[0] + _BETTER_DB, enough):
        return RANGES[best], False
    return RANGES[0], scores[0] < enough


def _db(error: Images) -> float:
    mean = float(np.mean(np.square(error, dtype=np.float64)))
    return -10 * math.log10(max(mean, 1e-12)) if math.isfinite(mean) else -math.inf


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
