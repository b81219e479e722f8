# SPDX-License-Identifier: Apache-2.0
"""Drafts: which outputs are drafts, and the names they go by, so that a draft never takes the place of a final.

``x.%04d.exr`` becomes ``x.draft.%04d.exr``, a still ``x.exr`` becomes ``x.draft.exr``. An output is a draft when the
whole render is one, or when a node that it is made from says ``quality: draft``.
"""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from understudy.contracts.channels import ChannelKind
from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import GraphError, UsageError
from understudy.contracts.manifest import OptionValue
from understudy.frames.sequence import numbered_file, split_pattern
from understudy.graph.document import Graph, InterpolateNode, Node, RoleNode, WriteNode, inputs_of
from understudy.graph.draft_settings import DraftSettings
from understudy.graph.pins import motion_key
from understudy.roles.proxy import Proxy

DRAFT_HEADER = "understudy:draft"
"""The header attribute of a draft; ``1``, and never in a final."""

_WORD = "draft"
_PIXELS = "px"
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
            found[name] = is_draft_node(node) or any(drafted(source) for source in inputs_of(node).values())
        return found[name]

    return frozenset(name for name in graph.nodes if drafted(name))


def is_draft_node(node: Node) -> bool:
    """Whether a node says ``quality: draft``."""
    return isinstance(node, RoleNode) and node.quality == "draft"


def with_draft_scale(graph: Graph, scale: str, *, draft: bool) -> Graph:
    """The document with another scale of drafts.

    Args:
        graph: The document.
        scale: One over a whole number.
        draft: The whole render is a draft.

    Raises:
        UsageError: It is no scale for drafts, or nothing is a draft.
    """
    if not drafted_nodes(graph, draft=draft):
        raise UsageError("nothing is a draft", where="--draft-scale", fix="say --draft too")
    try:
        settings = DraftSettings.model_validate({"scale": scale})
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, "), where="--draft-scale") from None
    return graph.model_copy(update={"draft": settings})


def make_proxy(graph: Graph) -> Proxy:
    """How a graph's drafts are made smaller; what its nodes say of channel kinds holds for all of it."""
    kinds: dict[str, ChannelKind] = {}
    for node in graph.nodes.values():
        for pattern, kind in getattr(node, "kinds", {}).items():
            kinds.setdefault(pattern, kind)
    return Proxy(factor=graph.draft.scale.denominator, kinds=kinds)


def job_of_draft(graph: Graph, *, draft: bool) -> tuple[str, ...]:
    """What a job's digest says of drafts: nothing of a final; else how much of it is a draft, and its scale."""
    if not drafted_nodes(graph, draft=draft):
        return ()
    return ("whole" if draft else "nodes", str(graph.draft.scale))


def with_draft_options(graph: Graph, packs: Mapping[str, PackInfo], *, draft: bool) -> Graph:
    """The document with the options that draft nodes' packs are really given.

    Lengths in pixels shrink with the pictures, and a stand-in is not asked for knobs that only the pack it stands in
    for has.

    Args:
        graph: The document.
        packs: The pack of each node; ``<node>.motion`` for the motion pack of an interpolation.
        draft: The whole render is a draft.
    """
    factor = graph.draft.scale.denominator
    nodes: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        changes: dict[str, Any] = {}
        if isinstance(node, RoleNode) and (draft or is_draft_node(node)):
            changes["options"] = _draft_options(node.options, packs[name], node.pack, factor)
            if isinstance(node, InterpolateNode) and motion_key(name) in packs:
                pack = packs[motion_key(name)]
                changes["motion_options"] = _draft_options(node.motion_options, pack, node.motion_pack, factor)
        nodes[name] = node.model_copy(update=changes)
    return graph.model_copy(update={"nodes": nodes})


def _draft_options(given: Mapping[str, OptionValue], pack: PackInfo, asked: str, factor: int) -> dict[str, OptionValue]:
    specs = pack.manifest.get("options", {})
    stands_in = pack.pin.id != re.split("[@#]", asked)[0]
    options = {name: value for name, value in given.items() if name in specs or not stands_in}
    for name, spec in specs.items():
        value = options.get(name, spec["default"])
        if factor == 1 or spec.get("unit") != _PIXELS or isinstance(value, (bool, str)):
            continue
        least = -math.inf if spec.get("minimum") is None else spec["minimum"]
        small = max(value / factor, least)
        # A length of some pixels must not become none of them.
        options[name] = small if spec["type"] == "float" else max(round(small), min(value, 1))
    return options


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
