# SPDX-License-Identifier: Apache-2.0
"""A graph's retime as a TimeWarp: the frames that the graph's own plan has."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy.cli.main import app
from understudy.contracts.errors import GraphError, UsageError
from understudy.graph.document import Graph
from understudy.graph.retime_node import retime_of
from unit.bridge.nk_script import read

Document = Callable[[str], Path]


@pytest.fixture
def document(tmp_path: Path) -> Document:
    """Writes a graph whose plates are empty files: nothing of them is read."""
    for frame in range(1001, 1006):
        (tmp_path / f"plate.{frame}.exr").touch()

    def write(nodes: str) -> Path:
        path = tmp_path / "graph.yaml"
        read_node = "  plate: {type: read, file: PLATE, colorspace: ACEScg}\n".replace(
            "PLATE", str(tmp_path / "plate.%04d.exr")
        )
        path.write_text(f"schema: understudy.graph/1\nnodes:\n{read_node}{nodes}")
        return path

    return write


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["curve", *map(str, arguments)])
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_the_script_and_the_event_have_the_same_times(document: Document, tmp_path: Path) -> None:
    graph = document("  slow: {type: interpolate, input: plate, speed: 2/3, shutter: {angle: 180}}\n")
    (node,) = read(run(graph))
    assert node.knobs["lookup"].startswith("{curve L x1001 1001 L x1002 1001.6666666666666 L x1003 1002.3333333333334 ")
    assert node.knobs["lookup"].endswith("L x1007 1005}")
    event = json.loads(run(graph, tmp_path / "a" / "slow.nk", "--json"))
    assert event["keys"][:3] == [[1001, "1001"], [1002, "3005/3"], [1003, "3007/3"]]
    assert (event["node"], len(event["keys"])) == ("slow", 7)
    assert read(Path(event["file"]).read_text())[0].knobs == node.knobs


def test_a_retime_of_a_retime_is_named(document: Document) -> None:
    nodes = "  half: {type: interpolate, input: plate, speed: 0.5}\n  up: {type: upscale, input: half, scale: 2}\n"
    graph = document(
        nodes + "  back: {type: interpolate, input: up, curve: [{frame: 1, source: 1009}, {frame: 3, source: 1001}]}\n"
    )
    assert json.loads(run(graph, "--node", "back", "--json"))["keys"] == [[1, "1009"], [2, "1005"], [3, "1001"]]


@pytest.mark.parametrize(
    ("nodes", "name", "error"),
    [
        ({}, "", UsageError),
        ({"up": {"type": "upscale", "input": "plate"}}, "up", UsageError),
        ({f"r{i}": {"type": "interpolate", "input": "plate", "speed": 1} for i in (1, 2)}, "", UsageError),
        ({"r": {"type": "interpolate", "input": "plate", "speed": 1}}, "", GraphError),
    ],
)
def test_what_is_no_retime_is_refused(
    nodes: dict[str, object], name: str, error: type[Exception], tmp_path: Path
) -> None:
    still = tmp_path / "still.exr"
    still.touch()
    plate = {"type": "read", "file": str(still), "colorspace": "ACEScg"}
    graph = Graph.model_validate({"schema": "understudy.graph/1", "nodes": {"plate": plate, **nodes}})
    with pytest.raises(error):
        retime_of(graph, name)
