# SPDX-License-Identifier: Apache-2.0
"""What a node's knobs ask of the command."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import nuke

from understudy_nuke import packs

_LONGEST_PERIOD = 1000  # a speed of 0.333 is what was typed, 0.3333333 is a third
_THIRDS = 1e-6
_NUKE_WORKING_SPACE = "Linear Rec.709 (sRGB)"  # where Nuke's own color management is on, not OCIO


class UsageError(Exception):
    """A sentence for the artist."""


@dataclass
class Job:
    """One bake.

    Attributes:
        node: The Group.
        name: Its full name, by which it is found again.
        folder: Of its files.
        first: First frame of the result.
        last: Its last frame.
        tap: Pattern of the files that the node's Write makes.
        tap_first: First frame to write.
        tap_last: Last frame to write.
        arguments: Of the command.
        documents: Files that the command reads besides, with what they hold.
    """

    node: Any
    name: str
    folder: Path
    first: int
    last: int
    tap: Path
    tap_first: int
    tap_last: int
    arguments: list[str]
    documents: dict[Path, Any] = field(default_factory=dict)


def plan(node: Any) -> Job:
    """What baking a node means.

    Raises:
        UsageError: The node can't be baked as it stands.
    """
    name, role = str(node.fullName()), text_of(node, "understudy_role")
    source = node.input(0)
    if source is None:
        raise UsageError(f"connect the input of {name}")
    first, last = (int(node[knob].value()) for knob in ("first", "last"))
    if last < first:
        raise UsageError(f"{name}: the frames {first}-{last} are none")
    low, high = first, last
    if role == "interpolate":
        times = [time for _, time in source_times(node, first, last)]
        low, high = math.floor(min(times)), math.ceil(max(times))
    elif role == "motion":
        low, high = first - 1, last + 1
    if role in ("interpolate", "motion"):  # frames beyond the shot are not asked for: Nuke would repeat the last one
        start, end = int(source.firstFrame()), int(source.lastFrame())
        low, high = min(max(low, start), end), max(min(high, end), start)
        if role == "motion":
            low, high = min(low, first), max(high, last)
    folder = _folder(node, name)
    tap, out = folder / "input" / "plate.%04d.exr", folder / role / "plate.%04d.exr"
    command = [role, str(tap), str(out), "--frames", f"{first}-{last}", "--colorspace", colorspace(node)]
    job = Job(node, name, folder, first, last, tap, low, high, command)
    tap.parent.mkdir(parents=True, exist_ok=True)
    _add_knobs(job, role)
    return job


def source_times(node: Any, first: int, last: int) -> list[tuple[int, Fraction]]:
    """What a retime shows: frame and exact source frame, for each frame.

    Raises:
        UsageError: The speed is 0.
    """
    frames = range(first, last + 1)
    if text_of(node, "timing") == "curve":
        return [(frame, _exact(float(node["source"].getValueAt(frame)))) for frame in frames]
    speed = _exact(float(node["speed"].value()))
    if speed == 0:
        raise UsageError("a speed of 0 shows one frame forever; use a FrameHold")
    return [(frame, first + (frame - first) * speed) for frame in frames]


def colorspace(node: Any) -> str:
    """The color space of what reaches a node: as its knob says, else the script's working space.

    Raises:
        UsageError: The script does not tell.
    """
    named = text_of(node, "colorspace")
    if named:
        return named
    root = nuke.root()
    if str(root["colorManagement"].value()) == "Nuke":
        return _NUKE_WORKING_SPACE
    space = str(root["workingSpaceLUT"].value()) if "workingSpaceLUT" in root.knobs() else ""
    role = re.fullmatch(r"[a-z_]+ \((.+)\)", space)  # Nuke shows "scene_linear (ACES - ACEScg)"
    if not space:
        raise UsageError("the script's settings name no working space; fill in the node's color space")
    return role[1] if role else space


def text_of(node: Any, knob: str) -> str:
    """A knob's text, with its Tcl done."""
    found = node[knob]
    text = found.evaluate() if hasattr(found, "evaluate") else found.value()
    return str(text or "").strip()


def _add_knobs(job: Job, role: str) -> None:
    node, line = job.node, job.arguments
    pack = text_of(node, "pack")
    if pack and pack != packs.DEFAULT:
        line += ["--pack", pack]
    config = _ocio_config()
    if config:
        line += ["--ocio", config]
    if text_of(node, "server"):
        line += ["--server", text_of(node, "server")]
    if node["draft"].value():
        line += ["--draft"]
    if role == "upscale":
        line += ["--scale", str(_exact(float(node["scale"].value())))]
    elif role == "interpolate":
        curve = job.folder / "curve.json"
        keys = source_times(node, job.first, job.last)
        job.documents[curve] = [{"frame": frame, "source": str(time)} for frame, time in keys]
        line += ["--curve", str(curve), "--edge", "hold", "--cuts", text_of(node, "cuts") or "auto"]
    elif role == "relight":
        lights = text_of(node, "lights")
        if not lights:
            lights = str(job.folder / "lights.json")
            job.documents[Path(lights)] = _key_light(node)
        line += ["--lights", lights]
    try:
        line += shlex.split(text_of(node, "options"))
    except ValueError as error:
        raise UsageError(f"{job.name}: more options: {error}") from None


def _key_light(node: Any) -> dict[str, Any]:
    """One light from the node's knobs; x is right, y up, z to the camera."""
    azimuth, elevation = (math.radians(float(node[knob].value())) for knob in ("azimuth", "elevation"))
    across = math.cos(elevation)
    direction = [math.sin(azimuth) * across, math.sin(elevation), math.cos(azimuth) * across]
    light = {"type": "directional", "direction": direction, "intensity": float(node["intensity"].value())}
    return {"schema": "understudy.lights/1", "lights": [light]}


def _exact(value: float) -> Fraction:
    """The fraction that was meant."""
    near = Fraction(value).limit_denominator(_LONGEST_PERIOD)
    return near if abs(near - Fraction(value)) < _THIRDS else Fraction(str(value))


def _ocio_config() -> str:
    """A config of the script's own; empty where ``$OCIO`` says it, or where it is one of Nuke's."""
    root = nuke.root()
    if str(root["colorManagement"].value()) != "OCIO" or str(root["OCIO_config"].value()) != "custom":
        return ""
    return text_of(root, "customOCIOConfigPath")


def _folder(node: Any, name: str) -> Path:
    named = text_of(node, "folder")
    script = str(nuke.root().name())
    if not named and script in ("", "Root"):
        raise UsageError("save the script first, or fill in the node's folder; baked frames are kept beside the script")
    place = Path(named) if named else Path(script).parent / "understudy" / Path(script).stem
    folder = place / re.sub(r"[^\w.-]", "_", name)
    if not folder.is_absolute() or re.search(
        r"[%#@$\[\]]", folder.as_posix()
    ):  # Nuke gives them a meaning in files' names
        raise UsageError(f"{folder} is no folder for numbered files: give a whole path without % # @ $ [ ]")
    return folder
