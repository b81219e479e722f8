# SPDX-License-Identifier: Apache-2.0
"""Relighting a plate by a ratio: no change is no change, everything survives, and the light is found."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import PackError, PlateError, UsageError
from understudy.contracts.lights import LightRig
from understudy.contracts.plate import HALF_MAX, Plate
from understudy.roles.relight.fit import FittedLight, fit_light, harmonics
from understudy.roles.relight.lights import Lighting
from unit.roles.relight.relight_scene import FILL, SKY, SUN, ball, engine, plate, relight

WARM = {"type": "directional", "direction": (0.8, 0.2, 0.5), "color": (1.0, 0.7, 0.4), "intensity": 3.0}


def rig(*lights: dict[str, Any]) -> LightRig:
    return LightRig.model_validate({"lights": lights})


def wild() -> Plate:
    """A plate with every kind of value that must survive."""
    rng = np.random.default_rng(11)
    pixels = rng.normal(0.2, 1.0, (37, 53, 6)).astype(np.float32) ** 3
    pixels[0, :7, 0] = [-0.0, 1e-30, -1e-7, HALF_MAX, -HALF_MAX, 3e38, -3e38]
    pixels[5:9, 10:20, :3] = 500
    pixels[20:25, :, 3] = 0
    return plate(pixels, "B G R A crypto.R Z", frame=7)


def lit_ball(*lights: dict[str, Any]) -> dict[str, Plate]:
    """A matte ball with normal and albedo AOVs whose color is exactly albedo times light."""
    plates = ball(96, 80)
    x, y, z = np.moveaxis(plates["normal"].pixels, -1, 0).reshape(3, -1)
    shade = Lighting(rig(*lights), {}).matte((x, y, z), None).reshape(3, 80, 96)
    color = np.moveaxis(shade, 0, -1) * plates["albedo"].pixels
    pixels = np.concatenate([color, plates["plate"].pixels[..., 3:]], axis=-1)
    return {"plate": plates["plate"].with_pixels(pixels), "normal": plates["normal"], "albedo": plates["albedo"]}


@pytest.mark.parametrize("pack", ["shape-from-shading", "shaded-solids", "identity-relight"])
def test_no_new_light_returns_the_plate_bit_for_bit(pack: str) -> None:
    source = wild()
    out = relight({"plate": source}, pack=pack).plates["plate"]
    assert out.pixels.tobytes() == source.pixels.tobytes()
    assert out.channels == source.channels


def test_estimated_normals_and_light_return_the_plate_with_passes_beside_it() -> None:
    source = wild()
    out = relight({"plate": source}, passes=("ratio", "normal", "albedo", "confidence")).plates["plate"]
    assert np.ascontiguousarray(out.pixels[..., :6]).tobytes() == source.pixels.tobytes()
    assert np.all(out.take(["ratio.R", "ratio.G", "ratio.B"]) == 1)
    assert np.isfinite(out.pixels).all()


def test_luminance_plates_come_back_bit_for_bit_too() -> None:
    source = plate(wild().pixels[..., :1], "Y")
    out = relight({"plate": source}).plates["plate"]
    assert out.pixels.tobytes() == source.pixels.tobytes()
    brighter = relight({"plate": source}, {"type": "ambient", "exposure": 6.0}).plates["plate"]
    assert np.isfinite(brighter.pixels).all()
    assert np.median(np.abs(brighter.pixels)) > np.median(np.abs(source.pixels))


def test_present_light_as_new_light_returns_the_plate_bit_for_bit() -> None:
    plates = lit_ball(SUN, SKY)
    out = relight(plates, SUN, SKY, method="ratio", present=rig(SUN, SKY)).plates["plate"]
    assert out.pixels.tobytes() == plates["plate"].pixels.tobytes()


def test_given_present_light_is_replaced_by_the_new() -> None:
    plates = lit_ball(SUN, SKY)
    wanted = lit_ball(WARM, SKY)["plate"]
    result = relight(plates, WARM, SKY, method="ratio", present=rig(SUN, SKY), limit_stops=8)
    got = result.plates["plate"]
    # The floor in the ratio (2 % of the mean light) is all that differs.
    error = np.abs(got.pixels[..., :3] - wanted.pixels[..., :3])
    assert error.mean() < 0.03 * wanted.pixels[..., :3].mean()
    assert got.take(["A", "id"]).tobytes() == plates["plate"].take(["A", "id"]).tobytes()


def test_present_light_is_found_and_a_reference_is_matched() -> None:
    plates = lit_ball(SUN, SKY)
    target = lit_ball(WARM, SKY)
    rough = np.abs(plates["plate"].pixels[..., :3] - target["plate"].pixels[..., :3]).mean()
    reference = target["plate"]
    pixels = np.concatenate([reference.pixels[..., :4], target["normal"].pixels, target["albedo"].pixels], axis=-1)
    names = "R G B A N.X N.Y N.Z albedo.R albedo.G albedo.B"
    result = relight({**plates, "reference": plate(pixels, names)}, method="ratio")
    error = np.abs(result.plates["plate"].pixels[..., :3] - reference.pixels[..., :3]).mean()
    assert error < 0.25 * rough
    assert result.report["present_light"]["bands"] == 2
    assert result.report["light"]["kind"] == "fitted"


def test_one_frames_light_can_hold_for_another() -> None:
    plates = lit_ball(SUN, SKY)
    held = relight({**plates, "present": plates["plate"]}, WARM, method="ratio")
    assert held.report["present_light"]["kind"] == "fitted"
    darker = plates["plate"].with_pixels(plates["plate"].pixels * np.array([0.5, 0.5, 0.5, 1, 1], np.float32))
    each = relight({**plates, "plate": darker, "present": plates["plate"]}, WARM, method="ratio")
    assert each.report["present_light"] == held.report["present_light"]
    assert each.report["ratio_range"] == held.report["ratio_range"]


def test_ratio_is_limited_and_says_so() -> None:
    plates = lit_ball(SUN)
    strong = SUN | {"exposure": 10.0}
    result = relight(plates, strong, method="ratio", present=rig(SUN), limit_stops=2, passes=("ratio",))
    ratio = result.plates["plate"].take(["ratio.R", "ratio.G", "ratio.B"])
    assert ratio.max() == 4
    assert result.report["limited_share"] > 0.2
    assert result.report["ratio_range"] == [1.0, 4.0]
    assert np.all(ratio[0, 0] == 1)  # no surface there


def test_negatives_and_highlights_scale_with_their_pixel() -> None:
    plates = lit_ball(SUN, SKY)
    pixels = plates["plate"].pixels.copy()
    pixels[40, 40, :3] = (-2.5, 1000, 3e38)
    source = plates["plate"].with_pixels(pixels)
    args: dict[str, Any] = {"method": "ratio", "present": rig(SUN, SKY), "passes": ("ratio",)}
    out = relight({**plates, "plate": source}, SUN | {"exposure": 5.0}, **args).plates["plate"]
    ratio = out.take(["ratio.R", "ratio.G", "ratio.B"])[40, 40]
    np.testing.assert_array_equal(out.pixels[40, 40, :2], np.array([-2.5, 1000], np.float32) * ratio[:2])
    assert np.isfinite(out.pixels).all()


def test_bands_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    source = wild()
    whole = relight({"plate": source}, WARM, SKY, passes=("ratio",)).plates["plate"]
    monkeypatch.setattr("understudy.roles.relight.bands._PIXELS", 3 * 53)
    banded = relight({"plate": source}, WARM, SKY, passes=("ratio",)).plates["plate"]
    assert banded.pixels.tobytes() == whole.pixels.tobytes()


def test_what_contradicts_itself_is_refused() -> None:
    plates = lit_ball(SUN)
    with pytest.raises(UsageError, match="both lights and a reference"):
        relight({**plates, "reference": plates["plate"]}, WARM)
    with pytest.raises(PlateError, match="no position or depth"):
        relight(plates, FILL, method="ratio")
    with pytest.raises(UsageError, match="no diffuse pass"):
        relight(plates, WARM, method="ratio", passes=("diffuse",))
    with pytest.raises(UsageError, match="relit picture"):
        relight({"plate": plates["plate"]}, WARM, method="ratio", pack="identity-relight")
    with pytest.raises(PackError):
        relight(plates, WARM, pack="no-such-pack")


def test_small_and_black_plates_work() -> None:
    for shape in ((1, 1, 3), (2, 9, 3)):
        for value in (0.0, 0.5):
            source = plate(np.full(shape, value), "R G B")
            out = relight({"plate": source}, WARM).plates["plate"]
            assert np.isfinite(out.pixels).all()


def sphere(count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    n = rng.normal(size=(3, count))
    n[2] = np.abs(n[2])
    x, y, z = (n / np.linalg.norm(n, axis=0)).astype(np.float32)
    return x, y, z


def test_fit_finds_the_harmonics_under_outliers() -> None:
    normal = sphere()
    truth = np.zeros((9, 3), np.float32)
    truth[:, 0] = [4, 0.5, 1.0, -0.4, 0.2, 0.1, 0.3, -0.2, 0.1]
    truth[:, 1], truth[:, 2] = 0.5 * truth[:, 0], 2 * truth[:, 0]
    rgb = np.stack([sum(h * k for h, k in zip(harmonics(normal), truth[:, c], strict=True)) for c in range(3)]) * 0.18
    rgb[:, ::20] += 50  # five percent highlights
    fitted = fit_light(rgb.astype(np.float32), normal, None, np.ones_like(normal[0]))
    assert fitted.bands == 2
    assert fitted.condition < 1000
    clean = FittedLight(truth, 2, 1.0, 1, 0.0).matte(normal, None)
    assert np.abs(fitted.matte(normal, None) - clean).mean() < 0.02 * clean.mean()


@pytest.mark.parametrize(("tilt", "bands"), [(0.0, 0), (0.4, 1), (1.0, 2)])
def test_fit_takes_fewer_bands_where_normals_are_few(tilt: float, bands: int) -> None:
    x, y, z = sphere()
    normal = np.stack([x * tilt, y * tilt, z + (1 - tilt)])
    nx, ny, nz = (normal / np.linalg.norm(normal, axis=0)).astype(np.float32)
    rgb = np.stack([0.2 + 0.1 * nz] * 3).astype(np.float32)
    fitted = fit_light(rgb, (nx, ny, nz), None, np.ones_like(nx))
    assert fitted.bands == bands
    seen = fitted.matte((nx, ny, nz), None)
    np.testing.assert_allclose(seen.mean(), rgb.mean() / 0.18, rtol=0.01)


def test_fit_without_pixels_is_uniform() -> None:
    normal = sphere(5)
    fitted = fit_light(np.zeros((3, 5), np.float32), normal, None, np.ones(5, np.float32))
    np.testing.assert_allclose(fitted.matte(normal, None), 1, rtol=1e-6)


def test_picture_packs_go_through_color_and_carry_and_change_nothing() -> None:
    source = replace(wild(), colorspace="ACES2065-1")
    result = relight({"plate": source}, WARM, pack="identity-relight", tile=16)
    assert result.plates["plate"].pixels.tobytes() == source.pixels.tobytes()
    assert result.report["method"] == "picture"
    assert engine().info().failures == ()
