# SPDX-License-Identifier: Apache-2.0
"""Pins the pack of every node before anything runs, so that nothing is substituted while it runs."""

from dataclasses import replace

from understudy.contracts.engine import EngineInfo, PackInfo
from understudy.contracts.errors import RightsError
from understudy.contracts.manifest import Role
from understudy.graph.document import Graph, InterpolateNode, Lock, MotionNode, RelightNode, RoleNode, UpscaleNode
from understudy.packs.pins import choose_pack, parse_pin

DEFAULT_PACKS = {
    Role.MOTION: "dis-good",
    Role.INTERPOLATE: "flow-projection",
    Role.UPSCALE: "leaves-small",
    Role.RELIGHT: "shaded-solids",
}
"""The pack a role takes when the graph names none."""

_ROLES: dict[type[RoleNode], Role] = {
    MotionNode: Role.MOTION,
    InterpolateNode: Role.INTERPOLATE,
    UpscaleNode: Role.UPSCALE,
    RelightNode: Role.RELIGHT,
}


def motion_key(node: str) -> str:
    """Under which name the motion pack of an interpolation is pinned."""
    return f"{node}.motion"


def pin_packs(graph: Graph, info: EngineInfo, *, draft: bool) -> dict[str, PackInfo]:
    """The pack of each node, with version and digest.

    Args:
        graph: The document.
        info: What the engine has.
        draft: Every node takes its pack's draft stand-in.

    Raises:
        UsageError: A node's pack is no pin.
        PackError: A pack is missing, plays another role, or is not the pinned or the locked one.
        RightsError: A policy refuses a pack. Nothing is put in its place.
    """
    pinned: dict[str, PackInfo] = {}
    if graph.lock:
        info = _locked(graph.lock, info)
    for name, node in graph.nodes.items():
        if not isinstance(node, RoleNode):
            continue
        lighter = draft or node.quality == "draft"
        role = _ROLES[type(node)]
        pinned[name] = _find(node.pack, role, info, f"nodes.{name}.pack", draft=lighter)
        if isinstance(node, InterpolateNode) and not node.vectors:
            where = f"nodes.{name}.motion_pack"
            pinned[motion_key(name)] = _find(node.motion_pack, Role.MOTION, info, where, draft=lighter)
    return pinned


def _locked(lock: Lock, info: EngineInfo) -> EngineInfo:
    """The engine as if it had the locked packs alone.

    Raises:
        PackError: One of them is not there.
    """
    pins = (parse_pin(text, where="lock.packs") for text in lock.packs)
    return replace(info, packs=tuple(choose_pack(info.packs, pin, where="lock.packs") for pin in pins))


def _find(text: str, role: Role, info: EngineInfo, where: str, *, draft: bool) -> PackInfo:
    pack = choose_pack(info.packs, parse_pin(text or DEFAULT_PACKS[role], where=where), role, where=where)
    if draft and pack.draft:
        pack = choose_pack(info.packs, parse_pin(pack.draft, where=where), role, where=where)
    if pack.refused:
        raise RightsError(pack.refused, where=where)
    return pack
