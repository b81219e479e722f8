# SPDX-License-Identifier: Apache-2.0
"""Processes that render chunks of one job at once, and finish at once, end in the record of one render."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.provenance.record_file import as_json, read_record
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

_FRAMES = 24
_PROCESSES = 3
_CHUNKS_EACH = 4

_RENDERER = """
import json, sys
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine
graph, engine = parse_graph(json.loads(sys.argv[1])), LocalEngine()
print("ready", flush=True)
sys.stdin.readline()
for part in sys.argv[2:]:
    render_graph(graph, engine, part=part, witness=Recorder())
"""


def _document(folder: Path, out: str) -> dict[str, Any]:
    read = {"type": "read", "file": str(folder / "plate.%04d.exr")}
    write = {"type": "write", "input": "plate", "file": str(folder / out / "copy.%04d.exr")}
    return {"schema": "understudy.graph/1", "frames": f"1001-{1000 + _FRAMES}", "nodes": {"plate": read, "out": write}}


def _record(folder: Path, out: str) -> dict[str, Any]:
    """The record without its times and without where the pictures lie."""
    record = as_json(read_record(folder / out / "copy.provenance.json"))
    (job,) = record["jobs"].values()
    for value, names in ((record, ("created", "updated")), (job, ("started", "finished"))):
        for name in names:
            assert value.pop(name)
    job["graph"]["document"]["nodes"]["out"].pop("file")
    return record


def test_processes_that_finish_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for frame in range(1001, 1001 + _FRAMES):
        pixels = rng.uniform(0, 1, (8, 8, 3)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=frame)
        write_plate(plate, tmp_path / f"plate.{frame}.exr")
    engine = LocalEngine()
    render_graph(parse_graph(_document(tmp_path, "whole")), engine, witness=Recorder())
    engine.close()
    size = _FRAMES // (_PROCESSES * _CHUNKS_EACH)
    parts = [f"{first}-{first + size - 1}" for first in range(1001, 1001 + _FRAMES, size)]
    renders = [
        subprocess.Popen(
            # every third chunk: neighbors in the record come from different processes
            [sys.executable, "-c", _RENDERER, json.dumps(_document(tmp_path, "parts")), *parts[number::_PROCESSES]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        for number in range(_PROCESSES)
    ]
    for render in renders:
        assert render.stdout.readline() == "ready\n"
    for render in renders:
        render.stdin.write("go\n")
        render.stdin.flush()
    for render in renders:
        render.communicate(timeout=60)
        assert render.returncode == 0
    assert _record(tmp_path, "parts") == _record(tmp_path, "whole")
    assert not list((tmp_path / "parts").glob(".understudy-*"))
    assert (tmp_path / "parts" / "ascmhl").is_dir()
