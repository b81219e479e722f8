# SPDX-License-Identifier: Apache-2.0
"""A stock of shapes and pictures that scenes are cut from: drawn once from a seed, then only looked up.

A scene takes a random part of two swatches, mixes, turns, stretches and recolors them, so a few hundred make no two
layers alike. Drawing them anew for every batch would cost more than the network that learns from it.
"""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.leaves import draw_leaves
from understudy_training.generators.shapes import draw_shapes
from understudy_training.generators.textures import draw_textures


@dataclass(frozen=True, slots=True)
class Swatches:
    """Pictures and shapes.

    Attributes:
        pictures: uint8 ``(p, 3, size, size)``; 0-255 stand for 0-1.
        shapes: float16 ``(s, shape size, shape size)``, signed distances, see :func:`draw_shapes`.
    """

    pictures: Tensor
    shapes: Tensor


@functools.lru_cache(maxsize=4)
def swatches(device: str, pictures: int = 256, size: int = 384, shapes: int = 240, seed: int = 71) -> Swatches:
    """The stock of a seed on a device; drawn once in a process.

    Args:
        device: Where to draw and keep it.
        pictures: How many pictures.
        size: Pixels along a picture's side.
        shapes: How many shapes.
        seed: Where the random numbers start.
    """
    rng = torch.Generator(device).manual_seed(seed)
    chunk = 16
    drawn = [_pictures(rng, min(chunk, pictures - start), size) for start in range(0, pictures, chunk)]
    return Swatches(torch.cat(drawn), draw_shapes(rng, shapes, 256).half())


def _pictures(rng: torch.Generator, count: int, size: int) -> Tensor:
    drawn = torch.where(_coin(rng, count, 0.4), _noise(rng, count, size), _steps(rng, count, size))
    leaves = draw_leaves(rng, count // 2, size, size, 3, rng.device)
    textures = draw_textures(rng, count // 4, size, size, 3, rng.device)
    drawn = torch.cat([leaves, textures, drawn[len(leaves) + len(textures) :]])
    return (drawn.clamp(0, 1) * 255).round().to(torch.uint8)


def _coin(rng: torch.Generator, count: int, chance: float) -> Tensor:
    return torch.rand((count, 1, 1, 1), generator=rng, device=rng.device) < chance


def _between(rng: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return torch.rand((count, 1, 1, 1), generator=rng, device=rng.device) * (high - low) + low


def _noise(rng: torch.Generator, count: int, size: int) -> Tensor:
    """1/f noise of three channels that mostly agree."""
    white = torch.randn((count, 3, size, size), generator=rng, device=rng.device)
    white = white * _between(rng, count, 0, 0.7) + white[:, :1]
    rows, columns = torch.fft.fftfreq(size, device=rng.device), torch.fft.rfftfreq(size, device=rng.device)
    frequency = torch.hypot(rows[:, None], columns).clamp(min=1 / size)
    stretched = torch.hypot(rows[:, None] * 4, columns).clamp(min=1 / size)
    falloff = torch.where(_coin(rng, count, 0.25), stretched, frequency) ** -_between(rng, count, 0.8, 1.8)
    colored = torch.fft.irfft2(torch.fft.rfft2(white) * falloff, s=(size, size))
    colored = colored - colored.mean(dim=(2, 3), keepdim=True)
    return colored / colored.std(dim=(1, 2, 3), keepdim=True) * 0.22 + 0.5


def _steps(rng: torch.Generator, count: int, size: int) -> Tensor:
    """Noise cut into levels, each of its own color, with a little noise on it: regions with hard edges."""
    field = _noise(rng, count, size)[:, :1]
    levels = _between(rng, count, 4, 24)
    index = (field * levels).floor().long().clamp(0, 31)
    colors = torch.rand((count, 3, 32), generator=rng, device=rng.device)
    colors = colors * 0.4 + colors[:, :1] * 0.6
    flat = torch.gather(colors, 2, index.expand(-1, 3, -1, -1).flatten(2)).view(count, 3, size, size)
    soft = functional.avg_pool2d(functional.pad(flat, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return soft + (_noise(rng, count, size) - 0.5) * _between(rng, count, 0, 0.5)
