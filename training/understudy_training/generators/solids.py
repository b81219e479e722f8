# SPDX-License-Identifier: Apache-2.0
"""Solid scenes as signed distance functions: what shapes there are, how far a point is from them, and their normals.

A scene is a smooth union of superquadrics (balls, boxes, cylinders, pillows, stars when fluted; Barr 1981), some
carved out, bent and rippled as a whole, beside up to two sheets (ground, wall, cloth) with waves and folds. Everything
stands in camera space: x right, y up, z to the camera; the scene fills a cube of half side ``HALF`` about the origin.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from understudy_training.generators.dice import Dice
from understudy_training.generators.directions import along_z, around, choice, directions, rotations, unit, upright

HALF = 1.6
"""Half side of the cube that a scene's solids lie in."""

SHAPES = 9
SHEETS = 2
_RIPPLES = 8
_WAVES = 7
_FAR = 1e3
_OF_SHAPES = ("to_local", "center", "size", "power", "flutes", "kind")


@dataclass(frozen=True, slots=True)
class Solids:
    """The shapes of some scenes; the first axis of every tensor counts scenes.

    Attributes:
        to_local: ``(n, shapes, 3, 3)``, rotation from the scene to a shape's own axes.
        center: ``(n, shapes, 3)``.
        size: ``(n, shapes, 3)``, half sides.
        power: ``(n, shapes, 2)``: exponents across and along; 2 is round, 8 is nearly a box.
        flutes: ``(n, shapes, 3)``: depth, count and phase of flutes about a shape's own z axis.
        kind: ``(n, shapes)``: 1 added, -1 carved out, 0 absent.
        blend: ``(n,)``: how far unions flow into each other.
        bend: ``(n, 3, 3)`` wave vectors, ``bend_phase`` ``(n, 3)`` and ``bend_by`` ``(n, 3, 3)``: a slow displacement.
        ripple: ``(n, ripples, 3)`` wave vectors, ``ripple_phase`` and ``ripple_by`` ``(n, ripples)``: displacement.
        sheet: ``(n, sheets, 3)``: unit normals of the sheets at rest.
        sheet_at: ``(n, sheets)``: their distances from the origin; a missing sheet is far behind.
        wave: ``(n, sheets, waves, 3)`` wave vectors, ``wave_phase``, ``wave_by`` and ``fold`` (0 a sine, 1 a crease)
            ``(n, sheets, waves)``: their relief.
        up: ``(n, 3)``: away from the ground.
    """

    to_local: Tensor
    center: Tensor
    size: Tensor
    power: Tensor
    flutes: Tensor
    kind: Tensor
    blend: Tensor
    bend: Tensor
    bend_phase: Tensor
    bend_by: Tensor
    ripple: Tensor
    ripple_phase: Tensor
    ripple_by: Tensor
    sheet: Tensor
    sheet_at: Tensor
    wave: Tensor
    wave_phase: Tensor
    wave_by: Tensor
    fold: Tensor
    up: Tensor

    def __len__(self) -> int:
        return len(self.center)

    def part(self, first: int, last: int) -> "Solids":
        """Some of the scenes, with no more shapes than they have."""
        some = {field.name: getattr(self, field.name)[first:last] for field in fields(self)}
        most = max(1, int((some["kind"] != 0).sum(dim=1).max()))
        return Solids(**{name: value[:, :most] if name in _OF_SHAPES else value for name, value in some.items()})

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance to the nearest surface, about: never far more than the true one. Negative inside.

        Args:
            points: ``(n, p, 3)``.

        Returns:
            ``(n, p)``.
        """
        shapes, sheets = self.parts(points)
        return torch.minimum(shapes, sheets.amin(dim=1))

    def parts(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to the shapes together ``(n, p)`` and to each sheet ``(n, sheets, p)``."""
        across = points.transpose(1, 2)
        swing = torch.sin(self.bend @ across + self.bend_phase[..., None])
        each = self._each(across + self.bend_by @ swing)
        added = torch.where(self.kind[..., None] > 0, each, _FAR)
        carved = torch.where(self.kind[..., None] < 0, -each, -_FAR)
        blend = self.blend[:, None]
        solid = -blend * torch.logsumexp(-added / blend[:, None], dim=1)
        hole = carved.amax(dim=1)
        solid = blend * torch.logaddexp(solid / blend, hole / blend)
        ripples = torch.sin(self.ripple @ across + self.ripple_phase[..., None])
        solid = solid + (self.ripple_by[:, None] @ ripples)[:, 0]
        return solid * 0.8, self._sheets(across)

    def owner(self, points: Tensor) -> Tensor:
        """Which part is nearest: a sheet's number, or ``SHEETS`` plus a shape's; ``(n, p)``, int64."""
        across = points.transpose(1, 2)
        swing = torch.sin(self.bend @ across + self.bend_phase[..., None])
        each = self._each(across + self.bend_by @ swing).abs()
        each = torch.where(self.kind[..., None] == 0, _FAR, each)
        return torch.cat([self._sheets(across), each * 0.8], dim=1).argmin(dim=1)

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals at points on the surface, ``(n, p, 3)``: the gradient of the distance."""
        with torch.enable_grad():
            at = points.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.distance(at).sum(), at)
        gradient = torch.nan_to_num(gradient)
        return gradient / gradient.norm(dim=-1, keepdim=True).clamp_min(1e-6)

    def _each(self, across: Tensor) -> Tensor:
        """Distance to each shape alone, ``(n, shapes, p)``."""
        count, shapes = self.kind.shape
        rotation = self.to_local.reshape(count, shapes * 3, 3)
        shift = (self.to_local @ self.center[..., None]).reshape(count, shapes * 3, 1)
        local = torch.baddbmm(-shift, rotation, across).reshape(count, shapes, 3, -1)
        x, y, z = (local / self.size[..., None]).unbind(2)
        depth, flutes, phase = (part[..., None] for part in self.flutes.unbind(-1))
        narrow = 1 / (1 + depth * torch.cos(flutes * torch.atan2(y, x + 1e-6) + phase))
        x, y, z = ((part * scale).abs().clamp(1e-4, 40.0) for part, scale in ((x, narrow), (y, narrow), (z, 1.0)))
        e, f = (part[..., None] for part in self.power.unbind(-1))
        ring = (torch.exp(e * x.log()) + torch.exp(e * y.log())).log() * (f / e)
        gauge = torch.exp((torch.exp(ring) + torch.exp(f * z.log())).log() / f)
        # Homogeneous of degree one: between this and the distance along the ray from the center lies the true one.
        return (gauge - 1) * self.size.amin(dim=-1)[..., None]

    def _sheets(self, across: Tensor) -> Tensor:
        count, sheets, waves = self.wave_phase.shape
        turn = self.wave.reshape(count, sheets * waves, 3) @ across
        turn = turn.reshape(count, sheets, waves, -1) + self.wave_phase[..., None]
        # Each wave is bent by the one before it, so that crests are not straight.
        turn = turn + 1.2 * torch.sin(turn.roll(1, dims=2) * 0.37)
        sine = torch.sin(turn)
        crease = 1 - 2 * torch.sqrt(torch.sin(turn / 2) ** 2 + 0.003)
        wavy = sine + self.fold[..., None] * (crease - sine)
        # Calm toward the cube's sides, where the sheet goes on as a plane.
        calm = (1 - (across.square().sum(dim=1, keepdim=True) / (1.2 * HALF) ** 2) ** 2).clamp_min(0)
        relief = (wavy * self.wave_by[..., None]).sum(dim=2) * calm
        steep = (self.wave_by * self.wave.norm(dim=-1)).square().sum(dim=-1).sqrt()
        return (self.sheet @ across - self.sheet_at[..., None] - relief) / (1 + steep.square()).sqrt()[..., None]


def draw_solids(dice: Dice, count: int) -> Solids:
    """Scenes of many kinds: a thing alone, things on the ground, in a corner, and cloth or relief alone.

    They are in order of their number of shapes, so that parts of a batch can be worked on with few.
    """
    kind_of = choice(dice, count, (0.3, 0.26, 0.18, 0.26))  # alone, on the ground, in a corner, relief
    level = torch.tensor([0.0, 1.0, 0.0], device=dice.device)
    up = around(dice, level + along_z(dice.uniform(count, low=-0.1, high=1.2)), dice.uniform(count, high=0.25))
    amount = torch.sort(dice.uniform(count, 1), dim=0).values ** 1.3 * SHAPES
    present = torch.arange(SHAPES, device=dice.device) <= amount
    crowd = (present.sum(dim=1, keepdim=True) / 2.0) ** -0.35
    size = (dice.log_uniform(count, SHAPES, low=0.4, high=1.1) * crowd)[..., None]
    size = size * dice.log_uniform(count, SHAPES, 3, low=0.3, high=1.0)
    center = dice.normal(count, SHAPES, 3) * torch.tensor([0.42, 0.38, 0.28], device=dice.device)
    center[:, 0] *= 0.3
    # Relief stands alone more often than not.
    bare = ((kind_of == 3) & dice.happens(count, chance=0.6))[:, None]
    carve = dice.happens(count, SHAPES, chance=0.18)
    carve[:, 0] = False
    flutes = torch.stack(
        [
            dice.happens(count, SHAPES, chance=0.25) * dice.uniform(count, SHAPES, low=0.05, high=0.3),
            dice.uniform(count, SHAPES, low=3, high=9).floor(),
            dice.uniform(count, SHAPES, high=6.28),
        ],
        dim=-1,
    )
    stand = (dice.happens(count, 1, chance=0.35) & dice.happens(count, SHAPES, chance=0.8))[..., None, None]
    upright_ones = upright(up, dice.uniform(count, SHAPES, high=6.28))
    # Bends leave a shape recognizable. Ripples are its skin: some scenes are smooth, some rough.
    bend_by = dice.happens(count, 1, 1, chance=0.6) * dice.uniform(count, 1, 1, high=0.16)
    octave = dice.log_uniform(count, _RIPPLES, low=3.0, high=34.0)
    rough = dice.happens(count, 1, chance=0.65) * dice.log_uniform(count, 1, low=0.02, high=0.3)
    return Solids(
        to_local=torch.where(stand, upright_ones, rotations(dice, count, SHAPES)),
        center=center,
        size=size,
        power=torch.where(
            dice.happens(count, SHAPES, 2, chance=0.45), 2.0, dice.log_uniform(count, SHAPES, 2, low=1.3, high=8.0)
        ),
        flutes=flutes,
        kind=torch.where(carve, -1, 1) * present * ~bare,
        blend=dice.log_uniform(count, low=0.004, high=0.16),
        bend=directions(dice, count, 3) * dice.uniform(count, 3, 1, low=0.8, high=3.0),
        bend_phase=dice.uniform(count, 3, high=6.28),
        bend_by=dice.normal(count, 3, 3) * bend_by,
        ripple=directions(dice, count, _RIPPLES) * octave[..., None],
        ripple_phase=dice.uniform(count, _RIPPLES, high=6.28),
        ripple_by=dice.normal(count, _RIPPLES) * rough / octave,
        up=up,
        **_draw_sheets(dice, kind_of, up),
    )


def _draw_sheets(dice: Dice, kind_of: Tensor, up: Tensor) -> dict[str, Tensor]:
    count = len(up)
    relief = (kind_of == 3)[:, None]
    toward = along_z(torch.ones(count, device=dice.device))
    tilted = around(dice, toward, dice.uniform(count, high=0.75))
    back = toward - (toward * up).sum(dim=-1, keepdim=True) * up
    wall = unit(back + torch.linalg.cross(up, back) * dice.uniform(count, 1, low=-1.0, high=1.0))
    sheet = torch.stack([torch.where(relief, tilted, up), wall], dim=1)
    here = torch.stack([kind_of != 0, kind_of == 2], dim=1)
    rest = torch.where(relief, dice.uniform(count, 1, low=-0.5, high=0.1), dice.uniform(count, 1, low=-0.75, high=-0.2))
    at = torch.cat([rest, dice.uniform(count, 1, low=-1.1, high=-0.4)], dim=1)
    octave = dice.log_uniform(count, SHEETS, _WAVES, low=1.5, high=26.0)
    raw = directions(dice, count, SHEETS, _WAVES)
    along = unit(raw - (raw * sheet[:, :, None]).sum(dim=-1, keepdim=True) * sheet[:, :, None])
    # Cloth hangs: its waves run mostly one way.
    hang = dice.uniform(count, SHEETS, 1, 1, low=0.1, high=0.5)
    hang = torch.where(dice.happens(count, SHEETS, 1, 1, chance=0.3), hang, 1.0)
    along = along[:, :, :1] + hang * (along - along[:, :, :1])
    gentle = dice.log_uniform(count, SHEETS, low=0.01, high=0.35)
    steep = torch.where(relief, dice.log_uniform(count, SHEETS, low=0.15, high=0.8), gentle)
    keep = dice.happens(count, SHEETS, _WAVES, chance=0.8)
    return {
        "sheet": sheet,
        "sheet_at": torch.where(here, at, -_FAR),
        "wave": along * octave[..., None],
        "wave_phase": dice.uniform(count, SHEETS, _WAVES, high=6.28),
        "wave_by": keep * dice.normal(count, SHEETS, _WAVES) * steep[..., None] / octave,
        "fold": dice.happens(count, SHEETS, 1, chance=0.4) * dice.uniform(count, SHEETS, _WAVES),
    }
