# SPDX-License-Identifier: Apache-2.0
"""Lights of a rig, as the light that reaches each pixel."""

from collections.abc import Iterator, Mapping

import numpy as np

from understudy.contracts.errors import UsageError
from understudy.contracts.lights import (
    AmbientLight,
    AreaLight,
    DirectionalLight,
    EnvironmentLight,
    LightRig,
    PointLight,
    SpotLight,
    Vector3,
)
from understudy.contracts.plate import FloatImage
from understudy.roles.relight.energy import Values
from understudy.roles.relight.environment import Sky, dominant_direction, filter_sky, look_up
from understudy.roles.relight.shading import PI, Beam, Planes, Surface, constant, dot, normalized

_NONE = np.float32(0)


class Lighting:
    """A rig, ready to shine.

    Args:
        rig: The lights.
        pictures: For each environment light's ``file`` its pixels ``(height, 2 height, 3)``, linear light in the
            plate's space.

    Raises:
        UsageError: A direction or an edge has no length.
    """

    def __init__(self, rig: LightRig, pictures: Mapping[str, FloatImage]) -> None:
        self.rig = rig
        self._skies: list[tuple[EnvironmentLight, Sky]] = []
        for number, light in enumerate(rig.lights):
            _check(light, f"lights[{number}]")
            if isinstance(light, EnvironmentLight):
                self._skies.append((light, filter_sky(pictures[light.file], light.resolution)))

    @property
    def needs_position(self) -> bool:
        """Whether a light stands somewhere in the scene, so that shading needs positions."""
        return any(isinstance(light, (PointLight, SpotLight, AreaLight)) for light in self.rig.lights)

    def beams(self, position: Planes | None) -> Iterator[Beam]:
        """The light of everything that has a direction.

        Args:
            position: Camera-space points, planes ``(n,)``; needed when :attr:`needs_position`.
        """
        for light in self.rig.lights:
            if isinstance(light, DirectionalLight):
                yield Beam(_vector(_unit(light.direction)), constant(1), light.radiance, constant(0))
            elif isinstance(light, AreaLight):
                assert position is not None
                yield from _area(light, position)
            elif isinstance(light, (PointLight, SpotLight)):
                assert position is not None
                yield _point(light, position)
        for light, sky in self._skies:
            r, g, b = light.radiance
            for sun in sky.suns:
                color = (sun.irradiance[0] * r, sun.irradiance[1] * g, sun.irradiance[2] * b)
                direction = _vector(_turned(sun.direction, light.rotation))
                yield Beam(direction, constant(1), color, constant(sun.spread))

    def shine(self, surface: Surface, position: Planes | None) -> None:
        """Gives a surface all the light of the rig; see :meth:`beams` for ``position``."""
        for beam in self.beams(position):
            surface.add_beam(beam)
        for light in self.rig.lights:
            if isinstance(light, AmbientLight):
                surface.add_uniform(light.radiance)
        for sky_light, sky in self._skies:
            normal = _unturned(surface.normal, sky_light.rotation)
            view = _unturned(surface.view, sky_light.rotation)
            lobe = normalized(dominant_direction(normal, view, surface.roughness))
            diffuse = look_up(sky.diffuse, normal, surface.roughness)
            glossy = look_up(sky.glossy, lobe, surface.roughness)
            for c, gain in enumerate(sky_light.radiance):
                surface.add_field(c, diffuse[c] * np.float32(gain), glossy[c] * np.float32(gain))

    def matte(self, normal: Planes, position: Planes | None) -> FloatImage:
        """Radiance of a white Lambertian surface, ``(3, n)``; 0 where the normal is."""
        total = np.zeros((3, *normal[0].shape), np.float32)
        lit = dot(normal, normal) > 0
        for beam in self.beams(position):
            shade = np.clip(dot(normal, beam.direction), 0, 1) * beam.irradiance / PI
            for c, gain in enumerate(beam.color):
                total[c] += shade * np.float32(gain)
        for each in self.rig.lights:
            if isinstance(each, AmbientLight):
                for c, gain in enumerate(each.radiance):
                    total[c] += np.where(lit, np.float32(gain), _NONE)
        # At roughness 1 the diffuse lobe is within 2 % of a cosine.
        rough = np.ones_like(normal[0])
        for sky_light, sky in self._skies:
            diffuse = look_up(sky.diffuse, _unturned(normal, sky_light.rotation), rough)
            for c, gain in enumerate(sky_light.radiance):
                total[c] += np.where(lit, diffuse[c] * np.float32(gain), _NONE)
        return total


