# SPDX-License-Identifier: Apache-2.0
"""The demo scene: what is in it, how it moves, what it is made of. Pure functions of a frame time.

Camera space is right-handed, x right, y up, z toward the camera, one unit about a meter. The camera stands still at the
origin and everything else moves, so that world and camera space are one. Pixels are those of the display window at scale 1,
x right and y **down**, pixel centers at halves. Colors are scene-linear ACES2065-1.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from understudy.contracts.plate import FloatImage
from understudy.demo.texture import Noise, lettering, make_noise, mix, smoothstep

WIDTH, HEIGHT = 960, 540
FIELD_OF_VIEW = 45.0
FOCAL = WIDTH / 2 / float(np.tan(np.radians(FIELD_OF_VIEW / 2)))
CENTER_X, HORIZON = WIDTH / 2, 214.0
FIRST, LAST = 1001, 1024
SUN = 500.0
FLOOR = -1.35

_AP1_TO_AP0 = np.array(  # Academy S-2014-004, ACEScg to ACES2065-1
    [
        [0.6954522414, 0.1406786965, 0.1638690622],
        [0.0447945634, 0.8596711185, 0.0955343182],
        [-0.0055258826, 0.0040252103, 1.0015006723],
    ]
)


def ap0(red: float, green: float, blue: float) -> FloatImage:
    """An ACEScg color as ACES2065-1."""
    return (_AP1_TO_AP0 @ np.array([red, green, blue])).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an element is: ``camera_point = rotation @ local_point + center``."""

    rotation: FloatImage
    center: FloatImage


@dataclass(frozen=True, slots=True)
class Surface:
    """What an element looks like at some points, before light.

    Attributes:
        normal: Unit vectors in camera space, ``(..., 3)``; zero where nothing is lit.
        albedo: Diffuse reflectance, ``(..., 3)``.
        emission: Light of its own, ``(..., 3)``.
        roughness: GGX roughness (its square is alpha), the same all over.
    """

    normal: FloatImage
    albedo: FloatImage
    emission: FloatImage
    roughness: float = 1.0


def _turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> FloatImage:
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def rays(x: FloatImage, y: FloatImage) -> FloatImage:
    """Directions through pixels, ``(..., 3)`` with z = -1, so that distance along z scales them to points."""
    return np.stack([(x - CENTER_X) / FOCAL, (HORIZON - y) / FOCAL, np.full_like(x, -1)], axis=-1).astype(np.float32)


