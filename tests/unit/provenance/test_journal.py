# SPDX-License-Identifier: Apache-2.0
"""The journal of a render: its lines come back, torn ones are left out, and it goes when the record has them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shots import Job, make_job
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.provenance.frame_entry import FrameFacts
from understudy.provenance.job import InputEntry
from understudy.provenance.journal import Journal, Line, read_journals, remove_journals
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

_FACTS = FrameFacts("synthesized", "type", 0.1 + 0.2, None, 3, 0, '{"device": "cpu"}')
_LINE = Line(
    frame=1001,
    job="j" * 64,
    facts=_FACTS,
    clamped=7,
    colorspace="ACEScg",
    fps="24000/1001",
    inputs=((InputEntry(node="plate", pattern="p.%04d.exr"), Path("/shot/p.1001.exr"), 1001),),
    warnings=("é",),
)
_PATTERN = "o.%04d.exr"


def test_lines_come_back_and_the_last_one_holds(tmp_path: Path) -> None:
    first, second = Journal(tmp_path, _PATTERN, "a"), Journal(tmp_path, _PATTERN, "b")
    still = replace(_LINE, frame=None)
    for line in (_LINE, still):
        first.add(line)
    first.close()
    second.add(replace(_LINE, clamped=8))
    second.close()
    older, newer = sorted(tmp_path.iterdir())
    os.utime(older, ns=(0, 10**9))
    assert read_journals(tmp_path, _PATTERN) == {None: still, 1001: replace(_LINE, clamped=8)}
    os.utime(newer, ns=(0, 0))
    assert read_journals(tmp_path, _PATTERN)[1001] == _LINE
    assert read_journals(tmp_path, "other.%04d.exr") == {}


@pytest.mark.parametrize("torn", ["", "{", "[1]", '{"frame": 1002}', "\0\xff"])
def test_a_torn_line_is_left_out(tmp_path: Path, torn: str) -> None:
    journal = Journal(tmp_path, _PATTERN, "a")
    journal.add(_LINE)
    journal.close()
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + torn)
    assert read_journals(tmp_path, _PATTERN) == {1001: _LINE}


def test_those_of_renders_under_way_stay(tmp_path: Path) -> None:
    for pattern, token in ((_PATTERN, "a"), (_PATTERN, "b"), ("other.%04d.exr", "a")):
        Journal(tmp_path, pattern, token).add(_LINE)
    remove_journals(tmp_path, _PATTERN, ["b"])
    assert sorted(path.name.rpartition("-")[2] for path in tmp_path.iterdir()) == ["a", "b"]
    assert read_journals(tmp_path, _PATTERN) == {1001: _LINE}
    assert read_journals(tmp_path, "other.%04d.exr") == {1001: _LINE}


def test_a_folder_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    Journal(tmp_path / "gone", _PATTERN, "a").add(_LINE)
    assert read_journals(tmp_path / "gone", _PATTERN) == {}


_KILLED = """
import os, sys
from pathlib import Path
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

def hear(event):
    if event["event"] == "frame" and event["done"] == 5:
        os._exit(9)

render_graph(load_graph(Path(sys.argv[1])), LocalEngine(device="cpu"), on_event=hear, witness=Recorder())
"""

_TIMES = {"created", "updated", "started", "finished"}


def _record(job: Job) -> Any:
    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: timeless(part) for name, part in value.items() if name not in _TIMES}
        return [timeless(part) for part in value] if isinstance(value, list) else value

    return timeless(json.loads((job.out / "big.provenance.json").read_text().replace(str(job.out), "OUT")))


def test_the_record_after_a_kill_is_that_of_an_undisturbed_render(tmp_path: Path) -> None:
    whole, job = make_job(tmp_path, frames=8, out="whole"), make_job(tmp_path, frames=8)
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(job.graph)], timeout=120, check=False)
    assert killed.returncode == 9
    assert len(job.strays()) >= 1
    assert len(json.loads((job.out / "big.provenance.json").read_text())["frames"]) == 0
    engine = LocalEngine(device="cpu")
    for one in (whole, job):
        render_graph(load_graph(one.graph), engine, witness=Recorder())
    assert job.pictures() == whole.pictures()
    assert _record(job) == _record(whole)
    assert job.strays() == []
