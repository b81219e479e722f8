# SPDX-License-Identifier: Apache-2.0
"""Parts, views, tiles, levels, luminance-chroma, deep: everything becomes one honest plate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.plate import FloatImage, Window
from understudy.contracts.primaries import REC709
from understudy.frames import chroma
from understudy.frames.chroma import luminance_weights
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from unit.frames.makers import WriteParts


def spec(
    width: int, height: int, channels: Sequence[str], kind: str = "half", x: int = 0, y: int = 0, **attributes: Any
) -> oiio.ImageSpec:
    made = oiio.ImageSpec(width, height, len(channels), kind)
    made.channelnames = tuple(channels)
    made.x, made.y = x, y
    made.full_x, made.full_y, made.full_width, made.full_height = 0, 0, 64, 48
    for name, value in attributes.items():
        made.attribute(name.replace("__", ":"), value)
    return made


def noise(height: int, width: int, channels: int, seed: int = 0) -> FloatImage:
    values: FloatImage = (
        np.random.default_rng(seed).normal(0, 2, (height, width, channels)).astype(np.float16).astype(np.float32)
    )
    return values


def test_parts_merge_over_the_union(tmp_path: Path, write_oiio: WriteParts) -> None:
    rgba, depth = noise(20, 30, 4), noise(10, 12, 1, 1)
    path = tmp_path / "a.exr"
    write_oiio(
        path,
        (spec(30, 20, "RGBA", x=5, y=6, oiio__subimagename="rgba"), rgba),
        (spec(12, 10, "Z", "float", x=30, y=-4, oiio__subimagename="depth"), depth),
    )
    plate = read_plate(path, frame=7, colorspace="ACEScg")
    assert plate.channels == ("R", "G", "B", "A", "Z")
    assert plate.sample_types == ("half", "half", "half", "half", "float")
    assert plate.data_window == Window(5, -4, 37, 30)
    assert plate.display_window == Window(0, 0, 64, 48)
    expected = np.zeros((30, 37, 5), np.float32)
    expected[10:30, 0:30, :4] = rgba
    expected[0:10, 25:37, 4:] = depth
    np.testing.assert_array_equal(plate.pixels, expected)
    only = read_plate(path, frame=7, colorspace="ACEScg", part="depth")
    assert only.channels == ("Z",)
    np.testing.assert_array_equal(only.pixels, depth)
    assert read_plate(path, frame=7, colorspace="x", channels=["Z", "G"]).channels == ("Z", "G")
    with pytest.raises(UsageError, match="rgba, depth"):
        read_plate(path, frame=7, colorspace="x", part="nope")
    with pytest.raises(UsageError, match="R, G, B, A, Z"):
        read_plate(path, frame=7, colorspace="x", channels=["Q"])


def test_names_that_clash_take_their_part(tmp_path: Path, write_oiio: WriteParts) -> None:
    path = tmp_path / "a.exr"
    write_oiio(
        path,
        (spec(8, 6, "RGB", oiio__subimagename="diffuse"), noise(6, 8, 3, 1)),
        (spec(8, 6, "RGB", oiio__subimagename="rgba"), noise(6, 8, 3, 2)),
    )
    plate = read_plate(path, frame=None, colorspace="x")
    assert plate.channels == ("R", "G", "B", "diffuse.R", "diffuse.G", "diffuse.B")
    np.testing.assert_array_equal(plate.take("RGB"), noise(6, 8, 3, 2))
    assert {name for part in read_header(path).parts for name in part.channels} == set(plate.channels)


def test_stereo_parts_are_named_as_single_part_files_name_them(tmp_path: Path, write_oiio: WriteParts) -> None:
    path = tmp_path / "a.exr"
    layers = ("forward.u", "forward.v")
    write_oiio(
        path,
        (spec(8, 6, "RGB", oiio__subimagename="rgba_right", view="right"), noise(6, 8, 3, 1)),
        (spec(8, 6, "RGB", oiio__subimagename="rgba_left", view="left"), noise(6, 8, 3, 2)),
        (spec(8, 6, layers, oiio__subimagename="forward_left", view="left"), noise(6, 8, 2, 3)),
    )
    header = read_header(path)
    assert header.views == ("right", "left")
    both = read_plate(path, frame=None, colorspace="x", header=header)
    assert both.channels == ("R", "G", "B", "left.R", "left.G", "left.B", "forward.left.u", "forward.left.v")
    left = read_plate(path, frame=None, colorspace="x", view="left")
    assert left.channels == ("R", "G", "B", "forward.u", "forward.v")
    np.testing.assert_array_equal(left.take("RGB"), noise(6, 8, 3, 2))
    with pytest.raises(UsageError, match="right, left"):
        read_plate(path, frame=None, colorspace="x", view="middle")
    # Written as a single part, the file is still stereo.
    write_plate(both, tmp_path / "b.exr")
    again = read_plate(tmp_path / "b.exr", frame=None, colorspace="x")
    assert read_header(tmp_path / "b.exr").views == ("right", "left")
    assert set(again.channels) == set(both.channels)
    assert again.take(both.channels).tobytes() == both.pixels.tobytes()
    single = read_plate(tmp_path / "b.exr", frame=None, colorspace="x", view="left")
    assert single.channels == left.channels
    assert single.pixels.tobytes() == left.pixels.tobytes()


def test_real_stereo_multi_part_and_single_part_agree_on_names(shared_data: Path) -> None:
    multi = read_header(shared_data / "exr" / "Beachball_multipart.0001.exr")
    single = read_header(shared_data / "exr_seq_beachball" / "singlepart.0002.exr")
    names = {name for part in multi.parts for name in part.channels}
    assert names == set(single.parts[0].channels)
    assert multi.views == single.views == ("right", "left")


@pytest.mark.parametrize("tile", [(16, 16), (64, 32)])
@pytest.mark.parametrize("compression", ["none", "zip", "piz"])
def test_tiles_of_any_window(tile: Any, compression: Any, tmp_path: Path, write_oiio: WriteParts) -> None:
    pixels = noise(75, 50, 4)
    made = spec(50, 75, "RGBA", x=-13, y=9, compression=compression)
    made.tile_width, made.tile_height = tile
    write_oiio(tmp_path / "a.exr", (made, pixels))
    plate = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    assert read_header(tmp_path / "a.exr").parts[0].tile == tile
    assert plate.data_window == Window(-13, 9, 50, 75)
    np.testing.assert_array_equal(plate.pixels, pixels)


def test_levels_of_a_mip_map(shared_data: Path) -> None:
    path = shared_data / "exr" / "MultiResolution_PeriodicPattern.exr"
    header = read_header(path)
    assert header.parts[0].levels == 10
    assert header.parts[0].tile
    full = read_plate(path, frame=None, colorspace="x")
    half = read_plate(path, frame=None, colorspace="x", level=1)
    assert (full.width, full.height) == (517, 517)
    assert (half.width, half.height) == (258, 258)
    assert abs(full.pixels.mean() - half.pixels.mean()) < 0.02
    with pytest.raises(UsageError, match="levels 0 to 9"):
        read_plate(path, frame=None, colorspace="x", level=10)


def test_full_size_of_a_rip_map(tmp_path: Path) -> None:
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    tiles.mode = OpenEXR.RIPMAP_LEVELS
    pixels = noise(40, 64, 1)[..., 0].astype(np.float16)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.tiledimage, "tiles": tiles}
    OpenEXR.File(header, {"R": pixels.copy()}).write(str(tmp_path / "a.exr"))
    assert read_header(tmp_path / "a.exr").parts[0].levels == 7
    back = read_plate(tmp_path / "a.exr", frame=None, colorspace="x")
    np.testing.assert_array_equal(back.pixels[..., 0], pixels.astype(np.float32))


def test_luminance_chroma_is_close_to_the_same_photograph_in_rgb(shared_data: Path) -> None:
    rebuilt = read_plate(shared_data / "exr" / "Chromaticities_Rec709_YC.exr", frame=None, colorspace="x")
    original = read_plate(shared_data / "exr" / "Chromaticities_Rec709.exr", frame=None, colorspace="x")
    assert read_header(shared_data / "exr" / "Chromaticities_Rec709_YC.exr").parts[0].subsampled
    assert rebuilt.channels == original.channels == ("R", "G", "B")
    weights = np.array(luminance_weights(REC709), np.float32)
    np.testing.assert_allclose(weights, (0.2126, 0.7152, 0.0722), atol=1e-4)
    # Luminance is stored at full size, so it comes back to half precision.
    luminance, expected = rebuilt.pixels @ weights, original.pixels @ weights
    assert np.abs(luminance - expected).max() < 0.004 * expected.max()
    error = np.clip(rebuilt.pixels - original.pixels, -1, 1)
    assert 10 * np.log10(1 / np.mean(error**2)) > 32


@pytest.mark.parametrize("length", [11, 12])
def test_chroma_filter_keeps_constants_and_samples(length: Any) -> None:
    constant = chroma._double(np.full((6, 3), 0.25, np.float32), length)
    np.testing.assert_allclose(constant, 0.25, rtol=1e-5)
    assert constant.shape == (length, 3)
    samples = noise(6, 3, 1)[..., 0]
    np.testing.assert_array_equal(chroma._double(samples, length)[::2], samples)
    ramp = chroma._double(np.arange(40, dtype=np.float32)[:, None], 80)[14:-16, 0]
    np.testing.assert_allclose(ramp, np.arange(7, 32, 0.5), rtol=1e-4)


def test_luminance_alone_stays_one_channel(shared_data: Path) -> None:
    plate = read_plate(shared_data / "exr" / "LuminanceChroma_Garden.exr", frame=None, colorspace="x")
    assert plate.channels == ("Y",)


def test_deep_is_flattened_and_says_so(shared_data: Path) -> None:
    path = shared_data / "exr" / "LowResLeftView_Trunks.exr"
    assert read_header(path).parts[0].deep
    plate = read_plate(path, frame=None, colorspace="x")
    assert plate.channels == ("R", "G", "B", "A", "Z")
    assert "understudy:flattened" in plate.metadata
    alpha = plate.take("A")
    assert alpha.min() >= 0
    assert alpha.max() == pytest.approx(1, abs=1e-3)
    assert 0 < np.count_nonzero(alpha) < alpha.size


def test_nan_and_infinity_are_replaced_and_counted(tmp_path: Path, write_oiio: WriteParts, shared_data: Path) -> None:
    pixels = noise(6, 8, 3)
    pixels[0, 0, 0], pixels[1, 1, 1], pixels[2, 2, 2], pixels[3, 3, 0] = np.nan, np.inf, -np.inf, np.nan
    for kind in ("half", "float"):
        write_oiio(tmp_path / f"{kind}.exr", (spec(8, 6, "RGB", kind), pixels))
        plate = read_plate(tmp_path / f"{kind}.exr", frame=None, colorspace="x")
        assert (plate.sanitized.nan, plate.sanitized.inf) == (2, 2)
        assert plate.pixels[0, 0, 0] == 0
        assert plate.pixels[1, 1, 1] == 65504
        assert plate.pixels[2, 2, 2] == -65504
        assert np.isfinite(plate.pixels).all()
    rings = read_plate(shared_data / "exr" / "TestImages_BrightRingsNanInf.exr", frame=None, colorspace="x")
    assert (rings.sanitized.nan, rings.sanitized.inf) == (6, 12)
