# SPDX-License-Identifier: Apache-2.0
"""Procedural light: skies with glows and softboxes, a few lamps, and the spherical harmonics of both.

Units are those of the relight role: a light's strength is the irradiance on a surface that faces it, and a matte white
surface under irradiance E has radiance E / pi. Camera space: x right, y up, z to the camera.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from understudy_training.generators.dice import Dice
from understudy_training.generators.directions import around, directions, unit

LAMPS = 3
_GLOWS = 5
_LOOKS = 256
_BANDS = (1.0, *(2 / 3,) * 3, *(1 / 4,) * 5)
"""The clamped cosine in bands 0 to 2, over pi (Ramamoorthi and Hanrahan 2001)."""


@dataclass(frozen=True, slots=True)
class Light:
    """The light of some pictures; the first axis counts them.

    Attributes:
        up: ``(n, 3)``.
        sky: ``(n, 3, 3)``: radiance below, at the horizon and above, by RGB.
        glow: ``(n, glows, 3)`` directions, ``glow_narrow`` ``(n, glows)`` and ``glow_color`` ``(n, glows, 3)``: lobes
            ``color * exp(narrow * (cos - 1))``, wide ones are softboxes.
        lamp: ``(n, lamps, 3)`` directions from the scene's middle.
        lamp_far: ``(n, lamps)``: 1 over the distance of the lamp; 0 for one far away.
        lamp_color: ``(n, lamps, 3)``: irradiance in the middle of the scene; 0 for one that is off.
        lamp_soft: ``(n, lamps)``: tangent of half the angle it is seen under.
    """

    up: Tensor
    sky: Tensor
    glow: Tensor
    glow_narrow: Tensor
    glow_color: Tensor
    lamp: Tensor
    lamp_far: Tensor
    lamp_color: Tensor
    lamp_soft: Tensor

    def radiance(self, toward: Tensor, blur: Tensor | None = None) -> Tensor:
        """Radiance of the sky, without lamps, ``(n, p, 3)``.

        Args:
            toward: Unit vectors ``(n, p, 3)``.
            blur: How wide a mirror spreads it, ``(n, p)``, radians about; None for not at all.
        """
        height = (toward @ self.up[..., None])[..., 0]
        above = (height * 1.5).clamp(0, 1)[..., None]
        below = (-height * 4 + 0.1).clamp(0, 1)[..., None]
        low, middle, high = (self.sky[:, None, part] for part in range(3))
        total = middle + above * (high - middle) + below * (low - middle)
        cosine = toward @ self.glow.transpose(1, 2) - 1
        narrow = self.glow_narrow[:, None]
        if blur is not None:
            wide = narrow / (1 + narrow * blur.square()[..., None])
            lobes = torch.exp(wide * cosine) * wide / narrow
        else:
            lobes = torch.exp(narrow * cosine)
        return total + lobes @ self.glow_color

    def sky_harmonics(self) -> Tensor:
        """Radiance of a matte white surface under the sky alone, by its normal: ``(n, 9, 3)`` coefficients."""
        looks = _fibonacci(_LOOKS, self.up.device)
        seen = self.radiance(looks.expand(len(self.up), -1, -1))
        return _matte(harmonics(looks)[None].transpose(1, 2) @ seen * (4 * math.pi / _LOOKS))

    def lamp_harmonics(self) -> Tensor:
        """The same for the lamps alone, as if they were far away; shadows are left out."""
        return _matte(harmonics(self.lamp).transpose(1, 2) @ self.lamp_color)

    def lamps_at(self, points: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Unit vectors ``(n, p, 3)`` to a lamp and its irradiance ``(n, p, 3)`` there on a surface that faces it."""
        lamp, far = self.lamp[:, None, number], self.lamp_far[:, None, number, None]
        vector = lamp - points * far
        length = vector.norm(dim=-1, keepdim=True).clamp_min(0.2)
        return vector / length, self.lamp_color[:, None, number] / length.square()


