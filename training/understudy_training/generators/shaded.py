# SPDX-License-Identifier: Apache-2.0
"""Shaded pictures of solid scenes, with the truth of every pixel: normal, albedo, shading, light.

Matte reflection by Lambert, gloss by GGX (Walter et al. 2007), soft shadows, openness to the sky, a first bounce.
Everything is scene-linear and stands in camera space: x right, y up, z to the camera.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from understudy_training.generators.dice import Dice
from understudy_training.generators.materials import draw_materials
from understudy_training.generators.skies import LAMPS, Light, draw_light, harmonics
from understudy_training.generators.solids import SHAPES, SHEETS, Solids, draw_solids
from understudy_training.generators.tracing import Rays, hits, openness, shadow, tabulate

_AT_ONCE = 1 << 21
"""Points whose exact distances are worked on together, to bound memory."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What is seen through each pixel of some cameras, ``(n, p)`` and ``(n, p, 3)``; the first axis counts scenes.

    Attributes:
        table: Distances on a grid, of ``tabulate``.
        up: ``(n, 3)``: away from the ground.
        point: Where.
        normal: Unit, toward the camera's side.
        view: Unit vectors to the camera.
        part: Which part of the scene.
        open: How open the sky is above, 0-1.
        far: Distance along the ray.
        seen: Whether there is a surface.
        sound: Whether its normal is to be trusted: the ray ended on it, and it faces the camera.
    """

    table: Tensor
    up: Tensor
    point: Tensor
    normal: Tensor
    view: Tensor
    part: Tensor
    open: Tensor
    far: Tensor
    seen: Tensor
    sound: Tensor

    def repeated(self, times: int) -> "Surfaces":
        """Each scene several times in a row."""
        return Surfaces(*(getattr(self, field.name).repeat_interleave(times, dim=0) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Shaded:
    """Pictures and their truth.

    Attributes:
        image: ``(n, 3, h, w)``, scene-linear, free of noise.
        normal: ``(n, 3, h, w)``, unit.
        albedo: ``(n, 3, h, w)``.
        shading: ``(n, 3, h, w)``: radiance of a matte white surface in that place, shadows and openness included.
        light: ``(n, 9, 3)``: sky and lamps without shadows, spherical harmonics of a matte white surface by its normal.
        mask: ``(n, 1, h, w)``, bool: there is a surface and its truth is sound.
    """

    image: Tensor
    normal: Tensor
    albedo: Tensor
    shading: Tensor
    light: Tensor
    mask: Tensor


def draw_shaded(
    rng: torch.Generator,
    count: int,
    height: int,
    width: int,
    device: torch.device | str = "cpu",
    *,
    lightings: int = 1,
    grid: int = 64,
) -> Shaded:
    """Draws pictures.

    Args:
        rng: Stream that all randomness comes from, on ``device``.
        count: How many; a multiple of ``lightings``.
        height: In pixels.
        width: In pixels.
        device: Where to draw.
        lightings: Pictures of one scene, each with light and materials of its own. Shapes cost more than light.
        grid: Side of the table of distances.
    """
    dice = Dice(rng, torch.device(device))
    scenes = -(-count // lightings)
    with torch.no_grad(), torch.autocast(dice.device.type, enabled=False), _exact_products():
        solids = draw_solids(dice, scenes)
        rays = draw_rays(dice, scenes, height, width)
        surfaces = find_surfaces(solids, rays, grid).repeated(lightings)
        surfaces = Surfaces(*(getattr(surfaces, field.name)[:count] for field in fields(surfaces)))
        return _shade(dice, surfaces, height, width)


@contextmanager
def _exact_products() -> Iterator[None]:
    """Full float32 in matrix products: places on a surface need more than the ten bits of TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def draw_rays(dice: Dice, count: int, height: int, width: int) -> Rays:
    """Rays of cameras that look along -z at the origin: a quarter orthographic, others 12 to 65 degrees wide."""
    longer = max(height, width)
    y = (height - 2 * torch.arange(height, device=dice.device) - 1) / longer
    x = (2 * torch.arange(width, device=dice.device) + 1 - width) / longer
    y, x = (part.reshape(1, -1) for part in torch.meshgrid(y, x, indexing="ij"))
    span = dice.log_uniform(count, 1, low=0.45, high=1.15)
    flat = dice.happens(count, 1, chance=0.25)
    tangent = dice.uniform(count, 1, low=0.1, high=0.62)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    fan = torch.stack([x * tangent, y * tangent, -one.expand(count, -1)], dim=-1)
    straight = torch.stack([zero, zero, -one], dim=-1)
    direction = torch.where(flat[..., None], straight, fan)
    aside = dice.normal(count, 1, 2, deviation=0.12)
    back = (span / tangent).expand(-1, x.shape[1])
    eye = torch.stack([zero.expand_as(back), zero.expand_as(back), back], dim=-1)
    plane = torch.stack([x * span, y * span, 4 * one.expand(count, -1)], dim=-1)
    origin = torch.where(flat[..., None], plane, eye)
    origin[..., :2] += aside
    return Rays(origin, direction / direction.norm(dim=-1, keepdim=True))


def find_surfaces(solids: Solids, rays: Rays, grid: int) -> Surfaces:
    """What the rays meet, a few scenes at a time: those with few shapes are done sooner; a GPU likes them together."""
    pixels = rays.origin.shape[1]
    groups = 2 if rays.origin.is_cuda else 4
    some = max(1, min(_AT_ONCE // pixels, -(-len(solids) // groups)))
    parts = [
        _find(solids.part(first, first + some), _rays(rays, first, first + some), grid)
        for first in range(0, len(solids), some)
    ]
    return Surfaces(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Surfaces)))


