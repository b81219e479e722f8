# SPDX-License-Identifier: Apache-2.0
"""The surface: GGX specular over a diffuse base, reciprocal and energy-preserving, for many pixels at once.

::

    f = (1-m) albedo/pi * T(i) T(o) / Tm                      diffuse base under the dielectric coat
      + D V F                                                 GGX, height-correlated Smith, Schlick
      + Fms/pi * (1-E(i)) (1-E(o)) / (1-Em)                   further bounces

``T`` is what the coat lets through, ``E`` what a white mirror keeps; see :mod:`understudy.roles.relight.energy`.
``alpha`` is roughness squared. ``F0`` is 0.04 where not metallic, the albedo where metallic.
"""

from dataclasses import dataclass

import numpy as np

from understudy.contracts.plate import FloatImage
from understudy.roles.relight.energy import (
    DIELECTRIC_F0,
    MINIMUM_ALPHA,
    Values,
    bounce_reflectance,
    coefficients,
    energy_tables,
    polynomial,
    through_coat,
)

PI = np.float32(np.pi)
Planes = tuple[Values, Values, Values]


def dot(a: Planes, b: Planes) -> Values:
    """Scalar product, summed in a fixed order so that any band of pixels gives the same bits."""
    total: Values = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return total


def normalized(v: Planes) -> Planes:
    """Unit vectors; a zero vector stays zero."""
    length = np.sqrt(dot(v, v))
    scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return v[0] * scale, v[1] * scale, v[2] * scale


def constant(value: float) -> Values:
    """One number for all pixels."""
    return np.full(1, value, np.float32)


@dataclass(frozen=True, slots=True)
class Beam:
    """Light that reaches each pixel from one direction.

    Attributes:
        direction: Unit vectors from the surface to the light.
        irradiance: On a surface that faces the light, before ``color``; 0 where it does not shine.
        color: RGB factor.
        spread: Angular radius of the light, radians: its highlight is that much wider.
    """

    direction: Planes
    irradiance: Values
    color: tuple[float, float, float]
    spread: Values


