# SPDX-License-Identifier: Apache-2.0
"""Tiles over a frame: memory is bounded by the tile, and the result equals the whole frame's.

Every tile of a plan has the same size and carries a halo of the pack's receptive radius; beyond the frame, edges are
repeated. A pixel therefore sees the same neighbors whichever tile it falls in, and a network sees the same shape. Tile
origins are a multiple of ``multiple_of`` apart, so strided networks keep the phase of the whole frame too.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from understudy.contracts.engine import Control
from understudy.contracts.manifest import Contract, Encoding
from understudy.contracts.model import Region
from understudy.contracts.plate import FloatImage, Window

ONE = Fraction(1)

_ONE_TILE = 2048 * 1152


@dataclass(frozen=True, slots=True)
class Tile:
    """One call's worth of a frame; all windows are in absolute pixels.

    Attributes:
        source: What the model sees, in input pixels. May reach beyond the frame, where edges are repeated.
        core: The part of the frame this tile answers for, in input pixels. Cores cover the frame once.
        target: The pixels it must deliver, in output pixels; ``core`` itself at scale 1. Targets cover the output once.
    """

    source: Window
    core: Window
    target: Window

    @property
    def region(self) -> Region:
        """The model call's region."""
        return Region(
            in_x=self.source.x,
            in_y=self.source.y,
            x=self.target.x,
            y=self.target.y,
            width=self.target.width,
            height=self.target.height,
        )


def plan_tiles(
    window: Window, contract: Contract, *, scale: Fraction = ONE, side: int = 0, reach: int = 0
) -> tuple[Tile, ...]:
    """Tiles for a frame, row by row.

    Args:
        window: The frame's data window.
        contract: The pack's radius, multiple and minimum size. A radius of -1 makes one tile.
        scale: Output pixels per input pixel.
        side: Side of a tile without its halo, input pixels; 0 takes :func:`default_sides`.
        reach: A halo the caller needs itself, input pixels; the larger of it and the radius holds. When shrinking, it
            is stretched by ``1 / scale``, as the kernel of an antialiasing filter is.

    Returns:
        Tiles whose ``source`` windows have one size.
    """
    whole = contract.radius < 0
    halo = max(reach, contract.radius, 0)
    halo = math.ceil(halo * max(ONE, 1 / scale)) + (_beyond(scale) if halo else 0)
    halo = _up(halo, contract.multiple_of)
    wide, high = (side, side) if side else default_sides(contract, scale, window)
    columns = _cores(window.x, window.width, window.width if whole else wide, contract.multiple_of)
    rows = _cores(window.y, window.height, window.height if whole else high, contract.multiple_of)
    width = _up(max(_size(columns, contract) + 2 * halo, contract.minimum_size), contract.multiple_of)
    height = _up(max(_size(rows, contract) + 2 * halo, contract.minimum_size), contract.multiple_of)
    out = window.scaled(scale)
    return tuple(
        Tile(
            source=Window(x0 - halo, y0 - halo, width, height),
            core=Window(x0, y0, x1 - x0, y1 - y0),
            target=_target(out, Window(x0, y0, x1 - x0, y1 - y0), window, scale),
        )
        for y0, y1 in rows
        for x0, x1 in columns
    )


def default_sides(contract: Contract, scale: Fraction = ONE, window: Window | None = None) -> tuple[int, int]:
    """Width and height of a tile when nobody asks for one, input pixels.

    Packs on plate values are filters: an HD frame is one tile; tiles of larger frames have sides of at least sixteen
    radii, so that halos stay a small share, and arrays that the allocator reuses for the next. Networks hold tens of
    feature maps of a tile's size, so theirs are smaller.

    Args:
        contract: The pack's.
        scale: Output pixels per input pixel; tiles shrink with it beyond 2.
        window: The frame, if it may become one tile.
    """
    shrink, radius = max(ONE, scale / 2), max(contract.radius, 0)
    if contract.encoding is not Encoding.PLATE:
        side = max(int(768 / shrink), 8 * radius, 64)
        return side, side
    if window is not None and window.width * window.height * shrink * shrink <= _ONE_TILE:
        return window.width, window.height
    side = max(int(1024 / shrink), 16 * radius, 64)
    return side, side


