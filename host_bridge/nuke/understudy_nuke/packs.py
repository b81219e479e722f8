# SPDX-License-Identifier: Apache-2.0
"""Which packs there are: asked of the command in the background, so that Nuke's start waits for nothing."""

from __future__ import annotations

import threading
from typing import Any

import nuke

from understudy_bridge import BridgeError, run
from understudy_nuke.groups import is_ours

DEFAULT = "Default"
_DIGITS = 12  # of a digest, which the command takes for the whole


class Known:
    """What was heard of the packs.

    Attributes:
        rows: As ``understudy packs list --json`` has them.
        problem: Why they are not up to date, as a sentence; empty when they are.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.problem = "not asked yet"


known = Known()


def refresh() -> None:
    """Asks the command now. What it can't tell stays as it was, and ``known.problem`` says why."""
    try:
        told = [event for event in run(["packs", "list"]) if event.get("event") == "packs"]
        known.rows, known.problem = list(told[-1]["packs"]), ""
    except (BridgeError, LookupError, TypeError) as error:
        known.problem = str(error)


def refresh_later() -> None:
    """Asks in the background, then brings every node's list up to date."""

    def work() -> None:
        refresh()
        nuke.executeInMainThread(update_all)

    threading.Thread(target=work, daemon=True).start()


def choices(role: str, chosen: str) -> list[str]:
    """What a node's list shows: pins of the role's packs, and the chosen one even when it is not there."""
    found = [DEFAULT, *(pin(row) for row in known.rows if row.get("role") == role)]
    return found if not chosen or chosen in found else [*found, chosen]


def pin(row: dict[str, Any]) -> str:
    """``id@version#digest``, the digest cut."""
    return f"{row['id']}@{row['version']}#{row['sha256'][:_DIGITS]}"


def update(node: Any) -> None:
    """Fills a node's list; what was chosen stays chosen."""
    knob = node["pack"]
    chosen = str(knob.value())
    found = choices(str(node["understudy_role"].value()), chosen)
    knob.setValues(found)
    knob.setValue(chosen or DEFAULT)


def update_all() -> None:
    """Fills the list of every node of the script."""
    for node in nodes():
        update(node)


def update_this() -> None:
    """Fills the list of a node that was just made or loaded."""
    node = nuke.thisNode()
    if is_ours(node):
        update(node)


def nodes() -> list[nuke.Node]:
    """Every Understudy node of the script, those in other Groups too."""
    return [node for node in nuke.allNodes("Group", recurseGroups=True) if is_ours(node)]
