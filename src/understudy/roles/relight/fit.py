# SPDX-License-Identifier: Apache-2.0
"""The light that a picture was taken in, fitted to its pixels, and normals fitted to pictures under known lights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from understudy.contracts.errors import UsageError
from understudy.contracts.plate import FloatImage
from understudy.roles.relight.energy import Values
from understudy.roles.relight.environment import dominant_direction
from understudy.roles.relight.shading import Planes, Surface, dot, normalized

Doubles = npt.NDArray[np.float64]

GRAY = 0.18
"""The albedo of a surface whose albedo nobody knows."""

_RIDGE = (1e-3, 1e-2, 5e-2)
_ROUNDS = 12
_HUBER = 1.345
_WORST_CONDITION = (1e5, 1e4)
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class FittedLight:
    """Radiance of a white matte surface by its normal, as spherical harmonics.

    Attributes:
        coefficients: float32 ``(9, 3)``: real orthonormal harmonics of bands 0, 1, 2 by RGB.
        bands: Highest band fitted: 2, or 1 (ambient and one direction) or 0 (ambient) where normals were too few.
        condition: Condition number of the weighted normal matrix of band 2.
        samples: Pixels it was fitted to.
        residual: Robust residual over the mean level, per RGB together.
    """

    coefficients: npt.NDArray[np.float32]
    bands: int
    condition: float
    samples: int
    residual: float

    @property
    def needs_position(self) -> bool:
        """It comes from infinitely far away."""
        return False

    def matte(self, normal: Planes, position: Planes | None) -> FloatImage:
        """Radiance of a white Lambertian surface, ``(3, n)``; 0 where the normal is, or where the fit goes below."""
        del position
        lit = dot(normal, normal) > 0
        total = np.zeros((3, *normal[0].shape), np.float32)
        for harmonic, row in zip(harmonics(normal), self.coefficients, strict=True):
            for c in range(3):
                total[c] += harmonic * row[c]
        return np.where(lit, np.maximum(total, 0), np.float32(0))

    def shine(self, surface: Surface, position: Planes | None) -> None:
        """Gives a surface this light; its highlights are as soft as the harmonics are."""
        diffuse = self.matte(surface.normal, position)
        lobe = normalized(dominant_direction(surface.normal, surface.view, surface.roughness))
        glossy = self.matte(lobe, position)
        for c in range(3):
            surface.add_field(c, diffuse[c], glossy[c])

    def facts(self) -> dict[str, Any]:
        """For reports; JSON types."""
        return {
            "kind": "fitted",
            "bands": self.bands,
            "condition": round(self.condition, 3),
            "samples": self.samples,
            "residual": round(self.residual, 4),
            "coefficients": [[round(float(value), 6) for value in row] for row in self.coefficients],
        }


def harmonics(normal: Planes) -> list[npt.NDArray[np.float32]]:
    """The nine real spherical harmonics of bands 0 to 2, orthonormal (Ramamoorthi and Hanrahan 2001)."""
    x, y, z = normal
    f = np.float32
    return [
        np.full_like(x, f(0.28209479)),
        f(0.48860251) * y,
        f(0.48860251) * z,
        f(0.48860251) * x,
        f(1.09254843) * x * y,
        f(1.09254843) * y * z,
        f(0.31539157) * (3 * z * z - 1),
        f(1.09254843) * x * z,
        f(0.54627422) * (x * x - y * y),
    ]


def fit_light(rgb: FloatImage, normal: Planes, albedo: FloatImage | None, weight: Values) -> FittedLight:
    """Fits the light to pixels: robust (Huber, reweighted least squares), with a ridge that grows with the band.

    Args:
        rgb: ``(3, n)``, linear light.
        normal: Unit normals, planes ``(n,)``; zero normals count for nothing.
        albedo: ``(3, n)``; None takes 0.18 everywhere.
        weight: ``(n,)``, 0 or more: confidence.

    Returns:
        The light. With no usable pixel: uniform light of radiance 1.
    """
    use = (weight > 0) & (dot(normal, normal) > 0)
    if albedo is not None:
        use &= (albedo > 0).all(axis=0)
    count = int(use.sum())
    if count < _FEWEST:
        return FittedLight(_uniform(), 0, float("inf"), count, 0.0)
    planes = normal[0][use], normal[1][use], normal[2][use]
    basis = np.stack(harmonics(planes), axis=1).astype(np.float64)
    trust = weight[use].astype(np.float64)
    surface = np.full((3, count), GRAY) if albedo is None else albedo[:, use].astype(np.float64)
    seen = rgb[:, use].astype(np.float64)
    matrix = (basis * trust[:, None]).T @ basis / trust.sum()
    conditions = [float(np.linalg.cond(matrix[:n, :n])) for n in (9, 4)]
    bands = 2 if conditions[0] <= _WORST_CONDITION[0] else 1 if conditions[1] <= _WORST_CONDITION[1] else 0
    terms = (bands + 1) ** 2
    coefficients = np.zeros((9, 3))
    residuals = []
    for c in range(3):
        coefficients[:terms, c], left = _robust(basis[:, :terms] * surface[c][:, None], seen[c], trust)
        residuals.append(left / max(float(np.average(np.abs(seen[c]), weights=trust)), 1e-9))
    return FittedLight(coefficients.astype(np.float32), bands, conditions[0], count, float(np.mean(residuals)))


def fit_normals(
    images: Sequence[FloatImage], directions: npt.ArrayLike, strengths: npt.ArrayLike | None = None
) -> tuple[FloatImage, FloatImage]:
    """Normals and albedo of a matte scene from pictures under different distant lights (Woodham 1980).

    Shadowed pixels are left out of each pixel's fit where at least four lights remain: a pixel that is much darker than
    the model says is in shadow, and Lambert's law does not hold there.

    Args:
        images: Three or more ``(height, width, 3)`` pictures from one camera, linear light.
        directions: For each, the direction from the surface to its light, camera space; any length but zero.
        strengths: For each, the irradiance on a surface that faces it; 1 without.

    Returns:
        Unit normals ``(height, width, 3)`` (0 0 0 where all is dark) and albedo ``(height, width, 3)``: a picture under
        direction L and strength E is ``albedo * E / pi * max(N.L, 0)``.

    Raises:
        UsageError: There are fewer than three pictures, they differ in size, or their lights lie in a plane.
    """
    unit = np.array(directions, np.float64)
    if len(images) < 3 or unit.shape != (len(images), 3) or len({image.shape for image in images}) != 1:
        raise UsageError(
            f"got {len(images)} pictures and directions of shape {unit.shape}",
            fix="give three or more of one size, one each",
        )
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    power = np.ones(len(images)) if strengths is None else np.array(strengths, np.float64)
    lights = unit * power[:, None] / np.pi
    if np.linalg.matrix_rank(lights, tol=1e-3 * np.abs(lights).max()) < 3:
        raise UsageError("the lights lie in one plane", where="directions", fix="add a light from another side")
    height, width = images[0].shape[:2]
    seen = np.stack([image.astype(np.float64).reshape(-1, 3) for image in images])
    gray = seen.mean(axis=2)
    weights = np.ones_like(gray)
    solved = _weighted(lights, gray, weights)
    for _ in range(_ROUNDS // 2):
        model = lights @ solved.T
        # A light that the fit says is behind the surface tells nothing; a much darker pixel is shadowed.
        lit = (model > 0) & (gray > 0.5 * model)
        enough = lit.sum(axis=0) >= 4
        weights = np.where(enough, np.where(lit, 1.0, 1e-3), 1.0)
        solved = _weighted(lights, gray, weights)
    length = np.linalg.norm(solved, axis=1)
    normal = np.divide(solved, length[:, None], out=np.zeros_like(solved), where=length[:, None] > 0)
    shade = np.maximum(lights @ normal.T, 0) * weights
    square = (shade * np.maximum(lights @ normal.T, 0)).sum(axis=0)
    albedo = np.einsum("in,inc->nc", shade, seen)
    albedo = np.divide(albedo, square[:, None], out=np.zeros_like(albedo), where=square[:, None] > 0)
    shape = (height, width, 3)
    return normal.astype(np.float32).reshape(shape), albedo.astype(np.float32).reshape(shape)


def _robust(design: Doubles, seen: Doubles, trust: Doubles) -> tuple[Doubles, float]:
    terms = design.shape[1]
    bands = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])[:terms]
    # Uniform light of the median is the start: least squares over all would begin at the highlights.
    solved = np.zeros(terms)
    solved[0] = np.median(seen / design[:, 0])
    scale = 0.0
    for _ in range(_ROUNDS):
        error = np.abs(seen - design @ solved)
        scale = 1.4826 * float(np.median(error))
        weights = trust * np.minimum(1.0, _HUBER * scale / np.maximum(error, 1e-30)) if scale > 0 else trust
        weighted = design * weights[:, None]
        matrix = weighted.T @ design
        ridge = np.diag(np.array(_RIDGE)[bands]) * (np.trace(matrix) / terms)
        solved = np.linalg.solve(matrix + ridge, weighted.T @ seen)
    return solved, scale


def _weighted(lights: Doubles, gray: Doubles, weights: Doubles) -> Doubles:
    """Least squares per pixel, ``(n, 3)``."""
    outer = np.einsum("ia,ib->iab", lights, lights).reshape(len(lights), 9)
    matrix = (weights.T @ outer).reshape(-1, 3, 3) + np.eye(3) * 1e-9
    return np.linalg.solve(matrix, ((weights * gray).T @ lights)[..., None])[..., 0]


def _uniform() -> npt.NDArray[np.float32]:
    coefficients = np.zeros((9, 3), np.float32)
    coefficients[0] = 1 / 0.28209479
    return coefficients
