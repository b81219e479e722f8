# SPDX-License-Identifier: Apache-2.0
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from understudy.color.config import ColorConfig
from understudy.color.policy import policy
from understudy.contracts.errors import ColorspaceError, PlateError
from understudy.contracts.plate import FloatImage

SRGB = "sRGB Encoded Rec.709 (sRGB)"


def test_the_pinned_config_is_the_default() -> None:
    config = ColorConfig.load()
    assert (config.name, config.source) == (policy().pinned.config, "pinned")
    assert config.scene_linear == "ACEScg"
    assert config.cache_id == policy().pinned.cache_id
    assert ColorConfig.load() is config


def test_ocio_variable_and_argument_win_in_this_order(studio_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", str(studio_file))
    config = ColorConfig.load()
    assert (config.source, config.name) == ("$OCIO", str(studio_file))
    assert not config.built_in
    named = ColorConfig.load("ocio://cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    assert named.source == "argument"
    assert ColorConfig.load(config.name).cache_id == config.cache_id


def test_a_changed_file_is_read_again(studio_file: Path) -> None:
    before = ColorConfig.load(str(studio_file))
    text = studio_file.read_text().replace("*_cg", "*_render")
    stamp = studio_file.stat().st_mtime_ns + 1_000_000
    studio_file.write_text(text)
    os.utime(studio_file, ns=(stamp, stamp))
    assert ColorConfig.load(str(studio_file)).cache_id != before.cache_id


@pytest.mark.parametrize("name", ["missing.ocio", "ocio://no-such-config", "~nobody-here/x.ocio", "a\0b"])
def test_a_missing_config_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ColorspaceError, match="config") as error:
        ColorConfig.load(name)
    assert name in str(error.value) or repr(name) in str(error.value)
    if "\0" not in name:
        monkeypatch.setenv("OCIO", name)
        with pytest.raises(ColorspaceError, match=r"\$OCIO"):
            ColorConfig.load()


def test_files_that_are_no_config(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ocio"
    broken.write_text("this is\n\tno config: [")
    for path, problem in ((broken, "can't be loaded"), (tmp_path, "it is no file")):
        with pytest.raises(ColorspaceError, match=problem) as error:
            ColorConfig.load(str(path))
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)


def test_a_config_without_scene_linear_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.ocio"
    path.write_text(ocio.Config.CreateRaw().serialize())
    with pytest.raises(ColorspaceError, match="no role scene_linear"):
        ColorConfig.load(str(path))


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("ACEScg", "ACEScg"),
        ("acescg", "ACEScg"),
        ("lin_ap1_scene", "ACEScg"),
        ("SCENE_LINEAR", "ACEScg"),
        ("texture_paint", SRGB),
        ("sRGB - Texture", SRGB),
        ("data", "Raw"),
        ("ocio:acescct_ap1_scene", "ACEScct"),
    ],
)
def test_resolve(config: ColorConfig, name: str, canonical: str) -> None:
    assert config.resolve(name) == canonical


@pytest.mark.parametrize("name", ["", "ACESgc", "sRGB - Curve", "nothing like it"])
def test_unknown_names_are_refused_with_advice(config: ColorConfig, name: str) -> None:
    with pytest.raises(ColorspaceError) as error:
        config.resolve(name)
    assert "understudy doctor --colorspaces" in str(error.value)
    if name == "ACESgc":
        assert "did you mean ACEScg" in str(error.value)


def test_facts_about_spaces(config: ColorConfig) -> None:
    assert config.is_scene_linear("ACES2065-1")
    assert config.is_scene_linear("lin_rec709")
    assert not config.is_scene_linear("ACEScct")
    assert not config.is_scene_linear("texture_paint")
    assert not config.is_scene_linear("Raw")
    assert config.is_data("data")
    assert not config.is_data("ACEScg")
    assert config.encoding("ACEScct") == "log"
    assert "ACEScg" in config.names()
    assert "lin_ap1" in config.aliases("ACEScg")
    assert config.roles()["compositing_log"] == "ACEScct"


