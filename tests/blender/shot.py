# SPDX-License-Identifier: Apache-2.0
"""What the tests do inside Blender's Python."""

import importlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

ADDON = "bl_ext.user_default.understudy"
FIVE = bpy.app.version >= (5, 0)


def enable() -> None:
    """The installed extension, as a later start of Blender has it."""
    import addon_utils  # there is none before Blender is

    assert addon_utils.enable(ADDON, default_set=True) is not None, "the extension does not load"


def tell(**facts: Any) -> None:
    """Facts for the test, as the last line of stdout."""
    sys.stdout.write(f"\nFACTS {json.dumps(facts)}\n")
    sys.stdout.flush()


def new_tree(width: int, height: int, first: int, last: int) -> Any:
    """An empty compositing tree of the scene."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.frame_start, scene.frame_end = first, last
    if FIVE:
        scene.compositing_node_group = bpy.data.node_groups.new("Comp", "CompositorNodeTree")
        return scene.compositing_node_group
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def tree() -> Any:
    """The compositing tree of the scene."""
    return bpy.context.scene.compositing_node_group if FIVE else bpy.context.scene.node_tree


def footage(file: str, first: int, count: int, space: str = "") -> Any:
    """An Image node that plays a sequence at its own frame numbers."""
    image = bpy.data.images.load(file)
    image.source = "SEQUENCE"
    if space:
        image.colorspace_settings.name = space
    node = tree().nodes.new("CompositorNodeImage")
    node.image, node.frame_duration, node.frame_start, node.frame_offset = image, count, first, first - 1
    node.use_auto_refresh = True
    return node


def add(kind: str, source: Any, name: str = "", **knobs: Any) -> Any:
    """An Understudy node on an output socket."""
    node = tree().nodes.new(f"Understudy{kind}Node")
    node.name = name or kind
    for knob, value in knobs.items():
        setattr(node, knob, value)
    tree().links.new(source, node.inputs["Image"])
    return node


def write(socket: Any, folder: str) -> None:
    """A File Output node of the artist's own: float EXRs."""
    node = tree().nodes.new("CompositorNodeOutputFile")
    if FIVE:
        node.directory, node.file_name = folder + "/", "x.####"
        node.format.media_type = "IMAGE"
        node.file_output_items.new("RGBA", "")
    else:
        node.base_path, node.file_slots[0].path = folder + "/", "x."
    node.format.file_format, node.format.color_mode, node.format.color_depth = "OPEN_EXR", "RGBA", "32"
    tree().links.new(socket, node.inputs[0])


def render(first: int, last: int) -> None:
    """Renders the comp."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = first, last
    bpy.ops.render.render(animation=True, scene=scene.name)


def save(file: str) -> None:
    """Saves the scene, so that there is a place for baked frames."""
    bpy.ops.wm.save_as_mainfile(filepath=file)


def bake(**how: Any) -> str:
    """Bakes; the sentence when it fails."""
    try:
        bpy.ops.understudy.bake(**how)
    except RuntimeError as error:
        return str(error).strip()
    return ""


def result_files(node: Any) -> dict[str, str]:
    """The files of a node's result, by name."""
    image = node.node_tree.nodes["Result"].image
    folder = Path(bpy.path.abspath(image.filepath)).parent
    return {file.name: str(file) for file in sorted(folder.glob("*.exr"))}


class Layout:
    """Stands for Blender's layout, which there is none of without a window: what is drawn must be there."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def prop(self, owner: Any, name: str, **_how: Any) -> None:
        """A field."""
        self.drawn.append(f"{name}={getattr(owner, name)}")

    def label(self, text: str = "", **_how: Any) -> None:
        """A line."""
        self.drawn.append(text)

    def operator(self, name: str, **_how: Any) -> Any:
        """A button."""
        group, _, action = name.partition(".")
        assert action in dir(getattr(bpy.ops, group)), name
        self.drawn.append(name)
        return SimpleNamespace()

    def progress(self, factor: float, text: str) -> None:
        """A bar."""
        self.drawn.append(f"{round(factor, 3)} {text}")

    def row(self) -> "Layout":
        """A part."""
        return self

    def separator(self) -> None:
        """A line between entries."""


class Stage:
    """Stands for a context with a window, which notes what is done to it."""

    def __init__(self) -> None:
        self.scene = bpy.context.scene
        self.space_data = SimpleNamespace(tree_type="CompositorNodeTree")
        self.window = None
        self.status: list[str | None] = []
        self.workspace = SimpleNamespace(status_text_set=self.status.append)
        self.timers = 0
        quiet = dict.fromkeys(("progress_begin", "progress_update", "progress_end", "modal_handler_add"), _nothing)
        self.window_manager = SimpleNamespace(windows=[], event_timer_remove=self._end, **quiet)

    def _end(self, _timer: object) -> None:
        self.timers += 1


def _nothing(*_given: object) -> None:
    pass


def module(name: str) -> Any:
    """A module of the extension."""
    return importlib.import_module(f"{ADDON}.{name}")


def forbidden() -> list[str]:
    """Modules that the extension must not bring in."""
    ours = ("grpc", "google", "understudy", "pydantic")
    return [name for name in sys.modules if name.partition(".")[0] in ours]


assert os.environ["BLENDER_USER_RESOURCES"], "tests never touch the user's own settings"
