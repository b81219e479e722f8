# SPDX-License-Identifier: Apache-2.0
"""The interpolate step: cuts, shutters and the ends of a sequence, on the real engine and packs."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.contracts.errors import GraphError, UnderstudyError
from understudy.contracts.plate import Plate, blank_plate
from understudy.frames.read import read_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine

SPACE = "ACEScg"


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine()


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of three frames each: 1-3 hold values around 0.2, 4-6 around 8; one column moves."""
    folder = tmp_path_factory.mktemp("joined")
    texture = np.random.default_rng(3).random((96, 128, 3)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(texture, (0, 0), 3), None, 0, 1, cv2.NORM_MINMAX)
    for index in range(6):
        level = 0.2 if index < 3 else 8.0
        pixels = level * (0.5 + 0.5 * np.roll(texture if index < 3 else texture[::-1], index, 1))
        plate = blank_plate(np.ascontiguousarray(pixels), ("R", "G", "B"), colorspace=SPACE, frame=1 + index)
        write_plate(plate, folder / f"p.{1 + index:04d}.exr")
    return folder


def _render(engine: LocalEngine, source: Path, out: Path, **node: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    frames = node.pop("frames", "")
    document = {
        "nodes": {
            "plate": {"type": "read", "file": str(source / "p.%04d.exr"), "colorspace": SPACE},
            "slow": {"type": "interpolate", "input": "plate", "motion_pack": "dis-draft", **node},
            "out": {"type": "write", "input": "slow", "file": str(out / "o.%04d.exr"), "sample_type": "float"},
        }
    }
    render_graph(parse_graph(document), engine, frames=frames, on_event=told.append)
    return [event for event in told if event["event"] == "frame"]


def _read(path: Path) -> Plate:
    return read_plate(path, frame=None, colorspace=SPACE)


@pytest.mark.parametrize("cuts", ["auto", [4]], ids=["found", "listed"])
def test_nothing_is_blended_across_a_cut(cuts: Any, joined: Path, engine: LocalEngine, tmp_path: Path) -> None:
    events = _render(
        engine, joined, tmp_path, list=[3, "3.25", "3.5", "3.75", 4, "4.25"], cuts=cuts, frames="1-6"
    )  # fmt: skip
    origins = [event["report"]["origin"] for event in events]
    assert origins == ["source", "held", "held", "held", "source", "synthesized"]
    for output, source in ((2, 3), (3, 3), (4, 4)):
        plate = _read(tmp_path / f"o.{output:04d}.exr")
        np.testing.assert_array_equal(plate.take("RGB"), _read(joined / f"p.{source:04d}.exr").take("RGB"))
        assert float(plate.take(["confidence.Y"]).max()) == 0.0


def test_a_shutter_stays_within_its_shot_and_its_sequence(joined: Path, engine: LocalEngine, tmp_path: Path) -> None:
    _render(engine, joined, tmp_path, speed=1, shutter={"angle": 540, "samples": 5}, cuts=[4], edge="hold")
    for frame in range(1, 7):
        color = _read(tmp_path / f"o.{frame:04d}.exr").take("RGB")
        low, high = (0.05, 0.25) if frame < 4 else (3.0, 9.0)
        assert low < color.min() <= color.max() < high, frame


def test_every_frame_has_the_same_channels(joined: Path, engine: LocalEngine, tmp_path: Path) -> None:
    _render(engine, joined, tmp_path, speed="1/2", frames="1-8")
    channels = {_read(path).channels for path in tmp_path.iterdir()}
    assert len(channels) == 1
    _render(engine, joined, tmp_path / "bare", speed="1/2", confidence=False, frames="1-3")
    assert {_read(path).channels for path in (tmp_path / "bare").iterdir()} == {("R", "G", "B")}


@pytest.mark.parametrize(
    ("channels", "width", "message"),
    [
        (("R", "G"), 128, "needs forward.u forward.v or backward.u backward.v; there are R, G"),
        (("forward.u", "forward.v"), 64, "the vectors are for a frame of 64x96"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    channels: tuple[str, ...], width: int, message: str, joined: Path, engine: LocalEngine, tmp_path: Path
) -> None:
    for frame in range(1, 7):
        pixels = np.zeros((96, width, 2), np.float32)
        write_plate(blank_plate(pixels, channels, colorspace="Raw", frame=frame), tmp_path / f"v.{frame:04d}.exr")
    document = {
        "nodes": {
            "plate": {"type": "read", "file": str(joined / "p.%04d.exr"), "colorspace": SPACE},
            "vectors": {"type": "read", "file": str(tmp_path / "v.%04d.exr"), "colorspace": "data"},
            "slow": {"type": "interpolate", "input": "plate", "vectors": "vectors", "at": "1.5"},
            "out": {"type": "write", "input": "slow", "file": str(tmp_path / "o.exr")},
        }
    }
    with pytest.raises(UnderstudyError, match=r"nodes\.slow\.vectors") as caught:
        render_graph(parse_graph(document), engine)
    assert message in str(caught.value)


def test_motion_between_frames_that_are_no_neighbors_is_refused(
    joined: Path, engine: LocalEngine, tmp_path: Path
) -> None:
    document = {
        "nodes": {
            "plate": {"type": "read", "file": str(joined / "p.%04d.exr"), "colorspace": SPACE, "frames": "1-5x2"},
            "vectors": {"type": "motion", "input": "plate", "pack": "dis-draft"},
            "out": {"type": "write", "input": "vectors", "file": str(tmp_path / "v.%04d.exr")},
        }
    }
    with pytest.raises(GraphError, match="no two frames of the input are"):
        render_graph(parse_graph(document), engine)