def test_find_takes_ids_and_names_but_no_roles(config: ColorConfig) -> None:
    assert config.find("lin_ap0_scene") == "ACES2065-1"
    assert config.find("srgb_rec709_scene") == SRGB
    assert config.find("data") == "Raw"
    assert config.find("scene_linear") == ""
    assert config.find("no such") == ""
    assert config.find("") == ""


def test_find_recognizes_spaces_by_what_they_do(bare_file: Path) -> None:
    bare = ColorConfig.load(str(bare_file))
    assert bare.find("lin_ap0_scene") == "plate_ap0"
    assert bare.find("lin_ap1_scene") == "work"
    assert bare.find("lin_rec709_scene") == ""
    assert bare.find("data") == ""
    assert bare.is_scene_linear("work")


def test_convert_known_values(config: ColorConfig) -> None:
    gray = np.full((2, 3, 3), 0.18, np.float32)
    assert np.allclose(config.convert(gray, "ACEScg", "ACEScct"), 0.4135884, atol=1e-6)
    red = np.zeros((1, 1, 3), np.float32)
    red[..., 0] = 1
    # First column of the AP1 to AP0 matrix, Academy S-2014-004.
    expected = np.array([0.6954522414, 0.0447945634, -0.0055258826], np.float32)
    assert np.allclose(config.convert(red, "ACEScg", "ACES2065-1"), expected, atol=1e-6)


def test_convert_to_the_same_space_is_the_input_itself(config: ColorConfig, colors: FloatImage) -> None:
    assert config.convert(colors, "ACEScg", "lin_ap1") is colors
    assert config.convert(colors, "Raw", "data") is colors


def test_convert_leaves_its_input_alone_and_is_new(config: ColorConfig, colors: FloatImage) -> None:
    before = colors.copy()
    colors.setflags(write=False)
    out = config.convert(colors, "ACEScg", "ACES2065-1")
    assert np.array_equal(colors, before)
    assert out.flags.writeable
    assert out.flags.c_contiguous


def test_data_never_meets_color(config: ColorConfig, colors: FloatImage) -> None:
    for source, target in (("Raw", "ACEScg"), ("ACEScg", "data")):
        with pytest.raises(ColorspaceError, match="Raw is data"):
            config.convert(colors, source, target)


def test_wrong_shapes_are_refused(config: ColorConfig) -> None:
    for bad in (np.zeros((2, 2, 4), np.float32), np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.float64)):
        with pytest.raises(PlateError, match="float32"):
            config.convert(bad, "ACEScg", "ACEScct")  # type: ignore[arg-type]
    assert config.convert(np.zeros((0, 5, 3), np.float32), "ACEScg", "ACEScct").shape == (0, 5, 3)


@pytest.mark.parametrize("target", ["ACES2065-1", "ACEScct", "lin_rec709", "texture_paint", "ARRI LogC4"])
def test_tiles_equal_the_whole_bit_for_bit(config: ColorConfig, colors: FloatImage, target: str) -> None:
    image = np.tile(colors, (12, 11, 1))  # more pixels than one band
    whole = config.convert(image, "ACEScg", target)
    for height, width in ((13, 17), (1, 1 + image.shape[1] // 2), (101, 7)):
        for top, left in ((0, 0), (5, 3), (image.shape[0] - height, image.shape[1] - width)):
            part = (slice(top, top + height), slice(left, left + width))
            assert config.convert(image[part], "ACEScg", target).tobytes() == whole[part].tobytes()


def test_results_are_finite_for_every_finite_input(config: ColorConfig) -> None:
    huge = np.float32(3.4e38)
    image = np.array([[[huge, huge, huge], [huge, -huge, huge], [1, 2, 3], [-huge, 0, 0]]], np.float32)
    for target in ("ACES2065-1", "ACEScct", "lin_rec709", "texture_paint"):
        out = config.convert(image, "ACEScg", target)
        assert np.isfinite(out).all()
        assert np.array_equal(out[:, 2], config.convert(image[:, 2:3], "ACEScg", target)[:, 0])
    codes = np.array([[[100, 0.4, 0.4], [0.4, 0.4, 0.4]]], np.float32)
    out = config.convert(codes, "ACEScct", "ACEScg")
    assert np.isfinite(out).all()
    assert out[0, 0, 0] == np.finfo(np.float32).max


def test_two_threads_get_the_same_bytes(config: ColorConfig, colors: FloatImage) -> None:
    image = np.tile(colors, (8, 8, 1))
    fresh = ColorConfig.load("ocio://cg-config-v4.0.0_aces-v2.0_ocio-v2.5")
    expected = config.convert(image, "ACEScg", "ACEScct").tobytes()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: fresh.convert(image, "ACEScg", "ACEScct").tobytes(), range(8)))
    assert set(results) == {expected}