def _point(light: PointLight | SpotLight, position: Planes) -> Beam:
    to = _from(position, light.position)
    square = dot(to, to)
    direction = normalized(to)
    nearest = constant(max(light.radius**2, 1e-12))
    irradiance: Values = np.reciprocal(np.maximum(square, nearest))
    if isinstance(light, SpotLight):
        aim = _unit(light.aim)
        away = -dot(direction, _vector(aim))
        half = float(np.radians(light.angle / 2))
        inner = half * (1 - light.softness)
        angle = np.arccos(np.clip(away, -1, 1))
        if inner < half:
            share = np.clip((np.float32(half) - angle) / np.float32(half - inner), 0, 1)
            irradiance = irradiance * (share * share * (3 - 2 * share))
        else:
            irradiance = np.where(angle <= np.float32(half), irradiance, _NONE)
    spread = constant(light.radius) * np.sqrt(np.reciprocal(np.maximum(square, nearest)))
    return Beam(direction, irradiance, light.radiance, spread)


def _area(light: AreaLight, position: Planes) -> Iterator[Beam]:
    """Samples at the centers of equal cells, each a small disk, whose form factor stays finite at contact.

    Highlights of neighboring cells overlap: twice a cell's radius makes them one.
    """
    u, v, center = np.array(light.u), np.array(light.v), np.array(light.position)
    cross = np.cross(u, v)
    area = 4 * np.linalg.norm(cross)
    facing = cross / np.linalg.norm(cross)
    beam = _vector((float(facing[0]), float(facing[1]), float(facing[2])))
    across, down = _cells(light.samples, float(np.linalg.norm(u)), float(np.linalg.norm(v)))
    cell = np.float32(area / (across * down))
    disk = cell / PI
    for j in range(down):
        for i in range(across):
            place = center + u * (2 * (i + 0.5) / across - 1) + v * (2 * (j + 0.5) / down - 1)
            to = _from(position, (float(place[0]), float(place[1]), float(place[2])))
            square = dot(to, to) + disk
            direction = normalized(to)
            shines = np.clip(-dot(direction, beam), 0, 1)
            yield Beam(direction, shines * cell / square, light.radiance, 2 * np.sqrt(disk * shines / square))


def _cells(samples: int, wide: float, high: float) -> tuple[int, int]:
    """Columns and rows of nearly square cells, at least ``samples`` of them."""
    across = max(1, round(np.sqrt(samples * wide / high)))
    across = min(across, samples)
    return across, -(-samples // across)


def _check(light: object, where: str) -> None:
    named: dict[str, Vector3] = {}
    if isinstance(light, DirectionalLight):
        named = {"direction": light.direction}
    elif isinstance(light, SpotLight):
        named = {"aim": light.aim}
    elif isinstance(light, AreaLight):
        cross = np.cross(light.u, light.v)
        named = {"u": light.u, "v": light.v, "u x v": (float(cross[0]), float(cross[1]), float(cross[2]))}
    for name, vector in named.items():
        if not np.linalg.norm(vector) > 0:
            raise UsageError(
                "this vector has no length", where=f"{where}.{name}", fix="give a direction other than 0 0 0"
            )


def _unit(vector: Vector3) -> Vector3:
    length = float(np.linalg.norm(vector))
    return vector[0] / length, vector[1] / length, vector[2] / length


def _vector(vector: Vector3) -> Planes:
    return constant(vector[0]), constant(vector[1]), constant(vector[2])


def _from(position: Planes, place: Vector3) -> Planes:
    x, y, z = (np.float32(p) - q for p, q in zip(place, position, strict=True))
    return x, y, z


def _turned(vector: Vector3, degrees: float) -> Vector3:
    """Rotated about +y, counterclockwise seen from above."""
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return vector[0] * c + vector[2] * s, vector[1], -vector[0] * s + vector[2] * c


def _unturned(planes: Planes, degrees: float) -> Planes:
    if degrees == 0:
        return planes
    c, s = np.float32(np.cos(np.radians(degrees))), np.float32(np.sin(np.radians(degrees)))
    return planes[0] * c - planes[2] * s, planes[1], planes[0] * s + planes[2] * c