def project(points: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Pixels ``x, y`` of camera-space points."""
    scale = np.float32(FOCAL) / -points[..., 2]
    return points[..., 0] * scale + np.float32(CENTER_X), np.float32(HORIZON) - points[..., 1] * scale


class Element(ABC):
    """One thing in the scene.

    Attributes:
        name: For people.
        number: Its value in the ``id.X`` channel.
        solid: It counts in alpha (the sky does not: renderers write a visible dome light so).
    """

    name: str
    number: int
    solid: bool = True

    @abstractmethod
    def pose(self, time: float) -> Pose:
        """Where it is at a frame time."""

    @abstractmethod
    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        """Coverage in 0-1 and depth (along -z) of each ray; ``pixel`` is a pixel's size in display pixels."""

    @abstractmethod
    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        """Its look at camera-space points on it."""

    def bounds(self, time: float) -> tuple[float, float, float, float] | None:
        """Pixels left, top, right, bottom that hold it, or None for anywhere."""
        return None

    def carry(self, points: FloatImage, time: float, other: float) -> FloatImage:
        """Camera-space points that ride on it, at another time."""
        old, new = self.pose(time), self.pose(other)
        return (points - old.center) @ (new.rotation @ old.rotation.T).T + new.center


def _black(points: FloatImage) -> FloatImage:
    return np.zeros_like(points)


class Sky(Element):
    """A far wall of dusk with clouds, and the sun: a disc of exactly 500 with a soft limb."""

    name, number, solid = "sky", 1, False
    _depth = 200.0
    _sun = np.array([40.0, 21.5], dtype=np.float32)

    def __init__(self, seed: int) -> None:
        self._warp = make_noise(seed + 2, 2, 0.02, 0.06, 4)
        self._clouds = make_noise(seed, 2, 0.012, 0.28, 12)
        self._wisps = make_noise(seed + 1, 2, 0.08, 0.5, 9)

    def pose(self, time: float) -> Pose:
        step = time - FIRST
        center = np.array([-0.42 * step, 0.05 * step, -self._depth + 0.25 * step], dtype=np.float32)
        return Pose(_turn(z=0.0012 * step), center)

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        depth = -self.pose(time).center[2]
        return np.ones(ray.shape[:-1], np.float32), np.full(ray.shape[:-1], depth, np.float32)

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        local = (points - pose.center) @ pose.rotation
        x, y = local[..., 0], local[..., 1]
        low = smoothstep(-12, 44, y)
        base = mix(
            np.broadcast_to(ap0(0.62, 0.30, 0.17), points.shape),
            np.broadcast_to(ap0(0.035, 0.10, 0.22), points.shape),
            low,
        )
        drift = 2.4 * self._warp.at(x, 1.5 * y)
        wisps = self._wisps.at(x + 2.2 * np.sin(0.21 * y) + drift, 1.5 * y - 0.8 * drift)
        bank = smoothstep(-0.4, 2.0, self._clouds.at(x + drift, 2.0 * y + drift) + 0.28 * wisps)
        base = mix(base, np.broadcast_to(ap0(0.62, 0.43, 0.36), points.shape), 0.62 * bank)
        base = base * (1 + 0.05 * wisps)[..., None]
        away = np.hypot(x - self._sun[0], y - self._sun[1])
        glow = ap0(1.0, 0.72, 0.42) * (1.4 * np.exp(-away / 4.5) + 0.35 * np.exp(-away / 14))[..., None]
        # The limb is soft over eleven pixels so that no kernel overshoots the disc: 500 in must stay 500 out.
        disc = 1 - smoothstep(3.2, 7.0, away)
        return Surface(_black(points), _black(points), mix(base + glow, np.full_like(points, SUN), disc))


class Hills(Element):
    """A ridge far behind."""

    name, number = "hills", 2
    _depth = 40.0

    def __init__(self, seed: int) -> None:
        self._ridge = make_noise(seed, 1, 0.03, 0.3, 7)
        self._rock = make_noise(seed + 1, 2, 0.25, 2.4, 16)

    def pose(self, time: float) -> Pose:
        return Pose(_turn(), np.array([-0.03 * (time - FIRST), FLOOR, -self._depth], dtype=np.float32))

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        pose = self.pose(time)
        x, y = ray[..., 0] * self._depth - pose.center[0], ray[..., 1] * self._depth - pose.center[1]
        ridge = 2.5 + 0.55 * self._ridge.at(x)
        coverage = np.clip((ridge - y) * np.float32(FOCAL / self._depth / pixel) + 0.5, 0, 1)
        return coverage, np.full_like(x, self._depth)

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        local = points - pose.center
        x, y = local[..., 0], local[..., 1]
        bump, side = self._rock.at(x, y), self._rock.at(y + 7, x)
        normal = np.stack([0.30 * side, 0.55 + 0.25 * bump, np.full_like(x, 0.8)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        tint = mix(
            np.broadcast_to(ap0(0.05, 0.09, 0.06), points.shape),
            np.broadcast_to(ap0(0.17, 0.14, 0.10), points.shape),
            smoothstep(-1.6, 1.6, bump),
        )
        return Surface(normal.astype(np.float32), tint * (1 + 0.2 * side)[..., None], _black(points))


class Floor(Element):
    """Tiles that run to the hills, darkened where something stands on them."""

    name, number = "floor", 3
    _far = 40.0

    def __init__(self, seed: int, standing: tuple["Ball", ...]) -> None:
        self._grain = make_noise(seed, 2, 0.9, 11.0, 14)
        self._stain = make_noise(seed + 1, 2, 0.15, 0.9, 4)
        self._standing = standing

    def pose(self, time: float) -> Pose:
        return Pose(_turn(), np.array([-0.024 * (time - FIRST), FLOOR, 0.012 * (time - FIRST)], dtype=np.float32))

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        down = -ray[..., 1]
        edge = -FLOOR / self._far
        coverage = np.clip((down - edge) * np.float32(FOCAL / pixel) + 0.5, 0, 1)
        return coverage, (-FLOOR / np.maximum(down, edge * 0.98)).astype(np.float32)

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        local = points - pose.center
        x, z = local[..., 0], local[..., 2]
        depth = -points[..., 2]
        across = depth * np.float32(pixel / FOCAL)
        along = depth * across / np.float32(-FLOOR)
        grain = self._grain.at(x, z, footprint=(across, along))
        stain = self._stain.at(x, z, footprint=(across, along))
        odd = _soft_wave(x / 0.9, across / 0.9) * _soft_wave(z / 0.9, along / 0.9)
        dark, light = ap0(0.10, 0.12, 0.15), ap0(0.46, 0.44, 0.40)
        albedo = mix(np.broadcast_to(dark, points.shape), np.broadcast_to(light, points.shape), 0.5 + 0.5 * odd)
        albedo = albedo * np.clip(1 + 0.22 * grain + 0.14 * stain, 0.2, 2)[..., None]
        shade = np.ones_like(x)
        for ball, center in ((ball, ball.center_from(pose)) for ball in self._standing):
            gap = np.hypot(points[..., 0] - center[0], points[..., 2] - center[2]) / ball.radius
            lift = float(center[1] - FLOOR - ball.radius) / ball.radius
            shade *= 1 - np.float32(0.85 / (1 + 2.2 * lift)) * np.exp(-np.square(gap / (0.85 + 0.5 * lift)))
        normal = np.zeros_like(points)
        normal[..., 1] = 1
        return Surface(normal, albedo * shade[..., None], _black(points), 0.7)


def _soft_wave(phase: FloatImage, footprint: FloatImage) -> FloatImage:
    """A square wave of period 2 with soft steps that fades to its mean where a pixel holds a period."""
    fade = np.exp(-np.square(1.6 * footprint))
    return np.tanh(5.5 * np.sin(np.float32(np.pi) * phase) / (1 + 14 * footprint)) * fade


class Ball(Element):
    """A patterned sphere."""

    def __init__(
        self, name: str, number: int, radius: float, roughness: float, seed: int, colors: tuple[FloatImage, FloatImage]
    ) -> None:
        self.name, self.number, self.radius, self._roughness = name, number, radius, roughness
        self._colors = colors
        self._detail = make_noise(seed, 3, 0.9, 7.0, 16)

    def center(self, time: float) -> FloatImage:
        """Its center at a frame time."""
        raise NotImplementedError

    def turn(self, time: float) -> FloatImage:
        """Its rotation at a frame time."""
        raise NotImplementedError

    def center_from(self, floor: Pose) -> FloatImage:
        """Its center at the time of the floor's pose."""
        return self.center(FIRST - float(floor.center[0]) / 0.024)

    def pose(self, time: float) -> Pose:
        return Pose(self.turn(time), self.center(time))

    def bounds(self, time: float) -> tuple[float, float, float, float]:
        center = self.center(time)
        x, y = project(center)
        reach = 1.12 * self.radius * FOCAL / (-float(center[2]) - self.radius) + 4
        return float(x) - reach, float(y) - reach, float(x) + reach, float(y) + reach

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        center = self.center(time)
        square = np.einsum("...i,...i->...", ray, ray)
        toward = ray @ center
        nearest = toward / square
        miss = np.sqrt(np.maximum(float(center @ center) - toward * nearest, 0))
        coverage = np.clip((self.radius - miss) * np.float32(FOCAL / pixel) / nearest + 0.5, 0, 1)
        half = np.sqrt(np.maximum(self.radius**2 - np.square(miss), 0) / square)
        return np.where(nearest > 0, coverage, 0).astype(np.float32), (nearest - half).astype(np.float32)

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        normal = points - pose.center
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        local = normal @ pose.rotation
        size = float(-pose.center[2]) * pixel / FOCAL / self.radius
        albedo = (
            self.paint(local, size) * np.clip(1 + 0.2 * self._detail.at(*np.moveaxis(local, -1, 0)), 0.3, 2)[..., None]
        )
        return Surface(normal.astype(np.float32), albedo.astype(np.float32), _black(points), self._roughness)

    def paint(self, local: FloatImage, size: float) -> FloatImage:
        """The pattern at unit vectors of the ball's own space; ``size`` is a pixel in radians."""
        raise NotImplementedError


class BeachBall(Ball):
    """Eight sectors in two colors with white caps; it rolls to the right."""

    def center(self, time: float) -> FloatImage:
        step = time - FIRST
        return np.array([-1.62 + 0.034 * step, FLOOR + self.radius, -6.4 - 0.006 * step], dtype=np.float32)

    def turn(self, time: float) -> FloatImage:
        return _turn(z=-0.034 / self.radius * (time - FIRST)) @ _turn(x=0.5, y=0.35)

    def paint(self, local: FloatImage, size: float) -> FloatImage:
        x, y, z = np.moveaxis(local, -1, 0)
        around = np.maximum(np.hypot(x, y), 1e-4)
        sector = np.sin(4 * np.arctan2(y, x)) * around / 4
        body = mix(
            np.broadcast_to(self._colors[0], local.shape),
            np.broadcast_to(self._colors[1], local.shape),
            smoothstep(-size, size, sector),
        )
        cap = smoothstep(-size, size, np.abs(z) - np.float32(0.93))
        return mix(body, np.broadcast_to(ap0(0.78, 0.76, 0.70), local.shape), cap)


class Marble(Ball):
    """Swirls; it slides to the left, in front of the beach ball, and spins."""

    def center(self, time: float) -> FloatImage:
        step = time - FIRST
        return np.array([0.98 - 0.047 * step, FLOOR + self.radius, -4.9], dtype=np.float32)

    def turn(self, time: float) -> FloatImage:
        return _turn(y=-0.03 * (time - FIRST)) @ _turn(x=0.4, z=0.3)

    def paint(self, local: FloatImage, size: float) -> FloatImage:
        x, y, z = np.moveaxis(local, -1, 0)
        warp = 0.5 * np.sin(3.1 * x + 1.0) + 0.45 * np.sin(2.7 * z - 4.1 * y) + 0.35 * np.sin(5.3 * y + 2 * x)
        veins = np.sin(7.5 * (y + 0.55 * warp))
        return mix(
            np.broadcast_to(self._colors[0], local.shape),
            np.broadcast_to(self._colors[1], local.shape),
            smoothstep(-0.35, 0.75, veins),
        )


class Bouncer(Ball):
    """Dots; it flies an arc."""

    def center(self, time: float) -> FloatImage:
        step = time - FIRST
        height = 0.30 + 0.078 * step - 0.0032 * step * step
        return np.array([0.25 + 0.036 * step, FLOOR + self.radius + height, -5.6 + 0.022 * step], dtype=np.float32)

    def turn(self, time: float) -> FloatImage:
        return _turn(z=-0.09 * (time - FIRST)) @ _turn(x=0.3, y=0.2)

    def paint(self, local: FloatImage, size: float) -> FloatImage:
        x, y, z = np.moveaxis(local, -1, 0)
        dots = np.sin(6.5 * x) * np.sin(6.5 * y) * np.sin(6.5 * z + 1.2)
        return mix(
            np.broadcast_to(self._colors[0], local.shape),
            np.broadcast_to(self._colors[1], local.shape),
            smoothstep(-0.02, 0.12, dots),
        )


class Sign(Element):
    """A board that turns and comes nearer, with neon letters in a blue no display can show (negative ACES2065-1)."""

    name, number = "sign", 5
    _half = (1.02, 0.34)
    _neon = np.array([1.15, -0.42, 5.2], dtype=np.float32)
    _tube = np.array([-0.55, 2.6, 1.1], dtype=np.float32)

    def __init__(self, seed: int) -> None:
        self._grain = make_noise(seed, 2, 1.5, 12.0, 16)

    def pose(self, time: float) -> Pose:
        step = time - FIRST
        center = np.array([0.40 + 0.008 * step, 0.14 - 0.004 * step, -7.6 + 0.05 * step], dtype=np.float32)
        return Pose(_turn(y=-0.5 + 0.026 * step, z=0.16 - 0.013 * step), center)

    def bounds(self, time: float) -> tuple[float, float, float, float]:
        pose = self.pose(time)
        corners = np.array(
            [[sx * self._half[0], sy * self._half[1], 0] for sx in (-1, 1) for sy in (-1, 1)], dtype=np.float32
        )
        x, y = project(corners @ pose.rotation.T + pose.center)
        return float(x.min()) - 4, float(y.min()) - 4, float(x.max()) + 4, float(y.max()) + 4

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        pose = self.pose(time)
        normal = pose.rotation[:, 2]
        depth = (float(pose.center @ normal) / (ray @ normal)).astype(np.float32)
        local = (ray * depth[..., None] - pose.center) @ pose.rotation
        x, y = np.abs(local[..., 0]) - (self._half[0] - 0.07), np.abs(local[..., 1]) - (self._half[1] - 0.07)
        edge = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - 0.07
        coverage = np.clip(0.5 - edge * np.float32(FOCAL / pixel) / np.abs(depth), 0, 1)
        return np.where(depth > 0, coverage, 0).astype(np.float32), depth

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        local = (points - pose.center) @ pose.rotation
        x, y = local[..., 0], local[..., 1]
        size = -float(pose.center[2]) * pixel / FOCAL
        board = (
            np.broadcast_to(ap0(0.075, 0.08, 0.095), points.shape)
            * np.clip(1 + 0.3 * self._grain.at(x, y), 0.2, 2)[..., None]
        )
        rim = np.maximum(np.abs(x) - self._half[0], np.abs(y) - self._half[1])
        board = mix(
            board, np.broadcast_to(ap0(0.55, 0.42, 0.20), points.shape), smoothstep(-0.045 - size, -0.045 + size, rim)
        )
        line = lettering("UNDERSTUDY", x, y - np.float32(0.05), 0.185)
        tube = np.abs(y + np.float32(0.19)) + 4 * np.maximum(np.abs(x) - np.float32(0.86), 0)
        emission = _tube(line, 0.0135, size, self._neon) + _tube(tube, 0.010, size, self._tube)
        normal = np.broadcast_to(pose.rotation[:, 2], points.shape).astype(np.float32)
        return Surface(normal, board.astype(np.float32), emission, 0.5)


def _tube(distance: FloatImage, radius: float, size: float, color: FloatImage) -> FloatImage:
    core = 1 - smoothstep(radius - size, radius + size, distance)
    return (core + 0.09 * np.exp(-distance / np.float32(0.035)))[..., None] * color


class Bokeh(Element):
    """Something dark and out of focus in front: its edge is soft over forty pixels."""

    name, number = "foreground", 8
    _depth, _radius, _soft = 2.6, 0.33, 0.052

    def __init__(self, seed: int) -> None:
        self._grain = make_noise(seed, 2, 1.5, 5.5, 12)

    def pose(self, time: float) -> Pose:
        step = time - FIRST
        return Pose(
            _turn(z=0.006 * step),
            np.array([1.02 - 0.0115 * step, -0.80 + 0.002 * step, -self._depth], dtype=np.float32),
        )

    def trace(self, ray: FloatImage, time: float, pixel: float) -> tuple[FloatImage, FloatImage]:
        local = (ray * np.float32(self._depth) - self.pose(time).center) @ self.pose(time).rotation
        away = np.hypot(local[..., 0], local[..., 1])
        wobble = 0.025 * np.sin(3 * np.arctan2(local[..., 1], local[..., 0]) + 1)
        coverage = 1 - smoothstep(self._radius - self._soft, self._radius + self._soft, away + wobble)
        return coverage.astype(np.float32), np.full(ray.shape[:-1], self._depth, np.float32)

    def surface(self, points: FloatImage, pose: Pose, pixel: float) -> Surface:
        local = (points - pose.center) @ pose.rotation
        normal = np.concatenate([0.9 * local[..., :2] / self._radius, np.ones_like(local[..., :1])], axis=-1)
        normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)) @ pose.rotation.T
        albedo = (
            np.broadcast_to(ap0(0.13, 0.17, 0.07), points.shape)
            * np.clip(1 + 0.35 * self._grain.at(local[..., 0], local[..., 1]), 0.2, 2)[..., None]
        )
        return Surface(normal.astype(np.float32), albedo.astype(np.float32), _black(points))


def make_scene(seed: int) -> tuple[Element, ...]:
    """The scene's elements, back to front; the order holds on every frame."""
    beach = BeachBall("beach ball", 4, 0.80, 0.42, seed + 20, (ap0(0.72, 0.10, 0.06), ap0(0.82, 0.62, 0.12)))
    marble = Marble("marble", 7, 0.46, 0.2, seed + 30, (ap0(0.05, 0.20, 0.42), ap0(0.66, 0.70, 0.66)))
    bouncer = Bouncer("dotted ball", 6, 0.27, 0.5, seed + 40, (ap0(0.70, 0.68, 0.62), ap0(0.12, 0.42, 0.24)))
    floor = Floor(seed + 10, (beach, marble, bouncer))
    return (Sky(seed), Hills(seed + 5), floor, Sign(seed + 50), beach, bouncer, marble, Bokeh(seed + 60))


__all__ = [
    "FIRST",
    "HEIGHT",
    "LAST",
    "SUN",
    "WIDTH",
    "Element",
    "Noise",
    "Pose",
    "Surface",
    "make_scene",
    "project",
    "rays",
]
