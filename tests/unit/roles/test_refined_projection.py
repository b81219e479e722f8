# SPDX-License-Identifier: Apache-2.0
"""The learned interpolation pack keeps what the classical one keeps: light, alpha, identifiers, whole frames."""

from collections.abc import Sequence
from fractions import Fraction as F
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.contracts.jobs import InterpolateParams, PackPin, RoleRequest
from understudy.contracts.plate import FloatImage, Plate
from understudy.roles.engine import LocalEngine
from unit.roles.moving import plate, texture

pytest.importorskip("onnxruntime")

HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def between(engine: LocalEngine, a: Plate, b: Plate, time: F = F(1, 2), **vectors: Plate) -> Plate:
    params = InterpolateParams(outputs=((time,),), motion_pack="" if vectors else "dis-draft")
    plates = {"a": a, "b": b, **vectors}
    return engine.run(RoleRequest(pack=PackPin(id="refined-projection"), params=params, plates=plates)).plates["0"]


def shot(right: int, gain: float = 1.0) -> FloatImage:
    """A bright disc that moves over a texture that stands still."""
    picture = texture(3)[:HEIGHT, :WIDTH, :3] * np.float32(gain)
    disc = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(disc, (40 + right, 50), 18, 1.0, -1, cv2.LINE_8)
    disc = cv2.GaussianBlur(disc, (0, 0), 0.8)[..., None]
    color = np.array([3.0, 1.5, 0.4], np.float32) * np.float32(gain)
    return np.ascontiguousarray(picture + disc * (color - picture))


def vectors(kind: str, right: float, seen: FloatImage) -> Plate:
    """The disc's motion, its edge two pixels off, as an estimator would have it."""
    moving = cv2.dilate((np.abs(seen - shot(10_000)).max(axis=2) > 0.02).astype(np.uint8), np.ones((5, 5), np.uint8))
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    field[..., 0] = moving * np.float32(right)
    return plate(field, [f"{kind}.u", f"{kind}.v"])


def known(right: int) -> dict[str, Any]:
    return {
        "vectors_a": vectors("forward", right, shot(0)),
        "vectors_b": vectors("backward", -right, shot(right)),
    }


def test_twice_the_light_gives_twice_the_picture(engine: LocalEngine) -> None:
    one, two = (
        between(engine, plate(shot(0, gain)), plate(shot(8, gain)), **known(8)).take(["R", "G", "B"])
        for gain in (1.0, 2.0)
    )
    assert float(two.sum(dtype=np.float64)) == pytest.approx(2 * float(one.sum(dtype=np.float64)), rel=0.01)
    assert np.abs(two - 2 * one).mean() < 0.01 * two.mean()


def test_highlights_keep_their_energy_and_have_no_halo(engine: LocalEngine) -> None:
    base = np.full((240, 320, 3), 0.18, np.float32)
    a, b = base.copy(), base.copy()
    a[120, 150], b[120, 158] = 1000, 1000
    field = np.zeros((240, 320, 2), np.float32)
    forward, backward = field.copy(), field.copy()
    forward[112:129, 142:159, 0], backward[112:129, 150:167, 0] = 8, -8
    given: dict[str, Any] = {
        "vectors_a": plate(forward, ["forward.u", "forward.v"]),
        "vectors_b": plate(backward, ["backward.u", "backward.v"]),
    }
    out = between(engine, plate(a), plate(b), **given).take(["R", "G", "B"]).astype(np.float64)
    assert (out - 0.18).sum() == pytest.approx(3 * (1000 - 0.18), rel=0.01)
    assert out.min() >= 0.18 - 1e-5
    far = np.ones((240, 320), bool)
    far[120 - 12 : 120 + 13, 154 - 16 : 154 + 17] = False
    assert np.abs(out[far] - 0.18).max() < 1e-5


def test_alpha_stays_within_its_bounds_and_identifiers_are_never_mixed(engine: LocalEngine) -> None:
    def made(right: int) -> Plate:
        color = shot(right)
        matte = (np.abs(color - shot(10_000)).max(axis=2) > 0.5).astype(np.float32)
        ids = np.where(matte > 0, np.float32(7.25), np.float32(2.5))
        return plate(np.dstack([color * matte[..., None], matte, ids]), ["R", "G", "B", "A", "object_id"])

    out = between(engine, made(0), made(9), F(2, 5), **known(9))
    assert out.take(["A"]).min() >= 0
    assert out.take(["A"]).max() <= 1
    assert set(np.unique(out.take(["object_id"])).tolist()) <= {7.25, 2.5}


@pytest.mark.parametrize("times", [(F(0), F(1)), (F(1), F(0))])
def test_whole_frames_are_the_source_bit_for_bit(engine: LocalEngine, times: Sequence[F]) -> None:
    a, b = plate(shot(0)), plate(shot(8))
    for time in times:
        assert between(engine, a, b, time) is (b if time else a)
    cut = InterpolateParams(outputs=((F(3, 4),),), cut=True, motion_pack="dis-draft")
    held = engine.run(RoleRequest(pack=PackPin(id="refined-projection"), params=cut, plates={"a": a, "b": b}))
    assert held.plates["0"] is b
    assert held.report["held"] == [True]


def test_what_stands_still_stays_bit_for_bit(engine: LocalEngine) -> None:
    a, b = plate(shot(0)), plate(shot(8))
    out = between(engine, a, b, **known(8)).take(["R", "G", "B"])
    still = np.zeros((HEIGHT, WIDTH), bool)
    still[:, 96:] = True
    assert np.array_equal(out[still], a.take(["R", "G", "B"])[still])
