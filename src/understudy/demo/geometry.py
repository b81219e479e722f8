# SPDX-License-Identifier: Apache-2.0
"""Where things are in the demo scene and which pixels see them. Pure functions of a frame time.

Camera space is right-handed, x right, y up, z toward the camera, one unit about a meter. The camera stands still at the
origin and everything else moves, so that world and camera space are one. Pixels are those of the display window at
scale 1, x right and y **down**, pixel centers at halves. Colors are scene-linear ACES2065-1.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from understudy.demo.texture import Values

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


def ap0(red: float, green: float, blue: float) -> Values:
    """An ACEScg color as ACES2065-1."""
    color: Values = (_AP1_TO_AP0 @ np.array([red, green, blue])).astype(np.float32)
    return color


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an element is: ``camera_point = rotation @ local_point + center``."""

    rotation: Values
    center: Values


@dataclass(frozen=True, slots=True)
class Surface:
    """What an element looks like at some points, before light.

    Attributes:
        normal: Unit vectors in camera space, ``(..., 3)``; zero where nothing is lit.
        albedo: Diffuse reflectance, ``(..., 3)``.
        emission: Light of its own, ``(..., 3)``.
        roughness: GGX roughness (its square is alpha), the same all over.
    """

    normal: Values
    albedo: Values
    emission: Values
    roughness: float = 1.0


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Values:
    """Rotation about x, then y, then z, radians; ``(3, 3)``."""
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: Values = (about_z @ about_y @ about_x).astype(np.float32)
    return rotation


def rays(x: Values, y: Values) -> Values:
    """Directions through pixels, ``(..., 3)`` with z = -1, so that distance along z scales them to points."""
    return np.stack([(x - CENTER_X) / FOCAL, (HORIZON - y) / FOCAL, np.full_like(x, -1)], axis=-1).astype(np.float32)


def project(points: Values) -> tuple[Values, Values]:
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
    def trace(self, ray: Values, time: float, pixel: float) -> tuple[Values, Values]:
        """Coverage in 0-1 and depth (along -z) of each ray; ``pixel`` is a pixel's size in display pixels."""

    @abstractmethod
    def surface(self, points: Values, pose: Pose, pixel: float) -> Surface:
        """Its look at camera-space points on it."""

    def bounds(self, _time: float) -> tuple[float, float, float, float] | None:
        """Pixels left, top, right, bottom that hold it, or None for anywhere."""
        return None

    def carry(self, points: Values, time: float, other: float) -> Values:
        """Camera-space points that ride on it, at another time."""
        old, new = self.pose(time), self.pose(other)
        return (points - old.center) @ (new.rotation @ old.rotation.T).T + new.center


def black(points: Values) -> Values:
    """Nothing, of the shape of the points."""
    return np.zeros_like(points)