def _rays(rays: Rays, first: int, last: int) -> Rays:
    return Rays(rays.origin[first:last], rays.direction[first:last])


def _find(solids: Solids, rays: Rays, grid: int) -> Surfaces:
    table = tabulate(solids, grid)
    far, seen = hits(solids, table, rays)
    point = rays.at(far)
    normal = solids.normals(point)
    facing = (normal * rays.direction).sum(dim=-1)
    sound = seen & (facing < -0.02) & (far < 40)
    # A lamp must not see a surface from inside; where a ray grazed an edge, its normal is turned to the camera.
    normal = torch.where((facing > 0)[..., None], normal - 2 * facing[..., None] * rays.direction, normal)
    return Surfaces(
        table=table,
        up=solids.up,
        point=point,
        normal=normal,
        view=-rays.direction,
        part=solids.owner(point),
        open=openness(table, point, normal),
        far=far,
        seen=seen,
        sound=sound,
    )


def _shade(dice: Dice, surfaces: Surfaces, height: int, width: int) -> Shaded:
    count = len(surfaces.up)
    light = draw_light(dice, surfaces.up)
    materials = draw_materials(dice, count, SHEETS + SHAPES, max(24, 5 * max(height, width) // 8))
    point, normal, view = surfaces.point, surfaces.normal, surfaces.view
    fade = torch.exp(-(surfaces.far - surfaces.far.amin(dim=1, keepdim=True)).clamp_min(0) / 4)
    albedo = materials.albedo(point, normal, surfaces.part, fade)
    rough, mirror = materials.gloss(surfaces.part)
    ambient = light.sky_harmonics()
    open_sky = surfaces.open[..., None]
    shading = (harmonics(normal) @ ambient).clamp_min(0) * open_sky
    bounced = light.radiance(2 * (view * normal).sum(-1, keepdim=True) * normal - view, rough)
    fresnel = mirror + (1 - mirror) * (1 - (view * normal).sum(-1).clamp(0, 1)) ** 5 * (1 - rough) * (mirror > 0)
    shine = bounced * (fresnel * surfaces.open)[..., None]
    raised = point + normal * 0.03
    for number in range(LAMPS):
        toward, power = light.lamps_at(point, number)
        facing = (normal * toward).sum(dim=-1).clamp_min(0)
        reach = shadow(surfaces.table, raised, toward, light.lamp_soft[:, number, None])
        beam = power * (facing * reach)[..., None]
        shading = shading + beam / torch.pi
        shine = shine + beam * _ggx(normal, view, toward, rough, mirror)[..., None]
    # What is closed to the sky sees its neighbors instead: about as bright as itself.
    mean = (shading * albedo).mean(dim=1, keepdim=True)
    shading = shading + mean * (1 - open_sky) * 0.6
    image = albedo * shading + shine
    image = torch.where(surfaces.seen[..., None], image, _behind(dice, light, -view, image))
    picture = (count, height, width)
    lamps = light.lamp_harmonics()
    return Shaded(
        image=_chw(image, picture),
        normal=_chw(normal, picture),
        albedo=_chw(albedo, picture),
        shading=_chw(shading, picture),
        light=ambient + lamps,
        mask=surfaces.sound.reshape(count, 1, height, width),
    )


def _ggx(normal: Tensor, view: Tensor, toward: Tensor, rough: Tensor, mirror: Tensor) -> Tensor:
    """Reflectance of a glossy surface, without the cosine: GGX, Smith's masking (Schlick's form), Schlick's Fresnel."""
    half = view + toward
    half = half / half.norm(dim=-1, keepdim=True).clamp_min(1e-4)
    a = (rough * rough).clamp_min(0.01)
    nh, vh = (normal * half).sum(-1).clamp(0, 1), (view * half).sum(-1).clamp(0, 1)
    nv, nl = (normal * view).sum(-1).clamp(0.05, 1), (normal * toward).sum(-1).clamp(0.05, 1)
    spread = a * a / (torch.pi * (nh * nh * (a * a - 1) + 1).square().clamp_min(1e-7))
    k = a / 2
    masking = 0.25 / ((nv * (1 - k) + k) * (nl * (1 - k) + k))
    return spread * masking * (mirror + (1 - mirror) * (1 - vh) ** 5 * (mirror > 0))


def _behind(dice: Dice, light: Light, toward: Tensor, image: Tensor) -> Tensor:
    """What lies behind everything: the sky, an even backdrop, or black."""
    count = len(toward)
    level = image.mean(dim=(1, 2), keepdim=True)
    even = level * dice.log_uniform(count, 1, 1, low=0.1, high=4.0) * (1 + 0.3 * toward[..., 1:2])
    dark = torch.zeros_like(even)
    kind = dice.uniform(count, 1, 1)
    sky = light.radiance(toward) * dice.log_uniform(count, 1, 1, low=0.3, high=1.5)
    return torch.where(kind < 0.35, dark, torch.where(kind < 0.65, even, sky.clamp_min(0)))


def _chw(values: Tensor, picture: tuple[int, int, int]) -> Tensor:
    count, height, width = picture
    return values.transpose(1, 2).reshape(count, -1, height, width)
