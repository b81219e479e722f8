# SPDX-License-Identifier: Apache-2.0
"""How much light a GGX surface returns, as polynomials, so that diffuse and specular share the energy exactly.

Under uniform light a rough mirror (Schlick base reflectance ``F0``) returns ``F0 * A + B`` after one bounce. Both
depend on the cosine of the view ``mu`` and on roughness only. They are integrated once per process by sampling visible
normals (Heitz 2018, "Sampling the GGX Distribution of Visible Normals") and fitted with a polynomial in ``1 - mu`` for
each of 33 roughnesses.
Shading and its energy balance read the *same* polynomials, so a white surface in a white world returns exactly 1.

Sources: Walter et al. 2007 (GGX); Heitz 2014 (height-correlated Smith); Karis 2013 (A and B); Kulla and Conty 2017,
"Revisiting Physically Based Shading at Imageworks" (multiple scattering, reciprocal diffuse).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
"""One float32 per pixel, ``(n,)``; or ``(1,)`` for all pixels."""

_Real = TypeVar("_Real", np.float32, np.float64)

DIELECTRIC_F0 = 0.04
"""Reflectance at normal incidence of a surface that is not metallic (index of refraction 1.5)."""

MINIMUM_ALPHA = 0.002
"""GGX widths below this count as this: half the sun's angular radius, so the highlight of a point stays finite."""

_DEGREE = 8
_ROUGHNESSES = 33
_SMOOTH = 6


@dataclass(frozen=True, slots=True)
class EnergyTables:
    """Polynomial coefficients in ``x = 1 - mu``, lowest first, one row per roughness 0, 1/32 ... 1.

    Attributes:
        lost: ``1 - A - B``: what a white rough mirror loses to further bounces; float32 ``(33, 9)``.
        fresnel: ``B``; float32 ``(33, 9)``.
        lost_mean: Cosine-weighted mean of ``lost``; ``(33,)``.
        fresnel_mean: The same of ``fresnel``; ``(33,)``.
        dielectric_bounce: Share that a dielectric's further bounces return, of what its first one lost; ``(33,)``.
    """

    lost: Values
    fresnel: Values
    lost_mean: Values
    fresnel_mean: Values
    dielectric_bounce: Values


@lru_cache(maxsize=1)
def energy_tables() -> EnergyTables:
    """The tables, computed on first use (about 0.2 s)."""
    mu = np.append(((np.arange(48) + 0.5) / 48) ** 2, 1.0)
    x = 1.0 - mu
    basis = np.vander(x, _DEGREE + 1, increasing=True)
    # Cosine-weighted errors matter most; the small constant keeps grazing angles from running away.
    weight = np.sqrt(mu + 0.05)[:, None]
    solve = np.linalg.pinv(basis * weight)
    lost, fresnel = [], []
    for roughness in np.linspace(0.0, 1.0, _ROUGHNESSES):
        first, second = _integrate(max(roughness * roughness, MINIMUM_ALPHA), mu)
        lost.append(solve @ ((1.0 - first - second)[:, None] * weight))
        fresnel.append(solve @ (second[:, None] * weight))
    lost_rows, fresnel_rows = np.array(lost)[..., 0], np.array(fresnel)[..., 0]
    # Below this roughness the loss is under 0.3 % and the fit's own error would be divided by almost nothing.
    lost_rows[: _SMOOTH + 1] = 0.0
    # 2 * integral of (1-mu)^k mu dmu, exactly.
    k = np.arange(_DEGREE + 1)
    mean = 2.0 / ((k + 1) * (k + 2))
    lost_mean = lost_rows @ mean
    bounce = bounce_reflectance(np.full(1, DIELECTRIC_F0), 1.0 - lost_mean)
    f32 = np.float32
    return EnergyTables(
        lost_rows.astype(f32),
        fresnel_rows.astype(f32),
        lost_mean.astype(f32),
        (fresnel_rows @ mean).astype(f32),
        bounce.astype(f32),
    )


