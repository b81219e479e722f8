# SPDX-License-Identifier: Apache-2.0
"""A graph document as YAML text."""

import yaml

from understudy.graph.document import Graph


def graph_text(graph: Graph, head: str) -> str:
    """The text of a document; fields that have their default are left out.

    Args:
        graph: The document.
        head: A comment before it, lines and all.
    """
    document = graph.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = {"schema": graph.schema_, **document}
    document["nodes"] = {name: {"type": node["type"], **node} for name, node in document["nodes"].items()}
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=4096)
