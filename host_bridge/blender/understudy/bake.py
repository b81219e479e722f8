# SPDX-License-Identifier: GPL-3.0-or-later
"""Bakes nodes: takes what reaches them, has the command work on it, shows the result.

A generator, so that the interface stays alive between its steps; a script runs it through.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import bpy

from understudy_bridge import BridgeError, run

from . import tap, versions
from .nodes import UsageError, chain, is_node

_CANCELLED_CODE = 130
_TAP_SHARE = 0.5  # of a node's progress

Progress = tuple[float, str]
"""Share that is done, and what goes on."""


class CancelledError(UsageError):
    """The artist stopped it."""

    def __init__(self) -> None:
        super().__init__("Cancelled; what was finished is kept, and the next bake goes on from it")


def plan(scene: Any, node_name: str, first: int, last: int) -> list[tuple[str, int, int]]:
    """The nodes to bake and their frames, upstream first.

    Args:
        scene: The scene.
        node_name: A node, which is baked with those it depends on; empty for all of the scene's tree.
        first: The first frame.
        last: The last one.

    Raises:
        UsageError: There is no such node, or the frames are none.
    """
    tree = versions.scene_tree(scene)
    node = tree.nodes.get(node_name) if tree else None
    if node_name and (node is None or not is_node(node)):
        raise UsageError(f"The scene's compositing tree has no Understudy node {node_name}; bake it outside of groups")
    if first < 0 or last < first:
        raise UsageError(f"{first}-{last} can't be baked: frames begin at 0 and run forward")
    found: list[tuple[str, int, int]] = []
    for each in reversed(chain(tree, node) if tree else []):
        found.insert(0, (each.name, first, last))
        low, high = each.needs(scene, first, last)
        first, last = max(0, min(first, low)), max(last, high)
    if not found:
        raise UsageError("The scene has no Understudy node in its compositing tree")
    return found


def bake(scene_name: str, nodes: list[tuple[str, int, int]], stop: threading.Event) -> Generator[Progress, None, None]:
    """Bakes nodes one after the other.

    Args:
        scene_name: The scene; objects of Blender are looked up again at each step, for undo may replace them.
        nodes: From ``plan``.
        stop: Ends it, once set.

    Raises:
        UsageError: A node can't be baked.
        CancelledError: ``stop`` was set.
        BridgeError: The command is missing or failed.
    """
    for index, (name, first, last) in enumerate(nodes):
        _node(scene_name, name)[1].problem = ""
        try:
            for share, text in _bake_one(scene_name, name, first, last, stop):
                yield (index + share) / len(nodes), text
        except CancelledError:
            raise
        except (UsageError, BridgeError) as error:
            if getattr(error, "exit_code", None) == _CANCELLED_CODE:
                raise CancelledError from error
            tree = versions.scene_tree(bpy.data.scenes[scene_name])
            if tree and name in tree.nodes:
                tree.nodes[name].problem = str(error)
            raise


def _bake_one(
    scene_name: str, name: str, first: int, last: int, stop: threading.Event
) -> Generator[Progress, None, None]:
    scene, node = _node(scene_name, name)
    root = _folder(scene, node)
    names = tap.linked_inputs(node)
    low, high = node.needs(scene, first, last)
    padding = node.padding
    frames = range(max(0, low - padding), high + padding + 1)
    try:
        for done, frame in enumerate(frames):
            yield _TAP_SHARE * done / len(frames), f"{name}: taking frame {frame}"
            if stop.is_set():
                raise CancelledError
            scene, node = _node(scene_name, name)
            if not tap.take(scene, node, frame, root) and low <= frame <= high:
                raise UsageError(f"There is no picture at frame {frame} on the inputs of {name}; it needs {low}-{high}")
    finally:
        tap.clean(root)
    tap.settle(root, names, low, high, padding)
    scene, node = _node(scene_name, name)
    line = node.command(scene, (first, last), {each: tap.pattern(root, each) for each in names}, root)
    files: dict[int, str] = {}
    used: list[str] = []
    share = _TAP_SHARE
    for event in _follow(line, stop):
        if event.get("event") == "frame":
            files[event["frame"]] = event["file"]
            share = _TAP_SHARE + (1 - _TAP_SHARE) * event["done"] / event["total"]
        elif event.get("event") == "pack":
            used.append(f"{event['id']}@{event['version']}#{event['sha256']}")
        yield share, f"{name}: {len(files)} of {last - first + 1} frames"
    node = _node(scene_name, name)[1]
    node.show(Path(files[first]), first, last)
    node.baked_with = used[0] if used else ""


def _follow(line: list[str], stop: threading.Event) -> Iterator[dict[str, Any]]:
    """The command's events; an empty one whenever it has nothing to say for a moment."""
    heard: queue.Queue[Any] = queue.Queue()
    left = threading.Event()  # nobody listens any more: Blender quits, or the script that baked was interrupted

    def work() -> None:
        try:
            run(line, on_event=heard.put, cancelled=lambda: stop.is_set() or left.is_set())
            heard.put(None)
        except Exception as error:  # told in the main thread
            heard.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            try:
                event = heard.get(timeout=0.02)
            except queue.Empty:
                event = {}
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        left.set()
        thread.join()


def _folder(scene: Any, node: Any) -> Path:
    """The node's own folder, beside the .blend: files of an older version of the scene stay as they are."""
    if not bpy.data.filepath:
        raise UsageError("Save the scene first; baked frames are kept beside the .blend")
    others = [each.uid for each in versions.scene_tree(scene).nodes if is_node(each) and each != node]
    if not node.uid or node.uid in others:
        node.uid = uuid.uuid4().hex[:8]
    blend = Path(bpy.path.abspath(bpy.data.filepath))
    folder = blend.parent / "understudy" / blend.stem / f"{node.role}-{node.uid}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _node(scene_name: str, name: str) -> tuple[Any, Any]:
    scene = bpy.data.scenes.get(scene_name)
    tree = versions.scene_tree(scene) if scene else None
    if tree is None or name not in tree.nodes:
        raise UsageError(f"{name} is gone from scene {scene_name}")
    return scene, tree.nodes[name]
