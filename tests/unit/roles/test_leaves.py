# SPDX-License-Identifier: Apache-2.0
"""The shipped upscaling networks: exposure, light, tiles, factors, layers and matte edges; and that they win."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.roles.engine import LocalEngine
from understudy.roles.resample import CUBIC, apply, axis

pytest.importorskip("onnxruntime")

PACKS = ["leaves-small", "leaves-restore"]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def enlarged(engine: LocalEngine, source: Plate, scale: str = "2", pack: str = "leaves-small", **more: Any) -> Plate:
    params = UpscaleParams(scale=Fraction(scale), **more)
    request = RoleRequest(pack=PackPin(id=pack), params=params, plates={"plate": source})
    return engine.run(request).plates["plate"]


def plate(pixels: npt.NDArray[Any], channels: str = "R G B") -> Plate:
    return blank_plate(np.ascontiguousarray(pixels, np.float32), channels.split(), colorspace="ACEScg")


def light(side: int = 48, stops: float = 3) -> FloatImage:
    """Smooth noise of a wide range of light."""
    noise = np.random.default_rng(5).normal(size=(side, side, 3)).astype(np.float32)
    smooth: FloatImage = np.exp2(cv2.GaussianBlur(noise, (0, 0), 1.2) * 4 * stops).astype(np.float32) * np.float32(0.2)
    return smooth


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("exposure", [2, 1000])
def test_twice_the_light_gives_twice_the_result(engine: LocalEngine, pack: str, exposure: float) -> None:
    source = light()
    once = enlarged(engine, plate(source), pack=pack).pixels
    more = enlarged(engine, plate(source * np.float32(exposure)), pack=pack).pixels
    np.testing.assert_allclose(more, once * exposure, rtol=1e-4)


@pytest.mark.parametrize("across", [1, 5, 9])
def test_a_lamp_of_1000_keeps_its_energy_and_leaves_no_halo(engine: LocalEngine, across: int) -> None:
    source = np.full((45, 45, 3), 0.18, np.float32)
    half = across // 2
    source[22 - half : 23 + half, 22 - half : 23 + half] = 1000
    out = enlarged(engine, plate(source)).pixels
    energy = (out - 0.18).sum(dtype=np.float64) / 4 / (source - 0.18).sum(dtype=np.float64)
    assert energy == pytest.approx(1, abs=0.01)
    assert out.min() >= 0
    reach = 2 * (half + 9)
    away = np.ones((90, 90), bool)
    away[45 - reach : 45 + reach, 45 - reach : 45 + reach] = False
    np.testing.assert_allclose(out[away], 0.18, rtol=1e-5)


@pytest.mark.parametrize("scale", ["2", "3", "3/2"])
def test_tiles_equal_the_whole(engine: LocalEngine, scale: str) -> None:
    source = plate(light(50))
    whole = enlarged(engine, source, scale).pixels
    tiled = enlarged(engine, source, scale, tile=20).pixels
    np.testing.assert_allclose(tiled, whole, rtol=1e-4, atol=1e-6)


def test_every_channel_runs_alone(engine: LocalEngine) -> None:
    source = light()
    layers = np.concatenate([source, source[..., ::-1] * np.float32(7)], axis=2)
    out = enlarged(engine, plate(layers, "R G B diffuse.B diffuse.G diffuse.R")).pixels
    alone = enlarged(engine, plate(source)).pixels
    np.testing.assert_allclose(out[..., :3], alone, rtol=1e-5)
    np.testing.assert_allclose(out[..., [5, 4, 3]], alone * 7, rtol=1e-4)


@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_edges_of_a_matte_have_no_fringe(engine: LocalEngine, scale: str) -> None:
    rows, columns = np.mgrid[:40, :40]
    alpha = np.clip((12 - np.hypot(rows - 19.7, columns - 20)) / 2 + 0.5, 0, 1)[..., None]
    color = np.array([0.8, 0.3, 0.1])
    out = enlarged(engine, plate(np.concatenate([alpha * color, alpha], axis=2), "R G B A"), scale).pixels
    assert out[..., 3].min() >= 0
    assert out[..., 3].max() <= 1
    np.testing.assert_allclose(out[..., :3], out[..., 3:] * color, atol=2e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_beat_the_classical_packs_on_shapes(engine: LocalEngine, scale: int) -> None:
    """Discs and stripes, drawn large and averaged, in display values."""
    side = 48 * scale
    rows, columns = np.mgrid[: 4 * side, : 4 * side] / np.float32(4)
    disc = np.hypot(rows - side * 0.37, columns - side * 0.4) < side * 0.24
    stripes = np.sin((columns * 0.8 + rows * 0.35) * 2 * np.pi / (5.2 * scale)) > 0
    fine = np.where(disc, 0.8, np.where(stripes & (rows > side * 0.66), 0.6, 0.25)).astype(np.float32)
    truth = cv2.GaussianBlur(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA), (0, 0), 0.5)
    down = axis(CUBIC, Fraction(1, scale), 0, 48)
    small = np.repeat(apply(np.ascontiguousarray(truth[..., None]), down, down, in_x=0, in_y=0), 3, 2)

    def score(pack: str, curve: float) -> float:
        out = enlarged(engine, plate(np.maximum(small, 0) ** curve), str(scale), pack).pixels[..., 0]
        return float(-10 * np.log10(np.square(np.maximum(out, 0) ** (1 / curve) - truth)[8:-8, 8:-8].mean()))

    assert score("leaves-small", 2.4) > max(score("lanczos", 1.0), score("bicubic-back-projection", 1.0)) + 0.5
