# SPDX-License-Identifier: Apache-2.0
"""Reads graph documents, and says of a wrong one where and what."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from understudy.contracts.errors import GraphError
from understudy.graph.document import (
    NODE_TYPES,
    Graph,
    WriteNode,
    inputs_of,
)
from understudy.graph.paths import NamedFile, with_files
from understudy.graph.yaml_file import read_yaml


def parse_graph(document: Mapping[str, Any], *, source: str = "graph", folder: Path | None = None) -> Graph:
    """Checks a document.

    Args:
        document: The parsed YAML.
        source: What messages call it.
        folder: Relative paths in it start here; None leaves them as they are.

    Raises:
        GraphError: It is wrong; all problems are told, each at a place like ``nodes.slow.speed``.
    """
    if not isinstance(document, Mapping):
        raise GraphError("the document is not a mapping", where=source, fix="start it with: schema: understudy.graph/1")
    try:
        graph = Graph.model_validate(document)
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors()]
        raise GraphError("\n  ".join(problems), where=source) from None
    _check_links(graph, source)
    return graph if folder is None else _anchored(graph, folder)


def load_graph(path: Path) -> Graph:
    """Reads and checks a YAML graph.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It is not YAML text.
        GraphError: It is not a valid graph.
    """
    document = read_yaml(path, "graph")
    return parse_graph(document, source=str(path), folder=path.resolve().parent)


def _problem(detail: Any) -> str:
    place = [str(part) for part in detail["loc"]]
    known = NODE_TYPES
    node_class = None
    if len(place) > 2 and place[0] == "nodes":
        node_class = known.get(place[2])
        if place[2] in known:
            del place[2]  # pydantic puts the union's tag into the place; a person did not write it
    text = detail["msg"].removeprefix("Value error, ")
    hint = ""
    if detail["type"] == "extra_forbidden":
        fields = tuple((node_class or Graph).model_fields)
        close = get_close_matches(place[-1], fields, n=1)
        text = "there is no such field"
        hint = (
            f"; did you mean {close[0]!r}?"
            if close
            else f"; there are {', '.join(f for f in fields if f != 'schema_')}"
        )
    elif detail["type"] == "union_tag_invalid":
        tag = str(detail["ctx"]["tag"])
        close = get_close_matches(tag, known, n=1)
        text = f"there is no node type {tag!r}"
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
    elif detail["type"] == "union_tag_not_found":
        text = f"the node has no type; there are {', '.join(known)}"
    elif detail["type"] == "missing":
        text = "is missing"
    return f"{'.'.join(place) or 'document'}: {text}{hint}"


def _check_links(graph: Graph, source: str) -> None:
    for name, node in graph.nodes.items():
        for field, target in inputs_of(node).items():
            where = f"{source}: nodes.{name}.{field}"
            if target not in graph.nodes:
                close = get_close_matches(target, graph.nodes, n=1)
                fix = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(graph.nodes)}"
                raise GraphError(f"there is no node {target!r}", where=where, fix=fix)
            if isinstance(graph.nodes[target], WriteNode):
                raise GraphError(f"{target!r} is a write node and has no output", where=where)
    try:
        tuple(TopologicalSorter({n: inputs_of(node).values() for n, node in graph.nodes.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"nodes go round in a circle: {' > '.join(error.args[1])}", where=f"{source}: nodes") from None


def _anchored(graph: Graph, folder: Path) -> Graph:
    def anchor(named: NamedFile) -> str:
        return str(folder / os.path.expanduser(os.path.expandvars(named.path)))  # noqa: PTH111 - never raises

    return with_files(graph, anchor)
