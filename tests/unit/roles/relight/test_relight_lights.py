# SPDX-License-Identifier: Apache-2.0
"""Lights: falloff, cones, rectangles, and skies that face the right way and keep their energy."""

from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.lights import LightRig
from understudy.roles.relight.environment import average, filter_sky, grid_directions, solid_angles
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.shading import Surface, normalized


def rig(*lights: dict[str, Any]) -> LightRig:
    return LightRig.model_validate({"lights": lights})


def planes(*vectors: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.array(vectors, np.float32).T
    return x.copy(), y.copy(), z.copy()


def matte(light: dict[str, Any], normal: Any, position: Any = None, **pictures: np.ndarray) -> np.ndarray:
    return Lighting(rig(light), pictures).matte(normal, position)


def test_directional_light_is_irradiance_over_pi_times_cosine() -> None:
    normal = planes((0, 0, 1), (0.6, 0, 0.8), (0, 0, -1))
    value = matte({"type": "directional", "direction": (0, 0, 5), "color": (1, 2, 3), "exposure": 1}, normal)
    np.testing.assert_allclose(value[0], np.array([1, 0.8, 0]) * 2 / np.pi, rtol=1e-6)
    np.testing.assert_allclose(value[2], 3 * value[0], rtol=1e-6)


def test_point_light_falls_with_the_square() -> None:
    normal = planes((0, 0, 1), (0, 0, 1), (0, 0, 1))
    position = planes((0, 0, -1), (0, 0, -2), (0, 0, -4))
    value = matte({"type": "point", "position": (0, 0, 0), "intensity": np.pi}, normal, position)[0]
    np.testing.assert_allclose(value, [1, 1 / 4, 1 / 16], rtol=1e-6)
    near = matte({"type": "point", "position": (0, 0, 0), "intensity": np.pi, "radius": 2}, normal, position)[0]
    np.testing.assert_allclose(near, [1 / 4, 1 / 4, 1 / 16], rtol=1e-6)


@pytest.mark.parametrize("softness", [0.0, 0.5, 1.0])
def test_spot_is_a_point_light_within_its_cone(softness: float) -> None:
    angles = np.radians([0.0, 5.0, 19.9, 20.1, 60.0])
    position = planes(*[(np.sin(a), 0, -np.cos(a)) for a in angles])
    normal = tuple(-p for p in position)
    light = {"type": "spot", "position": (0, 0, 0), "aim": (0, 0, -2), "angle": 40, "intensity": np.pi}
    value = matte(light | {"softness": softness}, normal, position)[0]
    assert value[0] == pytest.approx(1, rel=1e-5)
    assert not value[3:].any()
    assert np.all(np.diff(value) <= 1e-6)
    if softness == 0:
        np.testing.assert_allclose(value[:3], 1, rtol=1e-5)


def test_area_light_far_away_is_a_point_of_its_area() -> None:
    light = {"type": "area", "position": (0, 0, 0), "u": (0, -0.5, 0), "v": (-0.25, 0, 0), "samples": 4}
    value = matte(light, planes((0, 0, 1)), planes((0, 0, -20)))[0]
    assert value[0] == pytest.approx(0.5 / 400 / np.pi, rel=1e-3)


def test_area_light_close_by_matches_its_form_factor() -> None:
    # Rectangle of half sides a, b over a parallel point at distance 1: four corners, each Howell's C-14.
    a, b = 0.8, 0.5
    ra, rb = np.sqrt(1 + a * a), np.sqrt(1 + b * b)
    exact = 4 * (a / ra * np.arctan(b / ra) + b / rb * np.arctan(a / rb)) / (2 * np.pi)
    light = {"type": "area", "position": (0, 0, 0), "u": (0, -b, 0), "v": (-a, 0, 0), "samples": 256}
    value = matte(light, planes((0, 0, 1)), planes((0, 0, -1)))[0]
    assert value[0] == pytest.approx(exact, rel=2e-3)


def test_area_light_is_one_sided_and_bounded_at_contact() -> None:
    light = {"type": "area", "position": (0, 0, -1), "u": (0, -1, 0), "v": (-1, 0, 0), "samples": 25}
    front = matte(light, planes((0, 0, 1)), planes((0, 0, -1.001)))[0]
    behind = matte(light, planes((0, 0, -1)), planes((0, 0, -0.5)))[0]
    assert 0 < front[0] <= 1.01
    assert behind[0] == 0


def test_vectors_without_length_are_refused_by_name() -> None:
    for light, field in (
        ({"type": "directional", "direction": (0, 0, 0)}, "direction"),
        ({"type": "spot", "position": (0, 0, 0), "aim": (0, 0, 0)}, "aim"),
        ({"type": "area", "position": (0, 0, 0), "u": (1, 0, 0), "v": (2, 0, 0)}, "u x v"),
    ):
        with pytest.raises(UsageError, match=r"lights\[1\]." + field):
            Lighting(rig({"type": "ambient"}, light), {})


def sky(rows: int = 32, value: float = 0.0) -> np.ndarray:
    return np.full((rows, 2 * rows, 3), value, np.float32)


AXES = {"+x": (1, 0, 0), "-x": (-1, 0, 0), "+y": (0, 1, 0), "-y": (0, -1, 0), "+z": (0, 0, 1), "-z": (0, 0, -1)}


@pytest.mark.parametrize(
    ("row", "column", "axis"),
    [(16, 32, "-z"), (16, 48, "+x"), (16, 16, "-x"), (16, 0, "+z"), (0, 7, "+y"), (31, 7, "-y")],
)
@pytest.mark.parametrize("shape", ["sun", "lobe"])
def test_a_lit_patch_lights_what_faces_it(row: int, column: int, axis: str, shape: str) -> None:
    picture = sky()
    if shape == "sun":
        picture[row, column] = 1000
    else:
        # Too even to count as a sun: a smooth lobe about the axis.
        picture += np.maximum(grid_directions(32) @ np.array(AXES[axis]), 0)[..., None].astype(np.float32)
    names = list(AXES)
    value = matte({"type": "environment", "file": "f"}, planes(*AXES.values()), f=picture)[0]
    assert names[int(value.argmax())] == axis
    assert value[names.index({"+": "-", "-": "+"}[axis[0]] + axis[1])] < 0.1 * value.max()


def test_rotation_is_counterclockwise_seen_from_above() -> None:
    picture = sky()
    picture[16, 32] = 1000  # ahead
    normal = planes(*AXES.values())
    for degrees, axis in ((90, "-x"), (180, "+z"), (270, "+x"), (-90, "+x")):
        value = matte({"type": "environment", "file": "f", "rotation": degrees}, normal, f=picture)[0]
        assert list(AXES)[int(value.argmax())] == axis
    still = matte({"type": "environment", "file": "f"}, planes((0.6, 0.3, -0.5)), f=picture)
    turned = matte({"type": "environment", "file": "f", "rotation": 360}, planes((0.6, 0.3, -0.5)), f=picture)
    np.testing.assert_allclose(still, turned, rtol=1e-5)


@pytest.mark.parametrize("rows", [8, 20, 64])
def test_averaging_keeps_the_energy(rows: int) -> None:
    picture = np.random.default_rng(1).random((48, 96, 3)).astype(np.float32) ** 8
    before = (picture * solid_angles(48)[:, None, None]).sum(axis=(0, 1))
    grid = average(picture, rows)
    np.testing.assert_allclose((grid * solid_angles(grid.shape[0])[:, None, None]).sum(axis=(0, 1)), before, rtol=1e-9)


def test_a_sun_keeps_its_energy_and_direction_at_any_resolution() -> None:
    picture = sky(64, 0.1)
    picture[20, 70] = (50000, 40000, 30000)
    direction = grid_directions(64)[20, 70]
    energy = np.array([50000, 40000, 30000]) * solid_angles(64)[20]
    for rows in (8, 32, 64):
        (sun,) = filter_sky(picture, rows).suns
        np.testing.assert_allclose(sun.direction, direction, atol=1e-6)
        np.testing.assert_allclose(sun.irradiance, energy, rtol=1e-3)


@pytest.mark.parametrize("roughness", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_white_sky_leaves_a_white_ball_invisible(roughness: float, metallic: float) -> None:
    normal, view = ball(24)
    one = np.ones_like(normal[0])
    surface = Surface(normal, view, roughness * one, metallic * one)
    Lighting(rig({"type": "environment", "file": "f"}), {"f": sky(16, 1.0)}).shine(surface, None)
    total = np.add(*surface.outgoing((one, one, one), one))
    np.testing.assert_allclose(total, 1, atol=3e-6)


def ball(side: int) -> tuple[Any, Any]:
    y, x = np.mgrid[0:side, 0:side]
    x, y = (x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2
    inside = x * x + y * y < 0.95
    x, y = x[inside].astype(np.float32), y[inside].astype(np.float32)
    zero = np.zeros_like(x)
    return normalized((x, y, np.sqrt(1 - x * x - y * y))), (zero, zero, zero + 1)


@pytest.mark.parametrize(("roughness", "metallic", "limit"), [(0.5, 0.0, 0.02), (0.4, 1.0, 0.06), (0.8, 1.0, 0.06)])
def test_a_ball_under_a_sky_matches_the_sum_over_all_texels(roughness: float, metallic: float, limit: float) -> None:
    directions = grid_directions(32)
    lobe = np.exp(6 * (directions @ (np.array([0.5, 0.6, 0.6]) / np.linalg.norm([0.5, 0.6, 0.6])) - 1))
    picture = (0.2 + np.stack([4 * lobe, 2 * lobe, lobe], axis=-1)).astype(np.float32)
    normal, view = ball(12)
    one = np.ones_like(normal[0])
    albedo = (0.7 * one, 0.5 * one, 0.3 * one)
    fast = Surface(normal, view, roughness * one, metallic * one)
    Lighting(rig({"type": "environment", "file": "f"}), {"f": picture}).shine(fast, None)
    exact = Surface(normal, view, roughness * one, metallic * one)
    angles = solid_angles(32)
    lights = [
        {
            "type": "directional",
            "direction": tuple(directions[row, column]),
            "color": tuple(picture[row, column] * angles[row]),
        }
        for row in range(32)
        for column in range(64)
    ]
    Lighting(rig(*lights), {}).shine(exact, None)
    a, b = (np.add(*surface.outgoing(albedo, one)) for surface in (fast, exact))
    assert np.sqrt(((a - b) ** 2).mean()) / b.mean() < limit