class Surface:
    """Pixels with a normal, a view direction and a material, and the light they have gathered.

    Args:
        normal: Unit normals, planes of ``(n,)``; a zero normal is unlit.
        view: Unit vectors toward the camera.
        roughness: ``(n,)`` or ``(1,)``, 0-1 (values beyond count as the nearest).
        metallic: ``(n,)`` or ``(1,)``, 0-1 (the same).
    """

    def __init__(self, normal: Planes, view: Planes, roughness: Values, metallic: Values) -> None:
        tables = energy_tables()
        self.normal, self.view = normal, view
        self.roughness = np.clip(roughness, 0, 1)
        self.metallic = np.clip(metallic, 0, 1)
        self.alpha = np.maximum(self.roughness * self.roughness, np.float32(MINIMUM_ALPHA))
        # Interpolated normals may look away from the camera at silhouettes: such a pixel is seen edge-on.
        self.nv = np.clip(dot(normal, view), np.float32(1e-3), 1)
        self._lost = coefficients(tables.lost, self.roughness)
        fresnel = coefficients(tables.fresnel, self.roughness)
        (self._bounce,) = coefficients(tables.dielectric_bounce, self.roughness)
        (self._lost_mean,) = coefficients(tables.lost_mean, self.roughness)
        (fresnel_mean,) = coefficients(tables.fresnel_mean, self.roughness)
        self._through = through_coat(self._lost, fresnel, self._bounce)
        (self._through_mean,) = through_coat([self._lost_mean], [fresnel_mean], self._bounce)
        self._through_view = polynomial(self._through, self.nv)
        self._lost_view = polynomial(self._lost, self.nv)
        self._fresnel_view = polynomial(fresnel, self.nv)
        shape = (3, *self.nv.shape)
        self._diffuse = np.zeros(shape, np.float32)
        self._base = np.zeros(shape, np.float32)
        self._edge = np.zeros(shape, np.float32)
        self._bounced = np.zeros(shape, np.float32)

    def add_beam(self, beam: Beam) -> None:
        """Gathers the light of one beam."""
        cosine = dot(self.normal, beam.direction)
        nl = np.clip(cosine, 0, 1)
        light = np.where(cosine > 0, nl * beam.irradiance, np.float32(0))
        diffuse = polynomial(self._through, nl) * light
        bounced = polynomial(self._lost, nl) * light
        half = 1 + np.clip(dot(self.view, beam.direction), -1, 1)
        specular = _microfacets(self.alpha, cosine, nl, self.nv, half, beam.spread) * light
        # Schlick: F = F0 (1-s) + s, so base and edge are kept apart until the albedo is known.
        schlick = (1 - np.sqrt(half * np.float32(0.5))) ** 5
        edge = specular * schlick
        base = specular - edge
        for c, gain in enumerate(np.array(beam.color, np.float32)):
            self._diffuse[c] += diffuse * gain
            self._base[c] += base * gain
            self._edge[c] += edge * gain
            self._bounced[c] += bounced * gain

    def add_uniform(self, radiance: tuple[float, float, float]) -> None:
        """Gathers the same radiance from every direction: the integrals, not a sum."""
        for c, value in enumerate(radiance):
            same = constant(value)
            self.add_field(c, same, same)

    def add_field(self, channel: int, diffuse: Values, specular: Values) -> None:
        """Gathers light from all around, as its means under the diffuse and the specular lobe.

        Args:
            channel: 0-2.
            diffuse: Cosine-weighted mean radiance over the hemisphere of the normal.
            specular: Mean radiance under the GGX lobe about the mirrored view.
        """
        lit = np.where(dot(self.normal, self.normal) > 0, np.float32(1), np.float32(0))
        self._diffuse[channel] += self._through_mean * PI * diffuse * lit
        self._bounced[channel] += self._lost_mean * PI * diffuse * lit
        self._base[channel] += (1 - self._lost_view - self._fresnel_view) * specular * lit
        self._edge[channel] += self._fresnel_view * specular * lit

    def outgoing(self, albedo: Planes, cover: Values) -> tuple[FloatImage, FloatImage]:
        """Radiance toward the camera.

        Args:
            albedo: Base color, **associated** with ``cover``; any finite value.
            cover: ``(n,)``: coverage that the result is associated with; 1 for opaque pixels.

        Returns:
            Diffuse and specular radiance, each ``(3, n)``.
        """
        diffuse, specular = np.empty_like(self._diffuse), np.empty_like(self._diffuse)
        through = self._through_view / (PI * self._through_mean) * (1 - self.metallic)
        lost = np.divide(self._lost_view, PI * self._lost_mean, out=np.zeros_like(self.nv), where=self._lost_mean > 0)
        kept = 1 - self._lost_mean
        plain = cover * (1 - self.metallic)
        for c in range(3):
            diffuse[c] = albedo[c] * through * self._diffuse[c]
            metal = np.divide(albedo[c], cover, out=np.zeros_like(self.nv), where=cover > 0)
            bounce = plain * self._bounce + cover * self.metallic * bounce_reflectance(metal, kept)
            f0 = plain * np.float32(DIELECTRIC_F0) + self.metallic * albedo[c]
            specular[c] = f0 * self._base[c] + cover * self._edge[c] + bounce * lost * self._bounced[c]
        return diffuse, specular


def _microfacets(alpha: Values, cosine: Values, nl: Values, nv: Values, half: Values, spread: Values) -> Values:
    """D times V, where V is the shadowing over ``4 nl nv``; ``half`` is 1 + the cosine between light and view."""
    # A light of some size smears the normals' distribution by half its radius; D still integrates to one.
    wide = alpha * alpha + np.float32(0.25) * spread * spread
    h2 = np.maximum(2 * half, np.float32(1e-6))
    nh2 = np.clip((cosine + nv) ** 2 / h2, 0, 1)
    width = nh2 * (wide - 1) + 1
    distribution = wide / (PI * width * width)
    a2 = alpha * alpha
    shadow = nl * np.sqrt(a2 + (1 - a2) * nv * nv) + nv * np.sqrt(a2 + (1 - a2) * nl * nl)
    result: Values = distribution * np.float32(0.5) / np.maximum(shadow, np.float32(1e-6))
    return result


def brdf(
    normal: Planes, view: Planes, light: Planes, albedo: Planes, roughness: Values, metallic: Values
) -> FloatImage:
    """The reflection function itself, 1/sr; for checks and plots.

    Args:
        normal: Unit normals, planes ``(n,)``.
        view: Unit vectors to the camera.
        light: Unit vectors to the light.
        albedo: Base color.
        roughness: 0-1.
        metallic: 0-1.

    Returns:
        ``(3, n)``; 0 where light or camera is behind the surface.
    """
    surface = Surface(normal, view, roughness, metallic)
    one, none = np.ones_like(surface.nv), np.zeros_like(surface.nv)
    surface.add_beam(Beam(light, one, (1.0, 1.0, 1.0), none))
    diffuse, specular = surface.outgoing(albedo, one)
    cosine = dot(normal, light)
    front = (cosine > 0) & (dot(normal, view) > 0)
    result: FloatImage = np.divide(diffuse + specular, cosine, out=np.zeros_like(diffuse), where=front)
    return result
