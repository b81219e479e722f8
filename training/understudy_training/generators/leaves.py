# SPDX-License-Identifier: Apache-2.0
"""Dead-leaves pictures: textured shapes of all sizes that cover each other, as things in a photograph do.

The model is that of Matheron and of Lee, Mumford and Huang (Occlusion models for natural images, IJCV 2001): sizes
fall as r^-3, so that statistics do not depend on scale. Here each layer is a turned lattice with one leaf in every
cell, so a pixel looks at one leaf a layer: cost does not grow with the number of leaves, and all is tensor arithmetic.

What makes pictures like photographs is declared and not measured from any: a power spectrum of about 1/f^2, gradients
with heavy tails, low contrast inside things, shading, defocus by depth, the blur of a lens, little noise.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from understudy_training.generators.blur import gaussian_blur
from understudy_training.generators.dice import Dice
from understudy_training.generators.textures import colored, draw_textures, fractal, grid

_TABLE = 512
"""Different leaves to a layer; cells further apart repeat them."""
_DRAWN = 3
_FOLDS = (1.0, 37.0, 211.0, 1361.0, 7919.0, 23.0)
"""A drawn number has 24 bits: its multiples, without their whole parts, serve as further numbers. A draw costs most."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """How pictures are drawn.

    Attributes:
        layers: Layers of leaves in each picture.
        textures: Textures that the leaves of a picture share.
        smallest: Period of the finest layer in pixels.
        largest: Period of the coarsest layer in pixels.
        contrast: Deviation of the leaves' grays, the middle of what is drawn.
        lens: Deviation of the lens blur in pixels, least and most.
        defocus: Width of the softest edge in pixels.
        noise: Deviation of the strongest noise.
        chunk: Layers drawn in one tensor operation; fewer take less memory.
    """

    layers: int = 28
    textures: int = 6
    smallest: float = 5.0
    largest: float = 320.0
    contrast: float = 0.17
    lens: tuple[float, float] = (0.25, 0.65)
    defocus: float = 9.0
    noise: float = 0.006
    chunk: int = 4


def draw_leaves(
    rng: torch.Generator,
    count: int,
    height: int,
    width: int,
    channels: int = 1,
    device: torch.device | str = "cpu",
    leaves: Leaves | None = None,
) -> Tensor:
    """Draws dead-leaves pictures.

    Args:
        rng: Stream that all randomness comes from, on ``device``.
        count: How many.
        height: In pixels.
        width: In pixels.
        channels: 1 for gray, 3 for color.
        device: Where to draw.
        leaves: How; None for the defaults.

    Returns:
        Display-like values in 0-1, as [count, channels, height, width].
    """
    leaves = leaves or Leaves()
    dice = Dice(rng, torch.device(device))
    return photographed(dice, painted(dice, count, height, width, channels, leaves), leaves)


def painted(dice: Dice, count: int, height: int, width: int, channels: int, leaves: Leaves) -> Tensor:
    """The scene before lens and sensor, [n, c, h, w]; not held to 0-1."""
    planes = draw_textures(dice.rng, count * leaves.textures, height, width, 1, dice.device)
    planes = planes.reshape(count, leaves.textures, height, width)
    planes = planes - planes.mean(dim=(2, 3), keepdim=True)
    soft = gaussian_blur(planes, dice.log_uniform(count, 1, low=1.2, high=4).expand(-1, leaves.textures))
    planes = torch.cat([planes, soft], 1)
    spread = leaves.contrast * dice.log_uniform(count, 1, 1, 1, low=0.5, high=2)
    middle = dice.uniform(count, 1, 1, 1, low=0.25, high=0.7)
    chroma = dice.uniform(count, 1, 1, 1, high=0.5) ** 2
    ground = colored(dice, planes[:, 0] + 0.5, channels)
    picture = middle + (ground - 0.5) * dice.log_uniform(count, 1, 1, 1, low=0.15, high=1.0)

    # Some pictures are crowded, some show one wall; most sizes occur in each octave.
    crowd = dice.log_uniform(count, 1, 1, low=0.03, high=1.0)
    crowd = torch.where(dice.happens(count, 1, 1, chance=0.15), crowd * 0.05, crowd)
    zoom = dice.log_uniform(count, 1, low=0.6, high=3.5)
    periods = dice.log_uniform(count, leaves.layers, low=leaves.smallest, high=leaves.largest) * zoom
    # Half of the pictures put what is small on what is large, the others follow the model strictly.
    order = torch.log(periods) * dice.happens(count, 1, chance=0.5) + dice.normal(count, leaves.layers, deviation=0.7)
    periods = periods.gather(1, order.argsort(1, descending=True))
    for first in range(0, leaves.layers, leaves.chunk):
        some = periods[:, first : first + leaves.chunk]
        cover, gray, tint = _layer(dice, some, planes, crowd, leaves, height, width, channels)
        color = middle[:, None] + spread[:, None] * gray[:, :, None] + chroma[:, None] * tint
        # What a layer leaves to those below it; the last one lies on top.
        left = (1 - cover).flip(1).cumprod(1).flip(1)
        above = torch.cat([left[:, 1:], torch.ones_like(left[:, :1])], 1)
        picture = picture * left[:, :1] + (color * (cover * above)[:, :, None]).sum(1)
    return picture


def _layer(
    dice: Dice, periods: Tensor, planes: Tensor, crowd: Tensor, leaves: Leaves, height: int, width: int, channels: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draws layers: their coverage [n, k, h, w], gray [n, k, h, w], and tint [n, k, c, h, w] of each."""
    count, layers = periods.shape
    y, x = grid(dice, height, width)
    period = periods[..., None, None]
    angle = dice.uniform(count, layers, 1, 1, high=2 * math.pi)
    angle = torch.where(dice.happens(count, layers, 1, 1, chance=0.3), torch.zeros_like(angle), angle)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    u = (cosine * x + sine * y) / period + dice.uniform(count, layers, 1, 1, high=61)
    v = (cosine * y - sine * x) / period + dice.uniform(count, layers, 1, 1, high=61)
    column, row = torch.floor(u), torch.floor(v)
    facts = _facts(dice, column, row)
    distance, pixel = _outline(u - column - 0.5, v - row - 0.5, period, facts)

    softness = dice.uniform(count, layers, 1, 1) ** 5 * leaves.defocus
    # Large leaves are there more often than small ones: plain things are as common as crowds.
    here = crowd[..., None] ** (1.5 / (1 + period / 48))
    cover = (0.5 - distance / (pixel * (1 + softness))).clamp(0, 1) * (facts[0] < here)

    which = (facts[10] * leaves.textures).long().clamp(max=leaves.textures - 1)
    which = which + leaves.textures * (softness > 1.5).long()
    pictures = torch.arange(count, device=dice.device)[:, None, None, None]
    lines = torch.arange(height, device=dice.device)[:, None]
    texture = planes[pictures, which, lines, torch.arange(width, device=dice.device)]
    # Contrast inside a thing is mostly low: heavy tails of the gradient come from this and from the edges.
    strength = 3 * facts[11] ** 2.5
    shade = (facts[12] - 0.5) * (u - column - 0.5) + (facts[13] - 0.5) * (v - row - 0.5)
    # A sum of three uniform numbers is close enough to a bell.
    gray = 2 * (facts[14] + facts[15] + facts[16] - 1.5) + strength * texture + 1.5 * shade
    if channels == 1:
        return cover, gray, torch.zeros(1, device=dice.device).expand(1, layers, 1, 1, 1)
    hue = facts[17][:, :, None] * 2 * math.pi + torch.arange(channels, device=dice.device)[:, None, None] * 2.1
    return cover, gray, torch.cos(hue) * facts[16][:, :, None]


