# SPDX-License-Identifier: Apache-2.0
"""How layers move: homographies along quadratic paths, children carried by their parents, and smooth bending.

A layer has a canonical plane, in pixels from its center. At time t its point c is seen at ``H(t) d`` where
``d + waves(d, t) = c``: looking from the frame to the plane is one evaluation, the way back a fixed point.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

WAVES = 2
STEEPEST = 0.3  # of the bending, so that the way back converges: each step leaves at most this share of the error
_STEPS = 8
_NEAREST = 0.02  # depth, of the center's: what lies nearer the eye would be without end
_PERSPECTIVE = 0.25  # of the depth, at most, that a turn out of the plane adds over a layer


@dataclass(frozen=True, slots=True)
class Paths:
    """The motion of ``l`` layers in ``n`` scenes; every field starts with ``(n, l)``.

    Attributes:
        place: ``(n, l, 2)``: center at time 0, in pixels of the parent's plane (of the frame for a root).
        speed: ``(n, l, 2)``: shift from time 0 to time 1.
        bow: ``(n, l, 2)``: the path leaves the straight line by ``bow * t * (t - 1)``.
        turn: ``(n, l, 2)``: angle at time 0 and its change, radians.
        zoom: ``(n, l, 2)``: logarithm of the scale at time 0 and its change.
        tilt: ``(n, l, 2, 2)``: perspective row at time 0 and its change, per pixel.
        parent: ``(n, l)``: the layer that carries this one, always an earlier one; -1 for none.
        wave: ``(n, l, WAVES, 6)``: kx, ky, phase, its speed, amplitude x, amplitude y.
    """

    place: Tensor
    speed: Tensor
    bow: Tensor
    turn: Tensor
    zoom: Tensor
    tilt: Tensor
    parent: Tensor
    wave: Tensor

    def matrices(self, time: float | Tensor) -> Tensor:
        """``(n, l, 3, 3)``: from a bent plane to the frame, at a time or at one for each scene, ``(n, 1)``."""
        late = time[..., None] if isinstance(time, Tensor) else time
        angle = self.turn[..., 0] + self.turn[..., 1] * time
        scale = torch.exp(self.zoom[..., 0] + self.zoom[..., 1] * time)
        center = self.place + self.speed * late + self.bow * (late * (late - 1))
        tilt = self.tilt[..., 0, :] + self.tilt[..., 1, :] * late
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        x, y, one = center[..., 0], center[..., 1], torch.ones_like(cos)
        u, v = tilt[..., 0], tilt[..., 1]
        # Shift after (turn, then perspective): the center stays where the path puts it.
        own = torch.stack([cos + x * u, -sin + x * v, x, sin + y * u, cos + y * v, y, u, v, one], dim=-1).unflatten(
            -1, (3, 3)
        )
        return _carried(own, self.parent)


def _carried(own: Tensor, parent: Tensor) -> Tensor:
    """Each layer's matrix with those of all that carry it, by doubling: every round reaches twice as far up."""
    carrier = parent
    for _ in range((own.shape[1] - 1).bit_length()):
        above = carrier.clamp(min=0)
        outer = own.gather(1, above[..., None, None].expand_as(own))
        own = torch.where((carrier >= 0)[..., None, None], outer @ own, own)
        carrier = torch.where(carrier >= 0, carrier.gather(1, above), carrier)
    return own


def inverse(matrix: Tensor) -> Tensor:
    """Inverses of ``(..., 3, 3)`` but for a factor, which a homography does not mind."""
    a, b, c = matrix.unbind(dim=-1)
    return torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-2)


