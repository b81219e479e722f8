# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs that the command knows, and its settings: asked once a session, remembered for the next."""

from __future__ import annotations

import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import bpy

from understudy_bridge import BridgeError, run

DEFAULT = "DEFAULT"
_VARIABLE = "UNDERSTUDY_EXECUTABLE"


class Known:
    """What was heard of the packs.

    Attributes:
        packs: Rows of ``understudy packs list --json``.
        problem: Why they are not up to date, as a sentence; empty when they are.
        asked: Whether the command was asked in this session.
    """

    def __init__(self) -> None:
        self.packs: list[dict[str, Any]] = []
        self.problem = ""
        self.asked = False


known = Known()
_own_executable = os.environ.get(_VARIABLE)
_items: dict[str, list[tuple[str, str, str, str, int]]] = {}  # Blender keeps no reference to what a callback gives


class Preferences(bpy.types.AddonPreferences):
    """Where the command is, and which service computes."""

    bl_idname = __package__ or ""
    __annotations__ = {
        "executable": bpy.props.StringProperty(
            name="Command",
            subtype="FILE_PATH",
            description="The understudy executable; from PATH when empty",
            update=lambda self, _context: use_executable(self.executable),
        ),
        "server": bpy.props.StringProperty(
            name="Service",
            description="Address of a running service, host:port; this machine computes when empty",
        ),
    }

    def draw(self, _context: Any) -> None:
        """The two fields and a button that tries them."""
        self.layout.prop(self, "executable")
        self.layout.prop(self, "server")
        self.layout.operator("understudy.refresh_packs")


def settings() -> Any:
    """The add-on's preferences; None where Blender has not enabled it as an add-on."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon else None


def use_executable(path: str) -> None:
    """Has the bridge start this command; the one of the environment when empty."""
    if path:
        os.environ[_VARIABLE] = bpy.path.abspath(path)
    elif _own_executable is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = _own_executable


def server_options() -> list[str]:
    """``--server``, when the preferences name a service."""
    chosen = settings()
    return ["--server", chosen.server] if chosen and chosen.server else []


def refresh() -> None:
    """Asks the command now. What it can't tell stays as it was, and ``known.problem`` says why."""
    _ask(server_options(), _cache())


def refresh_later() -> None:
    """Asks it in the background, so that Blender's start waits for nothing."""
    _load(_cache())
    threading.Thread(target=_ask, args=(server_options(), _cache()), daemon=True).start()


def items(role: str, chosen: str) -> list[tuple[str, str, str, str, int]]:
    """Choices of a pack for Blender: pins of the role's packs, and the chosen one even when it is not there.

    Args:
        role: A role.
        chosen: ``id@version#sha256``, or empty.
    """
    if not known.asked and not known.packs:
        _load(_cache())
    found = [(DEFAULT, "Default", "The one that the command takes by itself", "NONE", 0)]
    for pack in known.packs:
        if pack.get("role") == role:
            pin = f"{pack['id']}@{pack['version']}#{pack['sha256']}"
            about = f"{pack['id']} {pack['version']}, {pack.get('license', '')}, {pack.get('badge', '')}"
            refused = str(pack.get("refused", ""))
            found.append((pin, str(pack["title"]), refused or about, "ERROR" if refused else "NONE", number(pin)))
    if chosen and chosen not in [item[0] for item in found]:
        label = f"{chosen.partition('#')[0]} (not here)"
        found.append((chosen, label, "The command does not know this pack", "ERROR", number(chosen)))
    _items[role] = found
    return found


def number(pin: str) -> int:
    """A number for a pin that stays the same whatever else is in the list."""
    return zlib.crc32(pin.encode()) & 0x7FFFFFFF if pin else 0


def _ask(server: list[str], cache: Path | None) -> None:
    try:
        told = [event for event in run(["packs", "list", *server]) if event.get("event") == "packs"]
        known.packs, known.problem = list(told[-1]["packs"]), ""
    except (BridgeError, LookupError, TypeError) as error:
        known.problem = str(error)
    else:
        if cache:
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text(json.dumps(known.packs), encoding="utf-8")
    known.asked = True


def _load(cache: Path | None) -> None:
    try:
        known.packs = list(json.loads(cache.read_text(encoding="utf-8"))) if cache else []
    except (OSError, ValueError, TypeError):
        known.packs = []


def _cache() -> Path | None:
    try:
        return Path(bpy.utils.extension_path_user(__package__)) / "packs.json"
    except ValueError:  # not installed as an extension
        return None
