# SPDX-License-Identifier: Apache-2.0
"""The learned pack of normals: it beats its classical twin, takes any exposure, and leaves the plate alone."""

from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.jobs import PackPin
from understudy.contracts.lights import LightRig
from understudy.contracts.manifest import Role
from understudy.contracts.model import Call, Model, Tensors
from understudy.packs.discovery import discover
from understudy.packs.options import settle_options
from understudy.roles.relight import fit_normals
from understudy.runtimes.load import load_model
from unit.roles.relight.relight_scene import ball, plate, relight
from unit.roles.relight.test_relight_normals import cat, degrees

PACK = "shaded-solids"
SUN = {"type": "directional", "direction": (-0.6, 0.5, 0.7), "intensity": 3.0}
SKY = {"type": "ambient", "intensity": 0.2}
EVENING = {"type": "directional", "direction": (0.9, 0.2, 0.4), "color": (1.0, 0.7, 0.4), "intensity": 3.0}


def rig(*lights: dict[str, Any]) -> LightRig:
    return LightRig.model_validate({"lights": lights})


@lru_cache(maxsize=2)
def model(pack: str) -> Model:
    found = discover().registry.find(PackPin(id=pack), Role.RELIGHT)
    return load_model(found, device="cpu").model


def normals(image: np.ndarray, pack: str = PACK) -> Tensors:
    found = discover().registry.find(PackPin(id=pack), Role.RELIGHT)
    return model(pack).run({"image": image}, Call(options=settle_options(found.manifest, {})))


def shaded_ball(width: int = 240, height: int = 200) -> np.ndarray:
    """A matte ball under one lamp and a little fill, before an even wall."""
    normal = ball(width, height)["normal"].pixels
    lamp = np.array([-0.6, 0.5, 0.7]) / np.linalg.norm([-0.6, 0.5, 0.7])
    light = np.maximum(normal @ lamp, 0) + 0.1
    light = np.where(normal.any(axis=-1), light, 0.25)
    return np.repeat(0.4 * light[..., None], 3, axis=2).astype(np.float32)


def test_normals_of_the_cat_are_nearer_than_those_of_shading_alone(shared_data: Path) -> None:
    images, directions, strengths = cat(shared_data, 2)
    truth, _ = fit_normals(images, directions, strengths)
    lit = (np.mean(images, axis=0)[..., 0] > 0.02) & (truth[..., 2] > 0.1)
    errors = {
        pack: np.mean([degrees(truth[lit], normals(images[i], pack)["normal"][lit]) for i in (0, 4, 8)])
        for pack in (PACK, "shape-from-shading")
    }
    assert errors[PACK] < errors["shape-from-shading"]


def test_relit_cats_are_nearer_than_those_of_shading_alone(shared_data: Path) -> None:
    images, directions, strengths = cat(shared_data, 3)
    lit = np.mean(images, axis=0)[..., 0] > 0.02
    lamps = [
        {"type": "directional", "direction": tuple(d), "intensity": float(s)}
        for d, s in zip(directions, strengths, strict=True)
    ]
    scores: dict[str, list[float]] = {PACK: [], "shape-from-shading": []}
    for i, j in permutations((1, 5, 9), 2):
        for pack, found in scores.items():
            source = {"plate": plate(images[i], "R G B")}
            out = relight(source, lamps[j], pack=pack, method="ratio", present=rig(lamps[i])).plates["plate"]
            guess, truth = out.take(["R", "G", "B"])[lit], images[j][lit]
            gain = (guess * truth).sum() / (guess * guess).sum()
            found.append(float(np.mean((gain * guess - truth) ** 2)))
    assert np.mean(scores[PACK]) < np.mean(scores["shape-from-shading"])


def test_a_ball_is_a_ball() -> None:
    truth = ball(240, 200)["normal"].pixels
    inside = truth[..., 2] > 0.2
    said = normals(shaded_ball())
    assert degrees(truth[inside], said["normal"][inside]) < 12
    assert said["confidence"][inside].mean() > 0.5


def test_exposure_scales_the_result_and_nothing_else() -> None:
    image = shaded_ball()
    outs = []
    for gain in (1.0, 2.0, 64.0):
        source = {"plate": plate(image * np.float32(gain), "R G B")}
        out = relight(source, EVENING, SKY, pack=PACK, method="ratio", present=rig(SUN, SKY)).plates["plate"]
        outs.append(out.pixels / np.float32(gain))
    np.testing.assert_allclose(outs[1], outs[0], rtol=0.01)
    np.testing.assert_allclose(outs[2], outs[0], rtol=0.01)


def test_a_highlight_of_a_thousand_leaves_its_surroundings_alone() -> None:
    image = shaded_ball()
    bright = image.copy()
    bright[100, 120] = 1000
    args: dict[str, Any] = {"pack": PACK, "method": "ratio", "present": rig(SUN, SKY), "passes": ("ratio",)}
    plain, lit = (relight({"plate": plate(i, "R G B")}, EVENING, SKY, **args).plates["plate"] for i in (image, bright))
    # Energy: what the pixel had, times the light there, which is that of its neighbors.
    gain = lit.pixels[100, 120, :3] / 1000
    np.testing.assert_allclose(gain, lit.take(["ratio.R", "ratio.G", "ratio.B"])[100, 120], rtol=0.01)
    y, x = np.mgrid[0:200, 0:240]
    far = np.hypot(y - 100, x - 120) > 48
    a, b = plain.pixels[..., :3][far], lit.pixels[..., :3][far]
    assert np.abs(b / a - 1).mean() < 0.03
    assert np.quantile(np.abs(b / a - 1), 0.99) < 0.15


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (900, 40)])
def test_normals_are_finite_and_unit_for_anything(shape: tuple[int, int]) -> None:
    image = (np.random.default_rng(2).normal(0, 1, (*shape, 3)) ** 5 * 1000).astype(np.float32)
    image[0, 0] = (3e38, -3e38, 65504)
    for picture in (image, np.zeros_like(image), np.full_like(image, -1)):
        tensors = normals(picture)
        assert all(np.isfinite(tensor).all() for tensor in tensors.values())
        np.testing.assert_allclose(np.linalg.norm(tensors["normal"], axis=-1), 1, rtol=1e-4)
        assert 0 <= tensors["confidence"].min() <= tensors["confidence"].max() <= 1
