# SPDX-License-Identifier: Apache-2.0
"""``understudy estimate``: what a job would take, and measuring the packs so that it is known."""

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.contracts.engine import Engine
    from understudy.graph.document import Graph
    from understudy.graph.job_estimate import Band, JobEstimate
    from understudy.packs.policy import ShowPolicy

_COLUMNS = 120
"""Width of the table when it goes into a file or a pipe."""


def estimate(
    graph: Annotated[
        Path | None, typer.Argument(metavar="[GRAPH.yaml]", help="A graph document (understudy.graph/1).")
    ] = None,
    frames: o.Frames = "",
    draft: o.Draft = False,
    remaining: Annotated[
        bool, typer.Option("--remaining", help="Leave out frames that are there and right; hashes their inputs.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Measure first, in a minute or two: a few frames of the graph; without one, packs on a pattern.",
        ),
    ] = False,
    pack: Annotated[
        list[str],
        typer.Option("--pack", metavar="ID", help="What to calibrate without a graph; may be repeated."),
    ] = [],  # noqa: B006 - typer's way to a repeated option
    budget: Annotated[
        float,
        typer.Option("--budget", metavar="SECONDS", min=1, help="For a calibration without a graph: about how long."),
    ] = 120.0,
    device: o.Device = "auto",
    server: o.Server = "",
    policy: o.Policy = "",
    json: o.Json = False,
) -> None:
    """Tell what a graph would take: seconds, memory and disk, from what earlier renders took on this machine.

    Only headers are read. With --server the service tells what it learned from its own runs.
    """
    from understudy.cli.job import open_engine
    from understudy.graph.job_estimate import estimate_graph
    from understudy.graph.parsing import load_graph
    from understudy.packs.policy import find_policy

    if graph is None and not calibrate:
        raise UsageError("there is nothing to estimate", where="GRAPH.yaml", fix="name a graph, or say --calibrate")
    if calibrate and server:
        raise UsageError("a service learns from its own runs", where="--calibrate", fix="leave out --calibrate")
    if pack and (graph is not None or not calibrate):
        raise UsageError(
            "--pack says what to calibrate where there is no graph", where="--pack", fix="leave it out, or the graph"
        )
    document = load_graph(graph) if graph else None
    rules = find_policy(policy)
    with open_engine(server, document.config if document else "", device, policy=rules) as engine:
        if calibrate:
            _calibrate(document, engine, pack, budget, frames=frames, draft=draft, policy=rules, as_json=json)
        if document is None:
            return
        found = estimate_graph(document, engine, frames=frames, draft=draft, policy=rules, remaining=remaining)
    if json:
        typer.echo(json_module.dumps(event_of(found)))
    else:
        _show(found, server)


def event_of(found: "JobEstimate") -> dict[str, Any]:
    """The event ``estimate``; bands are lists of low, likely and high."""

    def band(of: "Band") -> list[float]:
        return [round(of.low, 4), round(of.likely, 4), round(of.high, 4)]

    return {
        "event": "estimate",
        "frames": found.frames,
        "done": found.done,
        "device": found.device,
        "machine": found.machine,
        "measured": found.measured,
        "seconds": band(found.seconds),
        "seconds_per_frame": band(found.seconds_per_frame),
        "start_seconds": band(found.start_seconds),
        "ram_bytes": found.ram_bytes,
        "vram_bytes": found.vram_bytes,
        "disk_bytes": found.disk_bytes,
        "disk_bytes_per_frame": found.disk_bytes_per_frame,
        "nodes": [
            {
                "node": node.node,
                "kind": node.kind,
                "pack": node.pack,
                "count": node.count,
                "seconds": band(node.seconds),
                "runs": node.runs,
                "device": node.device,
            }
            for node in found.nodes
        ],
    }


def _calibrate(
    graph: "Graph | None",
    engine: "Engine",
    packs: list[str],
    budget_s: float,
    *,
    frames: str,
    draft: bool,
    policy: "ShowPolicy | None",
    as_json: bool,
) -> None:
    from understudy.cli.cancel import cancel_on_signal
    from understudy.contracts.engine import Control
    from understudy.graph.calibrate import calibrate_graph, calibrate_packs
    from understudy.provenance.recorder import Recorder

    def tell(event: dict[str, Any]) -> None:
        if as_json:
            typer.echo(json_module.dumps(event))
            return
        what = event.get("pack") or f"frames {event['frames']}"
        size = f" at {event['width']}x{event['height']}" if "width" in event else ""
        took = "passed over: it would take too long" if event["seconds"] is None else f"{event['seconds']:.1f} s"
        sys.stderr.write(f"calibrate {what}{size}: {took}\n")

    with cancel_on_signal() as caught:
        control = Control(cancelled=lambda: bool(caught))
        how: dict[str, Any] = {"draft": draft, "on_event": tell, "control": control, "policy": policy}
        if graph is None:
            calibrate_packs(engine, packs, budget_s=budget_s, witness=Recorder, **how)
        else:
            calibrate_graph(graph, engine, frames=frames, witness=Recorder, **how)


def _show(found: "JobEstimate", server: str) -> None:
    from rich import box
    from rich.table import Table

    from understudy.cli.console import Printer, counted

    table = Table(box=box.SIMPLE)
    for title in ("node", "does", "times", "low", "likely", "high", "from"):
        table.add_column(title, justify="right" if title in ("times", "low", "likely", "high") else "left")
    for node in found.nodes:
        does = f"{node.kind} {node.pack}" if node.pack else node.kind
        basis = counted(node.runs, "run") + (f" on {node.device}" if node.device else "") if node.runs else "a guess"
        table.add_row(node.node, does, str(node.count), *_figures(node.seconds), basis)
    console = Printer(width=None if sys.stdout.isatty() else _COLUMNS)
    console.print(table)
    done = f" ({counted(found.done, 'more frame')} done)" if found.done else ""
    per_frame = f"{_time(found.seconds_per_frame.likely)} a frame"
    low, likely, high = _figures(found.seconds)
    lines = [
        f"{counted(found.frames, 'frame')}{done}: {likely} ({low} to {high}), {per_frame}",
        f"memory {_size(found.ram_bytes)}"
        + (f", {_size(found.vram_bytes)} of the GPU" if found.vram_bytes else "")
        + f" · disk {_size(found.disk_bytes)}, {_size(found.disk_bytes_per_frame)} a frame",
        f"on {server or found.machine}, {found.device}",
    ]
    if not found.measured:
        hint = "send it some frames" if server else "run: understudy estimate --calibrate GRAPH.yaml"
        lines.append(f"not all of this was measured here, so it is a rule of thumb; to know better, {hint}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figures(band: "Band") -> tuple[str, str, str]:
    return _time(band.low), _time(band.likely), _time(band.high)


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
