# SPDX-License-Identifier: Apache-2.0
"""Shaded solids: the truth that comes with a picture is true."""

import pytest

pytest.importorskip("torch")

import torch

from understudy_training.generators.dice import Dice
from understudy_training.generators.recording import record
from understudy_training.generators.shaded import draw_rays, draw_shaded, find_surfaces
from understudy_training.generators.skies import draw_light, harmonics
from understudy_training.generators.solids import SHAPES, draw_solids
from understudy_training.generators.tracing import Rays, hits, tabulate

pytestmark = pytest.mark.torch
torch.set_num_threads(1)
CPU = torch.device("cpu")


def dice(seed: int) -> Dice:
    return Dice(torch.Generator().manual_seed(seed), CPU)


def test_normals_are_the_slope_of_the_distance() -> None:
    stream = dice(1)
    solids = draw_solids(stream, 6)
    found = find_surfaces(solids, draw_rays(stream, 6, 20, 20), 20)
    inside = found.sound & (found.point.abs().amax(dim=-1) < 1.4)
    steps = []
    for axis in torch.eye(3, dtype=torch.float64) * 1e-4:
        # In double precision, so that the difference of two near distances means something.
        wide = [getattr(solids, name).double() for name in solids.__dataclass_fields__]
        exact = type(solids)(*wide)
        point = found.point.double()
        steps.append(exact.distance(point + axis) - exact.distance(point - axis))
    slope = torch.stack(steps, dim=-1)
    slope = slope / slope.norm(dim=-1, keepdim=True)
    cosine = (slope * found.normal).sum(dim=-1)[inside]
    assert inside.float().mean() > 0.3
    assert cosine.clamp(-1, 1).acos().rad2deg().quantile(0.99) < 1.0
    assert torch.allclose(found.normal.norm(dim=-1), torch.ones(()), atol=1e-4)


def test_a_ball_is_where_it_is() -> None:
    solids = draw_solids(dice(2), 1)
    plain = {name: torch.zeros_like(getattr(solids, name)) for name in ("center", "flutes", "bend_by", "ripple_by")}
    kind = torch.zeros_like(solids.kind)
    kind[0, 0] = 1
    ball = type(solids)(
        **{
            **{name: getattr(solids, name) for name in solids.__dataclass_fields__},
            **plain,
            "kind": kind,
            "size": torch.full_like(solids.size, 0.7),
            "power": torch.full_like(solids.power, 2.0),
            "sheet_at": torch.full_like(solids.sheet_at, -1e3),
        }
    )
    x = torch.linspace(-0.65, 0.65, 9)
    origin = torch.stack([x, torch.zeros(9), torch.full((9,), 3.0)], dim=-1)[None]
    direction = torch.tensor([0.0, 0.0, -1.0]).expand(1, 9, 3)
    rays = Rays(origin, direction)
    far, seen = hits(ball, tabulate(ball, 32), rays)
    points = rays.at(far)
    assert seen.all()
    assert torch.allclose(points.norm(dim=-1), torch.full((1, 9), 0.7), atol=4e-3)
    assert torch.allclose(ball.normals(points), points / 0.7, atol=1e-2)


def test_pictures_are_what_their_truth_says() -> None:
    shaded = draw_shaded(torch.Generator().manual_seed(3), 6, 32, 40, lightings=2, grid=20)
    assert shaded.image.shape == (6, 3, 32, 40)
    for name in ("image", "normal", "albedo", "shading", "light"):
        assert torch.isfinite(getattr(shaded, name)).all(), name
    mask = shaded.mask.expand(-1, 3, -1, -1)
    # What is seen is matte reflection plus shine, never less.
    assert (shaded.image - shaded.albedo * shaded.shading)[mask].min() > -1e-4
    assert shaded.normal[:, 2:][shaded.mask].min() > -0.75
    # Two pictures of one scene: the same shapes, other light.
    assert torch.equal(shaded.normal[0], shaded.normal[1])
    assert not torch.equal(shaded.shading[0], shaded.shading[1])


def test_pictures_depend_on_the_seed_alone() -> None:
    a, b, c = (draw_shaded(torch.Generator().manual_seed(seed), 2, 32, 32, grid=16) for seed in (5, 5, 6))
    assert torch.equal(a.image, b.image)
    assert not torch.equal(a.image, c.image)


def test_harmonics_of_a_sky_are_its_light_on_a_matte_surface() -> None:
    light = draw_light(dice(7), torch.tensor([[0.0, 1.0, 0.0]] * 3))
    looks = torch.nn.functional.normalize(torch.randn(40_000, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    seen = light.radiance(looks.expand(3, -1, -1))
    normals = torch.tensor([[0.0, 0.0, 1.0], [0.6, 0.8, 0.0], [-0.6, 0.0, 0.8]])
    brute = ((normals @ looks.T).clamp_min(0) @ seen) * 4 / len(looks)
    fast = harmonics(normals) @ light.sky_harmonics()
    assert ((fast - brute).abs().amax(dim=(1, 2)) < 0.08 * brute.amax(dim=(1, 2))).all()


def test_parts_of_a_batch_have_the_shapes_they_need() -> None:
    solids = draw_solids(dice(8), 12)
    point = torch.rand(12, 50, 3, generator=torch.Generator().manual_seed(2)) * 2 - 1
    few = solids.part(0, 4)
    assert few.kind.shape[1] < SHAPES
    assert torch.allclose(few.distance(point[:4]), solids.distance(point)[:4], atol=1e-5)


def test_recording_changes_values_and_keeps_the_exposure() -> None:
    image = draw_shaded(torch.Generator().manual_seed(9), 4, 32, 32, grid=16).image
    seen, honest = record(dice(10), image)
    brighter, _ = record(dice(10), image * 8)
    assert honest.shape == (4,)
    assert torch.allclose(brighter, seen * 8, rtol=1e-3, atol=1e-4)
