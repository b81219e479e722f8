# SPDX-License-Identifier: Apache-2.0
"""The panel: what the command is, which packs there are, what was baked, cut lists and retimes of graphs."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import nuke
import nukescripts

from understudy_bridge import BridgeError, find_executable, run
from understudy_nuke import packs, tcl
from understudy_nuke.buttons import tell
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
            self._do(str(knob.name()))
        except (BridgeError, UsageError, OSError) as error:
            tell(str(error))

    def _do(self, name: str) -> None:
        if name == "refresh":
            packs.refresh()
            packs.update_all()
            self.status.setValue(tcl.literal(status()))
        elif name == "cut_file" and self.cut_file.value():
            text = Path(str(self.cut_file.value())).read_text(encoding="utf-8", errors="replace")
            self.cuts.setValue(parse_cuts(re.sub(r"#.*", "", text)))
        elif name == "apply":
            apply_cuts(str(self.cuts.value()), nuke.selectedNodes("Group"))
        elif name == "conform":
            self.status.setValue(tcl.literal(conform(Path(str(self.timeline.value())))))
        elif name == "retime":
            timewarp_of_graph(str(self.graph.value()))


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


def parse_cuts(text: str) -> str:
    """First frames after cuts, sorted, as the ``cuts`` knob has them.

    Raises:
        UsageError: There is something that is no frame.
    """
    try:
        return ",".join(map(str, sorted({int(each) for each in re.split(r"[\s,;]+", text) if each})))
    except ValueError:
        raise UsageError("a cut list has the first frame after each cut, such as 1012,1040") from None


def apply_cuts(text: str, nodes: list[Any]) -> None:
    """Gives retimes a cut list, or ``auto`` or ``none``.

    Raises:
        UsageError: No retime is selected, or it is no cut list.
    """
    text = text if text in ("auto", "none") else parse_cuts(text) or "none"
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
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "timewarp.nk").as_posix()
        run(["curve", path, script])
        nuke.nodePaste(script)


def show() -> Any:
    """Opens the panel in the current pane."""
    return Panel().addToPane()
