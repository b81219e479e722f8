# SPDX-License-Identifier: Apache-2.0
"""``understudy conform``: a timeline drives the retimes of its shots."""

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o

if TYPE_CHECKING:
    from understudy.editorial.conform import Conformed


def conform(
    timeline: Annotated[Path, typer.Argument(metavar="TIMELINE", help="The cut: .otio, or .edl (CMX 3600).")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for graphs, pictures and the new cut.")],
    media: Annotated[
        str,
        typer.Option(
            "--media",
            metavar="PATTERN",
            help="Where pictures lie, with {name}, {reel}, {event}: '/shots/{name}/plate.%04d.exr'."
            " The clips' own media when left out.",
        ),
    ] = "",
    media_start: Annotated[
        str,
        typer.Option(
            "--media-start", metavar="TIME", help="Media time of the first picture, where nothing tells: 01:00:00:00."
        ),
    ] = "",
    rate: Annotated[
        float, typer.Option("--rate", metavar="FPS", min=0, help="Frames per second of an EDL; 24 when left out.")
    ] = 0.0,
    handles: Annotated[
        int,
        typer.Option("--handles", metavar="N", min=0, help="Frames more at both ends, as the media allows."),
    ] = 0,
    everything: Annotated[bool, typer.Option("--all", help="Shots without a retime too.")] = False,
    leave_out_refused: Annotated[
        bool, typer.Option("--leave-out-refused", help="Go on without the shots that can't be done.")
    ] = False,
    pack: o.Pack = "",
    motion_pack: Annotated[str, typer.Option("--motion-pack", metavar="ID", help="Pack for the vectors.")] = "",
    shutter: Annotated[
        float, typer.Option("--shutter", metavar="DEGREES", min=0, max=720, help="Motion blur; 180 is half a frame.")
    ] = 0.0,
    colorspace: o.Colorspace = "",
    ocio: o.Ocio = "",
    json: o.Json = False,
) -> None:
    """Write a graph for each retimed shot of a cut, and the cut that shows their results.

    Nothing is rendered: give the graphs to render, estimate or submit.
    """
    from understudy.editorial.conform import Wishes, conform

    fields: dict[str, Any] = {"pack": pack, "motion_pack": motion_pack}
    if shutter:
        fields["shutter"] = {"angle": shutter}
    wishes = Wishes(
        handles=handles,
        media=media,
        media_start=media_start,
        colorspace=colorspace,
        everything=everything,
        nodes={name: value for name, value in fields.items() if value},
        ocio=ocio,
    )
    done, refused, relinked = conform(timeline, out, wishes, rate=rate or None, leave_out_refused=leave_out_refused)
    for error in refused:
        if json:
            typer.echo(json_module.dumps({"event": "warning", "message": str(error)}))
        else:
            typer.echo(f"left out: {error}", err=True)
    made = [one for one in done if one.graph is not None]
    for one in done:
        if json:
            typer.echo(json_module.dumps(_event(one)))
        elif one.graph is not None:
            typer.echo(_line(one, handles), err=True)
    if json:
        told = {"event": "conformed", "graphs": len(made), "left": len(done) - len(made), "refused": len(refused)}
        typer.echo(json_module.dumps({**told, "timeline": str(relinked)}))
    else:
        typer.echo(f"{len(made)} graphs, {len(done) - len(made)} shots left as they are", err=True)
        typer.echo(f"the cut with their results: {relinked}", err=True)
    sys.stdout.flush()


def _event(one: "Conformed") -> dict[str, Any]:
    return {
        "event": "shot",
        "number": one.shot.event,
        "name": one.shot.name,
        "speed": str(one.shot.speed),
        "graph": str(one.graph or ""),
        "pictures": one.pictures,
        "frames": f"{one.first}-{one.last}" if one.graph else "",
        "head": one.head,
        "tail": one.tail,
    }


def _line(one: "Conformed", handles: int) -> str:
    shot = one.shot
    text = f"{one.graph}: {shot.label}, speed {shot.speed}, frames {one.first}-{one.last}"
    wanted = (handles + shot.head, handles + shot.tail)
    if (one.head, one.tail) != wanted:
        text += f", handles {one.head} and {one.tail} of {wanted[0]} and {wanted[1]}: there is no more media"
    return text
