# SPDX-License-Identifier: Apache-2.0
"""Layered moving scenes with exact motion: what flow, interpolation and confidence learn from and are measured on.

A scene is a background and up to seven layers cut from procedural swatches. Each layer moves by a homography along a
quadratic path, bends smoothly, and may be carried by another. Motion and visibility are computed, not estimated: a
point is followed through its layer's plane, and is hidden where a nearer layer covers the place it comes to.

A whole batch is a handful of tensor operations, so that a GPU draws faster than a network learns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.generators.paths import Paths, draw_paths, inverse, project, straightened, waves
from understudy_training.generators.swatches import Swatches, swatches

LINEAR = 2.2
"""Exponent by which display values become light, for averages over a shutter."""


@dataclass(frozen=True, slots=True)
class Look:
    """What befalls a scene beside motion; shares are probabilities of a scene or layer to have it.

    Attributes:
        layers: Most layers beside the background; a scene has three or more of them.
        plain: Share of layers with next to no texture.
        blur: Share of scenes with motion blur, the first of a batch.
        shutter: Longest exposure, of the time between two whole times.
        samples: Moments averaged for motion blur, odd.
        exposure: Spread of a frame's exposure, stops.
        noise: Most sensor noise, standard deviation.
        veil: Share of scenes behind haze, and of scenes under a shadow that moves by itself.
        soft: Share of scenes out of focus.
    """

    layers: int = 7
    plain: float = 0.15
    blur: float = 0.25
    shutter: float = 0.6
    samples: int = 5
    exposure: float = 0.12
    noise: float = 0.02
    veil: float = 0.15
    soft: float = 0.3


CLEAN = Look(plain=0.0, blur=0.0, exposure=0.0, noise=0.0, veil=0.0, soft=0.0)
"""Nothing but motion."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Drawn scenes and their truth.

    Attributes:
        frames: float32 ``(n, t, 3, h, w)``, display-like 0-1.
        times: When each frame was taken.
        paths: How layers move.
        nearest: int64 ``(n, t, h, w)``: the layer that a pixel shows.
        point: float32 ``(n, t, 2, h, w)``: where in that layer's plane.
    """

    frames: Tensor
    times: tuple[float, ...]
    paths: Paths
    nearest: Tensor
    point: Tensor
    cover: "_Cover"

    def flow(self, i: int, j: int) -> Tensor:
        """Motion ``(n, 2, h, w)`` from frame i to frame j, pixels, x right and y down; hidden points too."""
        return self.flow_at(i, self.times[j])

    def flow_at(self, i: int, time: float) -> Tensor:
        """Motion ``(n, 2, h, w)`` from frame i to any time."""
        x, y = self._landing(i, time)
        height, width = x.shape[1:]
        here_x, here_y = _grid(height, width, x.device)
        return torch.stack([x - here_x, y - here_y], dim=1)

    def visible(self, i: int, j: int) -> Tensor:
        """Bool ``(n, 1, h, w)``: frame j shows the point that frame i shows: inside, and nothing nearer there."""
        x, y = self._landing(i, self.times[j])
        height, width = x.shape[1:]
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        alpha, _, _ = self.cover.at(self.paths, self.times[j], x[:, None], y[:, None])
        order = torch.arange(alpha.shape[1], device=x.device)[None, :, None, None]
        nearer = (order > self.nearest[:, i, None]) & (alpha > 0.5)
        return (inside & ~nearer.any(dim=1))[:, None]

    def _landing(self, i: int, time: float) -> tuple[Tensor, Tensor]:
        """Where frame i's pixels are at a time."""
        count, height, width = self.nearest[:, i].shape
        matrix = self.paths.matrices(time).flatten(2)  # n, l, 9
        wave = self.paths.wave.flatten(2)  # n, l, 12
        known = torch.cat([matrix, wave], dim=2).transpose(1, 2)  # n, 21, l
        index = self.nearest[:, i].flatten(1)[:, None].expand(-1, known.shape[1], -1)
        each = known.gather(2, index).view(count, -1, height, width).transpose(0, 1)
        point = self.point[:, i]
        x, y = straightened(each[9:], point[:, 0], point[:, 1], time)
        return project(each[:9], x, y)


