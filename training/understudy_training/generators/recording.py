# SPDX-License-Identifier: Apache-2.0
"""What a camera and a careless pipeline make of scene-linear pictures: blur, noise, clipping, a wrong curve, 8 bits."""

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.dice import Dice

_RADIUS = 2


def record(dice: Dice, image: Tensor) -> tuple[Tensor, Tensor]:
    """Records pictures ``(n, c, h, w)``: most a little worse than they were, a quarter as they are.

    Returns:
        The pictures, and whether each one's values still follow the light, ``(n,)`` bool: no wrong curve, not gray.
    """
    count = len(image)
    level = image.clamp_min(0).mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    seen = blurred(image, dice.uniform(count, high=0.9) * dice.happens(count, chance=0.75)) / level

    def each(chance: float, low: float, high: float) -> tuple[Tensor, Tensor]:
        return dice.happens(count, 1, 1, 1, chance=chance), dice.log_uniform(count, 1, 1, 1, low=low, high=high)

    gray, _ = each(0.15, 1, 1.01)
    seen = torch.where(gray, seen.mean(dim=1, keepdim=True), seen)
    noisy, photons = each(0.6, 1e-5, 4e-3)
    floor = dice.log_uniform(count, 1, 1, 1, low=1e-4, high=1e-2)
    noise = dice.normal(*seen.shape) * (photons * seen.clamp_min(0) + floor.square()).sqrt()
    seen = seen + torch.where(noisy, noise, 0.0)
    curved, gamma = each(0.3, 0.7, 1.35)
    seen = torch.where(curved, seen.clamp_min(0) ** gamma, seen)
    clipped, white = each(0.45, 1.5, 10)
    seen = torch.where(clipped, seen.clamp_max(white), seen)
    coarse, _ = each(0.3, 1, 1.01)
    steps = ((seen / white).clamp(0, 1) ** (1 / 2.2) * 255).round() / 255
    seen = torch.where(coarse, steps**2.2 * white, seen)
    shift = dice.happens(count, 1, 1, 1, chance=0.15) * dice.normal(count, 1, 1, 1, deviation=0.008)
    return (seen + shift) * level, ~(gray | curved).reshape(count)


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Each picture ``(n, c, h, w)`` under a Gaussian of its own, ``sigma`` ``(n,)`` pixels up to about 1."""
    count, channels, height, _ = image.shape
    at = torch.arange(-_RADIUS, _RADIUS + 1, device=image.device)
    line = torch.exp(-0.5 * (at / sigma.clamp_min(0.05)[:, None]) ** 2)
    line = line / line.sum(dim=1, keepdim=True)
    lines = line.repeat_interleave(channels, dim=0)[:, None]
    flat = functional.pad(image, (_RADIUS,) * 4, mode="replicate").reshape(
        1, count * channels, height + 2 * _RADIUS, -1
    )
    flat = functional.conv2d(flat, lines[..., None], groups=count * channels)
    return functional.conv2d(flat, lines[:, :, None], groups=count * channels).reshape(image.shape)
