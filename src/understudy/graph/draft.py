# SPDX-License-Identifier: Apache-2.0
"""Drafts: which outputs are drafts, and the names they go by, so that a draft never takes the place of a final.

``x.%04d.exr`` becomes ``x.draft.%04d.exr``, a still ``x.exr`` becomes ``x.draft.exr``. An output is a draft when the
whole render is one, or when a node that it is made from says ``quality: draft``.
"""

import os
import re
from fractions import Fraction
from pathlib import Path

from understudy.contracts.errors import GraphError
from understudy.frames.sequence import numbered_file, split_pattern
from understudy.graph.document import Graph, WriteNode, inputs_of

DRAFT_HEADER = "understudy:draft"
"""The header attribute of a draft; ``1``, and never in a final."""

DRAFT_SCALE = Fraction(1, 2)
"""Size of a draft's pictures while they are computed, over the final's, where nobody says another."""

_WORD = "draft"
_DRAFT_HEAD = re.compile(r"(^|[^A-Za-z0-9])draft\.$")


def draft_name(path: str) -> str:
    """The file or pattern of a draft.

    The mark stands before the frame number, or before the extension of a still: ``a/x_####.exr`` becomes
    ``a/x_draft.####.exr``. A name that is a draft's already stays.

    Args:
        path: A pattern in any notation that an output may have, one numbered file, or a still.

    Raises:
        UsageError: It has two places for the frame number.
    """
    if is_draft_name(path):
        return path
    folder, name = os.path.split(path)
    at = _place(path)
    joint = "." if at and name[at - 1].isalnum() else ""
    tail = name[at:] if name[at:].startswith(".") else f".{name[at:]}"
    return os.path.join(folder, f"{name[:at]}{joint}{_WORD}{tail}")  # noqa: PTH118 - Path drops a leading ./


def is_draft_name(path: str) -> bool:
    """Whether a file or pattern is named as a draft.

    Raises:
        UsageError: It has two places for the frame number.
    """
    name, at = os.path.split(path)[1], _place(path)
    return bool(_DRAFT_HEAD.search(name[:at] if name[:at].endswith(".") else f"{name[:at]}."))


def drafted_nodes(graph: Graph, *, draft: bool) -> frozenset[str]:
    """The nodes whose results are drafts: all of a draft, else those with ``quality: draft`` and what they feed.

    Args:
        graph: The document; it has no cycles.
        draft: The whole render is a draft.
    """
    if draft:
        return frozenset(graph.nodes)
    found: dict[str, bool] = {}

    def drafted(name: str) -> bool:
        if name not in found:
            node = graph.nodes[name]
            own = getattr(node, "quality", "final") == "draft"
            found[name] = own or any(drafted(source) for source in inputs_of(node).values())
        return found[name]

    return frozenset(name for name in graph.nodes if drafted(name))


def output_file(graph: Graph, write: str, *, draft: bool) -> str:
    """The file or pattern that a write node really writes: the document's, or that of a draft.

    Args:
        graph: The document.
        write: Name of a write node.
        draft: The whole render is a draft.

    Raises:
        GraphError: There is no such write node.
        UsageError: The file has two places for the frame number.
    """
    node = graph.nodes.get(write)
    if not isinstance(node, WriteNode):
        raise GraphError("is no write node", where=f"nodes.{write}")
    return draft_name(node.file) if write in drafted_nodes(graph, draft=draft) else node.file


def _place(path: str) -> int:
    """Where in the name the frame number begins, or the extension of a still."""
    split = split_pattern(path)
    if split:
        return len(split[0].head)
    numbered = numbered_file(Path(path))
    return len(numbered[0].head) if numbered else len(Path(path).stem)