def _facts(dice: Dice, column: Tensor, row: Tensor) -> list[Tensor]:
    """Random numbers in 0-1 that belong to whole cells: the same for each pixel of a cell."""
    count, layers = column.shape[:2]
    table = dice.uniform(_DRAWN, count * layers * _TABLE)
    start = torch.arange(0, count * layers * _TABLE, _TABLE, device=dice.device, dtype=torch.int32)
    place = (column.int() * 127 + row.int() * 311) & (_TABLE - 1)
    place = (place + start.reshape(count, layers, 1, 1)).flatten()
    drawn = [one.index_select(0, place).reshape(column.shape) for one in table]
    return [torch.frac(one * fold) for one in drawn for fold in _FOLDS]


def _outline(x: Tensor, y: Tensor, period: Tensor, facts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Signed distance to a leaf's edge in cells, under 0 inside, and the size of a pixel in the same unit."""
    size = 0.22 + 0.26 * facts[1]
    slack = 0.5 - size
    x = x + (facts[2] - 0.5) * 2 * slack
    y = y + (facts[3] - 0.5) * 2 * slack
    turn = facts[4] * (2 * math.pi)
    cosine, sine = torch.cos(turn), torch.sin(turn)
    kind = facts[5]
    along = cosine * x + sine * y
    across = cosine * y - sine * x
    # Thin things: hair, wires, branches, bent a little.
    thin = kind < 0.2
    across = torch.where(thin, across + (facts[6] - 0.5) * 2 * along**2 / size, across)
    aspect = torch.where(thin, 0.015 + 0.1 * facts[7], 0.3 + 0.7 * facts[7])
    narrow = size * aspect
    # Boxes and ellipses by a norm; polygons and blobs by how the radius depends on the direction.
    far_along, far_across = along.abs(), across.abs()
    box = torch.maximum(far_along - size * 0.72, far_across - narrow * 0.72)
    radius = torch.hypot(along, across / aspect)
    direction = torch.atan2(across / aspect, along)
    sides = torch.floor(3 + 4 * facts[8])
    sector = 2 * math.pi / sides
    bent = torch.remainder(direction, sector) - sector / 2
    polygon = radius * torch.cos(bent) - size * torch.cos(sector / 2)
    # A wave of the radius; its depth keeps the blob inside its cell.
    wave = 0.08 + 0.32 * facts[9]
    blob = radius - size * (1 - wave + wave * torch.cos(direction * sides + facts[6] * 6.3))
    ellipse = radius - size
    round_ = torch.where(kind < 0.62, polygon, torch.where(kind < 0.82, blob, ellipse)) * aspect.clamp(min=0.5)
    distance = torch.where(thin | (kind < 0.4), box, round_)
    return distance, 1 / period


def photographed(dice: Dice, scene: Tensor, leaves: Leaves) -> Tensor:
    """A scene as a camera would give it: lens blur, tone, light that falls off, and little noise. In 0-1."""
    count = len(scene)
    blur = dice.log_uniform(count, 1, low=leaves.lens[0], high=leaves.lens[1])
    # One picture in eight is out of focus all over.
    blur = torch.where(dice.happens(count, 1, chance=0.12), blur * dice.uniform(count, 1, low=1.5, high=4), blur)
    picture = gaussian_blur(scene, blur.expand(-1, scene.shape[1]))
    light = fractal(dice, count, *scene.shape[2:], low=2.2, high=2.8)[:, None]
    picture = picture * (1 + light * dice.uniform(count, 1, 1, 1, high=0.2) * dice.happens(count, 1, 1, 1, chance=0.5))
    picture = picture.clamp(0, 1) ** dice.log_uniform(count, 1, 1, 1, low=0.7, high=1.5)
    grain = dice.uniform(count, 1, 1, 1, high=leaves.noise) * dice.happens(count, 1, 1, 1, chance=0.3)
    return (picture + grain * dice.normal(*picture.shape)).clamp(0, 1)
