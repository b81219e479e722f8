# SPDX-License-Identifier: Apache-2.0
"""Which outputs are drafts, and what drafts are called."""

from fractions import Fraction

import pytest

from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import GraphError
from understudy.contracts.jobs import PackPin
from understudy.graph.document import Graph
from understudy.graph.draft import draft_name, drafted_nodes, is_draft_name, output_file, with_draft_options
from understudy.graph.draft_settings import DraftSettings
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


def _pack(**units: str) -> PackInfo:
    options = {
        "reach": {"type": "int", "default": 9, "minimum": 2, "unit": "px"},
        "sigma": {"type": "float", "default": 1.5, "unit": "px"},
        "steps": {"type": "int", "default": 5, "unit": "iterations"},
    }
    pin = PackPin(id=units.get("id", "mine"), version="1.0.0", sha256="ab" * 32)
    return PackInfo(
        pin=pin, role="upscale", title="", description="", draft="", source="", manifest={"options": options}
    )


def test_lengths_in_pixels_shrink_and_knobs_of_the_other_pack_are_left_out() -> None:
    nodes = {
        "plate": {"type": "read", "file": "plate.%04d.exr"},
        "large": {"type": "upscale", "input": "plate", "pack": "mine", "options": {"reach": 3, "steps": 7}},
        "other": {"type": "upscale", "input": "plate", "pack": "big", "options": {"sigma": 2.0, "detail": 3}},
    }
    graph = parse_graph({"schema": "understudy.graph/1", "draft": {"scale": "1/4"}, "nodes": nodes}, source="test")
    packs = {"large": _pack(), "other": _pack()}
    drafted = with_draft_options(graph, packs, draft=True).nodes
    assert getattr(drafted["large"], "options") == {"reach": 2, "sigma": 0.375, "steps": 7}  # noqa: B009
    assert getattr(drafted["other"], "options") == {"reach": 2, "sigma": 0.5}  # noqa: B009
    assert with_draft_options(graph, packs, draft=False) == graph


@pytest.mark.parametrize(("said", "scale"), [("1/4", Fraction(1, 4)), (0.25, Fraction(1, 4)), (1, Fraction(1))])
def test_a_scale_is_one_over_a_whole_number(said: object, scale: Fraction) -> None:
    assert DraftSettings.model_validate({"scale": said}).scale == scale


@pytest.mark.parametrize("said", ["2", "3/4", 0, -0.5, "1/9", "half", True])
def test_another_scale_is_refused(said: object) -> None:
    document = {
        "schema": "understudy.graph/1",
        "draft": {"scale": said},
        "nodes": {"a": {"type": "read", "file": "a.exr"}},
    }
    with pytest.raises(GraphError, match=r"none of 1, 1/2, 1/3"):
        parse_graph(document, source="test")


def test_outputs_of_drafts_are_named_so() -> None:
    graph = _graph(large="draft")
    names = {name: output_file(graph, name, draft=False).rpartition("/")[2] for name in graph.writes()}
    assert names == {"retimed": "slow.%04d.exr", "enlarged": "large.draft.%04d.exr"}
    assert output_file(graph, "retimed", draft=True).endswith("slow.draft.%04d.exr")
    with pytest.raises(GraphError, match="no write node"):
        output_file(graph, "slow", draft=True)
