# SPDX-License-Identifier: Apache-2.0
"""Which outputs are drafts, and what drafts are called."""

import pytest

from understudy.contracts.errors import GraphError
from understudy.graph.document import Graph
from understudy.graph.draft import draft_name, drafted_nodes, is_draft_name, output_file
from understudy.graph.parsing import parse_graph
from understudy.provenance.record_file import record_name

NAMES = (
    ("x.%04d.exr", "x.draft.%04d.exr"),
    ("./a/x.%04d.exr", "./a/x.draft.%04d.exr"),
    ("/a.b/x.y.####.exr", "/a.b/x.y.draft.####.exr"),
    ("x_%04d.exr", "x_draft.%04d.exr"),
    ("x$F4.exr", "x.draft.$F4.exr"),
    ("%04d.exr", "draft.%04d.exr"),
    ("x.1001-1010#.exr", "x.draft.1001-1010#.exr"),
    ("x.1001.exr", "x.draft.1001.exr"),
    ("x.-0005.exr", "x.draft.-0005.exr"),
    ("a/x.exr", "a/x.draft.exr"),
    ("x_v002.exr", "x_v002.draft.exr"),
    ("redraft.%04d.exr", "redraft.draft.%04d.exr"),
)


@pytest.mark.parametrize(("final", "draft"), NAMES)
def test_a_draft_has_a_name_and_a_record_of_its_own(final: str, draft: str) -> None:
    assert draft_name(final) == draft
    assert not is_draft_name(final)
    assert is_draft_name(draft)
    assert draft_name(draft) == draft
    assert record_name(draft) != record_name(final)


def _graph(**quality: str) -> Graph:
    nodes = {
        "plate": {"type": "read", "file": "plate.%04d.exr"},
        "vectors": {"type": "motion", "input": "plate", "quality": quality.get("vectors", "final")},
        "slow": {"type": "interpolate", "input": "plate", "vectors": "vectors", "speed": 0.5},
        "large": {"type": "upscale", "input": "plate", "quality": quality.get("large", "final")},
        "retimed": {"type": "write", "input": "slow", "file": "slow.%04d.exr"},
        "enlarged": {"type": "write", "input": "large", "file": "large.%04d.exr"},
    }
    return parse_graph({"schema": "understudy.graph/1", "nodes": nodes}, source="test")


def test_what_a_draft_node_feeds_is_a_draft() -> None:
    assert drafted_nodes(_graph(), draft=False) == set()
    assert drafted_nodes(_graph(), draft=True) == set(_graph().nodes)
    assert drafted_nodes(_graph(vectors="draft"), draft=False) == {"vectors", "slow", "retimed"}


def test_outputs_of_drafts_are_named_so() -> None:
    graph = _graph(large="draft")
    names = {name: output_file(graph, name, draft=False).rpartition("/")[2] for name in graph.writes()}
    assert names == {"retimed": "slow.%04d.exr", "enlarged": "large.draft.%04d.exr"}
    assert output_file(graph, "retimed", draft=True).endswith("slow.draft.%04d.exr")
    with pytest.raises(GraphError, match="no write node"):
        output_file(graph, "slow", draft=True)
