# SPDX-License-Identifier: Apache-2.0
"""Normals: from several lights, held to real pictures, and from shading alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.contracts.model import Call, Tensors
from understudy.packs.discovery import discover
from understudy.packs.options import settle_options
from understudy.roles.relight import fit_normals
from understudy.runtimes.load import load_model
from unit.roles.relight.relight_scene import ball

LIGHTS = [(0, 0, 1), (0.5, 0, 0.8), (-0.5, 0, 0.8), (0, 0.5, 0.8), (0, -0.5, 0.8), (0.4, 0.4, 0.8)]


def cat(data: Path, step: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Every ``step``-th pixel of the twelve pictures (gray, linear), their directions and irradiances."""
    folder = data / "relight_psbox_cat"
    images = []
    for number in range(1, 13):
        gray = cv2.imread(str(folder / f"Image_{number:02d}.png"), cv2.IMREAD_GRAYSCALE)
        assert gray is not None
        gray = gray[::step, ::step]
        images.append(np.repeat(gray[..., None].astype(np.float32) / 255, 3, axis=2))
    strengths = np.loadtxt(folder / "light_strength_derived.txt") * np.pi
    return images, np.loadtxt(folder / "light_directions.txt").T, strengths


def test_matte_ball_gives_its_normals_and_albedo_back() -> None:
    plates = ball()
    normal, albedo = plates["normal"].pixels, plates["albedo"].pixels
    inside = normal[..., 2] > 0.6
    images = []
    for number, light in enumerate(LIGHTS):
        unit = np.array(light) / np.linalg.norm(light)
        images.append((albedo * (1 + number) / np.pi * np.maximum(normal @ unit, 0)[..., None]).astype(np.float32))
    found, color = fit_normals(images, LIGHTS, [1 + number for number in range(len(LIGHTS))])
    np.testing.assert_allclose(found[inside], normal[inside], atol=1e-5)
    np.testing.assert_allclose(color[inside], albedo[inside], rtol=1e-4)
    assert not color[0, 0].any()


def test_too_few_or_flat_lights_are_refused() -> None:
    image = np.ones((2, 2, 3), np.float32)
    with pytest.raises(UsageError, match="got 2 pictures"):
        fit_normals([image] * 2, LIGHTS[:2])
    with pytest.raises(UsageError, match="one plane"):
        fit_normals([image] * 3, LIGHTS[:3])


def test_held_out_lights_of_the_cat_are_predicted(shared_data: Path) -> None:
    images, directions, strengths = cat(shared_data, 3)
    lit = np.mean(images, axis=0)[..., 0] > 0.02
    scores = []
    for held in range(0, 12, 2):
        others = [i for i in range(12) if i != held]
        normal, albedo = fit_normals([images[i] for i in others], directions[others], strengths[others])
        shade = np.maximum(normal @ (directions[held] / np.linalg.norm(directions[held])), 0)[..., None]
        error = (albedo * strengths[held] / np.pi * shade - images[held])[lit]
        scores.append(-10 * np.log10((error**2).mean()))
    assert np.mean(scores) >= 32
    assert min(scores) >= 27


def shading_normals(image: np.ndarray) -> Tensors:
    pack = discover().registry.find(PackPin(id="shape-from-shading"), Role.RELIGHT)
    options = settle_options(pack.manifest, {})
    return load_model(pack, device="cpu").model.run({"image": image}, Call(options=options))


def degrees(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1, 1))).mean())


def test_shading_tells_more_than_a_flat_picture(shared_data: Path) -> None:
    images, directions, strengths = cat(shared_data, 2)
    truth, _ = fit_normals(images, directions, strengths)
    lit = (np.mean(images, axis=0)[..., 0] > 0.02) & (truth[..., 2] > 0.1)
    tensors = shading_normals(images[4])
    flat = degrees(truth[lit], np.broadcast_to(np.array([0, 0, 1], np.float32), truth[lit].shape))
    assert degrees(truth[lit], tensors["normal"][lit]) < 0.75 * flat
    confidence = tensors["confidence"][lit][:, 0]
    errors = np.degrees(np.arccos(np.clip((truth * tensors["normal"]).sum(axis=-1)[lit], -1, 1)))
    sure = confidence > np.median(confidence)
    assert errors[sure].mean() < errors[~sure].mean()


def test_shading_normals_do_not_depend_on_exposure() -> None:
    image = np.random.default_rng(1).random((60, 90, 3)).astype(np.float32)
    a, b = shading_normals(image), shading_normals(image * np.float32(64))
    np.testing.assert_allclose(a["normal"], b["normal"], atol=1e-4)
    np.testing.assert_allclose(a["confidence"], b["confidence"], atol=1e-4)
    np.testing.assert_allclose(a["albedo"], b["albedo"], rtol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (900, 40)])
def test_shading_normals_are_finite_and_unit_for_anything(shape: tuple[int, int]) -> None:
    image = (np.random.default_rng(2).normal(0, 1, (*shape, 3)) ** 5 * 1000).astype(np.float32)
    image[0, 0] = (3e38, -3e38, 65504)
    for picture in (image, np.zeros_like(image), np.full_like(image, -1)):
        tensors = shading_normals(picture)
        assert all(np.isfinite(tensor).all() for tensor in tensors.values())
        np.testing.assert_allclose(np.linalg.norm(tensors["normal"], axis=-1), 1, rtol=1e-5)
        assert 0 <= tensors["confidence"].min() <= tensors["confidence"].max() <= 1
