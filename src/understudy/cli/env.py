# SPDX-License-Identifier: Apache-2.0
"""``understudy env``."""

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o

Host = Annotated[str, typer.Argument(metavar="HOST", help="nuke, natron, resolve, fusion, flame, blender or comfyui.")]
Bundle = Annotated[Path | None, typer.Option("--from", metavar="BUNDLE", help="The OpenFX plug-in that CMake built.")]


def env(
    host: Host,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="The --to that the bridge was installed with.")
    ] = None,
    bundle: Bundle = None,
    json: o.Json = False,
) -> None:
    """Print what to set before a host starts, for sh: eval "$(understudy env nuke)"."""
    from understudy.hosts.bridges import bridge_of
    from understudy.hosts.variables import variables

    found = variables(host, bridge_of(host), to, bundle)
    if json:
        typer.echo(
            json_module.dumps({"event": "environment", "host": host, "variables": [asdict(each) for each in found]})
        )
        return
    for each in found:
        typer.echo(f"# {each.why}\n{each.line}")
    if not found:
        typer.echo(f"# nothing needs to be set for {host}")
