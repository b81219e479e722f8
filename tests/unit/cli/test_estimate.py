# SPDX-License-Identifier: Apache-2.0
"""``understudy estimate``: what is printed, and the sentences of what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from understudy.cli.estimate import estimate
from understudy.contracts.errors import InputError, PackError, UsageError
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate

_APP = typer.Typer()
_APP.command()(estimate)


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(_APP, [str(argument) for argument in arguments])


def _events(*arguments: str | Path) -> list[dict[str, Any]]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "costs.json"))
    for frame in range(1, 8):
        pixels = np.random.default_rng(frame).uniform(0, 1, (24, 32, 3)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", frame=frame, sample_type="half")
        write_plate(plate, tmp_path / f"p.{frame}.exr")
    path = tmp_path / "job.yaml"
    path.write_text(
        "schema: understudy.graph/1\n"
        "nodes:\n"
        "  plate: {type: read, file: p.%d.exr, colorspace: ACEScg}\n"
        "  up: {type: upscale, input: plate, pack: lanczos, scale: 2}\n"
        "  out: {type: write, input: up, file: out/o.%04d.exr}\n"
    )
    return path


def test_a_graph_is_told_as_one_event(graph: Path) -> None:
    (event,) = _events(graph, "--frames", "2-5")
    assert (event["event"], event["frames"], event["done"], event["measured"]) == ("estimate", 4, 0, False)
    low, likely, high = event["seconds"]
    assert 0 < low < likely < high
    assert event["seconds_per_frame"][1] == pytest.approx(likely / 4, rel=0.01)
    assert event["disk_bytes"] >= 4 * 64 * 48 * 3 * 2
    assert event["ram_bytes"] > 64 * 48 * 3 * 4
    assert [(node["node"], node["kind"], node["count"]) for node in event["nodes"]] == [
        ("plate", "read", 4), ("up", "upscale", 4), ("out", "write", 4),
    ]  # fmt: skip
    assert not (graph.parent / "out").exists()


def test_calibrating_a_graph_renders_a_few_frames_and_touches_no_output(graph: Path) -> None:
    calibrated, event = _events(graph, "--calibrate")
    assert (calibrated["event"], calibrated["frames"]) == ("calibrate", "1-3")
    assert event["measured"]
    assert event["machine"]
    assert {node["node"]: node["runs"] for node in event["nodes"]} == {"plate": 3, "up": 3, "out": 3}
    assert not (graph.parent / "out").exists()
    assert sorted(path.suffix for path in graph.parent.iterdir()) == [*[".exr"] * 7, ".json", ".yaml"]


def test_people_get_a_table_and_are_told_how_to_know_better(graph: Path) -> None:
    before = _run(graph).stdout
    assert "rule of thumb" in before
    assert "--calibrate" in before
    assert "7 frames: " in before
    _run(graph, "--calibrate")
    after = _run(graph).stdout
    assert "rule of thumb" not in after
    assert "upscale lanczos@1.0.0" in after
    assert "3 runs on cpu" in after


@pytest.mark.slow
def test_packs_are_calibrated_on_a_pattern_as_large_as_the_budget_allows(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.graph.calibrate.SIZES", ((48, 32), (20000, 20000)))
    events = _events("--calibrate", "--pack", "lanczos", "--pack", "flow-projection", "--budget", "5")
    assert [(event["pack"], event["width"], event["seconds"] is None) for event in events] == [
        ("lanczos", 48, False), ("flow-projection", 48, False),
        ("lanczos", 20000, True), ("flow-projection", 20000, True),
    ]  # fmt: skip
    kinds = {(entry["kind"], entry["id"]) for entry in json.loads((graph.parent / "costs.json").read_text())["runs"]}
    assert {("upscale", "lanczos"), ("interpolate", "flow-projection"), ("motion", "dis-good")} <= kinds
    assert "disk" not in {kind for kind, _ in kinds}  # the pattern is no picture


def test_what_makes_no_sense_is_a_sentence(graph: Path) -> None:
    def refused(*arguments: str | Path) -> BaseException:
        result = _run(*arguments)
        assert result.exception is not None
        return result.exception

    for arguments in ((), (graph, "--calibrate", "--server", "127.0.0.1:1"), (graph, "--pack", "lanczos")):
        assert isinstance(refused(*arguments), UsageError)
    assert isinstance(refused("--calibrate", "--pack", "no-such-pack"), PackError)
    assert isinstance(refused(graph.parent / "missing.yaml"), InputError)
    assert isinstance(refused(graph, "--frames", "99"), UsageError)
    graph.write_text("schema: understudy.graph/1\nnodes: {plate: {type: raed}}\n")
    assert "raed" in str(refused(graph))
