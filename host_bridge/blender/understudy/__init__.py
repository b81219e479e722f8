# SPDX-License-Identifier: GPL-3.0-or-later
"""Understudy in Blender's compositor: nodes that have the ``understudy`` command compute, in a process of its own."""

from __future__ import annotations

import atexit

import bpy

from . import nodes, operators, packs, panel

_CLASSES = (packs.Preferences, *nodes.NODES, *operators.OPERATORS)
_registered: list[type] = []


def register() -> None:
    """Adds nodes, operators and panel; asks for the packs without keeping Blender waiting."""
    for each in _CLASSES:
        bpy.utils.register_class(each)
        _registered.append(each)
    panel.register()
    chosen = packs.settings()
    packs.use_executable(chosen.executable if chosen else "")
    atexit.register(unregister)  # Blender as a module hangs at its end when classes of nodes are left
    if not bpy.app.background:
        packs.refresh_later()


def unregister() -> None:
    """Takes everything away again; a second time does nothing."""
    atexit.unregister(unregister)
    if not _registered:
        return
    if operators.running.stop is not None:
        operators.running.stop.set()
    panel.unregister()
    while _registered:
        bpy.utils.unregister_class(_registered.pop())
    packs.use_executable("")