def test_display_pictures(config: ColorConfig) -> None:
    gray = np.full((4, 5, 3), 0.18, np.float32)
    picture = config.to_display(gray, "ACEScg")
    assert picture.shape == gray.shape
    assert 0.3 < picture.min() <= picture.max() < 0.45
    displays = config.displays()
    display, views = next(iter(displays.items()))
    assert np.array_equal(config.to_display(gray, "ACEScg", display=display.upper(), view=views[0]), picture)
    assert np.array_equal(config.to_display(gray, "Raw"), gray)


def test_unknown_displays_and_views_are_refused(config: ColorConfig) -> None:
    gray = np.zeros((1, 1, 3), np.float32)
    with pytest.raises(ColorspaceError, match=r"no display named 'TV'.*there are: sRGB - Display"):
        config.to_display(gray, "ACEScg", display="TV")
    with pytest.raises(ColorspaceError, match="no view of 'sRGB - Display' named 'Warm'"):
        config.to_display(gray, "ACEScg", view="Warm")


def test_file_rules_without_the_catch_all(studio_file: Path) -> None:
    studio = ColorConfig.load(str(studio_file))
    assert studio.file_rule("/show/a_cg.exr") == ("ACEScg", "Renders")
    assert studio.file_rule("/show/a.png") == ("", "")


def test_known_spaces_through_the_interchange_role(bare_file: Path, config: ColorConfig, colors: FloatImage) -> None:
    from understudy.color.apply import apply_rgb

    bare = ColorConfig.load(str(bare_file))
    forth = bare.to_known("work", "ocio:acescct_ap1_scene")
    back = bare.from_known("ocio:acescct_ap1_scene", "work")
    assert forth is not None
    assert back is not None
    expected = config.convert(colors, "ACEScg", "ACEScct")
    assert np.allclose(apply_rgb(forth, colors), expected, rtol=1e-4, atol=1e-4)
    small = np.abs(colors[1:, :, :])
    assert np.allclose(apply_rgb(back, apply_rgb(forth, small)), small, rtol=1e-4, atol=small.max() * 1e-6)


def test_no_way_to_a_known_space_is_an_error(tmp_path: Path) -> None:
    alone = ocio.Config()
    alone.setVersion(2, 0)
    alone.addColorSpace(ocio.ColorSpace(name="own"))
    alone.setRole("scene_linear", "own")
    alone.setRole("default", "own")
    alone.addDisplayView("screen", "flat", "own")
    path = tmp_path / "alone.ocio"
    path.write_text(alone.serialize())
    with pytest.raises(ColorspaceError, match="aces_interchange"):
        ColorConfig.load(str(path)).to_known("own", "lin_rec709_scene")


def test_what_is_no_file_is_refused_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ocio")  # opening it would wait for a writer
    for path in (tmp_path / "pipe.ocio", tmp_path, Path("/dev/zero")):
        with pytest.raises(ColorspaceError, match="it is no file"):
            ColorConfig.load(str(path))