def harmonics(normals: Tensor) -> Tensor:
    """The nine real orthonormal spherical harmonics of bands 0 to 2, ``(..., 9)``, in the role's order."""
    x, y, z = normals.unbind(-1)
    parts = [
        torch.full_like(x, 0.28209479),
        0.48860251 * y,
        0.48860251 * z,
        0.48860251 * x,
        1.09254843 * x * y,
        1.09254843 * y * z,
        0.31539157 * (3 * z * z - 1),
        1.09254843 * x * z,
        0.54627422 * (x * x - y * y),
    ]
    return torch.stack(parts, dim=-1)


def draw_light(dice: Dice, up: Tensor) -> Light:
    """Light for pictures whose ground has these normals ``(n, 3)``: day, dusk, rooms, studios, one lamp in the dark."""
    count = len(up)
    colored = dice.happens(count, 1, 1, chance=0.65) * dice.uniform(count, 1, 1, high=0.35)

    def tint(*shape: int) -> Tensor:
        return torch.exp(dice.normal(count, *shape, 3) * colored)

    level = dice.log_uniform(count, 1, 1, low=0.03, high=1.2)
    # In a dark studio nearly all light comes from the lamps.
    level = level * torch.where(dice.happens(count, 1, 1, chance=0.25), 0.04, 1.0)
    sky = level * dice.log_uniform(count, 3, 1, low=0.3, high=1.5) * tint(3)
    sky = sky * torch.tensor([0.35, 0.9, 1.0], device=dice.device)[:, None]
    narrow = dice.log_uniform(count, _GLOWS, low=1.5, high=120.0)
    bright = dice.happens(count, _GLOWS, 1, chance=0.6) * dice.log_uniform(count, _GLOWS, 1, low=0.2, high=3.0)
    # A lobe's energy is about 2 pi / narrow: narrow ones are brighter.
    glow_color = level * bright * tint(_GLOWS) * (0.4 + 0.25 * narrow[..., None]).clamp_max(12)
    toward = torch.tensor([0.0, 0.0, 1.0], device=dice.device).expand(count, 3)
    base = unit(toward + up * dice.uniform(count, 1, low=-0.2, high=0.9))[:, None].expand(-1, LAMPS, -1)
    spread = dice.uniform(count, LAMPS, high=1.5) * torch.tensor([1.0, 1.4, 2.5], device=dice.device)
    on = torch.stack([dice.happens(count, chance=share) for share in (0.9, 0.45, 0.2)], dim=1)[..., None]
    power = dice.log_uniform(count, LAMPS, 1, low=0.15, high=1.0)
    power[:, 0] = math.pi * dice.log_uniform(count, 1, low=0.5, high=1.2)
    near = dice.happens(count, LAMPS, chance=0.3) * dice.uniform(count, LAMPS, low=0.12, high=0.4)
    return Light(
        up=up,
        sky=sky,
        glow=directions(dice, count, _GLOWS),
        glow_narrow=narrow,
        glow_color=glow_color,
        lamp=around(dice, base, spread),
        lamp_far=near,
        lamp_color=on * power * tint(LAMPS),
        lamp_soft=dice.log_uniform(count, LAMPS, low=0.01, high=0.5),
    )


def _fibonacci(count: int, device: torch.device) -> Tensor:
    """Points spread evenly over the sphere, ``(count, 3)``."""
    number = torch.arange(count, device=device) + 0.5
    z = 1 - 2 * number / count
    turn = number * (math.pi * (3 - math.sqrt(5)))
    side = (1 - z * z).sqrt()
    return torch.stack([side * torch.cos(turn), side * torch.sin(turn), z], dim=-1)


def _matte(coefficients: Tensor) -> Tensor:
    """Harmonics of radiance turned into those of a matte surface's outgoing radiance."""
    bands = torch.tensor(_BANDS, device=coefficients.device)
    return coefficients * bands[:, None]
