# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pixels that reach a node: File Output nodes inside its group, for the time of one render."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from . import versions
from .nodes import UsageError

_STAGING = "partial"


def linked_inputs(node: Any) -> list[str]:
    """The inputs that something is connected to.

    Raises:
        UsageError: The picture is not among them.
    """
    names = [name for name in node.inputs_named if node.inputs[name].is_linked]
    if "Image" not in names:
        raise UsageError(f"Nothing is connected to the Image of {node.name}")
    return names


def pattern(root: Path, name: str) -> str:
    """The files of an input, as the command reads them."""
    return str(root / "tap" / name / f"{name}.%04d.exr")


def file_of(root: Path, name: str, frame: int) -> Path:
    """The file of an input at a frame."""
    return Path(pattern(root, name) % frame)


def take(scene: Any, node: Any, frame: int, root: Path) -> bool:
    """Renders one frame of what reaches the node. A file is touched only when its pixels changed.

    Args:
        scene: The scene.
        node: The node.
        frame: The frame.
        root: The node's folder.

    Returns:
        Whether every linked input has a picture there; footage has none before its first frame.

    Raises:
        UsageError: It can't be rendered.
    """
    names = linked_inputs(node)
    staging = root / _STAGING
    with _tapped(scene, node, names, staging):
        scene.frame_set(frame)
        try:
            bpy.ops.render.render(scene=scene.name)
        except RuntimeError as error:
            raise UsageError(f"Blender could not render frame {frame}: {error}") from error
    for name in names:
        fresh, kept = staging / name / f"{name}.{frame:04d}.exr", file_of(root, name, frame)
        if not fresh.is_file():
            kept.unlink(missing_ok=True)
        elif not kept.is_file() or not filecmp.cmp(fresh, kept, shallow=False):
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh, kept)  # noqa: PTH105 - as one step
    shutil.rmtree(staging, ignore_errors=True)
    return all(file_of(root, name, frame).is_file() for name in names)


def settle(root: Path, names: list[str], first: int, last: int, padding: int) -> None:
    """Leaves the files of a range and of its padding, so that what was baked before has no say.

    Padding past the end of footage shows its last picture again; as a neighbor that would be a lie, so it goes.
    """
    for name in names:
        wanted = {file_of(root, name, frame) for frame in range(first, last + 1)}
        for step, edge in ((-1, first), (1, last)):
            for frame in range(edge + step, edge + step * (padding + 1), step):
                file, inner = file_of(root, name, frame), file_of(root, name, frame - step)
                if frame < 0 or not file.is_file() or filecmp.cmp(file, inner, shallow=False):
                    break
                wanted.add(file)
        for file in (root / "tap" / name).glob("*.exr"):
            if file not in wanted:
                file.unlink()


def clean(root: Path) -> None:
    """Removes what an interrupted render left."""
    shutil.rmtree(root / _STAGING, ignore_errors=True)


@contextmanager
def _tapped(scene: Any, node: Any, names: list[str], staging: Path) -> Iterator[None]:
    """For one render: taps in the node's group, no other file is written, and headers say nothing of the hour."""
    if scene.render.use_multiview:
        raise UsageError("Stereoscopy can't be baked; bake each eye as a scene of its own")
    tree, space = node.own_tree(), versions.working_space()
    render = scene.render
    stamps = [each.identifier for each in render.bl_rna.properties if each.identifier.startswith("use_stamp")]
    wanted: list[tuple[Any, str, Any]] = [(render, name, False) for name in stamps]
    wanted += [
        (render, "use_sequencer", False),
        (render, "use_compositing", True),
        (render, "use_file_extension", True),
    ]
    wanted += [(render, "compositor_device", "CPU"), (render, "compositor_precision", "FULL")]
    wanted += [(other, "mute", True) for other in versions.file_outputs(scene)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
    here = scene.frame_current
    taps = []
    try:
        for owner, name, value in wanted:
            setattr(owner, name, value)
        for name in names:
            taps.append(versions.add_file_output(tree, f"{staging / name}{os.sep}", name, space))
            tree.links.new(tree.nodes["Input"].outputs[name], taps[-1].inputs[0])
        yield
    finally:
        for tap in taps:
            tree.nodes.remove(tap)
        for owner, name, value in before:
            setattr(owner, name, value)
        scene.frame_set(here)
