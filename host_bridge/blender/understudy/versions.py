# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender 4.5 and 5.0, and the names of color spaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import bpy

FIVE = bpy.app.version >= (5, 0)

_TO_STUDIO_NAMES = {
    "Linear Rec.709": "lin_rec709_scene",
    "Linear Rec.2020": "lin_rec2020_scene",
    "Linear DCI-P3 D65": "lin_p3d65_scene",
    "sRGB": "srgb_rec709_scene",
    "Non-Color": "data",
}
"""Spaces of the config that comes with Blender, by their names in the config that the command takes by itself."""


def scene_tree(scene: Any) -> Any:
    """The scene's compositing tree; None when it has none."""
    if FIVE:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def file_outputs(scene: Any) -> Iterator[Any]:
    """Every File Output node that a render of the scene may run."""
    trees = [tree for tree in bpy.data.node_groups if tree.bl_idname == "CompositorNodeTree"]
    tree = scene_tree(scene)
    for each in trees if tree is None or tree in trees else [*trees, tree]:
        yield from (node for node in each.nodes if node.bl_idname == "CompositorNodeOutputFile")


def add_file_output(tree: Any, folder: str, stem: str, space: str) -> Any:
    """A File Output node that writes ``<folder>/<stem>.<frame>.exr``: float32, lossless, pixels as they are.

    Args:
        tree: Where it goes.
        folder: Ends with a slash.
        stem: The files' name.
        space: The working space, so that nothing is converted whatever the scene's output settings are.
    """
    node = tree.nodes.new("CompositorNodeOutputFile")
    if FIVE:
        node.directory, node.file_name = folder, f"{stem}.####"  # without the # every frame overwrites one file
        node.format.media_type = "IMAGE"
        node.file_output_items.new("RGBA", "")
    else:
        node.base_path, node.file_slots[0].path = folder, f"{stem}."
    settings = node.format
    settings.file_format, settings.color_mode = "OPEN_EXR", "RGBA"
    settings.color_depth, settings.exr_codec = "32", "ZIP"
    settings.color_management = "OVERRIDE"
    settings.linear_colorspace_settings.name = space
    return node


def working_space() -> str:
    """The scene-linear space's name in Blender's config: that of a new float picture."""
    image = bpy.data.images.new(".understudy", 1, 1, float_buffer=True)
    try:
        return str(image.colorspace_settings.name)
    finally:
        bpy.data.images.remove(image)


def space_names() -> list[str]:
    """Every color space of Blender's config."""
    settings = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"]
    return [str(item.identifier) for item in settings.enum_items]


def config_options() -> list[str]:
    """Options that give the command the config Blender runs under; it inherits ``$OCIO`` as it is."""
    own = os.environ.get("BLENDER_OCIO", "") if FIVE else ""
    return ["--ocio", own] if own else []


def command_space(name: str) -> str:
    """A color space's name for the command: the same under ``$OCIO``, translated from Blender's own config."""
    if os.environ.get("OCIO") or config_options():
        return name
    return _TO_STUDIO_NAMES.get(name, name)
