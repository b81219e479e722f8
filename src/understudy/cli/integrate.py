# SPDX-License-Identifier: Apache-2.0
"""``understudy integrate``: files of a listing to the next version of a product."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o


def integrate(
    listing: Annotated[Path, typer.Argument(metavar="LISTING.json", help="What it is to hold (understudy.listing/1).")],
    to: Annotated[Path, typer.Option("--to", metavar="ROOT", help="The publish root.")],
    link: Annotated[bool, typer.Option("--link", help="Hard links where they can be made, not copies.")] = False,
    expect: Annotated[
        str, typer.Option("--expect", metavar="v###", help="The version it must become, or exit code 75.")
    ] = "",
    json: o.Json = False,
) -> None:
    """Make the next version of a product: ROOT/<name>/v###, whole or not at all, never over another.

    Plug-ins call this; publish runs all of a publish.
    """
    from understudy.contracts.errors import UsageError
    from understudy.publish import integrate as module
    from understudy.publish.listing import read_listing

    number = module.version_number(expect)
    if expect and not number:
        raise UsageError(f'"{expect}" is no version', where="--expect", fix="write it like v003")
    done = module.integrate(read_listing(listing), to, how="link" if link else "copy", expected=number)
    if json:
        event = {
            "event": "integrated",
            "name": done.version.name,
            "version": done.version.version,
            "folder": str(done.folder),
            "already": done.already,
            "files": len(done.version.files),
        }
        typer.echo(json_module.dumps(event))
    else:
        typer.echo(f"{done.folder}" + (" holds this already" if done.already else ""))
