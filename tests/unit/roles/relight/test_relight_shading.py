# SPDX-License-Identifier: Apache-2.0
"""The surface: energy, reciprocity, and agreement with the formulas in double precision."""

import numpy as np
import pytest

from understudy.roles.relight.shading import Beam, Planes, Surface, brdf, constant, normalized

WHITE = (1.0, 1.0, 1.0)


def surfaces(roughness: float, metallic: float, count: int = 400) -> Surface:
    """Surfaces seen at every angle, normal along z."""
    nv = np.linspace(0.002, 1, count).astype(np.float32)
    view = (np.sqrt(1 - nv * nv), np.zeros_like(nv), nv)
    normal = (np.zeros_like(nv), np.zeros_like(nv), np.ones_like(nv))
    return Surface(normal, view, np.full_like(nv, roughness), np.full_like(nv, metallic))


def directions(rng: np.random.Generator) -> Planes:
    x, y, z = rng.normal(size=(3, 400)).astype(np.float32)
    return normalized((x, y, z))


def upper(vectors: Planes, keep: np.ndarray) -> Planes:
    return vectors[0][keep], vectors[1][keep], np.abs(vectors[2][keep])


def outgoing(surface: Surface, albedo: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    plane = np.full_like(surface.nv, albedo)
    return surface.outgoing((plane, plane, plane), np.ones_like(surface.nv))


@pytest.mark.parametrize("roughness", [0.0, 0.03, 0.2, 0.37, 0.5, 0.71, 1.0])
@pytest.mark.parametrize("metallic", [0.0, 0.4, 1.0])
def test_white_surface_in_white_world_is_white(roughness: float, metallic: float) -> None:
    surface = surfaces(roughness, metallic)
    surface.add_uniform(WHITE)
    diffuse, specular = outgoing(surface)
    np.testing.assert_allclose(diffuse + specular, 1, atol=1e-6)


@pytest.mark.parametrize("roughness", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_sum_over_a_sky_of_beams_keeps_the_energy(roughness: float, metallic: float) -> None:
    # Quadrature of the hemisphere with cells that shrink toward the pole; nothing but add_beam is used.
    rows, columns = 300, 300
    edges = 1 - np.linspace(0, 1, rows + 1) ** 2
    z = ((edges[1:] + edges[:-1]) / 2)[:, None]
    phi = ((np.arange(columns) + 0.5) / columns * np.pi)[None]
    sine = np.sqrt(1 - z * z)
    x, y, up = ((p + 0 * phi).ravel().astype(np.float32) for p in (sine * np.cos(phi), sine * np.sin(phi), z))
    weight = np.repeat((edges[:-1] - edges[1:]) * 2 * np.pi / columns, columns).astype(np.float32)
    one = np.ones_like(weight)
    for nv in (0.15, 0.4, 0.7, 1.0):
        view = (np.sqrt(1 - nv * nv) * one, 0 * one, np.float32(nv) * one)
        surface = Surface((0 * one, 0 * one, one), view, roughness * one, metallic * one)
        surface.add_beam(Beam((x, y, up), weight, WHITE, 0 * one))
        total = np.add(*surface.outgoing((one, one, one), one))[0].sum(dtype=np.float64)
        assert 0.99 <= total <= 1.002


@pytest.mark.parametrize(("roughness", "metallic"), [(0.2, 0.0), (0.5, 1.0), (0.9, 0.3)])
def test_light_and_camera_may_change_places(roughness: float, metallic: float) -> None:
    rng = np.random.default_rng(3)
    a, b = directions(rng), directions(rng)
    keep = (np.abs(a[2]) > 0.05) & (np.abs(b[2]) > 0.05)
    a, b = upper(a, keep), upper(b, keep)
    one = np.ones_like(a[0])
    normal = (0 * one, 0 * one, one)
    albedo = (0.8 * one, 0.5 * one, 0.1 * one)
    there = brdf(normal, a, b, albedo, roughness * one, metallic * one)
    back = brdf(normal, b, a, albedo, roughness * one, metallic * one)
    np.testing.assert_allclose(there, back, rtol=2e-4)


def test_specular_is_ggx_with_smith_and_schlick() -> None:
    rng = np.random.default_rng(5)
    light, view = directions(rng), directions(rng)
    keep = (np.abs(light[2]) > 0.1) & (np.abs(view[2]) > 0.1)
    light, view = upper(light, keep), upper(view, keep)
    one = np.ones_like(light[0])
    # Below roughness 0.19 there is no multiple scattering, and a black metal has only Schlick's edge.
    value = brdf((0 * one, 0 * one, one), view, light, (0.7 * one,) * 3, 0.15 * one, one)[0]
    ln, vn = np.stack(light).astype(np.float64), np.stack(view).astype(np.float64)
    h = (ln + vn) / np.linalg.norm(ln + vn, axis=0)
    a2 = 0.15**4
    d = a2 / (np.pi * (h[2] ** 2 * (a2 - 1) + 1) ** 2)
    lam = [(np.sqrt(1 + a2 * (1 - c**2) / c**2) - 1) / 2 for c in (ln[2], vn[2])]
    g = 1 / (1 + lam[0] + lam[1])
    f = 0.7 + 0.3 * (1 - (ln * h).sum(axis=0)) ** 5
    np.testing.assert_allclose(value, d * g * f / (4 * ln[2] * vn[2]), rtol=2e-3)


def test_light_from_behind_gives_nothing() -> None:
    surface = surfaces(0.5, 0.0)
    surface.add_beam(Beam((constant(0.6), constant(0), constant(-0.8)), constant(5), WHITE, constant(0)))
    diffuse, specular = outgoing(surface)
    assert not diffuse.any()
    assert not specular.any()


def test_result_is_associated_with_cover() -> None:
    surface = surfaces(0.4, 0.3)
    surface.add_beam(Beam((constant(0), constant(0), constant(1)), constant(2), WHITE, constant(0)))
    one = np.ones_like(surface.nv)
    whole = np.add(*surface.outgoing((0.6 * one,) * 3, one))
    half = np.add(*surface.outgoing((0.3 * one,) * 3, 0.5 * one))
    np.testing.assert_allclose(half, 0.5 * whole, rtol=1e-5)
    assert not np.add(*surface.outgoing((0 * one,) * 3, 0 * one)).any()


def test_colors_out_of_gamut_and_over_one_stay_finite() -> None:
    surface = surfaces(0.9, 1.0)
    surface.add_uniform((500.0, -1.0, 1.0))
    one = np.ones_like(surface.nv)
    diffuse, specular = surface.outgoing((4 * one, 0.5 * one, -0.3 * one), one)
    assert np.isfinite(diffuse).all()
    assert np.isfinite(specular).all()
    assert (specular[1] < 0).all()
