# SPDX-License-Identifier: Apache-2.0
"""The demo renderer's light: textbook Lambert and GGX, written apart from the relight role so that it can be its judge.

Sources: Walter et al. 2007 (GGX), Heitz 2014 (height-correlated Smith), Schlick 1994, Karis 2014 (ambient reflectance).
"""

import numpy as np

from understudy.contracts.lights import AmbientLight, DirectionalLight, LightRig, PointLight
from understudy.demo.geometry import Surface
from understudy.demo.texture import Values

DAY = LightRig(
    lights=(
        DirectionalLight(
            type="directional", name="key", direction=(0.62, 0.58, 0.53), color=(1.0, 0.86, 0.68), intensity=3.6
        ),
        AmbientLight(type="ambient", name="sky", color=(0.55, 0.75, 1.0), intensity=0.26),
    )
)
"""The light the shot is rendered under. Nothing casts a shadow."""

NIGHT = LightRig(
    lights=(
        DirectionalLight(
            type="directional", name="moon", direction=(-0.75, 0.45, 0.30), color=(0.42, 0.62, 1.0), intensity=2.4
        ),
        PointLight(
            type="point", name="lamp", position=(0.55, -0.35, -4.2), color=(1.0, 0.55, 0.20), intensity=5.5, radius=0.3
        ),
        AmbientLight(type="ambient", name="sky", color=(0.4, 0.55, 1.0), intensity=0.10),
    )
)
"""The light it is relit with."""

_F0 = 0.04


def shade(look: Surface, points: Values, rig: LightRig) -> Values:
    """Light that leaves the points toward the camera at the origin: dielectric surfaces, no shadows.

    Args:
        look: The surface at ``n`` points; a zero normal is unlit.
        points: Camera-space points, ``(n, 3)``.
        rig: Directional, point and ambient lights; others do not shine here.

    Returns:
        Scene-linear radiance, ``(n, 3)``, without emission.
    """
    out = np.zeros_like(points)
    lit = np.any(look.normal != 0, axis=-1)
    if not lit.any():
        return out
    normal, albedo, points = look.normal[lit], look.albedo[lit], points[lit]
    view = -points / np.linalg.norm(points, axis=-1, keepdims=True)
    facing = np.clip(_dot(normal, view), 1e-3, 1)
    reflected = _reflectance(look.roughness, facing)
    base = albedo * (1 - reflected)[:, None]
    total = np.zeros_like(points)
    toward: Values
    falloff: Values | np.float32
    for item in rig.lights:
        radiance = np.array(item.radiance, dtype=np.float32)
        if isinstance(item, AmbientLight):
            total += (base + reflected[:, None]) * radiance
            continue
        if isinstance(item, DirectionalLight):
            toward = np.array(item.direction, dtype=np.float32)
            toward, falloff = np.broadcast_to(toward / np.linalg.norm(toward), points.shape), np.float32(1)
        elif isinstance(item, PointLight):
            toward = np.array(item.position, dtype=np.float32) - points
            far = np.linalg.norm(toward, axis=-1)
            toward, falloff = toward / np.maximum(far, 1e-6)[:, None], 1 / np.square(np.maximum(far, item.radius))
        else:
            continue
        cosine = np.maximum(_dot(normal, toward), 0)
        glint = _ggx(normal, view, toward, facing, cosine, look.roughness)
        total += (base / np.float32(np.pi) + glint[:, None]) * (cosine * falloff)[:, None] * radiance
    out[lit] = total
    return out


def _dot(a: Values, b: Values) -> Values:
    product: Values = np.einsum("ni,ni->n", a, b)
    return product


def _ggx(normal: Values, view: Values, toward: Values, facing: Values, cosine: Values, roughness: float) -> Values:
    half = view + toward
    half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-6)
    square = np.float32(roughness**4)
    spread = 1 + np.square(_dot(normal, half)) * (square - 1)
    distribution = square / (np.float32(np.pi) * np.square(spread))
    smith = cosine * np.sqrt(square + (1 - square) * np.square(facing)) + facing * np.sqrt(
        square + (1 - square) * np.square(cosine)
    )
    fresnel = _F0 + (1 - _F0) * np.power(1 - np.clip(_dot(view, half), 0, 1), 5)
    glint: Values = distribution * fresnel * 0.5 / np.maximum(smith, 1e-6)
    return glint.astype(np.float32)


def _reflectance(roughness: float, facing: Values) -> Values:
    x, y = 1 - roughness, 0.0425 - 0.0275 * roughness
    bend = np.minimum(x * x, np.exp2(-9.28 * facing)) * x + y
    scale, bias = -1.04 * bend + (1.04 - 0.572 * roughness), 1.04 * bend + (0.022 * roughness - 0.04)
    share: Values = np.clip(_F0 * scale + bias, 0, 1)
    return share.astype(np.float32)
