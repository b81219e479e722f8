# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: D102, ARG002 -- the methods and their arguments are those of geometry.Element
"""The balls of the demo scene."""

import numpy as np

from understudy.demo.geometry import FIRST, FLOOR, FOCAL, Element, Pose, Surface, ap0, black, project, turn
from understudy.demo.texture import Values, cover, make_noise, mix, smoothstep


class Ball(Element):
    """A patterned sphere."""

    def __init__(
        self, name: str, number: int, radius: float, roughness: float, seed: int, colors: tuple[Values, Values]
    ) -> None:
        self.name, self.number, self.radius, self._roughness = name, number, radius, roughness
        self._colors = colors
        self._detail = make_noise(seed, 3, 0.9, 7.0, 16)

    def center(self, time: float) -> Values:
        """Its center at a frame time."""
        raise NotImplementedError

    def spin(self, time: float) -> Values:
        """Its rotation at a frame time."""
        raise NotImplementedError

    def center_from(self, floor: Pose) -> Values:
        """Its center at the time of the floor's pose."""
        return self.center(FIRST - float(floor.center[0]) / 0.024)

    def pose(self, time: float) -> Pose:
        return Pose(self.spin(time), self.center(time))

    def bounds(self, time: float) -> tuple[float, float, float, float]:
        center = self.center(time)
        x, y = project(center)
        reach = 1.12 * self.radius * FOCAL / (-float(center[2]) - self.radius) + 4
        return float(x) - reach, float(y) - reach, float(x) + reach, float(y) + reach

    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        center = self.center(time)
        square = np.einsum("...i,...i->...", ray, ray)
        toward = ray @ center
        nearest = toward / square
        miss = np.sqrt(np.maximum(float(center @ center) - toward * nearest, 0))
        coverage = cover((self.radius - miss) * np.float32(FOCAL / pixel) / nearest)
        half = np.sqrt(np.maximum(self.radius**2 - np.square(miss), 0) / square)
        return np.where(nearest > 0, coverage, 0).astype(np.float32), (nearest - half).astype(np.float32)

    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
        normal = points - pose.center
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        local = normal @ pose.rotation
        size = float(-pose.center[2]) * pixel / FOCAL / self.radius
        albedo = (
            self.paint(local, size) * np.clip(1 + 0.2 * self._detail.at(*np.moveaxis(local, -1, 0)), 0.3, 2)[..., None]
        )
        return Surface(normal.astype(np.float32), albedo.astype(np.float32), black(points), self._roughness)

    def paint(self, local: Values, size: float) -> Values:
        """The pattern at unit vectors of the ball's own space; ``size`` is a pixel in radians."""
        raise NotImplementedError


class BeachBall(Ball):
    """Eight sectors in two colors with white caps; it rolls to the right."""

    def center(self, time: float) -> Values:
        step = time - FIRST
        return np.array([-1.62 + 0.034 * step, FLOOR + self.radius, -6.4 - 0.006 * step], dtype=np.float32)

    def spin(self, time: float) -> Values:
        return turn(z=-0.034 / self.radius * (time - FIRST)) @ turn(x=0.5, y=0.35)

    def paint(self, local: Values, size: float) -> Values:
        x, y, z = np.moveaxis(local, -1, 0)
        around = np.maximum(np.hypot(x, y), 1e-4)
        sector = np.sin(4 * np.arctan2(y, x)) * around / 4
        body = mix(
            np.broadcast_to(self._colors[0], local.shape),
            np.broadcast_to(self._colors[1], local.shape),
            cover(sector / np.float32(size)),
        )
        cap = cover((np.abs(z) - np.float32(0.93)) / np.float32(size))
        return mix(body, np.broadcast_to(ap0(0.78, 0.76, 0.70), local.shape), cap)


class Marble(Ball):
    """Swirls; it slides to the left, in front of the beach ball, and spins."""

    def center(self, time: float) -> Values:
        step = time - FIRST
        return np.array([0.98 - 0.047 * step, FLOOR + self.radius, -4.9], dtype=np.float32)

    def spin(self, time: float) -> Values:
        return turn(y=-0.03 * (time - FIRST)) @ turn(x=0.4, z=0.3)

    def paint(self, local: Values, size: float) -> Values:
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

    def center(self, time: float) -> Values:
        step = time - FIRST
        height = 0.30 + 0.078 * step - 0.0032 * step * step
        return np.array([0.25 + 0.036 * step, FLOOR + self.radius + height, -5.6 + 0.022 * step], dtype=np.float32)

    def spin(self, time: float) -> Values:
        return turn(z=-0.09 * (time - FIRST)) @ turn(x=0.3, y=0.2)

    def paint(self, local: Values, size: float) -> Values:
        x, y, z = np.moveaxis(local, -1, 0)
        dots = np.sin(6.5 * x) * np.sin(6.5 * y) * np.sin(6.5 * z + 1.2)
        return mix(
            np.broadcast_to(self._colors[0], local.shape),
            np.broadcast_to(self._colors[1], local.shape),
            smoothstep(-0.02, 0.12, dots),
        )
