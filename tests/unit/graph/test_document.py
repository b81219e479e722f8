# SPDX-License-Identifier: Apache-2.0
"""The graph document: what is accepted, and what is said of the rest."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import GraphError, MissingFileError
from understudy.graph.document import InterpolateNode, ReadNode, UpscaleNode
from understudy.graph.parsing import load_graph, parse_graph

READ = {"type": "read", "file": "plate.%04d.exr"}
WRITE = {"type": "write", "input": "a", "file": "out.%04d.exr"}


def _document(**nodes: Any) -> dict[str, Any]:
    return {"schema": "understudy.graph/1", "nodes": {"a": READ, "out": WRITE, **nodes}}


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        pytest.param(
            {"s": {"type": "upscale", "input": "a", "scael": 2}}, "nodes.s.scael: .*did you mean 'scale'", id="typo"
        ),
        pytest.param({"s": {"type": "upscail", "input": "a"}}, "nodes.s: .*did you mean 'upscale'", id="type typo"),
        pytest.param({"s": {"input": "a"}}, "nodes.s: the node has no type", id="no type"),
        pytest.param({"s": {"type": "upscale"}}, "nodes.s.input: is missing", id="no input"),
        pytest.param(
            {"s": {"type": "upscale", "input": "b"}}, "nodes.s.input: there is no node 'b'", id="unknown input"
        ),
        pytest.param({"s": {"type": "upscale", "input": "out"}}, "write node", id="input is a write"),
        pytest.param({"s": {"type": "upscale", "input": "a", "scale": 0}}, "nodes.s.scale", id="scale zero"),
        pytest.param(
            {"s": {"type": "upscale", "input": "a", "scale": "two"}}, "'two' is not a number", id="scale text"
        ),
        pytest.param({"s": {"type": "interpolate", "input": "a"}}, "exactly one of speed", id="no retime"),
        pytest.param(
            {"s": {"type": "interpolate", "input": "a", "speed": 2, "at": 3}}, "speed and at", id="two retimes"
        ),
        pytest.param(
            {"s": {"type": "interpolate", "input": "a", "curve": [{"frame": 1}]}}, "speed or source", id="empty key"
        ),
        pytest.param(
            {"s": {"type": "upscale", "input": "t"}, "t": {"type": "upscale", "input": "s"}}, "circle", id="circle"
        ),
        pytest.param({"bad name": READ}, "nodes", id="node name"),
    ],
)
def test_a_wrong_graph_says_where_and_what(nodes: dict[str, Any], says: str) -> None:
    with pytest.raises(GraphError, match=says):
        parse_graph(_document(**nodes))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(GraphError) as caught:
        parse_graph(_document(s={"type": "upscale", "input": "a", "x": 1}, t={"type": "upscale", "input": "a", "y": 1}))
    assert "nodes.s.x" in str(caught.value)
    assert "nodes.t.y" in str(caught.value)


def test_another_schema_is_refused() -> None:
    with pytest.raises(GraphError, match="schema"):
        parse_graph({**_document(), "schema": "understudy.graph/2"})


def test_numbers_stay_exact() -> None:
    node = parse_graph(
        _document(s={"type": "interpolate", "input": "a", "fps": {"source": "24000/1001", "target": 24}})
    ).nodes["s"]
    assert isinstance(node, InterpolateNode)
    assert node.fps is not None
    assert node.fps.source == Fraction(24000, 1001)
    scale = parse_graph(_document(s={"type": "upscale", "input": "a", "scale": 1.5})).nodes["s"]
    assert isinstance(scale, UpscaleNode)
    assert scale.scale == Fraction(3, 2)


def test_the_digest_ignores_where_outputs_go_and_nothing_else() -> None:
    here = parse_graph(_document())
    there = parse_graph(_document(out={**WRITE, "file": "elsewhere.%04d.exr"}))
    other = parse_graph(_document(out={**WRITE, "sample_type": "float"}))
    assert here.digest == there.digest
    assert here.digest != other.digest


def test_paths_start_at_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOT", "sh010")
    path = tmp_path / "g.yaml"
    path.write_text(
        "schema: understudy.graph/1\nnodes:\n  a: {type: read, file: $SHOT/p.%04d.exr}\n"
        "  out: {type: write, input: a, file: /abs/o.%04d.exr}\n"
    )
    read = load_graph(path).nodes["a"]
    assert isinstance(read, ReadNode)
    assert read.file == str(tmp_path.resolve() / "sh010" / "p.%04d.exr")
    assert load_graph(path).writes()["out"].file == "/abs/o.%04d.exr"


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_graph(tmp_path / "none.yaml")
    path = tmp_path / "bad.yaml"
    path.write_text("nodes: [")
    with pytest.raises(GraphError, match="YAML"):
        load_graph(path)
    path.write_text("just text")
    with pytest.raises(GraphError, match="mapping"):
        load_graph(path)
