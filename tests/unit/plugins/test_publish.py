# SPDX-License-Identifier: Apache-2.0
"""The publish plug-ins under the real pyblish, asking the real command."""

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

import understudy
from understudy.share_root import share_root

pyblish_api = pytest.importorskip("pyblish.api")
pyblish_util = pytest.importorskip("pyblish.util")

_FOLDER = share_root() / "plugins" / "publish"
_EXPECTED = ["CollectSequences", "ValidateFramesReadable"]


@pytest.fixture
def plugins() -> list[Any]:
    """What pyblish finds in our folder."""
    return list(pyblish_api.discover(paths=[str(_FOLDER)]))


@pytest.fixture(autouse=True)
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ``understudy`` command of the package under test."""
    path = tmp_path / "bin" / "understudy"
    path.parent.mkdir()
    package = Path(understudy.__file__).parents[1]
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{package}" exec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(path))


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


def _publish(plugins: Sequence[Any], *sequences: object) -> tuple[Any, list[str]]:
    """Publishes; returns the context and the sentences of what failed."""
    context = pyblish_api.Context()
    context.data["sequences"] = sequences
    context = pyblish_util.publish(context, plugins=list(plugins))
    return context, [str(result["error"]) for result in context.data["results"] if result["error"] is not None]


def test_pyblish_finds_every_plug_in(plugins: list[Any]) -> None:
    """It only logs what it could not load, so a publish would silently run without it."""
    assert sorted(plugin.__name__ for plugin in plugins) == _EXPECTED
    assert len(list(_FOLDER.glob("*.py"))) == len(_EXPECTED)


def test_the_order_is_collect_then_validate(plugins: list[Any]) -> None:
    assert [plugin.__name__ for plugin in sorted(plugins, key=lambda plugin: plugin.order)] == _EXPECTED


def test_a_whole_sequence_passes(plugins: list[Any], sequence: str) -> None:
    context, failures = _publish(plugins, sequence)
    assert failures == []
    (instance,) = context
    assert (instance.name, instance.data["family"]) == (sequence, "sequence")
    (answer,) = instance.data["inspection"]
    assert (answer["frames"], answer["missing"], answer["nan"], answer["inf"]) == ("1001-1003", "", 0, 0)


def test_a_gap_is_refused(plugins: list[Any], sequence: str) -> None:
    Path(sequence % 1002).unlink()
    _, (failure,) = _publish(plugins, sequence)
    assert failure == f"{sequence} is not whole:\n- Frames 1002 are missing. Render them and publish again."


def test_frames_that_were_promised_are_asked_for(plugins: list[Any], sequence: str) -> None:
    assert _publish(plugins, (sequence, "1001-1003"))[1] == []
    _, (failure,) = _publish(plugins, (sequence, "1000-1005"))
    assert "Frames 1000,1004-1005 are missing." in failure


@pytest.mark.parametrize(
    ("value", "found"), [pytest.param(np.nan, "1 NaN", id="NaN"), pytest.param(-np.inf, "1 infinite", id="Inf")]
)
def test_a_pixel_that_is_not_finite_is_refused(plugins: list[Any], sequence: str, value: float, found: str) -> None:
    _write(Path(sequence % 1002), value)
    _, (failure,) = _publish(plugins, sequence)
    assert f"- {found} samples. " in failure


def test_a_truncated_frame_is_refused_by_name(plugins: list[Any], sequence: str) -> None:
    path = Path(sequence % 1003)
    path.write_bytes(path.read_bytes()[:-2000])
    _, (failure,) = _publish(plugins, sequence)
    (line,) = failure.splitlines()[1:]
    assert line.startswith(f"- {path}: ")


def test_everything_wrong_is_told_at_once(plugins: list[Any], sequence: str) -> None:
    _write(Path(sequence % 1001), np.nan)
    Path(sequence % 1002).unlink()
    Path(sequence % 1003).write_bytes(b"not a picture")
    _, (failure,) = _publish(plugins, sequence)
    assert len(failure.splitlines()) == 4


def test_each_sequence_is_judged_alone(plugins: list[Any], sequence: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "other.%04d.exr")
    context, (failure,) = _publish(plugins, sequence, nowhere)
    assert [instance.name for instance in context] == [sequence, nowhere]
    assert failure.startswith(f"{nowhere} is not whole:\n- ")


def test_a_missing_command_is_told(plugins: list[Any], sequence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", "/nowhere/understudy")
    _, (failure,) = _publish(plugins, sequence)
    assert failure.startswith(f"{sequence} could not be looked at: UNDERSTUDY_EXECUTABLE=/nowhere/understudy")


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_a_plug_in_loads_in_a_host_with_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"pyblish.api", "understudy_bridge"}
