# SPDX-License-Identifier: Apache-2.0
"""``understudy install``."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o
from understudy.cli.env import Bundle, Host

_SAID = {"new": "installed", "replaced": "brought up to date", "already": "was there already"}


def install(
    host: Host,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="The folder that receives it; the host's own when left out."),
    ] = None,
    bundle: Bundle = None,
    undo: Annotated[bool, typer.Option("--undo", help="Remove what an installation copied, and nothing else.")] = False,
    json: o.Json = False,
) -> None:
    """Copy a host's bridge to where the host looks; what is not ours, or was changed, is left alone."""
    from understudy.hosts import install as hosts
    from understudy.hosts.bridges import bridge_of, find_bundle

    bridge = bridge_of(host)
    if undo:
        done = hosts.undo(bridge, to)
        event = {"event": "removed", "host": host, "folder": str(done.folder), "files": done.files}
        typer.echo(json_module.dumps(event) if json else f"removed {done.files} files of {done.folder}")
        return
    done = hosts.install(bridge, to, find_bundle(bundle))
    then = bridge.then.format(folder=done.folder)
    if json:
        event = {"event": "installed", "host": host, "folder": str(done.folder), "files": done.files}
        typer.echo(json_module.dumps({**event, "state": done.state, "then": then}))
        return
    typer.echo(f"{_SAID[done.state]}: {done.folder}, {done.files} files")
    typer.echo(f"then: {then}")
    typer.echo(f"take it away again: understudy install {host}{f' --to {to}' if to else ''} --undo")