def project(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Points through homographies given as ``(9, ...)`` in row order, broadcast against the points."""
    m = matrix
    w = torch.addcmul(torch.addcmul(m[8], m[6], x), m[7], y).clamp(min=_NEAREST)
    across = torch.addcmul(torch.addcmul(m[2], m[0], x), m[1], y)
    return across / w, torch.addcmul(torch.addcmul(m[5], m[3], x), m[4], y) / w


def waves(wave: Tensor, x: Tensor, y: Tensor, time: float | Tensor) -> tuple[Tensor, Tensor]:
    """Bending at points of the plane; ``wave`` is ``(WAVES * 6, ...)``, broadcast against them."""
    kx, ky, phase, rate, across, down = wave.unflatten(0, (WAVES, 6)).unbind(1)
    swing = torch.sin(torch.addcmul(torch.addcmul(phase + rate * time, kx, x), ky, y))
    return (across * swing).sum(dim=0), (down * swing).sum(dim=0)


def straightened(wave: Tensor, x: Tensor, y: Tensor, time: float | Tensor) -> tuple[Tensor, Tensor]:
    """The d with ``d + waves(d) = c`` for points c, to within a thousandth of a pixel."""
    there_x, there_y = x, y
    for _ in range(_STEPS):
        shift_x, shift_y = waves(wave, there_x, there_y, time)
        there_x, there_y = x - shift_x, y - shift_y
    return there_x, there_y


@dataclass(frozen=True, slots=True)
class _Draw:
    """Random numbers, some for each layer."""

    rng: torch.Generator
    count: int
    layers: int

    def uniform(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand((self.count, self.layers, *shape), generator=self.rng, device=self.rng.device)
        return drawn * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        return torch.randn((self.count, self.layers, *shape), generator=self.rng, device=self.rng.device)

    def chance(self, share: float) -> Tensor:
        return (self.uniform(low=0.0) < share).float()


def draw_paths(
    rng: torch.Generator, count: int, layers: int, height: int, width: int, motion: tuple[float, float]
) -> Paths:
    """Random motion; layer 0 is the background, whose motion is the camera's.

    Args:
        rng: Where the random numbers come from.
        count: Scenes.
        layers: Layers of a scene.
        height: Rows of the frame.
        width: Columns of the frame.
        motion: Least and most spread of the shifts, pixels; log-uniform between them, one for a scene.
    """
    device, draw = rng.device, _Draw(rng, count, layers)
    scene = torch.rand((count, 1, 1), generator=rng, device=device)
    low, high = math.log(motion[0]), math.log(motion[1])
    spread = torch.exp(scene * (high - low) + low)
    ground = torch.zeros((layers, 1), device=device)
    ground[0] = 1.0
    share = 1 - ground * torch.rand((count, 1, 1), generator=rng, device=device)  # the camera moves less
    speed = draw.normal(2) * spread * share
    size = torch.tensor([width, height], dtype=torch.float32, device=device)
    # Small motions turn and zoom little too: what moves by a pixel seldom turns by twenty degrees.
    lively = (spread[..., 0] / 20).clamp(max=1)
    still = 1 - 0.5 * ground[:, 0]
    turn = torch.stack(
        [draw.uniform() * math.pi * (1 - ground[:, 0]), draw.normal() * 0.15 * lively * still * draw.chance(0.7)], -1
    )
    zoom = torch.stack(
        [draw.uniform() * 0.2 * (1 - ground[:, 0]), draw.normal() * 0.08 * lively * still * draw.chance(0.7)], -1
    )
    out_of_plane = draw.chance(0.2)[..., None, None] * _PERSPECTIVE / max(height, width)
    tilt = draw.uniform(2, 2) * out_of_plane * torch.stack([torch.ones_like(lively), lively], -1)[..., None]
    bow = (speed.flip(-1) * draw.uniform(2) + speed * draw.uniform(2)) * 0.5 * draw.chance(0.5)[..., None]
    carried = draw.uniform(low=0.0) < 0.6
    earlier = (draw.uniform(low=0.0) * torch.arange(layers, device=device)).floor().long()
    earlier = torch.where(draw.uniform(low=0.0) < 0.6, torch.zeros_like(earlier), earlier)
    parent = torch.where(carried, earlier, torch.full_like(earlier, -1))
    parent[:, 0] = -1
    anywhere = draw.uniform(2) * 0.55
    on_ground, on_layer = anywhere * size, anywhere * min(height, width) * 0.4
    place = torch.where(
        (parent > 0)[..., None], on_layer, on_ground + torch.where(parent < 0, 0.5, 0.0)[..., None] * size
    )
    place[:, 0] = 0.5 * size
    return Paths(place, speed, bow, turn, zoom, tilt, parent, _draw_waves(draw, lively))


def _draw_waves(draw: _Draw, lively: Tensor) -> Tensor:
    number = math.tau / (50 * 2 ** draw.uniform(WAVES, low=0.0, high=3.5))
    angle, toward = draw.uniform(WAVES) * math.pi, draw.uniform(WAVES) * math.pi
    most = STEEPEST / WAVES / number
    amplitude = torch.minimum(draw.normal(WAVES).abs() * 4 * lively[..., None], most) * draw.chance(0.5)[..., None]
    return torch.stack(
        [
            number * torch.cos(angle),
            number * torch.sin(angle),
            draw.uniform(WAVES) * math.pi,
            draw.normal(WAVES) * 1.5,
            amplitude * torch.cos(toward),
            amplitude * torch.sin(toward),
        ],
        dim=-1,
    )
