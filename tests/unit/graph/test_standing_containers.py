# SPDX-License-Identifier: Apache-2.0
"""Outputs that are no EXR, and the sidecars of those that can't hold everything, are looked at as EXR files are."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.plate import blank_plate
from understudy.frames.header import read_header
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.prepare import survey_graph
from understudy.graph.render import render_graph
from understudy.graph.standing import Standing, State
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

_FRAMES = range(1001, 1004)
_ALL = dict.fromkeys(_FRAMES, "done")


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    for frame in _FRAMES:
        pixels = np.random.default_rng(frame).uniform(0, 1, (24, 40, 4)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B", "depth.Z"), colorspace="ACEScg", frame=frame)
        write_plate(plate, tmp_path / "shot" / f"p.{frame}.exr")
    time.sleep(0.02)  # what changed this very moment would count as changed while it is read
    return tmp_path / "shot"


def _document(shot: Path, extension: str, **fields: Any) -> dict[str, Any]:
    space = {"colorspace": "texture_paint"} if extension != "exr" else {}
    out = {"type": "write", "input": "plate", "file": str(shot.parent / "out" / f"o.%04d.{extension}")}
    plate = {"type": "read", "file": f"{shot}/p.%04d.exr", "colorspace": "ACEScg"}
    return {"nodes": {"plate": plate, "out": out | space | fields}}


def _render(document: dict[str, Any], engine: LocalEngine) -> int:
    return render_graph(parse_graph(document), engine, witness=Recorder()).frames


def _survey(document: dict[str, Any], engine: LocalEngine) -> dict[int | None, Standing]:
    return {frame: standing for (_, frame), standing in survey_graph(parse_graph(document), engine).items()}


def _states(document: dict[str, Any], engine: LocalEngine) -> dict[int | None, str]:
    return {frame: str(standing.state) for frame, standing in _survey(document, engine).items()}


def _elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "other") -> None:
    """As on another machine, which knows no file."""
    monkeypatch.setenv("UNDERSTUDY_LEDGER", str(folder / f"{name}.sqlite"))


@pytest.mark.parametrize(
    ("extension", "elsewhere"),
    [("exr", "done"), ("png", "done"), ("tif", "done"), ("jpg", "done"), ("dpx", "unknown"), ("hdr", "unknown")],
)
def test_a_second_render_makes_nothing(
    shot: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, extension: str, elsewhere: str
) -> None:
    document = _document(shot, extension)
    assert _render(document, engine) == 3
    files = {path: path.read_bytes() for path in (shot.parent / "out").glob("o.*")}
    assert len(files) == (3 if extension == "exr" else 6) + 1  # and the record
    assert _states(document, engine) == _ALL
    assert _render(document, engine) == 0
    _elsewhere(shot.parent, monkeypatch)
    assert set(_states(document, engine).values()) == {elsewhere}
    assert {path: path.read_bytes() for path in files if path.suffix != ".json"} == {
        path: content for path, content in files.items() if path.suffix != ".json"
    }


_WITH_SIDECAR = [("png", {}), ("tif", {}), ("jpg", {}), ("exr", {"container": "aces"})]


@pytest.mark.parametrize(("extension", "fields"), _WITH_SIDECAR)
@pytest.mark.parametrize("known", [True, False], ids=["here", "elsewhere"])
def test_sidecars_are_looked_at(
    shot: Path,
    engine: LocalEngine,
    monkeypatch: pytest.MonkeyPatch,
    extension: str,
    fields: dict[str, str],
    known: bool,  # noqa: FBT001 - a parameter of the matrix
) -> None:
    document = _document(shot, extension, **fields)
    _render(document, engine)
    out = shot.parent / "out"
    whole = {path: path.read_bytes() for path in out.glob("o.layers.*")}
    assert len(whole) == 3
    if not known:
        _elsewhere(shot.parent, monkeypatch)
    assert _states(document, engine) == _ALL
    if not known:
        _elsewhere(shot.parent, monkeypatch, "third")
    (out / "o.layers.1001.exr").unlink()
    (out / "o.layers.1002.exr").write_bytes(whole[out / "o.layers.1002.exr"][:-20])
    found = _survey(document, engine)
    assert found[1001] == Standing(State.DAMAGED, "its sidecar: is missing")
    assert found[1002].state is State.DAMAGED
    assert found[1003] == Standing(State.DONE)
    assert _render(document, engine) == 2
    assert {path: path.read_bytes() for path in out.glob("o.layers.*")} == whole


def test_a_sidecar_of_something_else_is_stale(shot: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    document = _document(shot, "png")
    _render(document, engine)
    out = shot.parent / "out"
    (out / "o.layers.1001.exr").replace(out / "o.layers.1003.exr")
    _elsewhere(shot.parent, monkeypatch)
    found = _survey(document, engine)
    assert found[1003].state is State.STALE
    assert found[1003].why.startswith("its sidecar: plate reads other pictures")


@pytest.mark.parametrize("extension", ["tif", "jpg"])
def test_an_image_id_tells_a_change(
    shot: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    _render(_document(shot, extension, extras="drop"), engine)
    first = read_header(shot.parent / "out" / f"o.1001.{extension}").metadata
    assert len(str(first["Exif:ImageUniqueID"])) == 32
    found = _survey(_document(shot, extension), engine)
    assert {standing.state for standing in found.values()} == {State.STALE}
    assert _render(_document(shot, extension), engine) == 3
    _elsewhere(shot.parent, monkeypatch)
    assert _states(_document(shot, extension), engine) == _ALL


def test_dropped_channels_ask_for_no_sidecar(shot: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    document = _document(shot, "png", extras="drop")
    _render(document, engine)
    assert list((shot.parent / "out").glob("o.layers.*")) == []
    assert _states(document, engine) == _ALL
    _elsewhere(shot.parent, monkeypatch)
    assert _states(document, engine) == _ALL


@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
def test_a_damaged_picture_is_made_again(
    shot: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    document = _document(shot, extension, extras="drop")
    _render(document, engine)
    path = shot.parent / "out" / f"o.1002.{extension}"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert _states(document, engine) == _ALL | {1002: "damaged"}
    _elsewhere(shot.parent, monkeypatch)
    assert _render(document, engine) == 1
    assert path.read_bytes() == whole
