# SPDX-License-Identifier: Apache-2.0
"""Pictures to validate on, of families that the training pictures do not have.

Quasicrystals, woven curves, spirals, Julia sets, labyrinths and soft hills, put together by smooth borders instead of
leaves. What does well here has learned edges and textures, not the generator's own shapes.
"""

import math

import torch
from torch import Tensor

from understudy_training.generators.blur import gaussian_blur
from understudy_training.generators.dice import Dice
from understudy_training.generators.textures import Family, colored, filled, footprint, fractal, grid, scattered


def draw_held_out(
    rng: torch.Generator, count: int, height: int, width: int, channels: int = 1, device: torch.device | str = "cpu"
) -> Tensor:
    """Draws pictures: two or three held-out textures to each, divided by borders of noise.

    Args:
        rng: Stream that all randomness comes from, on ``device``.
        count: How many.
        height: In pixels.
        width: In pixels.
        channels: 1 for gray, 3 for color.
        device: Where to draw.

    Returns:
        Display-like values in 0-1, as [count, channels, height, width].
    """
    dice = Dice(rng, torch.device(device))
    textures = []
    for turn in range(3):
        kinds = [_FAMILIES[(turn * 2 + at) % len(_FAMILIES)] for at in range(count)]
        gray = torch.cat([family(dice, 1, height, width) for family in kinds])
        contrast = dice.log_uniform(count, 1, 1, low=0.15, high=0.9)
        middle = dice.uniform(count, 1, 1, low=0.25, high=0.75)
        textures.append(colored(dice, (middle + (gray - 0.5) * contrast).clamp(0, 1), channels))
    picture = textures[0]
    for over in textures[1:]:
        border = fractal(dice, count, height, width, low=2.0, high=2.8)
        border = border - dice.uniform(count, 1, 1, low=-0.4, high=0.8)
        slope = torch.hypot(*torch.gradient(border, dim=(1, 2))).clamp(min=1e-3)
        width_of_edge = dice.log_uniform(count, 1, 1, low=1, high=3)
        picture = torch.lerp(picture, over, filled(border, slope * width_of_edge)[:, None])
    blur = dice.log_uniform(count, 1, low=0.35, high=0.7).expand(-1, channels)
    return gaussian_blur(picture, blur).clamp(0, 1)


def _quasicrystal(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Sums of plane waves in five to nine directions."""
    y, x = grid(dice, height, width)
    waves = 5 + 2 * int(dice.whole(1, low=0, high=2))
    length = dice.log_uniform(count, 1, 1, low=4, high=24)
    turn = dice.uniform(count, 1, 1, high=math.pi)
    total = torch.zeros(count, height, width, device=dice.device)
    for wave in range(waves):
        angle = turn + math.pi * wave / waves
        total = total + torch.cos(2 * math.pi * (torch.cos(angle) * x + torch.sin(angle) * y) / length)
    return torch.sigmoid(total * dice.log_uniform(count, 1, 1, low=0.5, high=2))


def _woven(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Truchet's tiles: quarter circles that join to curves."""
    y, x = grid(dice, height, width)
    unit = dice.log_uniform(count, 1, 1, low=7, high=36)
    u = x / unit + dice.uniform(count, 1, 1, high=30)
    v = y / unit + dice.uniform(count, 1, 1, high=30)
    pixel = footprint(u.expand(-1, height, -1), v.expand(-1, -1, width))
    u, v = u.expand(-1, height, -1), v.expand(-1, -1, width)
    column, row = torch.floor(u), torch.floor(v)
    (side,) = scattered(dice, count, column, row)
    a, b = u - column, v - row
    a = torch.where(side < 0.5, a, 1 - a)
    ring = torch.minimum((torch.hypot(a, b) - 0.5).abs(), (torch.hypot(1 - a, 1 - b) - 0.5).abs())
    return filled(ring - dice.uniform(count, 1, 1, low=0.06, high=0.2), pixel)


def _spiral(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Rings and spirals whose lines get finer outward."""
    y, x = grid(dice, height, width)
    size = max(height, width)
    x = x - dice.uniform(count, 1, 1, low=-0.4, high=0.4) * size
    y = y - dice.uniform(count, 1, 1, low=-0.4, high=0.4) * size
    arms = dice.whole(count, 1, 1, low=0, high=5).float()
    turns = dice.uniform(count, 1, 1, low=2, high=0.11 * size)
    phase = (torch.hypot(x, y) / size) ** 1.5 * turns * 2 * math.pi + arms * torch.atan2(y, x)
    return 0.5 + 0.5 * torch.sin(phase)


def _julia(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """How soon a point leaves under z^2 + c."""
    y, x = grid(dice, height, width)
    zoom = dice.log_uniform(count, 1, 1, low=0.4, high=1.4) * 2 / max(height, width)
    real = x * zoom + dice.uniform(count, 1, 1, low=-0.5, high=0.5)
    imaginary = y * zoom + dice.uniform(count, 1, 1, low=-0.5, high=0.5)
    real, imaginary = real.expand(-1, height, -1), imaginary.expand(-1, -1, width)
    angle = dice.uniform(count, 1, 1, high=2 * math.pi)
    a, b = 0.7885 * torch.cos(angle), 0.7885 * torch.sin(angle)
    stayed = torch.zeros_like(real + imaginary)
    for _ in range(24):
        real, imaginary = real**2 - imaginary**2 + a, 2 * real * imaginary + b
        inside = (4 - torch.hypot(real, imaginary)).clamp(0, 1)
        stayed = stayed + inside
        real, imaginary = real.clamp(-4, 4), imaginary.clamp(-4, 4)
    return gaussian_blur((stayed / 24).sqrt()[:, None], torch.full((count, 1), 0.6, device=dice.device))[:, 0]


def _labyrinth(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Noise of one wavelength, cut: the stripes of zebras and fingerprints."""
    fy = torch.fft.fftfreq(height, device=dice.device)[:, None]
    fx = torch.fft.rfftfreq(width, device=dice.device)[None]
    length = dice.log_uniform(count, 1, 1, low=5, high=20)
    band = torch.exp(-0.5 * ((torch.hypot(fy, fx) * length - 1) / 0.18) ** 2)
    noise = torch.fft.irfft2(torch.fft.rfft2(dice.normal(count, height, width)) * band, s=(height, width))
    noise = noise / noise.std(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    return torch.sigmoid(noise * dice.log_uniform(count, 1, 1, low=1, high=8))


def _hills(dice: Dice, count: int, height: int, width: int) -> Tensor:
    """Smooth height fields lit from a side, with fine grass on them."""
    hills = fractal(dice, count, height, width, low=1.7, high=2.3)
    slope = torch.gradient(hills, dim=2)[0] + torch.gradient(hills, dim=1)[0] * 0.6
    grass = fractal(dice, count, height, width, low=0.9, high=1.3) * dice.uniform(count, 1, 1, high=0.4)
    return torch.sigmoid(slope * 4 + hills * 0.4 + grass)


_FAMILIES: tuple[Family, ...] = (_quasicrystal, _woven, _spiral, _julia, _labyrinth, _hills)
