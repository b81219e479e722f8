# SPDX-License-Identifier: Apache-2.0
"""What surfaces are made of: colors, textures mapped from three sides, gloss."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.dice import Dice
from understudy_training.generators.directions import rotations
from understudy_training.generators.textures import draw_textures

TEXTURES = 2
DARKEST, BRIGHTEST = 0.02, 0.95


@dataclass(frozen=True, slots=True)
class Materials:
    """Materials of some pictures; one for each of ``parts`` that a scene has.

    Attributes:
        color: ``(n, parts, 3)``, linear.
        strength: ``(n, parts)``: 0 plain, 1 all texture.
        scale: ``(n, parts)``: textures to a unit of length.
        which: ``(n, parts)``: which texture.
        rough: ``(n, parts)``.
        mirror: ``(n, parts)``: reflectance seen straight on; 0 is perfectly matte.
        textures: ``(n, textures, 3, side, side)``, linear.
        axes: ``(n, 3, 3)``: how textures lie.
    """

    color: Tensor
    strength: Tensor
    scale: Tensor
    which: Tensor
    rough: Tensor
    mirror: Tensor
    textures: Tensor
    axes: Tensor

    def albedo(self, points: Tensor, normals: Tensor, part: Tensor, fade: Tensor) -> Tensor:
        """Albedo ``(n, p, 3)`` at points of parts ``(n, p)``; ``fade`` ``(n, p)`` in 0-1 takes texture away."""
        strength = (_of(self.strength, part) * fade)[..., None]
        place = (points @ self.axes) * _of(self.scale, part)[..., None]
        share = (normals @ self.axes).abs() ** 6
        share = share / share.sum(dim=-1, keepdim=True).clamp_min(1e-6)
        pattern = torch.zeros_like(points)
        which = _of(self.which, part)
        for number in range(TEXTURES):
            seen = torch.zeros_like(points)
            for axis in range(3):
                flat = place[..., [(axis + 1) % 3, (axis + 2) % 3]][:, :, None]
                texture = functional.grid_sample(
                    self.textures[:, number], flat, mode="bilinear", padding_mode="reflection", align_corners=False
                )
                seen = torch.addcmul(seen, texture[..., 0].transpose(1, 2), share[..., axis : axis + 1])
            pattern = torch.where((which == number)[..., None], seen, pattern)
        return (_of(self.color, part) * torch.lerp(torch.ones_like(pattern), pattern, strength)).clamp(
            DARKEST, BRIGHTEST
        )

    def gloss(self, part: Tensor) -> tuple[Tensor, Tensor]:
        """Roughness and straight-on reflectance ``(n, p)``."""
        return _of(self.rough, part), _of(self.mirror, part)


def draw_materials(dice: Dice, count: int, parts: int, side: int) -> Materials:
    """Materials for pictures; in about a third all parts share one, as in a plaster cast or a clay model.

    Args:
        dice: The stream.
        count: How many pictures.
        parts: How many parts a scene has.
        side: Of textures, pixels.
    """
    light = dice.log_uniform(count, parts, 1, low=0.08, high=0.9)
    color = light * torch.exp(dice.normal(count, parts, 3) * dice.uniform(count, parts, 1, high=0.7))
    strength = dice.happens(count, parts, chance=0.75) * dice.uniform(count, parts) ** 0.5
    one = dice.happens(count, 1, chance=0.35)
    color = torch.where(one[..., None], color[:, :1], color)
    strength = torch.where(one, strength[:, :1] * dice.happens(count, 1, chance=0.5), strength)
    glossy = dice.happens(count, parts, chance=0.45)
    glossy = torch.where(one, glossy[:, :1], glossy)
    textures = draw_textures(dice.rng, count * TEXTURES, side, side, 3, dice.device)
    # Patterns between black and white about a mean of one half, so that color says how light a part is.
    textures = 0.06 + 1.9 * textures.reshape(count, TEXTURES, 3, side, side) ** 2.2
    return Materials(
        color=color,
        strength=strength,
        scale=dice.log_uniform(count, parts, low=0.4, high=2.5),
        which=dice.whole(count, parts, low=0, high=TEXTURES - 1),
        rough=dice.log_uniform(count, parts, low=0.12, high=0.9),
        mirror=glossy * dice.uniform(count, parts, low=0.02, high=0.09),
        textures=textures,
        axes=rotations(dice, count),
    )


def _of(values: Tensor, part: Tensor) -> Tensor:
    """A value ``(n, parts)`` or ``(n, parts, c)`` for each point's part ``(n, p)``."""
    if values.dim() == 2:
        return values.gather(1, part)
    return values.gather(1, part[..., None].expand(-1, -1, values.shape[-1]))
