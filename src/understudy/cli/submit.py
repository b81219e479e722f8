# SPDX-License-Identifier: Apache-2.0
"""``understudy submit``: shares a render out to a farm."""

import json as json_module
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.farm.job import FarmJob


class Target(StrEnum):
    """What takes the job."""

    COMMAND = "command"


Chunk = Annotated[int, typer.Option("--chunk", metavar="N", min=1, help="Frames of a chunk.")]
Scattered = Annotated[
    bool | None,
    typer.Option(
        "--scattered/--contiguous",
        help="Whether a chunk may hold frames that do not follow each other; chosen by the range when left out.",
    ),
]


def submit(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH.yaml", help="A graph document (understudy.graph/1).")],
    to: Annotated[Target, typer.Option("--to", help="command: one command for each chunk, on stdout.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where what the farm needs is written; the farm must see it."),
    ] = None,
    frames: o.Frames = "",
    chunk: Chunk = 10,
    scattered: Scattered = None,
    draft: o.Draft = False,
    policy: o.Policy = "",
    json: o.Json = False,
) -> None:
    """Share a render out to a farm; every machine takes the packs and the OCIO config that were settled here."""
    from understudy.farm.chunks import are_scattered

    if out is None:
        raise UsageError("no folder was named", where="--out", fix="name one that the farm's machines see")
    job = _settled(graph, frames=frames, draft=draft, policy=policy)
    contiguous = not (are_scattered(job.frames, chunk) if scattered is None else scattered)
    match to:
        case Target.COMMAND:
            _commands(job, out, size=chunk, contiguous=contiguous, as_json=json)


def _settled(graph: Path, *, frames: str, draft: bool, policy: str) -> "FarmJob":
    """The job with everything decided; warnings go to stderr."""
    import os

    from understudy.farm.job import settle
    from understudy.graph.parsing import load_graph
    from understudy.packs.policy import POLICY_VARIABLE, find_policy
    from understudy.roles.engine import LocalEngine

    rules = find_policy(policy)
    file = Path(policy or os.environ[POLICY_VARIABLE]).expanduser().absolute() if rules else None

    def tell(event: dict[str, object]) -> None:
        if event["event"] == "warning":
            typer.echo(f"warning: {event.get('node', '')}: {event['message']}", err=True)

    document = load_graph(graph)
    engine = LocalEngine(ocio_config=document.config, policy=rules)
    try:
        return settle(document, engine, frames=frames, draft=draft, policy=rules, policy_file=file, listener=tell)
    finally:
        engine.close()


def _commands(job: "FarmJob", out: Path, *, size: int, contiguous: bool, as_json: bool) -> None:
    from understudy.farm.command_lines import chunk_commands
    from understudy.farm.graph_file import write_graph

    file = out.absolute() / "graph.yaml"
    write_graph(job.graph, file)
    for command in chunk_commands(job, file, size=size, contiguous=contiguous):
        typer.echo(json_module.dumps(command.event()) if as_json else command.line)
