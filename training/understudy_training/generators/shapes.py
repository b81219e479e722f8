# SPDX-License-Identifier: Apache-2.0
"""Shapes as signed distances: blobs, polygons, rings, hair, letters, perforated sheets, fences.

A shape lives in the square from -1 to 1. Its distance is positive inside, in units of the square, and negative on the
square's rim, so that whoever looks beyond the rim finds nothing. Distances are exact near an edge only, which is where
an edge's coverage is read from them.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

_RIM = 0.92  # half the side of the square that shapes stay within
_FAR = 0.25  # distances beyond this are cut off, so that float16 keeps the fine ones


def draw_shapes(rng: torch.Generator, count: int, size: int) -> Tensor:
    """Signed distances of random shapes, every kind in turn.

    Args:
        rng: Where the random numbers come from; the shapes lie on its device.
        count: How many.
        size: Samples along a side.

    Returns:
        float32 ``(count, size, size)`` within plus and minus 0.25, positive inside.
    """
    line = (torch.arange(size, device=rng.device) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    rim = _RIM - torch.maximum(x.abs(), y.abs())
    shapes = [torch.minimum(_KINDS[index % len(_KINDS)](rng, x, y), rim) for index in range(count)]
    return torch.stack(shapes).clamp(-_FAR, _FAR)


def _uniform(rng: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return torch.rand(count, generator=rng, device=rng.device) * (high - low) + low


def _one(rng: torch.Generator, low: float, high: float) -> float:
    return float(_uniform(rng, 1, low, high))


def _blob(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """A circle whose radius is a short Fourier series of the angle."""
    angle, radius = torch.atan2(y, x), torch.hypot(x, y)
    edge, slope = torch.full_like(x, 0.65), torch.zeros_like(x)
    for wave, swing in enumerate(_uniform(rng, 6, 0, 0.16).tolist(), start=2):
        turn = angle * wave + _one(rng, 0, math.tau)
        edge = edge + swing / math.sqrt(wave) * torch.sin(turn)
        slope = slope + swing * math.sqrt(wave) * torch.cos(turn)
    edge = edge.clamp(min=0.1)
    return (edge - radius) / torch.sqrt(1 + (slope / edge) ** 2)


def _convex(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    sides = int(_one(rng, 3, 8))
    start = _one(rng, 0, math.tau)
    inside = torch.full_like(x, 9.0)
    for side in range(sides):
        angle = start + math.tau * (side + _one(rng, -0.3, 0.3)) / sides
        inside = torch.minimum(inside, _one(rng, 0.3, 0.75) - x * math.cos(angle) - y * math.sin(angle))
    return inside


def _polygon(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """One to three convex polygons joined, so some have notches."""
    joined = _convex(rng, x, y)
    for _ in range(int(_one(rng, 0, 3))):
        dx, dy = _one(rng, -0.4, 0.4), _one(rng, -0.4, 0.4)
        joined = torch.maximum(joined, _convex(rng, x - dx, y - dy))
    return joined


def _ring(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    radius = torch.hypot(x, y * _one(rng, 1, 1.6))
    return _one(rng, 0.02, 0.2) - (radius - _one(rng, 0.4, 0.75)).abs()


def _segment(x: Tensor, y: Tensor, start: tuple[float, float], end: tuple[float, float]) -> Tensor:
    """Distance to a line segment."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    along = (((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-6)).clamp(0, 1)
    return torch.hypot(x - x0 - along * dx, y - y0 - along * dy)


def _hair(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """Thin bent strokes: hair, wire, twigs."""
    nearest = torch.full_like(x, 9.0)
    for _ in range(int(_one(rng, 1, 8))):
        angle, bend = _one(rng, 0, math.tau), _one(rng, -0.5, 0.5)
        place = (_one(rng, -0.8, 0.8), _one(rng, -0.8, 0.8))
        for _ in range(6):
            angle += bend
            to = (place[0] + 0.25 * math.cos(angle), place[1] + 0.25 * math.sin(angle))
            nearest = torch.minimum(nearest, _segment(x, y, place, to))
            place = to
    return _one(rng, 0.012, 0.05) - nearest


def _letters(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """Rows of signs, each of a few strokes between the points of a 3x3 grid."""
    nearest = torch.full_like(x, 9.0)
    across, down = int(_one(rng, 1, 5)), int(_one(rng, 1, 3))
    cell_x, cell_y = 1.7 / across, 1.7 / down
    for cell in range(across * down):
        left, top = -0.85 + cell_x * (cell % across), -0.85 + cell_y * (cell // across)
        points = (_uniform(rng, 10, 0, 3).floor() / 2).unflatten(0, (5, 2)).tolist()
        corners = [(left + cell_x * (0.15 + 0.6 * u), top + cell_y * (0.1 + 0.7 * v)) for u, v in points]
        for start, end in pairwise(corners):
            nearest = torch.minimum(nearest, _segment(x, y, start, end))
    return _one(rng, 0.06, 0.14) * min(cell_x, cell_y) - nearest


def _perforated(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """A blob with a lattice of round holes."""
    step, angle = _one(rng, 0.16, 0.45), _one(rng, 0, math.pi)
    u = (x * math.cos(angle) + y * math.sin(angle)) / step
    v = (y * math.cos(angle) - x * math.sin(angle)) / step
    hole = torch.hypot(u - u.round(), v - v.round()) * step
    return torch.minimum(_blob(rng, x, y), hole - step * _one(rng, 0.2, 0.4))


def _fence(rng: torch.Generator, x: Tensor, y: Tensor) -> Tensor:
    """Bars, and sometimes bars across them."""
    step, angle, wide = _one(rng, 0.15, 0.5), _one(rng, 0, math.pi), _one(rng, 0.08, 0.25)
    u = (x * math.cos(angle) + y * math.sin(angle)) / step
    bars = (wide - (u - u.round()).abs()) * step
    if _one(rng, 0, 1) < 0.4:
        v = (y * math.cos(angle) - x * math.sin(angle)) / step
        bars = torch.maximum(bars, (wide - (v - v.round()).abs()) * step)
    return bars


_Kind = Callable[[torch.Generator, Tensor, Tensor], Tensor]
_KINDS: tuple[_Kind, ...] = (_blob, _polygon, _blob, _hair, _polygon, _ring, _letters, _perforated, _polygon, _fence)
