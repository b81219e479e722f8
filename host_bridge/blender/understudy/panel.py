# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel beside the compositor, and the Add menu."""

from __future__ import annotations

from typing import Any

import bpy

from understudy_bridge import BridgeError, find_executable

from . import packs
from .nodes import NODES
from .operators import running


class Panel(bpy.types.Panel):
    """The command, the service, the packs, and a bake of everything."""

    bl_idname = "UNDERSTUDY_PT_panel"
    bl_label = "Understudy"
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Understudy"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """In the compositor only."""
        return _in_compositor(context)

    def draw(self, _context: Any) -> None:
        """How things stand."""
        layout = self.layout
        try:
            layout.label(text=find_executable(), icon="CONSOLE")
        except BridgeError as error:
            layout.label(text=str(error), icon="ERROR")
        server = packs.server_options()
        layout.label(text=server[-1] if server else "computes on this machine", icon="NETWORK_DRIVE")
        row = layout.row()
        row.label(text=f"{len(packs.known.packs)} packs", icon="PACKAGE")
        row.operator("understudy.refresh_packs", text="", icon="FILE_REFRESH")
        if packs.known.problem:
            layout.label(text=packs.known.problem, icon="ERROR")
        if running.stop is None:
            layout.operator("understudy.bake", text="Bake All", icon="RENDER_ANIMATION").node = ""
        else:
            layout.progress(factor=running.share, text=running.text)
            layout.operator("understudy.cancel", icon="CANCEL")


def draw_add_menu(menu: Any, context: Any) -> None:
    """Entries of the compositor's Add menu."""
    if _in_compositor(context):
        menu.layout.separator()
        for kind in NODES:
            entry = menu.layout.operator("node.add_node", text=kind.bl_label)
            entry.type, entry.use_transform = kind.bl_idname, True


def register() -> None:
    """Shows panel and menu."""
    bpy.utils.register_class(Panel)
    bpy.types.NODE_MT_add.append(draw_add_menu)


def unregister() -> None:
    """Takes them away."""
    bpy.types.NODE_MT_add.remove(draw_add_menu)
    bpy.utils.unregister_class(Panel)


def _in_compositor(context: Any) -> bool:
    return getattr(context.space_data, "tree_type", "") == "CompositorNodeTree"
