# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: D102, ARG002 -- the methods and their arguments are those of geometry.Element
"""What is in the demo scene, how it moves, what it is made of. Colors are scene-linear ACES2065-1."""

import numpy as np

from understudy.demo.balls import Ball, BeachBall, Bouncer, Marble
from understudy.demo.geometry import FIRST, FLOOR, FOCAL, SUN, Element, Pose, Surface, ap0, black, project, turn
from understudy.demo.texture import Values, cover, lettering, make_noise, mix, smoothstep, square_wave


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
        return Pose(turn(z=0.0012 * step), center)

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        depth = -self.pose(time).center[2]
        return np.ones(ray.shape[:-1], np.float32), np.full(ray.shape[:-1], depth, np.float32)

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
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
        # The limb is soft over some thirty pixels so that no kernel overshoots the disc: 500 in must stay 500 out.
        disc = 1 - smoothstep(2.0, 7.8, away)
        return Surface(black(points), black(points), mix(base + glow, np.full_like(points, SUN), disc))


class Hills(Element):
    """A ridge far behind."""

    name, number = "hills", 2
    _depth = 40.0

    def __init__(self, seed: int) -> None:
        self._ridge = make_noise(seed, 1, 0.03, 0.3, 7)
        self._rock = make_noise(seed + 1, 2, 0.25, 2.4, 16)

    def pose(self, time: float) -> Pose:
        return Pose(turn(), np.array([-0.03 * (time - FIRST), FLOOR, -self._depth], dtype=np.float32))

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        pose = self.pose(time)
        x, y = ray[..., 0] * self._depth - pose.center[0], ray[..., 1] * self._depth - pose.center[1]
        ridge = 2.5 + 0.55 * self._ridge.at(x)
        coverage = cover((ridge - y) * np.float32(FOCAL / self._depth / pixel))
        return coverage, np.full_like(x, self._depth)

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
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
        return Surface(normal.astype(np.float32), tint * (1 + 0.2 * side)[..., None], black(points))


class Floor(Element):
    """Tiles that run to the hills, darkened where something stands on them."""

    name, number = "floor", 3
    _far = 40.0

    def __init__(self, seed: int, standing: tuple["Ball", ...]) -> None:
        self._grain = make_noise(seed, 2, 0.9, 11.0, 14)
        self._stain = make_noise(seed + 1, 2, 0.15, 0.9, 4)
        self._standing = standing

    def pose(self, time: float) -> Pose:
        return Pose(turn(), np.array([-0.024 * (time - FIRST), FLOOR, 0.012 * (time - FIRST)], dtype=np.float32))

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        down = -ray[..., 1]
        edge = -FLOOR / self._far
        coverage = cover((down - edge) * np.float32(FOCAL / pixel))
        return coverage, (-FLOOR / np.maximum(down, edge * 0.98)).astype(np.float32)

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
        local = points - pose.center
        x, z = local[..., 0], local[..., 2]
        depth = -points[..., 2]
        across = depth * np.float32(pixel / FOCAL)
        along = depth * across / np.float32(-FLOOR)
        grain = self._grain.at(x, z, footprint=(across, along))
        stain = self._stain.at(x, z, footprint=(across, along))
        odd = square_wave(x / 0.9, across / 0.9) * square_wave(z / 0.9, along / 0.9)
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
        return Surface(normal, albedo * shade[..., None], black(points), 0.7)


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
        return Pose(turn(y=-0.5 + 0.026 * step, z=0.16 - 0.013 * step), center)

    def bounds(self, time: float) -> tuple[float, float, float, float]:
        pose = self.pose(time)
        corners = np.array(
            [[sx * self._half[0], sy * self._half[1], 0] for sx in (-1, 1) for sy in (-1, 1)], dtype=np.float32
        )
        x, y = project(corners @ pose.rotation.T + pose.center)
        return float(x.min()) - 4, float(y.min()) - 4, float(x.max()) + 4, float(y.max()) + 4

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        pose = self.pose(time)
        normal = pose.rotation[:, 2]
        depth = (float(pose.center @ normal) / (ray @ normal)).astype(np.float32)
        local = (ray * depth[..., None] - pose.center) @ pose.rotation
        x, y = np.abs(local[..., 0]) - (self._half[0] - 0.07), np.abs(local[..., 1]) - (self._half[1] - 0.07)
        edge = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - 0.07
        coverage = cover(-edge * np.float32(FOCAL / pixel) / np.abs(depth))
        return np.where(depth > 0, coverage, 0).astype(np.float32), depth

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
        local = (points - pose.center) @ pose.rotation
        x, y = local[..., 0], local[..., 1]
        size = -float(pose.center[2]) * pixel / FOCAL
        board = (
            np.broadcast_to(ap0(0.075, 0.08, 0.095), points.shape)
            * np.clip(1 + 0.3 * self._grain.at(x, y), 0.2, 2)[..., None]
        )
        rim = np.maximum(np.abs(x) - self._half[0], np.abs(y) - self._half[1])
        board = mix(
            board,
            np.broadcast_to(ap0(0.55, 0.42, 0.20), points.shape),
            cover((rim + np.float32(0.045)) / np.float32(size)),
        )
        line = lettering("UNDERSTUDY", x, y - np.float32(0.05), 0.185)
        tube = np.abs(y + np.float32(0.19)) + 4 * np.maximum(np.abs(x) - np.float32(0.86), 0)
        emission = _tube(line, 0.0135, size, self._neon) + _tube(tube, 0.010, size, self._tube)
        normal = np.broadcast_to(pose.rotation[:, 2], points.shape).astype(np.float32)
        return Surface(normal, board.astype(np.float32), emission, 0.5)


