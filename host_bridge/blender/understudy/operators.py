# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist or a script starts: bake, cancel, ask for packs."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any, ClassVar

import bpy

from understudy_bridge import BridgeError

from . import bake, packs
from .nodes import UsageError

_TICK_S = 0.05


class Running:
    """The bake that goes on in the interface.

    Attributes:
        stop: Set it to end the bake; None when there is none.
        share: How much is done, 0 to 1.
        text: What goes on.
    """

    def __init__(self) -> None:
        self.stop: threading.Event | None = None
        self.share = 0.0
        self.text = ""


running = Running()


class BakeOperator(bpy.types.Operator):
    """Take what reaches the node, run Understudy on it, and show the result. Frames that are right stay."""

    bl_idname = "understudy.bake"
    bl_label = "Bake"
    bl_description = "Take what reaches the node, run Understudy on it, and show the result; frames that are right stay"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    __annotations__ = {
        "node": bpy.props.StringProperty(description="The node, with those it depends on; all of them when empty"),
        "frame_start": bpy.props.IntProperty(default=-1, description="The scene's when negative"),
        "frame_end": bpy.props.IntProperty(default=-1, description="The scene's when negative"),
    }

    def execute(self, context: Any) -> set[str]:
        """Bakes to the end; for scripts."""
        try:
            for _ in self._steps(context, threading.Event()):
                pass
        except (UsageError, BridgeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Bakes while the interface stays alive."""
        if bpy.app.background:
            return self.execute(context)
        if running.stop is not None:
            self.report({"WARNING"}, "A bake is going on")
            return {"CANCELLED"}
        running.stop = threading.Event()
        try:
            self._going = self._steps(context, running.stop)
        except UsageError as error:
            running.stop = None
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TICK_S, window=context.window)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """One step at each tick; Esc stops."""
        if event.type == "ESC" and running.stop is not None:
            running.stop.set()
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            running.share, running.text = next(self._going)
            context.window_manager.progress_update(100 * running.share)
            context.workspace.status_text_set(f"Understudy: {running.text} (Esc stops)")
            _redraw(context)
            return {"RUNNING_MODAL"}
        except StopIteration:
            return self._end(context, {"FINISHED"})
        except (UsageError, BridgeError) as error:
            self.report({"WARNING" if isinstance(error, bake.CancelledError) else "ERROR"}, str(error))
            return self._end(context, {"CANCELLED"})
        except BaseException:
            self._end(context, {"CANCELLED"})
            raise

    def cancel(self, context: Any) -> None:
        """Blender ends it, as when it quits."""
        self._going.close()
        self._end(context, {"CANCELLED"})

    def _steps(self, context: Any, stop: threading.Event) -> Generator[bake.Progress, None, None]:
        scene = context.scene
        first = scene.frame_start if self.frame_start < 0 else self.frame_start
        last = scene.frame_end if self.frame_end < 0 else self.frame_end
        return bake.bake(scene.name, bake.plan(scene, self.node, first, last), stop)

    def _end(self, context: Any, answer: set[str]) -> set[str]:
        running.stop = None
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        _redraw(context)
        return answer


class CancelOperator(bpy.types.Operator):
    """Stop the bake; finished frames are kept."""

    bl_idname = "understudy.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the bake; finished frames are kept"

    def execute(self, _context: Any) -> set[str]:
        """Asks it to stop."""
        if running.stop is not None:
            running.stop.set()
        return {"FINISHED"}


class RefreshOperator(bpy.types.Operator):
    """Ask the understudy command which packs it has."""

    bl_idname = "understudy.refresh_packs"
    bl_label = "Refresh Packs"
    bl_description = "Ask the understudy command which packs it has"

    def execute(self, _context: Any) -> set[str]:
        """Asks, and tells what went wrong."""
        packs.refresh()
        if packs.known.problem:
            self.report({"ERROR"}, packs.known.problem)
            return {"CANCELLED"}
        return {"FINISHED"}


OPERATORS = (BakeOperator, CancelOperator, RefreshOperator)


def _redraw(context: Any) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "NODE_EDITOR":
                area.tag_redraw()
