# SPDX-License-Identifier: Apache-2.0
"""Random directions and rotations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from understudy_training.generators.dice import Dice


def choice(dice: Dice, count: int, weights: Sequence[float]) -> Tensor:
    """Numbers from 0, drawn with these weights, int64 ``(count,)``."""
    edges = torch.tensor(list(weights), device=dice.device).cumsum(0)
    return torch.bucketize(dice.uniform(count) * edges[-1], edges[:-1])


def unit(vectors: Tensor) -> Tensor:
    """Vectors ``(..., 3)`` scaled to length one; 0 stays 0."""
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def directions(dice: Dice, *shape: int) -> Tensor:
    """Unit vectors ``(*shape, 3)``, uniform on the sphere."""
    return unit(dice.normal(*shape, 3))


def around(dice: Dice, axis: Tensor, spread: Tensor) -> Tensor:
    """Unit vectors about an axis: ``axis`` ``(..., 3)`` plus ``spread`` ``(...)`` in a random direction, normalized."""
    return unit(axis + spread[..., None] * directions(dice, *axis.shape[:-1]))


def rotations(dice: Dice, *shape: int) -> Tensor:
    """Rotations ``(*shape, 3, 3)``, uniform: those of uniform unit quaternions."""
    q = dice.normal(*shape, 4)
    w, x, y, z = (q / q.norm(dim=-1, keepdim=True).clamp_min(1e-6)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*shape, 3, 3)


def upright(up: Tensor, turn: Tensor) -> Tensor:
    """Rotations ``(n, k, 3, 3)`` into axes whose z is ``up`` ``(n, 3)``, turned about it by ``turn`` ``(n, k)``."""
    side = unit(torch.linalg.cross(up, along_z(torch.ones(len(up), device=up.device)) + 0.01))
    a, b, c = (part[:, None].expand(*turn.shape, 3) for part in (side, torch.linalg.cross(up, side), up))
    cosine, sine = torch.cos(turn)[..., None], torch.sin(turn)[..., None]
    return torch.stack([a * cosine + b * sine, b * cosine - a * sine, c], dim=-2)


def along_z(lengths: Tensor) -> Tensor:
    """Vectors ``(..., 3)`` along z of these lengths."""
    zero = torch.zeros_like(lengths)
    return torch.stack([zero, zero, lengths], dim=-1)