def _tube(distance: Values, radius: float, size: float, color: Values) -> Values:
    core = cover((np.float32(radius) - distance) / np.float32(size))
    light: Values = (core + 0.09 * np.exp(-distance / np.float32(0.035)))[..., None] * color
    return light


class Bokeh(Element):
    """Something dark and out of focus in front: its edge is soft over forty pixels."""

    name, number = "foreground", 8
    _depth, _radius, _soft = 2.6, 0.33, 0.052

    def __init__(self, seed: int) -> None:
        self._grain = make_noise(seed, 2, 1.5, 5.5, 12)

    def pose(self, time: float) -> Pose:
        step = time - FIRST
        return Pose(
            turn(z=0.006 * step),
            np.array([1.02 - 0.0115 * step, -0.80 + 0.002 * step, -self._depth], dtype=np.float32),
        )

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        local = (ray * np.float32(self._depth) - self.pose(time).center) @ self.pose(time).rotation
        away = np.hypot(local[..., 0], local[..., 1])
        wobble = 0.025 * np.sin(3 * np.arctan2(local[..., 1], local[..., 0]) + 1)
        coverage = 1 - smoothstep(self._radius - self._soft, self._radius + self._soft, away + wobble)
        return coverage.astype(np.float32), np.full(ray.shape[:-1], self._depth, np.float32)

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
        local = (points - pose.center) @ pose.rotation
        normal = np.concatenate([0.9 * local[..., :2] / self._radius, np.ones_like(local[..., :1])], axis=-1)
        normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)) @ pose.rotation.T
        albedo = (
            np.broadcast_to(ap0(0.13, 0.17, 0.07), points.shape)
            * np.clip(1 + 0.35 * self._grain.at(local[..., 0], local[..., 1]), 0.2, 2)[..., None]
        )
        return Surface(normal.astype(np.float32), albedo.astype(np.float32), black(points))


def make_scene(seed: int) -> tuple[Element, ...]:
    """The scene's elements, back to front; the order holds on every frame."""
    beach = BeachBall("beach ball", 4, 0.80, 0.42, seed + 20, (ap0(0.72, 0.10, 0.06), ap0(0.82, 0.62, 0.12)))
    marble = Marble("marble", 7, 0.46, 0.2, seed + 30, (ap0(0.05, 0.20, 0.42), ap0(0.66, 0.70, 0.66)))
    bouncer = Bouncer("dotted ball", 6, 0.27, 0.5, seed + 40, (ap0(0.70, 0.68, 0.62), ap0(0.12, 0.42, 0.24)))
    floor = Floor(seed + 10, (beach, marble, bouncer))
    return (Sky(seed), Hills(seed + 5), floor, Sign(seed + 50), beach, bouncer, marble, Bokeh(seed + 60))
