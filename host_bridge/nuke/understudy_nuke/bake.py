# SPDX-License-Identifier: Apache-2.0
"""Write, run, read: the frames that reach a node become files, the command works on them, the node shows its files."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import nuke

from understudy_bridge import CANCELLED, BridgeError, Progress, run
from understudy_nuke import packs
from understudy_nuke.jobs import Job, UsageError, plan
from understudy_nuke.tcl import literal

__all__ = ["BridgeError", "UsageError", "bake", "bake_file", "bake_in_background"]

_running: set[str] = set()


def bake(node: Any) -> None:
    """Bakes a node and waits for it; progress is printed. For the terminal and for scripts.

    Raises:
        UsageError: The node can't be baked as it stands.
        BridgeError: The command is missing or failed.
    """
    job = plan(node)
    _tap(job)
    progress = Progress()

    def hear(event: dict[str, Any]) -> None:
        if progress.hear(event) and event["event"] == "frame":
            print(f"Understudy: {job.name}: {progress.text}")

    _show(job, run(job.arguments, on_event=hear))


def bake_in_background(node: Any) -> None:
    """Bakes a node while the artist works on: its frames are written now, the command runs beside.

    Raises:
        UsageError: The node can't be baked as it stands.
    """
    name = str(node.fullName())
    if name in _running:
        raise UsageError(f"{name} is being baked already")
    job = plan(node)
    _tap(job)
    _running.add(name)
    threading.Thread(target=_work, args=(job,), daemon=True).start()


def bake_file(arguments: list[str]) -> None:
    """Bakes what ``bake_script.py`` was asked for, and saves the script.

    Args:
        arguments: ``SHOT.nk [FIRST-LAST] [NODE ...]``.

    Raises:
        UsageError: There is no such node, or it can't be baked as it stands.
        BridgeError: The command is missing or failed.
    """
    if not arguments:
        raise UsageError("which script? nuke -t bake_script.py SHOT.nk [FIRST-LAST] [NODE ...]")
    nuke.scriptOpen(arguments[0])
    frames = re.fullmatch(r"(-?\d+)-(-?\d+)", arguments[1]) if len(arguments) > 1 else None
    names = arguments[2 if frames else 1 :]
    found = [node for node in packs.nodes() if not names or node.fullName() in names]
    if not found or len(found) < len(names):
        have = ", ".join(str(node.fullName()) for node in packs.nodes()) or "none"
        raise UsageError(f"{arguments[0]} has these Understudy nodes: {have}")
    for node in found:
        if frames:
            for knob, frame in (("first", frames[1]), ("last", frames[2])):
                node[knob].clearAnimated()  # they follow the script's range
                node[knob].setValue(int(frame))
        bake(node)
    nuke.scriptSave(arguments[0])


def _tap(job: Job) -> None:
    """Writes the frames that reach the node, and nothing that an earlier bake left stands among them."""
    job.folder.mkdir(parents=True, exist_ok=True)
    for old in job.tap.parent.glob("plate.*.exr"):
        old.unlink()
    for path, text in job.documents.items():
        path.write_text(json.dumps(text), encoding="utf-8")
    tap = job.node.node("Tap")
    tap["file"].setValue(job.tap.as_posix())
    tap["disable"].setValue(False)
    try:
        nuke.execute(tap, job.tap_first, job.tap_last, 1)
    except RuntimeError as error:  # what Nuke raises for a failed and for a cancelled render
        raise UsageError(f"what reaches {job.name} can't be written: {error}") from None
    finally:
        tap["disable"].setValue(True)  # so that a farm does not render it with the script's other Writes


def _work(job: Job) -> None:
    """In a thread: the command, under a progress bar with a cancel button."""
    task = nuke.ProgressTask(f"Understudy {job.name}")
    progress = Progress()

    def hear(event: dict[str, Any]) -> None:
        if progress.hear(event):
            task.setMessage(progress.text)
            task.setProgress(int(100 * progress.share))

    try:
        events = run(job.arguments, on_event=hear, cancelled=task.isCancelled)
        nuke.executeInMainThread(_show, args=(job, events))
    except BridgeError as error:
        if error.exit_code != CANCELLED:
            nuke.executeInMainThread(nuke.message, args=(f"Understudy: {job.name}: {error}",))
    finally:
        _running.discard(job.name)


def _show(job: Job, events: list[dict[str, Any]]) -> None:
    """Points the node's Read at the files, and notes what made them."""
    node: Any = nuke.toNode(job.name)  # the artist may have deleted it meanwhile, and undo makes it anew
    made = [event for event in events if event.get("event") == "frame"]
    if node is None or not made:
        return
    path = Path(made[0]["file"])
    path = path.with_name(re.sub(r"\.-?\d+\.exr$", ".%04d.exr", path.name))
    read = node.node("Result")
    read["file"].setValue(path.as_posix())
    for knob, frame in (("first", job.first), ("last", job.last), ("origfirst", job.first), ("origlast", job.last)):
        read[knob].setValue(frame)
    read["reload"].execute()
    used = [f"{each['id']}@{each['version']}#{each['sha256']}" for each in events if each.get("event") == "pack"]
    told = [str(each["message"]) for each in events if each.get("event") == "warning"]
    node["baked_with"].setValue(literal(" ".join(used)))
    node["told"].setValue(literal("\n".join(told)))
    node["show"].setValue("result")
