# SPDX-License-Identifier: Apache-2.0
"""The publish plug-ins under the real pyblish, asking the real command."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

import understudy
from understudy.share_root import share_root

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("pyblish"), reason="needs pyblish-base")

_SHARE = share_root()
_FOLDER = _SHARE / "plugins" / "publish"

# A process of its own, as a host is: pyblish changes how the whole interpreter imports.
_HOST = """
import json, sys
told, sys.stdout = sys.stdout, sys.stderr  # pyblish prints
import pyblish.api, pyblish.util
plugins = pyblish.api.discover(paths=sys.argv[1:2])
context = pyblish.api.Context()
context.data["sequences"] = json.loads(sys.argv[2])
pyblish.util.publish(context, plugins=plugins)
json.dump({
    "plugins": [plugin.__name__ for plugin in plugins],
    "instances": [{"name": instance.name, **instance.data} for instance in context],
    "failures": [str(result["error"]) for result in context.data["results"] if result["error"] is not None],
}, told)
"""


@pytest.fixture(autouse=True)
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ``understudy`` command of the package under test."""
    path = tmp_path / "bin" / "understudy"
    path.parent.mkdir()
    package = Path(understudy.__file__).parents[1]
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{package}" exec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(path))


def _publish(*sequences: object) -> dict[str, Any]:
    """Publishes; returns the plug-ins in their order, the instances, and the sentences of what failed."""
    environment = os.environ | {"PYTHONPATH": str(_SHARE / "host_bridge" / "python")}
    done = subprocess.run(
        [sys.executable, "-c", _HOST, str(_FOLDER), json.dumps(sequences)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def sequence(tmp_path: Path) -> str:
    """Three sound frames, as a pattern."""
    for frame in (1001, 1002, 1003):
        _write(tmp_path / f"plate.{frame}.exr")
    return str(tmp_path / "plate.%04d.exr")


def _write(path: Path, value: float = 0.18) -> None:
    spec = oiio.ImageSpec(64, 48, 3, oiio.HALF)
    spec.channelnames = ("R", "G", "B")
    spec.attribute("compression", "none")
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    pixels = np.full((48, 64, 3), 0.18, np.float32)
    pixels[5, 7, 1] = value
    assert output.write_image(pixels)
    assert output.close()


def test_a_whole_sequence_passes(sequence: str) -> None:
    told = _publish(sequence, (sequence, "1001-1003"))
    assert told["failures"] == []
    assert [(one["name"], one["family"], one["frames"]) for one in told["instances"]] == [
        (sequence, "sequence", ""),
        (sequence, "sequence", "1001-1003"),
    ]
    for instance in told["instances"]:
        (answer,) = instance["inspection"]
        assert (answer["frames"], answer["missing"], answer["nan"], answer["inf"]) == ("1001-1003", "", 0, 0)


def test_a_gap_is_refused(sequence: str) -> None:
    Path(sequence % 1002).unlink()
    sentence = f"{sequence} is not whole:\n- Frames 1002 are missing. Render them and publish again."
    assert _publish(sequence)["failures"] == [sentence]


def test_frames_that_were_promised_must_be_there(sequence: str) -> None:
    (failure,) = _publish((sequence, "1000-1005"))["failures"]
    assert "Frames 1000,1004-1005 are missing." in failure


@pytest.mark.parametrize(
    ("value", "found"), [pytest.param(np.nan, "1 NaN", id="NaN"), pytest.param(-np.inf, "1 infinite", id="Inf")]
)
def test_a_pixel_that_is_not_finite_is_refused(sequence: str, value: float, found: str) -> None:
    _write(Path(sequence % 1002), value)
    (failure,) = _publish(sequence)["failures"]
    assert f"- {found} samples. " in failure


def test_a_truncated_frame_is_refused_by_name(sequence: str) -> None:
    path = Path(sequence % 1003)
    path.write_bytes(path.read_bytes()[:-2000])
    (failure,) = _publish(sequence)["failures"]
    (line,) = failure.splitlines()[1:]
    assert line.startswith(f"- {path}: ")


def test_everything_wrong_is_told_at_once(sequence: str) -> None:
    _write(Path(sequence % 1001), np.nan)
    Path(sequence % 1002).unlink()
    Path(sequence % 1003).write_bytes(b"not a picture")
    (failure,) = _publish(sequence)["failures"]
    assert len(failure.splitlines()) == 4


def test_each_sequence_is_judged_alone(sequence: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "other.%04d.exr")
    told = _publish(sequence, nowhere)
    assert [instance["name"] for instance in told["instances"]] == [sequence, nowhere]
    (failure,) = told["failures"]
    assert failure.startswith(f"{nowhere} is not whole:\n- ")


def test_a_missing_command_is_told(sequence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", "/nowhere/understudy")
    (failure,) = _publish(sequence)["failures"]
    assert failure.startswith(f"{sequence} could not be looked at: UNDERSTUDY_EXECUTABLE=/nowhere/understudy")
