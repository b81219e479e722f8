# SPDX-License-Identifier: Apache-2.0
"""What a second render makes: what is missing, damaged or depends on what has changed, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.engine import Engine
from understudy.contracts.plate import blank_plate
from understudy.frames.header import read_header
from understudy.frames.write import write_plate
from understudy.graph.content_key import parse_key
from understudy.graph.key_header import KEY
from understudy.graph.parsing import parse_graph
from understudy.graph.prepare import survey_graph
from understudy.graph.render import render_graph
from understudy.graph.standing import Standing, State
from understudy.roles.engine import LocalEngine

_FRAMES = range(1001, 1005)


def _write_frame(folder: Path, frame: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform(0, 2, (24, 40, 3)).astype(np.float32)
    plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", frame=frame)
    write_plate(plate, folder / f"p.{frame}.exr")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    folder = tmp_path / "shot"
    folder.mkdir()
    for frame in _FRAMES:
        _write_frame(folder, frame, frame)
    return folder


@pytest.fixture
def engine() -> Engine:
    return LocalEngine(device="cpu")


def _document(shot: Path, **changes: Any) -> dict[str, Any]:
    out = shot.parent / "out"
    return {
        "schema": "understudy.graph/1",
        "nodes": {
            "plate": {"type": "read", "file": f"{shot}/p.%04d.exr", "colorspace": "ACEScg"},
            "slow": {
                "type": "interpolate", "input": "plate", "motion_pack": "dis-draft", "cuts": "none",
                "speed": changes.get("speed", "1/2"),
            },
            "big": {"type": "upscale", "input": "plate", "pack": "lanczos", "scale": changes.get("scale", 2)},
            "retime": {"type": "write", "input": "slow", "file": f"{out}/slow.%04d.exr"},
            "large": {"type": "write", "input": "big", "file": f"{out}/big.%04d.exr"},
        },
    }  # fmt: skip


def _render(document: dict[str, Any], engine: Engine, **how: Any) -> dict[str, int]:
    made: dict[str, int] = {"retime": 0, "large": 0}

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "frame" and not event["skipped"]:
            made[event["node"]] += 1

    render_graph(parse_graph(document, source="test"), engine, on_event=hear, **how)
    return made


def _survey(document: dict[str, Any], engine: Engine, **how: Any) -> dict[tuple[str, int | None], Standing]:
    return survey_graph(parse_graph(document, source="test"), engine, **how)


def _states(document: dict[str, Any], engine: Engine, name: str, **how: Any) -> dict[int | None, str]:
    return {frame: str(s.state) for (node, frame), s in _survey(document, engine, **how).items() if node == name}


def test_a_second_render_makes_nothing(shot: Path, engine: Engine) -> None:
    document = _document(shot)
    assert _render(document, engine) == {"retime": 7, "large": 4}
    files = {path: path.read_bytes() for path in (shot.parent / "out").iterdir()}
    assert _render(document, engine) == {"retime": 0, "large": 0}
    assert {path: path.read_bytes() for path in (shot.parent / "out").iterdir()} == files


def test_a_change_in_one_node_makes_what_depends_on_it(shot: Path, engine: Engine) -> None:
    _render(_document(shot), engine)
    changed = _document(shot, scale=3)
    assert set(_states(changed, engine, "retime").values()) == {"done"}
    standing = _survey(changed, engine)["large", 1001]
    assert standing == Standing(State.STALE, "node big changed")
    assert _render(changed, engine) == {"retime": 0, "large": 4}


def test_a_changed_input_makes_the_frames_around_it(shot: Path, engine: Engine) -> None:
    _render(_document(shot), engine)
    _write_frame(shot, 1003, seed=7)
    found = _survey(_document(shot), engine)
    stale = {frame for (node, frame), s in found.items() if node == "retime" and s.state is State.STALE}
    assert stale == {1004, 1005, 1006}  # source times 2.5, 3 and 3.5 of 1 to 4
    assert "plate reads other pictures" in found["retime", 1005].why
    assert _render(_document(shot), engine) == {"retime": 3, "large": 1}


def test_missing_and_damaged_frames_are_made_again(shot: Path, engine: Engine) -> None:
    document, out = _document(shot), shot.parent / "out"
    _render(document, engine)
    whole = {path: path.read_bytes() for path in out.iterdir()}
    (out / "big.1001.exr").unlink()
    (out / "big.1002.exr").write_bytes(whole[out / "big.1002.exr"][:-100])
    (out / "big.1003.exr").write_bytes(b"")
    _write_frame(out, 1004, seed=1)
    (out / "p.1004.exr").rename(out / "big.1004.exr")
    assert _states(document, engine, "large") == {
        1001: "missing", 1002: "damaged", 1003: "damaged", 1004: "unknown",
    }  # fmt: skip
    assert _render(document, engine) == {"retime": 0, "large": 4}
    assert {path: path.read_bytes() for path in out.iterdir()} == whole


def test_where_files_lie_does_not_matter_and_what_they_hold_does(shot: Path, engine: Engine) -> None:
    _render(_document(shot), engine)
    moved = shot.rename(shot.parent / "elsewhere")
    assert _render(_document(moved), engine) == {"retime": 0, "large": 0}


def test_a_draft_is_never_taken_for_final(shot: Path, engine: Engine) -> None:
    out = shot.parent / "out"
    _render(_document(shot), engine, draft=True)
    assert set(_states(_document(shot), engine, "large").values()) == {"missing"}
    assert set(_states(_document(shot), engine, "large", draft=True).values()) == {"done"}
    for path in out.glob("big.draft.*"):
        path.rename(out / path.name.replace(".draft", ""))
    assert set(_states(_document(shot), engine, "large").values()) == {"stale"}


def test_the_same_pixels_are_found_by_whatever_way_the_times_came(shot: Path, engine: Engine) -> None:
    document = _document(shot)
    _render(document, engine)
    other = _document(shot)
    del other["nodes"]["slow"]["speed"]
    other["nodes"]["slow"]["list"] = [str(1001 + n / 2) for n in range(7)]
    assert _render(other, engine)["retime"] == 0


def test_the_key_stands_in_the_header(shot: Path, engine: Engine) -> None:
    _render(_document(shot), engine)
    key = parse_key(read_header(shot.parent / "out" / "slow.1002.exr").metadata[KEY])
    assert key is not None
    assert set(key.parts) == {"@", "plate", "slow", "retime"}


def test_a_file_that_changes_during_the_render_leaves_no_key(
    shot: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["frame"] == 1001:
            _write_frame(shot, 1004, seed=9)
        if event["event"] == "warning":
            messages.append(event["message"])

    document = _document(shot)
    del document["nodes"]["retime"], document["nodes"]["slow"]
    monkeypatch.setattr("understudy.graph.pipeline.MAX_AHEAD", 1)
    render_graph(parse_graph(document, source="test"), engine, on_event=hear)
    assert any("changed while it was read" in message for message in messages)
    assert _states(document, engine, "large")[1004] == "unknown"


def test_vectors_of_a_node_of_their_own_count(shot: Path, engine: Engine) -> None:
    def document(pack: str) -> dict[str, Any]:
        given = _document(shot)
        given["nodes"]["vectors"] = {"type": "motion", "input": "plate", "pack": pack, "matte": "soft"}
        matte = {"type": "read", "file": f"{shot}/m.%04d.exr", "colorspace": "ACEScg", "channels": ["R"]}
        given["nodes"]["soft"] = matte
        given["nodes"]["slow"]["vectors"] = "vectors"
        return given

    for frame in _FRAMES:
        _write_frame(shot, frame, seed=frame + 100)
        (shot / f"p.{frame}.exr").rename(shot / f"m.{frame}.exr")
        _write_frame(shot, frame, seed=frame)
    _render(document("dis-draft"), engine)
    found = {frame: s for (node, frame), s in _survey(document("dis-good"), engine).items() if node == "retime"}
    assert {frame for frame, s in found.items() if s.state is State.DONE} == {
        1001,
        1003,
        1005,
        1007,
    }  # plates themselves
    assert found[1002] == Standing(State.STALE, "node vectors changed")
    assert _render(document("dis-good"), engine)["retime"] == 3
    _write_frame(shot, 1009, seed=9)
    (shot / "p.1009.exr").rename(shot / "m.1002.exr")
    assert _render(document("dis-good"), engine)["retime"] == 1  # that between 1002 and 1003
