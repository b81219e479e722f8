# SPDX-License-Identifier: Apache-2.0
"""``understudy inspect``: one object per input, damaged files among good ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from understudy.cli.main import app
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.plate import Window
from understudy.frames.write import write_plate
from unit.frames.makers import MakePlate


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def objects(result: Any) -> Any:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def shot(tmp_path: Path, make_plate: MakePlate) -> Any:
    for frame in (1, 2, 4):
        pixels = np.full((5, 6 + frame, 3), frame / 2, np.float32)
        window = Window(-2, -1, 6 + frame, 5)
        plate = make_plate(
            ["R", "G", "forward.u"],
            ("half", "float", "half"),
            window,
            Window(0, 0, 6, 4),
            pixels=pixels,
            frame=frame,
            metadata={"shot": "a", "smpte:TimeCode": (0x01020304, 0)},
        )
        write_plate(plate, tmp_path / f"a.{frame:04d}.exr")
    return tmp_path


def test_json_of_a_sequence(shot: Path) -> None:
    result = run(shot / "a.%04d.exr", "--json")
    assert result.exit_code == 0
    (found,) = objects(result)
    assert found["frames"] == "1-2,4"
    assert found["missing"] == "3"
    assert found["varies"] == ["data window"]
    assert found["data_window"] == [-2, -1, 7, 5]
    assert found["display_window"] == [0, 0, 6, 4]
    assert [(c["name"], c["type"], c["kind"]) for c in found["channels"]] == [
        ("R", "half", "color"),
        ("G", "float", "color"),
        ("forward.u", "half", "vector"),
    ]
    red = found["channels"][0]
    assert (red["min"], red["max"]) == (0.5, 2)
    assert red["mean"] == pytest.approx((35 * 0.5 + 40 * 1 + 50 * 2) / 125)
    assert red["over_one"] == 50
    assert (found["nan"], found["inf"]) == (0, 0)
    assert found["colorspace"]["name"] == "ACEScg"
    assert found["colorspace"]["rule"] == "colorInteropID"
    assert found["metadata"]["shot"] == "a"
    assert found["compression"] == "zip"


def test_headers_only_and_ranges(shot: Path) -> None:
    (found,) = objects(run(shot, "--json", "--no-pixels", "--frames", "2-5"))
    assert found["frames"] == "2,4"
    assert found["missing"] == "3,5"
    assert "min" not in found["channels"][0]
    assert "nan" not in found


def test_undeclared_space_is_shown_and_the_user_decides(shared_data: Path) -> None:
    path = shared_data / "exr" / "TestImages_BrightRingsNanInf.exr"
    undeclared, declared = (
        objects(run(path, "--json"))[0],
        objects(run(path, "--json", "--colorspace", "lin_rec709"))[0],
    )
    assert undeclared["colorspace"]["name"] is None
    assert undeclared["colorspace"]["rule"] == "undeclared"
    assert declared["colorspace"]["name"] == "Linear Rec.709 (sRGB)"
    assert declared["colorspace"]["rule"] == "user"
    assert (undeclared["nan"], undeclared["inf"]) == (6, 12)
    assert isinstance(run(path, "--colorspace", "nonsense").exception, ColorspaceError)


def test_a_damaged_file_among_good_ones(shot: Path) -> None:
    path = shot / "a.0002.exr"
    path.write_bytes(path.read_bytes()[:-20])
    (shot / "b.exr").write_text("no picture")
    result = run(shot / "b.exr", shot / "a.%04d.exr", shot / "a.0001.exr", "--json")
    assert result.exit_code == 3
    text, sequence, good = objects(result)
    assert "not an EXR file" in text["errors"][0]["problem"]
    assert sequence["errors"][0]["frame"] == 2
    assert "cut short" in sequence["errors"][0]["problem"]
    assert sequence["channels"][0]["max"] == 2
    assert good["errors"] == []
    people = run(shot / "b.exr", shot / "a.%04d.exr")
    assert people.exit_code == 3
    assert "cut short" in people.stdout


def test_for_people(shot: Path, shared_data: Path) -> None:
    text = run(shot / "a.%04d.exr").stdout
    for words in ("1-2,4 (3), missing 3", "7x5 at -2,-1", "ACEScg (colorInteropID", "01:02:03:04", "forward.u"):
        assert words in text
    text = run(shared_data / "exr" / "LowResLeftView_Trunks.exr").stdout
    assert "deep, flattened on read" in text
    assert "undeclared" in text
    text = run(shared_data / "exr" / "MultiResolution_PeriodicPattern.exr", "--no-pixels").stdout
    assert "tiles of 64x64 · 10 levels" in text


def test_every_shared_file(shared_data: Path) -> None:
    files = [*sorted((shared_data / "exr").glob("*.exr")), *sorted((shared_data / "exr_damaged").glob("*.exr"))]
    result = run(*files, "--json", "--no-pixels")
    found = objects(result)
    assert len(found) == len(files) == 34
    assert [bool(one["errors"]) for one in found] == [False] * 31 + [True] * 3
    assert result.exit_code == 3
