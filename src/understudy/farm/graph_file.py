# SPDX-License-Identifier: Apache-2.0
"""Writes a settled graph for the machines that will render it."""

from pathlib import Path

from understudy.frames.atomic import atomic
from understudy.graph.document import Graph
from understudy.graph.graph_text import graph_text

_HEAD = "# Written by understudy submit. Packs and OCIO config are locked: another machine takes these or refuses.\n"


def write_graph(graph: Graph, path: Path) -> None:
    """Writes a document as YAML; fields that have their default are left out.

    Args:
        graph: The document; a relative path in it starts at the file's folder when it is read.
        path: The file.

    Raises:
        OutputError: It can't be written.
    """
    write_text(path, graph_text(graph, _HEAD))


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all.

    Raises:
        OutputError: It can't be written.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
