# SPDX-License-Identifier: Apache-2.0
"""Learned motion packs: as exact as the classical ones ask for, indifferent to exposure, at ease with large motion."""

from itertools import product

import numpy as np
import pytest

from scenes import Scene, scene
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest, RoleResult
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.roles.engine import LocalEngine
from understudy_training.calibration import error_auroc
from unit.roles.moving import HEIGHT, WIDTH, plate, shifted, texture

pytest.importorskip("onnxruntime")

PACKS = ("flow-match", "flow-fusion")
MATCHING = ("flow-match",)


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


@pytest.fixture(scope="module")
def far() -> Scene:
    """Layers that move farther than most of them are wide."""
    return scene(3, 16.0)


def ask(engine: LocalEngine, pack: str, **plates: Plate) -> RoleResult:
    return engine.run(RoleRequest(pack=PackPin(id=pack), params=MotionParams(), plates=plates))


def over(picture: FloatImage, frame: int) -> Plate:
    return blank_plate(picture, ["R", "G", "B"], colorspace="lin_rec709_scene", frame=frame)


@pytest.mark.parametrize("pack", PACKS)
def test_right_is_positive_and_up_is_positive(engine: LocalEngine, pack: str) -> None:
    picture = texture()
    result = ask(engine, pack, a=plate(shifted(picture, 0, 0)), b=plate(shifted(picture, 5, -3)))  # 5 right, 3 up
    inner = np.s_[12:-12, 12:-12]
    for name, sign in (("a", 1), ("b", -1)):
        pixels = result.plates[name].pixels[inner]
        assert np.abs(pixels[..., :2] - [5 * sign, 3 * sign]).mean() < 0.25
        assert pixels[..., 2].mean() > 0.6
        assert pixels[..., 3].mean() < 0.05


@pytest.mark.parametrize("pack", PACKS)
def test_nothing_moves_where_nothing_changes(engine: LocalEngine, pack: str) -> None:
    still = plate(shifted(texture(), 0, 0))
    result = ask(engine, pack, a=still, b=still)
    for name in ("a", "b"):
        assert np.abs(result.plates[name].pixels[..., :2]).max() < 0.1
        assert result.plates[name].pixels.shape == (HEIGHT, WIDTH, 4)


@pytest.mark.parametrize("pack", PACKS)
def test_exposure_moves_nothing(engine: LocalEngine, pack: str) -> None:
    dark, bright = (scene_plates(scene(5, 3.0), gain) for gain in (0.5, 1.0))
    flows = [ask(engine, pack, **plates).plates["a"].pixels[..., :2] for plates in (dark, bright)]
    assert np.median(np.abs(flows[0] - flows[1])) < 0.1


@pytest.mark.parametrize("pack", PACKS)
def test_a_pixel_of_a_thousand_stays_a_local_matter(engine: LocalEngine, pack: str) -> None:
    plates = scene_plates(scene(5, 3.0), 1.0)
    calm = ask(engine, pack, **plates).plates["a"].pixels
    a, b = (np.array(plates[name].pixels) for name in ("a", "b"))
    a[100, 100] = b[100, 100] = 1000
    struck = ask(engine, pack, a=over(a, 0), b=over(b, 1)).plates["a"].pixels
    assert np.isfinite(struck).all()
    far_off = np.hypot(*np.ogrid[-100 : len(a) - 100, -100 : a.shape[1] - 100]) > 100
    assert np.median(np.abs(calm - struck)[far_off][:, :2]) < 0.05


@pytest.mark.parametrize("pack", PACKS)
def test_confidence_knows_where_the_vectors_fail(engine: LocalEngine, far: Scene, pack: str) -> None:
    pixels = ask(engine, pack, **scene_plates(far, 1.0)).plates["a"].pixels
    error = np.linalg.norm(pixels[..., :2] * [1, -1] - far.flow, axis=2)
    assert error_auroc(pixels[..., 2], error, 1) > 0.8


@pytest.mark.parametrize("pack", MATCHING)
def test_what_moves_farther_than_it_is_wide_is_found(engine: LocalEngine, pack: str) -> None:
    errors: dict[str, float] = {}
    for name, seed in product((pack, "dis-best"), (3, 4)):
        truth = scene(seed, 16.0)
        pixels = ask(engine, name, **scene_plates(truth, 1.0)).plates["a"].pixels
        error = np.linalg.norm(pixels[..., :2] * [1, -1] - truth.flow, axis=2)
        errors[name] = errors.get(name, 0.0) + float(error.mean())
    assert errors[pack] < 0.9 * errors["dis-best"]


def scene_plates(truth: Scene, gain: float) -> dict[str, Plate]:
    return {"a": over(truth.a * np.float32(gain), 0), "b": over(truth.b * np.float32(gain), 1)}
