# SPDX-License-Identifier: Apache-2.0
"""Pins the pack of every node before anything runs, so that nothing is substituted while it runs."""

from collections.abc import Iterable
from difflib import get_close_matches

from understudy.contracts.engine import EngineInfo, PackInfo
from understudy.contracts.errors import PackError, PackNotFoundError, PinMismatchError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.graph.document import Graph, InterpolateNode, MotionNode, RelightNode, RoleNode, UpscaleNode

DEFAULT_PACKS = {
    Role.MOTION: "dis-good",
    Role.INTERPOLATE: "flow-projection",
    Role.UPSCALE: "bicubic-back-projection",
    Role.RELIGHT: "shape-from-shading",
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
        PackError: A pack is missing, plays another role, or is not the pinned one.
    """
    pinned: dict[str, PackInfo] = {}
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


def parse_pin(text: str) -> PackPin:
    """Reads ``id``, ``id@version``, ``id@version#sha256``."""
    rest, _, sha256 = text.partition("#")
    name, _, version = rest.partition("@")
    return PackPin(id=name, version=version, sha256=sha256)


def _find(text: str, role: Role, info: EngineInfo, where: str, *, draft: bool) -> PackInfo:
    pack = find_pack(text or DEFAULT_PACKS[role], role, info.packs, where=where)
    if draft and pack.draft:
        return find_pack(pack.draft, role, info.packs, where=where)
    return pack


def find_pack(text: str, role: Role, packs: Iterable[PackInfo], *, where: str) -> PackInfo:
    """The one pack that a pin names.

    Raises:
        PackNotFoundError: There is none of that id and version.
        PinMismatchError: There is one, with another digest.
        PackError: It plays another role.
    """
    pin = parse_pin(text)
    packs = tuple(packs)
    same = [p for p in packs if p.pin.id == pin.id and pin.version in ("", p.pin.version)]
    if not same:
        of_role = sorted({p.pin.id for p in packs if p.role == role.value})
        close = get_close_matches(pin.id, [p.pin.id for p in packs], n=1)
        known = ", ".join(p.pin.version for p in packs if p.pin.id == pin.id)
        fix = f"there is {pin.id} {known}" if known else f"{role.value} packs are {', '.join(of_role) or 'not there'}"
        if close and not known:
            fix = f"did you mean {close[0]!r}? {fix}"
        raise PackNotFoundError(
            f"there is no pack {pin.id + ('@' + pin.version if pin.version else '')!r}", where=where, fix=fix
        )
    found = max(same, key=lambda p: _version_order(p.pin.version))
    if found.role != role.value:
        of_role = sorted({p.pin.id for p in packs if p.role == role.value})
        raise PackError(
            f"{pin.id!r} plays {found.role}, not {role.value}", where=where, fix=f"choose {', '.join(of_role)}"
        )
    if pin.sha256 and not found.pin.sha256.startswith(pin.sha256):
        raise PinMismatchError(
            f"{found.pin.id}@{found.pin.version} is not the pinned one: it has {found.pin.sha256[:12]},"
            f" the pin says {pin.sha256[:12]}",
            where=where,
            fix="install the pinned pack, or pin this one knowingly",
        )
    return found


def _version_order(version: str) -> tuple[tuple[int, ...], bool, str]:
    numbers, _, rest = version.replace("+", "-").partition("-")
    return tuple(int(part) for part in numbers.split(".")), not rest, rest
