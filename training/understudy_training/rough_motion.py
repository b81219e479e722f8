# SPDX-License-Identifier: Apache-2.0
"""True vectors made as wrong as an estimator makes them, without running one.

Estimators blur motion over edges or put the edge beside its place, guess where a point is hidden, drift where there is
nothing to hold on to, and now and then follow the wrong thing altogether.
"""

import math

import numpy as np
import torch
from torch import Tensor

from understudy_training.warping import area_noise, blur, fill, warp


def roughen(
    rng: torch.Generator,
    dice: np.random.Generator,
    picture: Tensor,
    forward: Tensor,
    seen: Tensor,
    backward: Tensor,
    seen_back: Tensor,
) -> tuple[Tensor, Tensor]:
    """Both directions with the errors of an estimator.

    Args:
        rng: Where random tensors come from, on their device.
        dice: Where random numbers for a whole batch come from.
        picture: ``(n, 3, h, w)`` in ``display_log``: the first frame.
        forward: ``(n, 2, h, w)`` true vectors of it, pixels.
        seen: ``(n, 1, h, w)``: 1 where the second frame shows the point.
        backward: True vectors of the second frame.
        seen_back: Where the first frame shows its points.
    """
    count, _, *size = forward.shape
    detail = blur((picture - blur(picture, 2.0)).abs().mean(dim=1, keepdim=True), 2.0)
    plain = 1 + 2 * torch.exp(-detail / 0.004)
    common = _drift(rng, count, (size[0], size[1])) * _each(rng, count, 0.5)
    return (
        _rough(rng, dice, forward, seen, plain, common),
        _rough(rng, dice, backward, seen_back, plain, -common),
    )


def _rough(
    rng: torch.Generator, dice: np.random.Generator, flow: Tensor, seen: Tensor, plain: Tensor, common: Tensor
) -> Tensor:
    count, _, height, width = flow.shape
    size = (height, width)
    guessed = torch.where(seen > 0.5, flow, fill(flow, seen.float()))
    out = torch.where(_each(rng, count, 0.7) > 0, guessed, flow)
    beside = area_noise(rng, count, 2, size, 2 ** dice.uniform(3, 6)) * _amount(rng, count, 0.3, 5.0)
    out = warp(out, beside)
    soft = blur(out, 2.5 * dice.uniform(0.4, 1.0))
    where = torch.sigmoid(2 * area_noise(rng, count, 1, size, 48.0) + 4 * dice.uniform(-1, 1))
    out = torch.lerp(out, soft, where)
    drift = common + _drift(rng, count, size) * _amount(rng, count, 0.3, 1.0)
    out = out + plain * drift * _amount(rng, count, 0.02, 0.6)
    wrong = area_noise(rng, count, 1, size, 2 ** dice.uniform(3.5, 5.5))
    chosen = torch.sigmoid((wrong - _amount(rng, count, 1.4, 4.0)) * 12)
    spread = 3 + 0.4 * flow.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    astray = torch.randn(count, 2, 1, 1, generator=rng, device=rng.device) * spread
    return out + chosen * (astray + area_noise(rng, count, 2, size, 40.0) * 0.3 * spread)


def _drift(rng: torch.Generator, count: int, size: tuple[int, int]) -> Tensor:
    cells = ((40.0, 1.0), (12.0, 0.6), (4.0, 0.4))
    parts = [area_noise(rng, count, 2, size, cell) * share for cell, share in cells]
    return torch.stack(parts).sum(dim=0)


def _amount(rng: torch.Generator, count: int, low: float, high: float) -> Tensor:
    """Log-uniform, one for a scene."""
    at = torch.rand(count, 1, 1, 1, generator=rng, device=rng.device)
    return torch.exp(math.log(low) + at * math.log(high / low))


def _each(rng: torch.Generator, count: int, chance: float) -> Tensor:
    return (torch.rand(count, 1, 1, 1, generator=rng, device=rng.device) < chance).float()