def each_tile(tiles: Sequence[Tile], control: Control) -> Iterator[Tile]:
    """The tiles one by one, with progress after each and a look at the caller's cancel before each.

    Raises:
        JobCancelledError: The caller cancelled.
    """
    for done, tile in enumerate(tiles):
        control.check()
        yield tile
        control.progress(done + 1, len(tiles))


def read_tile(
    pixels: FloatImage, window: Window, source: Window, channels: Sequence[int] | slice = slice(None)
) -> FloatImage:
    """A tile's pixels, edges repeated beyond the frame.

    Args:
        pixels: ``(height, width, n)`` over ``window``.
        window: Where ``pixels`` lie.
        source: What to read; any rectangle.
        channels: Which channels, in this order.

    Returns:
        ``(source.height, source.width, channels)``, C-contiguous; samples are copied bit for bit.
    """
    x, y = source.x - window.x, source.y - window.y
    x0, x1 = _clamped(x, source.width, window.width)
    y0, y1 = _clamped(y, source.height, window.height)
    inside = pixels[y0:y1, x0:x1][..., channels if isinstance(channels, slice) else as_index(channels)]
    before_x, before_y = min(max(0, -x), source.width - 1), min(max(0, -y), source.height - 1)
    after_x = source.width - before_x - (x1 - x0)
    after_y = source.height - before_y - (y1 - y0)
    if not (before_x or before_y or after_x or after_y):
        return np.ascontiguousarray(inside)
    padding = ((before_y, after_y), (before_x, after_x), (0, 0))
    return np.ascontiguousarray(np.pad(inside, padding, mode="edge"))


def as_index(channels: Sequence[int]) -> slice | list[int]:
    """Channel positions as an index: a slice where they lie together, which copies many times faster."""
    first, last = channels[0], channels[-1] + 1
    return slice(first, last) if list(channels) == list(range(first, last)) else list(channels)


def crop(image: FloatImage, lies: Window, part: Window) -> FloatImage:
    """The part of an image that covers ``part``, a view.

    Args:
        image: ``(lies.height, lies.width, n)``.
        lies: Where the image lies.
        part: A window inside ``lies``.
    """
    x, y = part.x - lies.x, part.y - lies.y
    return image[y : y + part.height, x : x + part.width]


def _beyond(scale: Fraction) -> int:
    """How many pixels further than a core's edge the center of one of its output pixels may lie, rounded up."""
    return max(0, math.ceil(1 / (2 * scale) - Fraction(1, 2)))


def _cores(start: int, length: int, most: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """Splits a side into equal cores of at most about ``most`` pixels; only the last may be shorter."""
    count = max(1, math.ceil(length / max(most, 1)))
    core = _up(math.ceil(length / count), multiple)
    end = start + length
    return tuple((at, min(at + core, end)) for at in range(start, end, core))


def _size(cores: Sequence[tuple[int, int]], contract: Contract) -> int:
    return _up(cores[0][1] - cores[0][0], contract.multiple_of)


def _target(out: Window, core: Window, window: Window, scale: Fraction) -> Window:
    x0 = out.x if core.x == window.x else math.floor(core.x * scale)
    y0 = out.y if core.y == window.y else math.floor(core.y * scale)
    x1 = out.right if core.right == window.right else math.floor(core.right * scale)
    y1 = out.bottom if core.bottom == window.bottom else math.floor(core.bottom * scale)
    return Window(x0, y0, x1 - x0, y1 - y0)


def _clamped(start: int, length: int, limit: int) -> tuple[int, int]:
    """The part of ``start .. start+length`` inside ``0 .. limit``; the nearest edge sample if they do not meet."""
    first = min(max(start, 0), limit - 1)
    last = min(max(start + length, 1), limit)
    return first, max(last, first + 1)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
