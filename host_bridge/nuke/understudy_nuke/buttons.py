# SPDX-License-Identifier: Apache-2.0
"""What the buttons of a node do."""

from __future__ import annotations

from typing import Any

import nuke

from understudy_bridge import BridgeError
from understudy_nuke import packs, tcl
from understudy_nuke.bake import bake, bake_in_background
from understudy_nuke.groups import paste
from understudy_nuke.jobs import UsageError, source_times


def press(button: str) -> None:
    """Does what a button of the current node says; what went wrong is told, never raised."""
    node = nuke.thisNode()
    try:
        _ACTIONS[button](node)
    except (UsageError, BridgeError, OSError) as error:
        tell(str(error))


def tell(sentence: str) -> None:
    """A message box, or a line where there is no interface."""
    if nuke.GUI:
        nuke.message(f"Understudy: {sentence}")
    else:
        print(f"Understudy: {sentence}")


def _bake(node: Any) -> None:
    (bake_in_background if nuke.GUI else bake)(node)


def _refresh(node: Any) -> None:
    packs.refresh()
    packs.update(node)
    if packs.known.problem:
        tell(packs.known.problem)


def _timewarp(node: Any) -> None:
    keys = source_times(node, int(node["first"].value()), int(node["last"].value()))
    nuke.root().begin()  # not inside the Group
    paste(tcl.timewarp(keys, f"as {node.fullName()}"))


_ACTIONS = {"bake": _bake, "refresh": _refresh, "timewarp": _timewarp}
