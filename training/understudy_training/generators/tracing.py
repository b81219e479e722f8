# SPDX-License-Identifier: Apache-2.0
"""Finding surfaces along rays.

A scene's distances are tabulated on a grid once, so that most steps along a ray are one lookup in it (sphere tracing,
Hart 1996); the last few use the exact function.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.solids import HALF, Solids

_STEPS = 44
_EXACT_STEPS = 5
_MISS = 0.012
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Rays:
    """Rays ``origin + t * direction``, ``(n, p, 3)`` each; directions are unit vectors."""

    origin: Tensor
    direction: Tensor

    def at(self, t: Tensor) -> Tensor:
        """Points ``(n, p, 3)`` at distances ``(n, p)``."""
        return torch.addcmul(self.origin, self.direction, t[..., None])


def tabulate(solids: Solids, side: int) -> Tensor:
    """Distances on a grid over the cube, ``(n, 1, side, side, side)`` with axes z, y, x."""
    line = torch.linspace(-HALF, HALF, side, device=solids.center.device)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    points = torch.stack([x, y, z], dim=-1).reshape(-1, 3)
    parts = []
    for first in range(0, len(points), _CHUNK):
        some = points[first : first + _CHUNK]
        parts.append(solids.distance(some.expand(len(solids), -1, -1)))
    return torch.cat(parts, dim=1).reshape(len(solids), 1, side, side, side)


def looked_up(table: Tensor, points: Tensor) -> Tensor:
    """Distances ``(n, p)`` at points ``(n, p, 3)``, interpolated linearly; at the cube's side beyond it."""
    at = (points / HALF)[:, :, None, None]
    return functional.grid_sample(table, at, mode="bilinear", padding_mode="border", align_corners=True)[:, 0, :, 0, 0]


def hits(solids: Solids, table: Tensor, rays: Rays) -> tuple[Tensor, Tensor]:
    """Distance along each ray to its first surface, and whether there is one; ``(n, p)`` each.

    Beyond the cube the sheets go on as planes.
    """
    near, far = _cube(rays)
    t = near.clone()
    for _ in range(_STEPS):
        step = looked_up(table, rays.at(t))
        t = torch.minimum(t + step * 0.95, far)
    inside = (t < far) & (far > near) & (looked_up(table, rays.at(t)) < 2 * _MISS)
    for _ in range(_EXACT_STEPS):
        t = t + solids.distance(rays.at(t)).clamp(-0.1, 0.1)
    inside &= solids.distance(rays.at(t)).abs() < _MISS
    plane, beyond = _planes(solids, rays, far)
    return torch.where(inside, t, plane), inside | beyond


def shadow(table: Tensor, points: Tensor, toward: Tensor, softness: Tensor, *, steps: int = 12) -> Tensor:
    """How much of a light reaches points: 1 all, 0 none (soft shadows after Quilez).

    Args:
        table: Of ``tabulate``.
        points: ``(n, p, 3)``, a little off the surface.
        toward: ``(n, p, 3)`` unit vectors to the light.
        softness: ``(n, 1)``: the tangent of the light's half angle.
        steps: Looks along the way.

    Returns:
        ``(n, p)``.
    """
    lit = torch.ones_like(points[..., 0])
    t = torch.full_like(lit, 0.04)
    for _ in range(steps):
        step = looked_up(table, torch.addcmul(points, toward, t[..., None]))
        lit = torch.minimum(lit, 0.5 + 0.5 * step / (softness * t))
        t = t + step.clamp(0.035, 0.35)
    lit = lit.clamp(0, 1)
    return lit * lit * (3 - 2 * lit)


def openness(table: Tensor, points: Tensor, normals: Tensor) -> Tensor:
    """How open the sky is above points, 0-1: distances along the normal against what they would be in the open."""
    closed = torch.zeros_like(points[..., 0])
    for number, reach in enumerate((0.05, 0.11, 0.2, 0.34, 0.55)):
        distance = looked_up(table, points + normals * reach)
        closed = closed + (reach - distance).clamp_min(0) / reach * 0.62**number
    return (1 - 0.42 * closed).clamp(0.05, 1)


def _cube(rays: Rays) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the cube."""
    inverse = 1 / torch.where(rays.direction.abs() < 1e-6, 1e-6, rays.direction)
    a, b = (-HALF - rays.origin) * inverse, (HALF - rays.origin) * inverse
    return torch.minimum(a, b).amax(dim=-1).clamp_min(0), torch.maximum(a, b).amin(dim=-1)


def _planes(solids: Solids, rays: Rays, far: Tensor) -> tuple[Tensor, Tensor]:
    facing = rays.direction @ solids.sheet.transpose(1, 2)
    height = solids.sheet_at[:, None] - rays.origin @ solids.sheet.transpose(1, 2)
    t = height / torch.where(facing.abs() < 1e-4, -1e-4, facing)
    seen = (facing < -1e-3) & (t > 0) & (t < 60)
    # Beyond the cube only: inside it the relief was looked for and is not there.
    seen &= t > far.clamp_min(0)[..., None] - 1e-3
    nearest, _ = torch.where(seen, t, 1e4).min(dim=-1)
    return nearest, nearest < 1e3
