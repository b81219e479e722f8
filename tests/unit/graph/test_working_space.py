# SPDX-License-Identifier: Apache-2.0
"""Into and out of the working form, from file to file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.plate import Plate, Window, blank_plate
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine()


def _through(
    engine: LocalEngine, source: Path, out: Path, *, read: Any = None, write: Any = None, **middle: Any
) -> None:
    nodes: dict[str, Any] = {"in": {"type": "read", "file": str(source), **(read or {})}}
    last = "in"
    if middle:
        nodes["middle"] = {"input": "in", **middle}
        last = "middle"
    nodes["out"] = {"type": "write", "input": last, "file": str(out), **(write or {})}
    render_graph(parse_graph({"nodes": nodes}), engine)


def test_a_color_node_decides_the_space_of_the_file(engine: LocalEngine, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).normal(1, 2, (4, 5, 3)).astype(np.float32)
    write_plate(blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg"), tmp_path / "in.exr")
    _through(engine, tmp_path / "in.exr", tmp_path / "out.exr", type="color", to="ACES2065-1")
    assert read_header(tmp_path / "out.exr").color.interop_id == "lin_ap0_scene"
    _through(engine, tmp_path / "out.exr", tmp_path / "back.exr", type="color", to="ACEScg")
    back = read_plate(tmp_path / "back.exr", frame=None, colorspace="ACEScg").take("RGB")
    np.testing.assert_allclose(back, pixels, rtol=1e-5, atol=1e-5)
    assert not np.allclose(read_plate(tmp_path / "out.exr", frame=None, colorspace="Raw").take("RGB"), pixels, atol=0.1)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_png_comes_back_code_for_code(kind: Any, engine: LocalEngine, tmp_path: Path) -> None:
    levels = 255 if kind == "uint8" else 65535
    codes = np.random.default_rng(2).integers(0, levels + 1, (16, 16, 3))
    plate = Plate(
        pixels=(codes / levels).astype(np.float32),
        channels=("R", "G", "B"),
        sample_types=(kind,) * 3,
        data_window=Window(0, 0, 16, 16),
        display_window=Window(0, 0, 16, 16),
        colorspace="sRGB Encoded Rec.709 (sRGB)",
    )
    write_plate(plate, tmp_path / "in.png")
    read = {"colorspace": "texture_paint"}
    _through(engine, tmp_path / "in.png", tmp_path / "out.png", read=read)
    ours = read_plate(tmp_path / "out.png", frame=None, colorspace="Raw").pixels
    difference = np.abs(np.rint(ours * levels) - codes)
    # 16-bit codes may turn by one: the way through scene-linear light is float32
    assert difference.max() <= (0 if kind == "uint8" else 1)


def test_a_display_picture_becomes_a_scene_linear_exr(engine: LocalEngine, tmp_path: Path) -> None:
    plate = blank_plate(np.full((2, 2, 3), 0.5, np.float32), ("R", "G", "B"), colorspace="x", sample_type="uint8")
    write_plate(plate, tmp_path / "in.png")
    _through(engine, tmp_path / "in.png", tmp_path / "out.exr", read={"colorspace": "texture_paint"})
    header = read_header(tmp_path / "out.exr")
    assert header.color.interop_id == "lin_ap1_scene"
    assert header.parts[0].sample_types == ("half",) * 3
    value = float(read_plate(tmp_path / "out.exr", frame=None, colorspace="ACEScg").pixels[0, 0, 0])
    assert value == pytest.approx(((128 / 255 + 0.055) / 1.055) ** 2.4, rel=2e-3)


def test_straight_alpha_is_multiplied_on_read_and_divided_on_write(engine: LocalEngine, tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), np.float32)
    pixels[..., :3] = 200 / 255
    pixels[0, :, 3] = (0, 128 / 255, 1)
    plate = Plate(
        pixels=pixels,
        channels=("R", "G", "B", "A"),
        sample_types=("uint8",) * 4,
        data_window=Window(0, 0, 3, 1),
        display_window=Window(0, 0, 3, 1),
        colorspace="x",
        premultiplied=False,
    )
    write_plate(plate, tmp_path / "in.png")
    read = {"colorspace": "texture_paint"}
    _through(engine, tmp_path / "in.png", tmp_path / "out.png", read=read)
    ours = np.rint(read_plate(tmp_path / "out.png", frame=None, colorspace="Raw").pixels * 255)
    assert ours[0, 1:].tolist() == [[200, 200, 200, 128], [200, 200, 200, 255]]
    _through(engine, tmp_path / "in.png", tmp_path / "out.exr", read=read)
    linear = read_plate(tmp_path / "out.exr", frame=None, colorspace="ACEScg").pixels[0]
    assert linear[0].tolist() == [0, 0, 0, 0]
    assert linear[1, 0] / linear[1, 3] == pytest.approx(linear[2, 0], rel=2e-3)
