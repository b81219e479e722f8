# SPDX-License-Identifier: Apache-2.0
"""``understudy curve``."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o


def curve(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH", help="The graph document.")],
    out: Annotated[
        Path | None, typer.Argument(metavar="[OUT.nk]", help="The script to write; to stdout when left out.")
    ] = None,
    node: Annotated[
        str, typer.Option("--node", metavar="NAME", help="The interpolate node, where there are several.")
    ] = "",
    json: o.Json = False,
) -> None:
    """Write a graph's retime as a TimeWarp for Nuke: the source frame at each output frame."""
    from understudy.frames.atomic import atomic
    from understudy.graph.parsing import load_graph
    from understudy.graph.retime_node import retime_of
    from understudy.interop.nuke_script import timewarp_script

    name, plan = retime_of(load_graph(graph), node)
    keys = [(output.frame, output.times[0]) for output in plan.outputs]
    script = timewarp_script(keys, label=f"{name} of {graph.name}")
    if out is not None:
        with atomic(out) as temporary:
            temporary.write_text(script, encoding="utf-8")
    if json:
        told = [[frame, str(time)] for frame, time in keys]
        typer.echo(json_module.dumps({"event": "curve", "node": name, "file": out and str(out), "keys": told}))
    elif out is None:
        typer.echo(script, nl=False)
    else:
        typer.echo(f"{out}: the retime {name}, frames {keys[0][0]}-{keys[-1][0]}")
