# SPDX-License-Identifier: Apache-2.0
"""Writes a settled graph for the machines that will render it."""

from pathlib import Path

import yaml

from understudy.frames.atomic import atomic
from understudy.graph.document import Graph

_HEAD = "# Written by understudy submit. Packs and OCIO config are locked: another machine takes these or refuses.\n"


def write_graph(graph: Graph, path: Path) -> None:
    """Writes a document as YAML; fields that have their default are left out.

    Args:
        graph: The document; a relative path in it starts at the file's folder when it is read.
        path: The file.

    Raises:
        OutputError: It can't be written.
    """
    document = graph.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = {"schema": graph.schema_, **document}
    document["nodes"] = {name: {"type": node["type"], **node} for name, node in document["nodes"].items()}
    write_text(path, _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=4096))


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all.

    Raises:
        OutputError: It can't be written.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