def bounce_reflectance(f0: npt.NDArray[_Real], kept: npt.NDArray[_Real]) -> npt.NDArray[_Real]:
    """Reflectance of the light that left a rough mirror after more than one bounce.

    Args:
        f0: Base reflectance; its mean over the hemisphere counts as at most 1, for more would feed on itself.
        kept: Mean share that a white mirror returns after one bounce.

    Returns:
        ``Fm^2 E / (1 - Fm (1 - E))`` (Kulla and Conty 2017), 1 for a white mirror.
    """
    mean = np.minimum(f0 + (1.0 - f0) / 21.0, 1.0)
    result: npt.NDArray[_Real] = mean * mean * kept / (1.0 - mean * (1.0 - kept))
    return result


def through_coat(lost: list[Values], fresnel: list[Values], bounce: Values) -> list[Values]:
    """What gets through a dielectric coat to the diffuse base: 1 minus everything that the coat reflects.

    Args:
        lost: Coefficients of ``1 - A - B``, or its mean alone.
        fresnel: Coefficients of ``B``, or its mean alone.
        bounce: Share of ``lost`` that further bounces return.

    Returns:
        Coefficients (or the mean) of the same kind.
    """
    f0 = np.float32(DIELECTRIC_F0)
    planes = [f0 * (a + b) - b - bounce * a for a, b in zip(lost, fresnel, strict=True)]
    planes[0] = planes[0] + (1 - f0)
    return planes


def coefficients(rows: Values, roughness: Values) -> list[Values]:
    """The polynomial for each pixel: coefficient planes, lowest first.

    Args:
        rows: A table ``(33, n)`` or ``(33,)``.
        roughness: Any shape, 0-1.
    """
    at = np.clip(roughness, 0.0, 1.0) * np.float32(_ROUGHNESSES - 1)
    low = np.minimum(at.astype(np.int32), _ROUGHNESSES - 2)
    share = at - low
    table = rows if rows.ndim == 2 else rows[:, None]
    return [table[low, k] * (1 - share) + table[low + 1, k] * share for k in range(table.shape[1])]


def polynomial(planes: list[Values], mu: Values) -> Values:
    """Horner's scheme in ``1 - mu``."""
    x = 1 - mu
    total = planes[-1]
    for plane in planes[-2::-1]:
        total = total * x + plane
    return total


def _integrate(alpha: float, mu: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A and B for each ``mu``: means over 48x24 stratified visible normals of G2/G1, split by Schlick's term."""
    u, phi = np.meshgrid((np.arange(48) + 0.5) / 48, (np.arange(24) + 0.5) / 24 * np.pi, indexing="ij")
    u, phi, mu = u.ravel()[None], phi.ravel()[None], mu[:, None]
    sine = np.sqrt(1.0 - mu * mu)
    # The view, stretched so that the surface looks like a hemisphere; it lies in the x-z plane.
    length = np.sqrt((alpha * sine) ** 2 + mu * mu)
    vx, vz = alpha * sine / length, mu / length
    t1 = np.sqrt(u) * np.cos(phi)
    t2 = np.sqrt(u) * np.sin(phi)
    # Both halves of the disk, for t1 (across) is symmetric and t2 (along) is not.
    total_a, total_b = np.zeros(len(mu)), np.zeros(len(mu))
    for side in (1.0, -1.0):
        s = 0.5 * (1.0 + vz)
        along = (1.0 - s) * np.sqrt(1.0 - t1 * t1) + s * t2 * side
        up = np.sqrt(np.maximum(0.0, 1.0 - t1 * t1 - along * along))
        hx, hy, hz = -alpha * (along * vz - up * vx), alpha * t1, np.maximum(along * vx + up * vz, 0.0)
        norm = np.sqrt(hx * hx + hy * hy + hz * hz)
        hx, hz = hx / norm, hz / norm
        vh = np.clip(hx * sine + hz * mu, 0.0, 1.0)
        nl = 2.0 * vh * hz - mu
        cosine = np.where(nl > 0, nl, 1.0)
        squared = alpha * alpha
        lambda_v = (np.sqrt(1 + squared * (1 - mu * mu) / (mu * mu)) - 1) / 2
        lambda_l = (np.sqrt(1 + squared * np.maximum(0, 1 - cosine**2) / cosine**2) - 1) / 2
        weight = np.where(nl > 0, (1 + lambda_v) / (1 + lambda_v + lambda_l), 0.0)
        schlick = (1.0 - vh) ** 5
        total_a += (weight * (1 - schlick)).mean(axis=1) / 2
        total_b += (weight * schlick).mean(axis=1) / 2
    return total_a, total_b