@dataclass(frozen=True, slots=True)
class _Cover:
    """Outlines of ``l`` layers in ``n`` scenes.

    Attributes:
        shape: float32 ``(n * l, 1, s, s)``: signed distances.
        radius: ``(n, l)``: half the side of the shape's square, pixels of the plane.
        stretch: ``(n, l)``: how much wider than high.
        edge: ``(n, l)``: pixels over which an edge goes from nothing to all.
        present: bool ``(n, l)``.
    """

    shape: Tensor
    radius: Tensor
    stretch: Tensor
    edge: Tensor
    present: Tensor

    def first(self, count: int) -> "_Cover":
        """The outlines of the first scenes."""
        layers = self.radius.shape[1]
        rest = (each[:count] for each in (self.radius, self.stretch, self.edge, self.present))
        return _Cover(self.shape[: count * layers], *rest)

    def at(self, paths: Paths, time: float | Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coverage ``(n, l, h, w)`` in 0-1 at places of the frame, and those places in the layers' planes."""
        matrix = inverse(paths.matrices(time)).flatten(2).permute(2, 0, 1)[..., None, None]
        x, y = project(matrix, x, y)
        when = time[..., None, None] if isinstance(time, Tensor) else time
        shift_x, shift_y = waves(paths.wave.flatten(2).permute(2, 0, 1)[..., None, None], x, y, when)
        x, y = x + shift_x, y + shift_y
        across, down = self.radius * self.stretch, self.radius / self.stretch
        u, v = x / across[..., None, None], y / down[..., None, None]
        grid = torch.stack([u, v], dim=-1).flatten(0, 1)
        inside = functional.grid_sample(self.shape, grid, padding_mode="border", align_corners=False).view_as(x)
        inside = inside - (torch.maximum(u.abs(), v.abs()) - 1).clamp(min=0)  # farther and farther outside the square
        scale = (torch.minimum(across, down) / self.edge)[..., None, None]
        alpha = (inside * scale + 0.5).clamp(0, 1) * self.present[..., None, None]
        alpha[:, 0] = 1
        return alpha, x, y


def _grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Columns ``(1, w)`` and rows ``(h, 1)`` of pixels."""
    x = torch.arange(width, device=device, dtype=torch.float32)[None, :]
    return x, torch.arange(height, device=device, dtype=torch.float32)[:, None]


def draw_layers(
    rng: torch.Generator,
    count: int,
    height: int,
    width: int,
    device: torch.device | str,
    times: Sequence[float] = (0.0, 1.0),
    *,
    motion: tuple[float, float] = (1.0, 40.0),
    look: Look | None = None,
    stock: Swatches | None = None,
) -> Layers:
    """Random scenes, seen at some times.

    Args:
        rng: Where every random number comes from; the same state gives the same scenes.
        count: Scenes.
        height: Rows.
        width: Columns.
        device: Where to draw them.
        times: When frames are taken; layers move from where they are at 0 to where they are at 1.
        motion: Least and most spread of layers' shifts, pixels, log-uniform; one number twice for a fixed spread, whose
            mean motion is then about that number.
        look: What else befalls them.
        stock: What they are cut from; the common stock if left out.
    """
    look = look or Look()
    stock = stock or swatches(str(device))
    drawn = draw_paths(rng, count, look.layers + 1, height, width, motion)
    paths = Paths(**{name: getattr(drawn, name).to(device) for name in Paths.__slots__})
    cover = _draw_cover(rng, count, height, width, look, stock, device)
    paint = _draw_paint(rng, count, look, stock, device)
    clean, nearest, point = [], [], []
    for time in times:
        frame, layer, place = _render(paths, cover, paint, time, height, width)
        clean.append(frame)
        nearest.append(layer)
        point.append(place)
    blurred = math.ceil(count * look.blur)
    if blurred:
        shutter = torch.rand((blurred, 1), generator=rng, device=rng.device).to(device) * look.shutter
        some, mask = _first(paths, blurred), cover.first(blurred)
        part = tuple(each[: blurred * (look.layers + 1)] for each in paint)
        for index, time in enumerate(times):
            light = clean[index][:blurred] ** LINEAR
            for step in range(look.samples):
                if step != look.samples // 2:  # the middle is there already
                    moment = time + shutter * ((step + 0.5) / look.samples - 0.5)
                    light = light + _render(some, mask, part, moment, height, width)[0] ** LINEAR
            clean[index] = torch.cat([(light / look.samples) ** (1 / LINEAR), clean[index][blurred:]])
    frames = _weathered(rng, torch.stack(clean, dim=1), look)
    return Layers(frames, tuple(times), paths, torch.stack(nearest, dim=1), torch.stack(point, dim=1), cover)


_Paint = tuple[Tensor, Tensor, Tensor]
"""Pictures ``(n * l, 3, s, s)``; scale and offset ``(n * l, 1, 1, 2)`` from a plane to the picture's -1 to 1."""


def _first(paths: Paths, count: int) -> Paths:
    return Paths(**{name: getattr(paths, name)[:count] for name in Paths.__slots__})


def _render(
    paths: Paths, cover: _Cover, paint: _Paint, time: float | Tensor, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Frame ``(n, 3, h, w)``, nearest layer ``(n, h, w)`` and the point of its plane ``(n, 2, h, w)``."""
    x, y = _grid(height, width, cover.radius.device)
    alpha, x, y = cover.at(paths, time, x, y)
    pictures, scale, offset = paint
    grid = torch.stack([x, y], dim=-1).flatten(0, 1) * scale + offset
    color = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False).unflatten(
        0, x.shape[:2]
    )
    passed = torch.cumprod(1 - alpha.flip(1), dim=1).flip(1)  # what layers from here to the front let through
    weight = alpha * torch.cat([passed[:, 1:], torch.ones_like(alpha[:, :1])], dim=1)
    frame = (weight[:, :, None] * color).sum(dim=1)
    order = torch.arange(alpha.shape[1], device=alpha.device)[:, None, None]
    nearest = ((alpha > 0.5) * order).amax(dim=1)
    point = torch.cat([each.gather(1, nearest[:, None]) for each in (x, y)], dim=1)
    return frame, nearest, point


def _draw_cover(
    rng: torch.Generator, count: int, height: int, width: int, look: Look, stock: Swatches, device: torch.device | str
) -> _Cover:
    layers = look.layers + 1

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((count, *shape), generator=rng, device=rng.device) * (high - low) + low

    which = (uniform(0, len(stock.shapes), layers)).long()
    radius = min(height, width) * 2 ** uniform(-3.3, -0.6, layers)
    many = uniform(3, look.layers + 1, 1).floor()
    present = torch.arange(layers, device=rng.device) <= many
    soft = torch.where(uniform(0, 1, layers) < 0.12, uniform(2, 8, layers), uniform(1, 1.6, layers))
    stretch = 2 ** uniform(-0.5, 0.5, layers)
    shape = stock.shapes[which.to(device).flatten()][:, None].float()
    return _Cover(shape, *(each.to(device) for each in (radius, stretch, soft, present)))


def _draw_paint(rng: torch.Generator, count: int, look: Look, stock: Swatches, device: torch.device | str) -> _Paint:
    several = count * (look.layers + 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((several, *shape), generator=rng, device=rng.device) * (high - low) + low

    one, other = (uniform(0, len(stock.pictures)).long().to(device) for _ in range(2))
    share = (uniform(-0.6, 0.6).clamp(min=0)).to(device)[:, None, None, None]
    mixed = torch.lerp(stock.pictures[one].float(), stock.pictures[other].float(), share) / 255 - 0.5
    contrast = torch.where(uniform(0, 1) < look.plain, uniform(0.01, 0.12), uniform(0.4, 1.3))
    noise = torch.randn((several, 3, 3), generator=rng, device=rng.device) * 0.25
    matrix = (0.8 * torch.eye(3, device=rng.device) + noise) * contrast[:, None, None]
    base = uniform(0.15, 0.8, 1) + uniform(-0.15, 0.15, 3)
    size = mixed.shape[-1]
    flat = torch.baddbmm(base.to(device)[:, :, None], matrix.to(device), mixed.flatten(2))
    pictures = flat.clamp(0, 1).view(several, 3, size, size)
    zoom = 2 ** uniform(-1.6, 0, 1, 1, 1) * (2 / size)
    flip = torch.where(uniform(0, 1, 1, 1, 2) < 0.5, -1.0, 1.0)
    return pictures, (zoom * flip).to(device), uniform(-1, 1, 1, 1, 2).to(device)


def _weathered(rng: torch.Generator, frames: Tensor, look: Look) -> Tensor:
    """What lies between a scene and its record: focus, haze, a passing shadow, exposure, noise, clipping."""
    count, times, _, height, width = frames.shape
    device = frames.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand((count, *shape), generator=rng, device=rng.device) * (high - low) + low).to(device)

    if look.soft:
        frames = _defocused(frames, torch.where(uniform(0, 1) < look.soft, uniform(0.4, 1.6), 1e-2))
    if look.veil:
        moment = torch.arange(times, device=device, dtype=torch.float32)[None, :, None, None]
        x, y = _grid(height, width, device)
        angle = uniform(0, math.tau, 1, 1, 1)
        along = torch.cos(angle) * x + torch.sin(angle) * y + moment * uniform(-40, 40, 1, 1, 1)
        wave = torch.sin(along / uniform(15, 120, 1, 1, 1) + uniform(0, math.tau, 1, 1, 1))
        shadow = torch.where(uniform(0, 1, 1, 1, 1) < look.veil, uniform(0.1, 0.4, 1, 1, 1), 0.0)
        frames = frames * (1 - shadow * (wave * 2 + 0.5).clamp(0, 1))[:, :, None]
        haze = torch.where(uniform(0, 1, 1, 1, 1, 1) < look.veil, uniform(0.1, 0.6, 1, 1, 1, 1), 0.0)
        frames = torch.lerp(frames, uniform(0.3, 0.9, 1, 3, 1, 1).expand_as(frames), haze.expand_as(frames))
    if look.exposure:
        wobble = torch.randn((count, times), generator=rng, device=rng.device).to(device)
        stops = uniform(-1.8, 0.5, 1) + look.exposure * wobble
        frames = frames * (2 ** (stops / LINEAR))[:, :, None, None, None]
    if look.noise:
        amount = uniform(0, 1, 1, 1, 1, 1) ** 2 * look.noise
        frames = frames + amount * torch.randn(frames.shape, generator=rng, device=rng.device).to(device)
    return frames.clamp(0, 1)


def _defocused(frames: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, a sigma for each scene."""
    count, times, channels = frames.shape[:3]
    reach = torch.arange(-4, 5, device=frames.device)
    kernel = torch.exp(-0.5 * (reach / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(times * channels, dim=0)[:, None]
    flat = functional.pad(frames.flatten(0, 2)[None], (4, 4, 4, 4), mode="replicate")
    flat = functional.conv2d(flat, kernel[:, :, None], groups=count * times * channels)
    flat = functional.conv2d(flat, kernel[..., None], groups=count * times * channels)
    return flat[0].view_as(frames)
