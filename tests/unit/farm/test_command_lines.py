# SPDX-License-Identifier: Apache-2.0
"""A job as commands: together they make the job, and nothing on another machine is chosen anew."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from shots import Job, make_job
from understudy.cli.main import app
from understudy.frames.sequence import parse_frames
from understudy.graph.parsing import load_graph
from understudy.graph.prepare import survey_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine


def submit(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["submit", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, frames=6)


def with_handles(job: Job) -> None:
    graph: dict[str, Any] = yaml.safe_load(job.graph.read_text())
    job.graph.write_text(yaml.safe_dump({**graph, "handles": 1}))


def test_the_commands_together_are_the_job(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "a folder"
    with_handles(job)
    lines = submit(str(job.graph), "--to", "command", "--out", str(out), "--frames", "1002-1006", "--chunk", "3")
    asked: list[int] = []
    for line in lines:
        program, verb, graph, part = shlex.split(line)
        assert (program, verb, graph) == ("understudy", "render", str(out / "graph.yaml"))
        asked += parse_frames(part.removeprefix("--part="))
    assert asked == [1001, 1002, 1003, 1004, 1005, 1006, 1007]
    events = [json.loads(line) for line in submit(str(job.graph), "--to", "command", "--out", str(out), "--json")]
    assert [(event["frames"], event["count"]) for event in events] == [("1001-1007", 7)]
    assert shlex.split(events[0]["command"]) == events[0]["argv"]


def test_the_graph_that_is_sent_names_packs_and_config_and_means_the_same(job: Job, tmp_path: Path) -> None:
    submit(str(job.graph), "--to", "command", "--out", str(tmp_path / "farm"), "--draft")
    sent, own = load_graph(tmp_path / "farm" / "graph.yaml"), load_graph(job.graph)
    assert sent.digest == own.digest
    assert sent.config.startswith("ocio://")
    assert {pin.partition("@")[0] for pin in sent.lock.packs} >= {"dis-draft", "lanczos", "shape-from-shading"}
    assert all(len(pin.partition("#")[2]) == 64 for pin in sent.lock.packs)


def test_a_node_that_is_a_draft_alone_is_found_on_the_farm_too(job: Job, tmp_path: Path) -> None:
    document: dict[str, Any] = yaml.safe_load(job.graph.read_text())
    for node in document["nodes"].values():
        if node["type"] == "motion":
            node |= {"quality": "draft", "pack": "dis-good"}
    job.graph.write_text(yaml.safe_dump(document))
    submit(str(job.graph), "--to", "command", "--out", str(tmp_path / "farm"))
    sent = load_graph(tmp_path / "farm" / "graph.yaml")
    assert {pin.partition("@")[0] for pin in sent.lock.packs} >= {"dis-draft", "dis-good"}
    survey_graph(sent, LocalEngine())


def test_parts_on_a_farm_make_the_bytes_of_one_render(job: Job, tmp_path: Path) -> None:
    submit(str(job.graph), "--to", "command", "--out", str(tmp_path / "farm"))
    graph = load_graph(tmp_path / "farm" / "graph.yaml")
    engine = LocalEngine()
    for part in ("1004-1006", "1001-1003"):
        render_graph(graph, engine, part=part)
    made = job.pictures()
    assert len(made) == 6
    render_graph(load_graph(job.graph), engine, redo=True)
    assert job.pictures() == made
    engine.close()


def test_every_second_frame_goes_into_full_chunks(job: Job, tmp_path: Path) -> None:
    out = ("--to", "command", "--out", str(tmp_path / "farm"), "--frames", "1001-1005x2", "--chunk", "3")
    assert [line.partition("--part=")[2] for line in submit(str(job.graph), *out)] == ["1001-1005x2"]
    together = submit(str(job.graph), *out, "--contiguous")
    assert [line.partition("--part=")[2] for line in together] == ["1001", "1003", "1005"]
