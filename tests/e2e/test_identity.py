# SPDX-License-Identifier: Apache-2.0
"""Identity packs give back every readable EXR bit for bit, file to file, through color, shaper, tiles and carry."""

from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.plate import Plate
from understudy.frames.read import read_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "exr"
_FILES = sorted(path.name for path in _SHARED.glob("*.exr")) if _SHARED.is_dir() else ["(shared data)"]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine()


def _same(before: Plate, after: Plate) -> None:
    assert set(after.channels) == set(before.channels)
    assert after.data_window == before.data_window
    assert after.display_window == before.display_window
    assert after.pixel_aspect == before.pixel_aspect
    for name in before.channels:
        ours, theirs = before.take([name]).view(np.uint32), after.take([name]).view(np.uint32)
        differing = int((ours != theirs).sum())
        assert differing == 0, f"{name}: {differing} samples differ"


@pytest.mark.e2e
@pytest.mark.parametrize("name", _FILES)
def test_every_exr_survives_upscale_and_relight_identity(
    name: str, shared_data: Path, tmp_path: Path, engine: LocalEngine
) -> None:
    source, out = shared_data / "exr" / name, tmp_path / "out.exr"
    document = {
        "nodes": {
            "plate": {"type": "read", "file": str(source), "colorspace": "ACES2065-1"},
            "same": {"type": "upscale", "input": "plate", "scale": 1, "pack": "identity-upscale", "tile": 200},
            "still": {"type": "relight", "input": "same", "pack": "identity-relight", "tile": 130},
            "out": {"type": "write", "input": "still", "file": str(out)},
        }
    }
    render_graph(parse_graph(document), engine)
    before = read_plate(source, frame=None, colorspace="ACES2065-1")
    _same(before, read_plate(out, frame=None, colorspace="ACES2065-1"))


@pytest.mark.e2e
def test_integer_frames_of_a_retime_are_the_source(shared_data: Path, tmp_path: Path, engine: LocalEngine) -> None:
    pattern = str(shared_data / "exr_seq_beachball" / "singlepart.%04d.exr")
    document = {
        "nodes": {
            "plate": {"type": "read", "file": pattern, "colorspace": "lin_rec709"},
            "slow": {"type": "interpolate", "input": "plate", "speed": "1/2", "motion_pack": "identity-motion"},
            "out": {"type": "write", "input": "slow", "file": str(tmp_path / "out.%04d.exr")},
        }
    }
    render_graph(parse_graph(document), engine, frames="2,4,6")
    for output, number in ((2, 2), (4, 3), (6, 4)):
        before = read_plate(pattern % number, frame=None, colorspace="lin_rec709")
        after = read_plate(tmp_path / f"out.{output:04d}.exr", frame=None, colorspace="lin_rec709")
        assert float(after.take(["confidence.Y"]).min()) == 1.0
        names = [name for name in after.channels if name != "confidence.Y"]
        assert sorted(names) == sorted(before.channels)
        assert after.data_window == before.data_window
        for name in names:
            np.testing.assert_array_equal(after.take([name]), before.take([name]), err_msg=name)
