# SPDX-License-Identifier: Apache-2.0
"""Relighting from AOVs: where they come from, how they meet, and what is left alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.color.config import ColorConfig
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, PlateError, UsageError
from understudy.contracts.jobs import RelightParams
from understudy.contracts.plate import Plate, Window
from understudy.roles.relight.aovs import Aovs
from understudy.roles.relight.bands import each_band
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.passes import Canvas
from understudy.roles.relight.shade import shade
from unit.roles.relight.relight_scene import FILL, SKY, SUN, ball, plate, relight


def rgb(result: Any) -> np.ndarray:
    return np.asarray(result.plates["plate"].take(["R", "G", "B"]))


def test_other_channels_windows_and_types_are_untouched() -> None:
    plates = ball()
    result = relight(plates, SUN)
    out, source = result.plates["plate"], plates["plate"]
    assert out.channels == source.channels
    assert out.sample_types == source.sample_types
    assert (out.data_window, out.display_window, out.frame) == (source.data_window, source.display_window, 1001)
    for name in ("A", "id"):
        assert out.take([name]).tobytes() == source.take([name]).tobytes()
    assert result.report["method"] == "aov"
    assert result.confidence == 1.0


def test_light_adds_up() -> None:
    plates = ball()
    both = rgb(relight(plates, SUN, FILL))
    np.testing.assert_allclose(both, rgb(relight(plates, SUN)) + rgb(relight(plates, FILL)), rtol=1e-5, atol=1e-6)


def test_layers_of_the_plate_serve_like_plates() -> None:
    plates = ball()
    own = relight(plates, SUN, FILL)
    source = plates["plate"]
    names = {"albedo": ("R", "G", "B"), "normal": ("X", "Y", "Z"), "position": ("X", "Y", "Z")}
    pixels, channels = [source.pixels], list(source.channels)
    for aov, layer in (("albedo", "albedo"), ("normal", "N"), ("position", "P")):
        pixels.append(plates[aov].pixels)
        channels += [f"{layer}.{axis}" for axis in names[aov]]
    for aov in ("roughness", "metallic"):
        pixels.append(plates[aov].pixels)
        channels.append(f"{aov}.Y")
    one = plate(np.concatenate(pixels, axis=-1), " ".join(channels))
    layered = relight({"plate": one}, SUN, FILL)
    assert rgb(layered).tobytes() == rgb(own).tobytes()
    assert layered.report["aovs"]["normal"] == "plate:N.X N.Y N.Z"
    assert layered.plates["plate"].take(["N.X", "albedo.R"]).tobytes() == one.take(["N.X", "albedo.R"]).tobytes()


def test_aovs_meet_in_absolute_pixels() -> None:
    plates = ball()
    whole = rgb(relight(plates, SUN, FILL))
    frame = plates["plate"].display_window

    def part(source: Plate, window: Window) -> Plate:
        pixels = source.pixels[window.y : window.bottom, window.x : window.right]
        return replace(source, pixels=np.ascontiguousarray(pixels), data_window=window)

    cut = {name: part(each, Window(3, 2, 40, 36)) if name == "plate" else each for name, each in plates.items()}
    cut["normal"] = part(plates["normal"], Window(5, 6, 30, 20))
    out = relight(cut, SUN, FILL).plates["plate"]
    assert out.data_window == Window(3, 2, 40, 36)
    assert out.display_window == frame
    inner = out.take(["R", "G", "B"])[4:24, 2:32]
    assert inner.tobytes() == np.ascontiguousarray(whole[6:26, 5:35]).tobytes()
    outside = out.take(["R", "G", "B"]).copy()
    outside[4:24, 2:32] = 0
    assert not outside.any()


def test_another_format_is_refused() -> None:
    plates = ball()
    small = ball(24, 20)
    with pytest.raises(PlateError, match="the albedo is for a frame of 24x20"):
        relight({**plates, "albedo": small["albedo"]}, SUN)


def test_missing_aovs_lights_and_positions_are_named() -> None:
    plates = ball()
    without = {name: each for name, each in plates.items() if name != "normal"}
    with pytest.raises(PlateError, match="needs normal"):
        relight(without, SUN, method="aov")
    with pytest.raises(UsageError, match="needs new light"):
        relight(plates, method="aov")
    flat = {name: each for name, each in plates.items() if name != "position"}
    with pytest.raises(PlateError, match="no position or depth"):
        relight(flat, FILL, method="aov")
    with pytest.raises(UsageError, match="no ratio pass"):
        relight(plates, SUN, method="aov", passes=("ratio",))
    with pytest.raises(PlateError, match=r"environment:sky\.hdr"):
        relight(plates, {"type": "environment", "file": "sky.hdr"}, method="aov")
    square = plate(np.ones((16, 16, 3)), "R G B")
    with pytest.raises(PlateError, match="twice as wide as high, this is 16x16"):
        relight({**plates, "environment:s": square}, {"type": "environment", "file": "s"}, method="aov")
    with pytest.raises(PlateError, match="needs three channels"):
        relight({**plates, "normal": plates["roughness"]}, SUN, method="aov")
    with pytest.raises(PlateError, match="needs a plate"):
        relight({"albedo": plates["albedo"]}, SUN)
    with pytest.raises(PlateError, match="no color channels"):
        relight({"plate": plates["roughness"].with_pixels(plates["roughness"].pixels, channels=("Z",))}, SUN)


def test_world_normals_turn_with_the_camera() -> None:
    plates = ball()
    # A camera that looks along -x: its right is -z, its back is +x.
    to_world = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)
    world = plates["normal"].with_pixels(plates["normal"].pixels @ to_world.T)
    turned = relight({**plates, "normal": world}, SUN, normal_space="world", camera_to_world=tuple(to_world.ravel()))
    np.testing.assert_allclose(rgb(turned), rgb(relight(plates, SUN)), atol=1e-6)
    with pytest.raises(PlateError, match="camera's rotation is not known"):
        relight({**plates, "normal": world}, SUN, normal_space="world")
    with pytest.raises(UsageError, match="no rotation"):
        relight(plates, SUN, camera_to_world=(1, 0, 0, 0, 2, 0, 0, 0, 1))


def test_world_positions_come_back_to_the_camera() -> None:
    plates = ball()
    to_world = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)
    camera = np.array([10, -3, 5], np.float32)
    world = plates["position"].with_pixels(plates["position"].pixels @ to_world.T + camera)
    given: dict[str, Any] = {"camera_position": tuple(camera), "camera_to_world": tuple(to_world.ravel())}
    moved = relight({**plates, "position": world}, FILL, **given)
    np.testing.assert_allclose(rgb(moved), rgb(relight(plates, FILL)), atol=1e-4)
    with pytest.raises(PlateError, match="positions are in world space"):
        relight({**plates, "position": world}, FILL, camera_position=(10, -3, 5))


def test_depth_is_distance_along_the_axis() -> None:
    # Depth from positions through the same field of view must give the positions back.
    plates = ball()
    width = plates["plate"].width
    aovs = Aovs(
        {"plate": plates["plate"], "depth": plate(np.full((40, width, 1), 3), "Z", colorspace="Raw")},
        RelightParams(field_of_view=90),
        ColorConfig.load(),
    )
    position = aovs.rows(0, 40).position
    assert position is not None
    x, y, z = position
    x, y = x.reshape(40, width), y.reshape(40, width)
    assert np.all(z == -3)
    assert x[0, 0] == pytest.approx(-3 * (1 - 1 / width))
    assert x[0, -1] == -x[0, 0]
    assert y[0, 0] == pytest.approx(3 * (40 - 1) / width)
    assert y[0, 0] == -y[-1, 0]


@pytest.mark.parametrize("at", [(0, 0), (-7, 5), (9, -3), (200, 0)])
def test_a_grid_is_the_same_samples_as_whole_rows(at: tuple[int, int]) -> None:
    plates = ball()
    source, normal = plates["plate"], plates["normal"]
    height, width = source.height, source.width
    moved = replace(normal, data_window=Window(*at, normal.width, normal.height))
    aovs = Aovs({"plate": source, "normal": moved}, RelightParams(field_of_view=90), ColorConfig.load())
    lines, columns = range(2, height, 3), range(1, width, 4)
    whole, some = aovs.rows(0, height), aovs.grid(lines, columns)
    assert whole.normal is not None
    assert some.normal is not None
    for all_of, few in zip((whole.cover, *whole.normal), (some.cover, *some.normal), strict=True):
        assert np.array_equal(few, all_of.reshape(height, width)[2::3, 1::4].ravel())


def test_edges_are_associated_and_nothing_is_lit_where_alpha_is_zero() -> None:
    plates = ball()
    source = plates["plate"]
    half = source.pixels.copy()
    half[..., 3] *= 0.5
    halved = plates | {
        "plate": source.with_pixels(half),
        "albedo": plates["albedo"].with_pixels(plates["albedo"].pixels * np.float32(0.5)),
    }
    np.testing.assert_allclose(rgb(relight(halved, SUN)), 0.5 * rgb(relight(plates, SUN)), rtol=1e-5, atol=1e-7)
    loose = plates | {"plate": halved["plate"], "albedo": replace(plates["albedo"], premultiplied=False)}
    np.testing.assert_allclose(rgb(relight(loose, SUN)), rgb(relight(halved, SUN)), rtol=1e-5, atol=1e-7)
    gone = source.pixels.copy()
    gone[..., 3] = 0
    result = relight({**plates, "plate": source.with_pixels(gone)}, SUN)
    assert not rgb(result).any()
    assert result.confidence is None


def test_passes_become_layers_and_sum_to_the_color() -> None:
    plates = ball()
    passes = ("normal", "albedo", "diffuse", "specular", "confidence")
    out = relight(plates, SUN, SKY, passes=passes).plates["plate"]
    assert out.channels[5:8] == ("normal.X", "normal.Y", "normal.Z")
    assert out.channels[-1] == "confidence.Y"
    assert set(out.sample_types[5:]) == {"half"}
    total = out.take([f"diffuse.{c}" for c in "RGB"]) + out.take([f"specular.{c}" for c in "RGB"])
    assert total.tobytes() == out.take(["R", "G", "B"]).tobytes()
    np.testing.assert_allclose(out.take(["normal.X", "normal.Y", "normal.Z"]), plates["normal"].pixels, atol=1e-6)
    # A layer that is there already is not overwritten.
    again = relight({**plates, "plate": out}, SUN, passes=("normal",)).plates["plate"]
    assert again.channels[-3:] == ("relight.normal.X", "relight.normal.Y", "relight.normal.Z")


def test_albedo_in_another_space_is_converted() -> None:
    plates = ball()
    albedo = plates["albedo"]
    converted = ColorConfig.load().convert(albedo.pixels, "ACEScg", "ACES2065-1")
    moved = replace(albedo.with_pixels(converted), colorspace="ACES2065-1")
    np.testing.assert_allclose(rgb(relight({**plates, "albedo": moved}, SUN)), rgb(relight(plates, SUN)), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 7])
def test_bands_equal_the_whole(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plates = ball() | {"environment:f": plate(np.random.default_rng(2).random((16, 32, 3)) ** 6, "R G B")}
    lights = (SUN, FILL, SKY, {"type": "environment", "file": "f"}, {**FILL, "type": "spot", "aim": (-2, 0, -2)})
    whole = relight(plates, *lights, passes=("diffuse", "specular")).plates["plate"]
    monkeypatch.setattr("understudy.roles.relight.bands._PIXELS", rows * 48)
    banded = relight(plates, *lights, passes=("diffuse", "specular")).plates["plate"]
    assert banded.pixels.tobytes() == whole.pixels.tobytes()


def test_wild_aovs_give_finite_pixels() -> None:
    plates = ball()
    wild = {}
    for name, each in plates.items():
        pixels = each.pixels.copy()
        pixels[::3, ::2] *= np.float32(1000)
        pixels[::5, ::7] = -pixels[::5, ::7]
        wild[name] = each.with_pixels(pixels)
    wild["normal"] = plates["normal"].with_pixels(plates["normal"].pixels * np.float32(-3))
    for lights in ([SUN, FILL], [SKY, {**FILL, "position": (0, 0, -3)}]):
        out = rgb(relight(wild, *lights))
        assert np.isfinite(out).all()


@pytest.mark.parametrize("value", [3.4e38, 1e30, 1e16, 0.0, -1e30])
def test_depth_that_says_nothing_is_there_does_no_harm(value: float) -> None:
    plates = ball()
    depth = np.where(plates["plate"].take(["A"]) > 0, np.float32(4), np.float32(value))
    given = {name: plates[name] for name in ("plate", "albedo", "normal")}
    given["depth"] = plate(depth, "Z", colorspace="Raw")
    lamps = (FILL, {**FILL, "type": "spot", "aim": (-1, 0, -1)}, {**FILL, "radius": 1.0})
    area = {"type": "area", "position": (0, 0, 0), "u": (0, 1, 0), "v": (-1, 0, 0)}
    out = rgb(relight(given, *lamps, area))
    assert np.isfinite(out).all()
    near = np.where(plates["plate"].take(["A"]) > 0, np.float32(4), np.float32(5))
    assert out.tobytes() == rgb(relight({**given, "depth": plate(near, "Z")}, *lamps, area)).tobytes()


def test_progress_and_cancel_go_band_by_band() -> None:
    plates = ball()
    steps: list[tuple[int, int]] = []
    each_band(plates["plate"].data_window, lambda a, b: b - a, Control(lambda *s: steps.append(s)), rows=9)
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    with pytest.raises(JobCancelledError):
        relight(plates, SUN, control=Control(cancelled=lambda: True))


def test_luminance_plates_are_relit_too() -> None:
    plates = ball()
    gray = plate(plates["plate"].pixels[..., :1], "Y")
    aovs = Aovs({**plates, "plate": gray}, RelightParams(), ColorConfig.load())
    canvas = Canvas(aovs, ())
    shade(aovs, Lighting(RelightParams().lights, {}), canvas, Control())
    assert not canvas.relit().pixels.any()
    lit = relight({**plates, "plate": gray}, SUN).plates["plate"].pixels[..., 0]
    bare = relight({**plates, "plate": plate(plates["plate"].pixels[..., :3], "R G B")}, SUN)
    np.testing.assert_allclose(lit, rgb(bare).mean(axis=-1), atol=1e-6)
