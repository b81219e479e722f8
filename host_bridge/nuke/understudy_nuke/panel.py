# SPDX-License-Identifier: Apache-2.0
"""The panel: what the command is, which packs there are, what was baked, cut lists and retimes of graphs."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import nuke
import nukescripts

from understudy_bridge import BridgeError, find_executable, run
from understudy_nuke import packs, tcl
from understudy_nuke.buttons import tell
from understudy_nuke.groups import paste
from understudy_nuke.jobs import UsageError

ID = "org.understudy.Panel"


class Panel(nukescripts.PythonPanel):  # type: ignore[misc] # it has no types
    """Text that is brought up to date by a button, and two things to do to the script."""

    def __init__(self) -> None:
        nukescripts.PythonPanel.__init__(self, "Understudy", ID)
        self.refresh = nuke.PyScript_Knob("refresh", "Refresh")
        self.status = nuke.Multiline_Eval_String_Knob("status", "status")
        self.cuts = nuke.String_Knob("cuts", "cut list")
        self.cut_file = nuke.File_Knob("cut_file", "from file")
        self.apply = nuke.PyScript_Knob("apply", "To selected retimes")
        self.timeline = nuke.File_Knob("timeline", "timeline (.otio, .edl)")
        self.conform = nuke.PyScript_Knob("conform", "Graphs of its retimes")
        self.graph = nuke.File_Knob("graph", "graph")
        self.retime = nuke.PyScript_Knob("retime", "Retime to TimeWarp")
        self.addKnob(self.refresh)
        self.addKnob(self.status)
        for knob in (self.cuts, self.cut_file, self.apply, self.timeline, self.conform, self.graph, self.retime):
            self.addKnob(knob)
        self.status.setValue(tcl.literal(status()))

    def knobChanged(self, knob: Any) -> None:  # noqa: N802 - Nuke's name
        """Does what a knob asks for; what went wrong is told, never raised."""
        try:
            if knob is self.refresh:
                packs.refresh()
                packs.update_all()
                self.status.setValue(tcl.literal(status()))
            elif knob is self.cut_file and self.cut_file.value():
                self.cuts.setValue(read_cuts(Path(str(self.cut_file.value()))))
            elif knob is self.apply:
                apply_cuts(str(self.cuts.value()), nuke.selectedNodes("Group"))
            elif knob is self.conform:
                self.status.setValue(tcl.literal(conform(Path(str(self.timeline.value())))))
            elif knob is self.retime:
                timewarp_of_graph(str(self.graph.value()))
        except (BridgeError, UsageError, OSError) as error:
            tell(str(error))


def status() -> str:
    """The command, the packs and the script's nodes, a line each."""
    try:
        lines = [f"command: {find_executable()}"]
    except BridgeError as error:
        lines = [str(error)]
    if packs.known.problem:
        lines.append(f"packs: {packs.known.problem}")
    for row in packs.known.rows:
        refused = f", refused: {row['refused']}" if row.get("refused") else ""
        lines.append(f"{row['role']}: {packs.pin(row)} {row.get('badge', '')}, {row.get('license', '')}{refused}")
    for node in packs.nodes():
        lines.append(f"{node.fullName()}: {node['baked_with'].value() or 'not baked'}")
    return "\n".join(lines)


def read_cuts(path: Path) -> str:
    """The frames of a cut list: a text file of numbers, ``#`` begins a remark.

    Raises:
        UsageError: It holds something else.
    """
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8", errors="replace"))
    return parse_cuts(text, str(path))


def parse_cuts(text: str, where: str) -> str:
    """First frames after cuts, sorted, as the ``cuts`` knob has them.

    Raises:
        UsageError: There is something that is no frame.
    """
    words = re.split(r"[\s,;]+", text.strip())
    try:
        return ",".join(map(str, sorted({int(each) for each in words if each})))
    except ValueError:
        raise UsageError(f"{where}: a cut list has the first frame after each cut, such as 1012,1040") from None


def apply_cuts(text: str, nodes: list[Any]) -> None:
    """Gives retimes a cut list, or ``auto`` or ``none``.

    Raises:
        UsageError: No retime is selected, or it is no cut list.
    """
    text = text if text in ("auto", "none") else parse_cuts(text, "cut list") or "none"
    retimes = [node for node in nodes if "understudy_role" in node.knobs() and "cuts" in node.knobs()]
    if not retimes:
        raise UsageError("select the Understudy Retime nodes that this list is for")
    for node in retimes:
        node["cuts"].setValue(text)


def conform(timeline: Path) -> str:
    """Has the command write a graph for each retimed shot of a cut, beside it; a line for each.

    Raises:
        BridgeError: The command is missing, or the cut can't be conformed.
    """
    events = run(["conform", str(timeline), "--out", str(timeline.with_suffix("")) + "_understudy"])
    lines = [f"{each['name']}: {each['graph']}" for each in events if each.get("event") == "shot" and each.get("graph")]
    return "\n".join(lines) or f"{timeline.name} has no retime"


def timewarp_of_graph(path: str) -> None:
    """Puts a TimeWarp into the script that shows what a graph's retime shows.

    Raises:
        BridgeError: The command is missing, or the graph has no retime.
    """
    for event in run(["curve", path]):
        if event.get("event") == "curve":
            keys = [(int(frame), Fraction(time)) for frame, time in event["keys"]]
            paste(tcl.timewarp(keys, f"{event['node']} of {Path(path).name}"))


def show() -> Any:
    """Opens the panel in the current pane."""
    return Panel().addToPane()
