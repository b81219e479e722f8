# SPDX-License-Identifier: Apache-2.0
"""What a graph will write, and the jobs that are refused before anything is computed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL
from understudy.contracts.errors import ColorspaceError, GraphError, SequenceError, UnderstudyError, UsageError
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.plan import Plan, plan_graph
from understudy.graph.steps.step import Setting

SETTING = Setting(
    engine=None,  # type: ignore[arg-type]
    color=ColorConfig.load(),
    pins={},
    listener=lambda _event: None,
    control=NO_CONTROL,
)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Frames 1 to 6 without the third."""
    folder = tmp_path / "shot"
    plate = blank_plate(np.ones((2, 3, 3), np.float32), ("R", "G", "B"), colorspace="ACEScg")
    for frame in (1, 2, 4, 5, 6):
        write_plate(plate, folder / f"p.{frame:04d}.exr")
    return folder


def _plan(
    source: Path, writes: dict[str, str], *, frames: str = "", handles: int = 0, read: dict[str, str] | None = None
) -> Plan:
    nodes: dict[str, Any] = {"in": {"type": "read", "file": str(source), "colorspace": "ACEScg", **(read or {})}}
    nodes |= {name: {"type": "write", "input": "in", "file": file} for name, file in writes.items()}
    graph = parse_graph({"schema": "understudy.graph/1", "handles": handles, "nodes": nodes})
    return plan_graph(graph, SETTING, frames=frames)


def _frames(plan: Plan) -> list[int | None]:
    return [frame for _, frame in plan.outputs]


def test_outputs_are_what_is_asked_for_and_handles_what_is_there(shot: Path, tmp_path: Path) -> None:
    writes = {"out": str(tmp_path / "o.%04d.exr")}
    pattern = shot / "p.%04d.exr"
    assert _frames(_plan(pattern, writes, read={"missing": "hold"})) == [1, 2, 3, 4, 5, 6]
    assert _frames(_plan(pattern, writes, frames="5")) == [5]
    assert _frames(_plan(pattern, writes, frames="5", handles=1)) == [4, 5, 6]
    assert _frames(_plan(pattern, writes, frames="6", handles=2)) == [4, 5, 6]
    held = _plan(pattern, writes, frames="5", handles=10**12, read={"missing": "hold"})
    assert _frames(held) == [1, 2, 3, 4, 5, 6]
    assert _frames(_plan(shot / "p.%04d.exr", writes, read={"missing": "black"}, frames="3-4")) == [3, 4]


def test_frames_of_several_writes_come_together(shot: Path, tmp_path: Path) -> None:
    plan = _plan(shot / "p.%04d.exr", {n: str(tmp_path / f"{n}.%04d.exr") for n in "ab"}, frames="1-2")
    assert plan.outputs == (("a", 1), ("b", 1), ("a", 2), ("b", 2))
    assert [wanted.step for wanted in plan.wanted(plan.outputs)] == ["in"] * 4


@pytest.mark.parametrize(
    ("writes", "frames", "error", "says"),
    [
        pytest.param({}, "", GraphError, "nothing is written", id="no write"),
        pytest.param({"out": "o.%04d.exr"}, "", SequenceError, "frames 3 are missing", id="gap"),
        pytest.param({"out": "o.%04d.exr"}, "8-9", UsageError, "8-9 can't be rendered; there are 1-6", id="elsewhere"),
        pytest.param({"out": "o.exr"}, "1-2", UsageError, "can't go into one file", id="many frames, one file"),
        pytest.param({"a": "o.%04d.exr", "b": "o.####.exr"}, "1", GraphError, "write the same file", id="same file"),
        pytest.param({"out": "shot/p.%04d.exr"}, "1", UsageError, "overwrite the input of node 'in'", id="input"),
        pytest.param({"out": "link/p.####.exr"}, "1", UsageError, "overwrite the input", id="input by another name"),
    ],
)
def test_a_job_that_can_not_end_well_is_refused(
    writes: dict[str, str], frames: str, error: type[UnderstudyError], says: str, shot: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(shot)
    before = sorted(shot.iterdir())
    with pytest.raises(error, match=says):
        _plan(shot / "p.%04d.exr", {name: str(tmp_path / file) for name, file in writes.items()}, frames=frames)
    assert sorted(shot.iterdir()) == before


def test_new_names_beside_the_input_are_no_overwriting(shot: Path) -> None:
    assert _frames(_plan(shot / "p.%04d.exr", {"out": str(shot / "graded.%04d.exr")}, frames="1-2")) == [1, 2]


def test_what_has_no_frame_before_it_can_not_be_held(shot: Path, tmp_path: Path) -> None:
    writes = {"out": str(tmp_path / "o.%04d.exr")}
    with pytest.raises(SequenceError, match="frames 0 are missing, and no frame before them to hold"):
        _plan(shot / "p.%04d.exr", writes, read={"missing": "hold", "frames": "0-3"})
    assert _frames(_plan(shot / "p.%04d.exr", writes, read={"missing": "black", "frames": "0-3"})) == [0, 1, 2, 3]


def test_a_display_picture_in_no_declared_space_is_refused_before_anything_is_computed(
    shot: Path, tmp_path: Path
) -> None:
    with pytest.raises(ColorspaceError, match="png holds display pictures"):
        _plan(shot / "p.%04d.exr", {"out": str(tmp_path / "o.%04d.png")}, frames="1")


def test_a_frame_in_another_color_space_is_refused(shot: Path, tmp_path: Path) -> None:
    odd = blank_plate(np.ones((2, 3, 3), np.float32), ("R", "G", "B"), colorspace="ACES2065-1")
    write_plate(odd, shot / "p.0005.exr")
    plan = _plan(shot / "p.%04d.exr", {"out": str(tmp_path / "o.%04d.exr")}, read={"colorspace": ""}, frames="4-5")
    plan.steps["in"].compute(4, lambda *_: odd)
    with pytest.raises(SequenceError, match="is in ACES2065-1, the sequence starts in ACEScg"):
        plan.steps["in"].compute(5, lambda *_: odd)


def test_a_part_is_no_more_than_its_frames_and_a_still_goes_with_the_first(shot: Path, tmp_path: Path) -> None:
    still = tmp_path / "still.exr"
    write_plate(blank_plate(np.ones((2, 3, 3), np.float32), ("R", "G", "B"), colorspace="ACEScg"), still)
    nodes = {
        "in": {"type": "read", "file": str(shot / "p.%04d.exr"), "colorspace": "ACEScg", "missing": "hold"},
        "one": {"type": "read", "file": str(still), "colorspace": "ACEScg"},
        "out": {"type": "write", "input": "in", "file": str(tmp_path / "o.%04d.exr")},
        "still": {"type": "write", "input": "one", "file": str(tmp_path / "s.exr")},
    }
    graph = parse_graph({"schema": "understudy.graph/1", "handles": 1, "frames": "3-4", "nodes": nodes})
    whole = plan_graph(graph, SETTING).outputs
    parts = [plan_graph(graph, SETTING, part=part).outputs for part in ("2", "3-4", "5")]
    assert sum(parts, ()) == whole
    assert parts[0] == (("still", None), ("out", 2))
    with pytest.raises(UsageError, match="frames 6 are not in the job"):
        plan_graph(graph, SETTING, part="5-6")
