# SPDX-License-Identifier: Apache-2.0
"""The four Groups, as text of a script: user knobs, and inside a Write (the tap), a Read (the result) and a Switch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nuke

from understudy_nuke.tcl import word

TITLES = {"motion": "Motion", "interpolate": "Retime", "upscale": "Upscale", "relight": "Relight"}

_STRING, _FILE, _INTEGER, _CHOICE, _CHECK, _NUMBER, _TAB, _BUTTON, _TEXT, _LINES = 1, 2, 3, 4, 6, 7, 20, 22, 26, 43

_PRESS = """try:
    from understudy_nuke import buttons
except ImportError:
    nuke.message('Understudy is not installed here; what was baked is there all the same.')
else:
    buttons.press('{}')"""


def _knob(kind: int, name: str, label: str, tip: str = "", options: str = "", value: str = "") -> list[str]:
    """A user knob and its value."""
    about = f" t {word(tip)}" if tip else ""
    line = f" addUserKnob {{{kind} {name} l {word(label)}{about}{' ' + options if options else ''}}}"
    return [line, f" {name} {value}"] if value else [line]


def _button(name: str, label: str, tip: str, *, new_line: bool = True) -> list[str]:
    start = "+STARTLINE" if new_line else "-STARTLINE"
    return _knob(_BUTTON, name, label, tip, f"{start} T {word(_PRESS.format(name))}")


def _own_knobs(role: str) -> list[str]:
    if role == "upscale":
        return _knob(_NUMBER, "scale", "scale", "Factor of both sides.", "R 1 8", "2")
    if role == "interpolate":
        return [
            *_knob(_CHOICE, "timing", "timing", "A constant speed, or a curve of source frames.", "M {speed curve}"),
            *_knob(_NUMBER, "speed", "speed", "0.5 is half speed; the first frame stays.", "R -2 4", "0.5"),
            *_knob(_NUMBER, "source", "source frame", "Animate it: the source frame that each frame shows.", "R 1 200"),
            *_knob(_STRING, "cuts", "cuts", "auto, none, or the first frame after each cut: 1012,1040.", value="auto"),
            *_button("timewarp", "Make TimeWarp", "A TimeWarp with the same frames, for mattes and for a preview."),
        ]
    if role == "relight":
        return [
            *_knob(_FILE, "lights", "lights", "A lights document (JSON); the light below without one."),
            *_knob(_NUMBER, "azimuth", "azimuth", "Degrees to the right of the camera.", "R -180 180", "40"),
            *_knob(_NUMBER, "elevation", "elevation", "Degrees up.", "R -90 90", "40"),
            *_knob(_NUMBER, "intensity", "intensity", "pi, straight on, shows the albedo itself.", "R 0 10", "3.14"),
        ]
    return []


def _knobs(role: str) -> list[str]:
    return [
        *_knob(_TAB, "understudy", "Understudy"),
        *_knob(_STRING, "understudy_role", "role", options="+INVISIBLE", value=role),
        *_knob(_CHOICE, "pack", "pack", "Which model plays; Default is the one that the command takes.", "M {Default}"),
        *_button("refresh", "Refresh", "Ask the command again which packs there are.", new_line=False),
        *_own_knobs(role),
        *_knob(_STRING, "colorspace", "color space", "Of what reaches this node; the script's working space if empty."),
        *_knob(_INTEGER, "first", "frames", "First frame to bake.", value="{{root.first_frame}}"),
        *_knob(_INTEGER, "last", "to", "Last frame to bake.", "-STARTLINE", "{{root.last_frame}}"),
        *_knob(_CHECK, "draft", "draft", "Quick and rough, at the same size.", "+STARTLINE"),
        *_knob(_STRING, "server", "service", "host:port of a running service; this machine computes if empty."),
        *_knob(_STRING, "options", "more options", "Of the command, as in a shell: --option ringing=0.5"),
        *_knob(_FILE, "folder", "folder", "Where frames go; beside the script, in understudy, if empty."),
        *_button("bake", "Bake", "Write the frames that reach this node, run the command, read its result."),
        *_knob(_CHOICE, "show", "show", "What comes out of this node.", "-STARTLINE M {input result}"),
        *_knob(_STRING, "baked_with", "baked with", "The pack that made the result, to the digest."),
        *_knob(_LINES, "told", "told", "What the command warned of."),
    ]


def script(role: str) -> str:
    """The text of a role's Group, to paste.

    Args:
        role: ``motion``, ``interpolate``, ``upscale`` or ``relight``.
    """
    inside = """\
 Input {
  inputs 0
  name Source
 }
set understudy_source [stack 0]
 Write {
  channels all
  file_type exr
  datatype "32 bit float"
  compression none
  raw true
  create_directories true
  disable true
  name Tap
 }
 Read {
  inputs 0
  raw true
  name Result
 }
push $understudy_source
 Switch {
  inputs 2
  which {{parent.show}}
  name Show
 }
 Output {
  name Output1
 }
end_group
"""
    head = ["set cut_paste_input [stack 0]", "push $cut_paste_input", "Group {", f" name Understudy{TITLES[role]}"]
    return "\n".join([*head, ' label "\\[value pack]"', *_knobs(role), "}", inside])


def create(role: str) -> None:
    """Puts a role's Group into the script, behind the selected node."""
    paste(script(role))


def paste(text: str) -> None:
    """Has Nuke read a piece of script."""
    handle, path = tempfile.mkstemp(suffix=".nk")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        nuke.nodePaste(path.replace("\\", "/"))
    finally:
        Path(path).unlink()


def is_ours(node: nuke.Node) -> bool:
    """Whether a node is one of these Groups."""
    return node.Class() == "Group" and "understudy_role" in node.knobs()
