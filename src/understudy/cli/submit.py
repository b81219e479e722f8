# SPDX-License-Identifier: Apache-2.0
"""``understudy submit``: shares a render out to a farm."""

import json as json_module
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.contracts.engine import Engine
    from understudy.farm.job import FarmJob
    from understudy.farm.openjd_template import Wishes
    from understudy.graph.document import Graph


class Target(StrEnum):
    """What takes the job."""

    OPENJD = "openjd"
    COMMAND = "command"
    DASK = "dask"


_CHUNK = 10

Chunk = Annotated[
    int | None,
    typer.Option("--chunk", metavar="N", min=1, help="Frames of a chunk; 10, with dask as many as suit its workers."),
]
Scheduler = Annotated[
    str, typer.Option("--scheduler", metavar="ADDRESS", help="dask: a cluster that is there, such as tls://host:8786.")
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=0,
        help="dask: start so many worker processes here; 0: one for four cores, 2 at least.",
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option("--tls-ca", metavar="FILE", help="dask: certificate of the authority that signed both ends'."),
]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="dask: certificate of this end.")]
TlsKey = Annotated[
    Path | None,
    typer.Option("--tls-key", metavar="FILE", help="dask: its key, where the certificate's file holds none."),
]
Scattered = Annotated[
    bool | None,
    typer.Option(
        "--scattered/--contiguous",
        help="Whether a chunk may hold frames that do not follow each other; chosen by the range when left out.",
    ),
]


def submit(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH.yaml", help="A graph document (understudy.graph/1).")],
    to: Annotated[
        Target,
        typer.Option(
            "--to",
            help="openjd: a job bundle in --out; command: a command for each chunk, on stdout; dask: Dask, now.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the bundle, or the commands' graph, is written."),
    ] = None,
    frames: o.Frames = "",
    chunk: Chunk = None,
    scattered: Scattered = None,
    seconds_per_chunk: Annotated[
        int,
        typer.Option(metavar="S", min=0, help="openjd: seconds a chunk is to take; the farm then chooses its size."),
    ] = 0,
    draft: o.Draft = False,
    draft_scale: o.DraftScale = "",
    publish: Annotated[
        str, typer.Option("--publish", metavar="ROOT", help="openjd: publish there when all frames are made.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="openjd: compare the frames with their record in the end.")
    ] = True,
    cores: Annotated[
        int, typer.Option("--cores", metavar="N", min=1, help="openjd: cores that a worker needs for a task.")
    ] = 4,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="openjd: the job's name.")] = "",
    device: o.Device = "auto",
    policy: o.Policy = "",
    scheduler: Scheduler = "",
    workers: Workers = 0,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    json: o.Json = False,
) -> None:
    """Share a render out to a farm; every machine takes the packs and the OCIO config that were settled here."""
    from understudy.farm.chunks import are_scattered
    from understudy.graph.draft import with_draft_scale
    from understudy.graph.parsing import load_graph

    if out is None and to is not Target.DASK:
        raise UsageError("no folder was named", where="--out", fix="name one that the farm's machines see")
    if publish and draft:
        raise UsageError("a draft is not published", where="--publish", fix="leave --draft out")
    document = load_graph(graph)
    if draft_scale:
        document = with_draft_scale(document, draft_scale, draft=draft)
    if out is None or to is Target.DASK:
        from understudy.cli.on_dask import render_on_dask
        from understudy.farm.dask_cluster import Place

        place = Place(scheduler=scheduler, workers=workers, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key)
        render_on_dask(
            document,
            place,
            frames=frames,
            chunk=chunk or 0,
            draft=draft,
            device=device,
            policy=policy,
            as_json=json,
        )
        return
    chunk = chunk or _CHUNK
    with _settled(document, frames=frames, draft=draft, device=device, policy=policy) as (job, engine):
        contiguous = not (are_scattered(job.frames, chunk) if scattered is None else scattered)
        match to:
            case Target.COMMAND:
                _commands(job, out, size=chunk, contiguous=contiguous, as_json=json)
            case Target.OPENJD:
                wishes = _wishes(
                    job,
                    engine,
                    name=name or graph.stem,
                    chunk=chunk,
                    target_s=seconds_per_chunk,
                    contiguous=contiguous,
                    publish=publish,
                    verify=verify,
                    cores=cores,
                    device=device,
                )
                _bundle(job, wishes, out, as_json=json)


@contextmanager
def _settled(
    document: "Graph", *, frames: str, draft: bool, device: str, policy: str
) -> "Iterator[tuple[FarmJob, Engine]]":
    """The job with everything decided, and the engine that decided; warnings go to stderr."""
    from understudy.farm.job import settle
    from understudy.packs.policy import POLICY_VARIABLE, find_policy
    from understudy.roles.engine import LocalEngine

    rules = find_policy(policy)
    file = Path(policy or os.environ[POLICY_VARIABLE]).expanduser().absolute() if rules else None

    def tell(event: dict[str, object]) -> None:
        if event["event"] == "warning":
            typer.echo(f"warning: {event.get('node', '')}: {event['message']}", err=True)

    engine = LocalEngine(device=device, ocio_config=document.config, policy=rules)
    try:
        yield (
            settle(document, engine, frames=frames, draft=draft, policy=rules, policy_file=file, listener=tell),
            engine,
        )
    finally:
        engine.close()


def _commands(job: "FarmJob", out: Path, *, size: int, contiguous: bool, as_json: bool) -> None:
    from understudy.farm.command_lines import chunk_commands
    from understudy.farm.graph_file import write_graph

    file = out.absolute() / "graph.yaml"
    write_graph(job.graph, file)
    for command in chunk_commands(job, file, size=size, contiguous=contiguous):
        typer.echo(json_module.dumps(command.event()) if as_json else command.line)


def _wishes(
    job: "FarmJob",
    engine: "Engine",
    *,
    name: str,
    chunk: int,
    target_s: int,
    contiguous: bool,
    publish: str,
    verify: bool,
    cores: int,
    device: str,
) -> "Wishes":
    from understudy.contracts.cores import available_cores
    from understudy.farm.chunks import to_openjd
    from understudy.farm.openjd_template import Wishes
    from understudy.farm.requirements import requirements_of
    from understudy.graph.job_estimate import estimate_graph
    from understudy.packs.policy import find_policy

    draft, policy = job.draft, find_policy(str(job.policy)) if job.policy else None
    estimate = estimate_graph(job.graph, engine, draft=draft, policy=policy)
    return Wishes(
        name=name,
        frames=to_openjd(job.frames) if job.frames else "",
        frame_count=len(job.frames),
        chunk=chunk,
        target_s=target_s,
        contiguous=contiguous,
        draft=job.draft,
        policy=str(job.policy or ""),
        publish=str(Path(publish).absolute()) if publish else "",
        verify=verify and job.graph.record,
        device=device,
        requirements=requirements_of(estimate, cores=cores, cores_here=available_cores()),
    )


def _bundle(job: "FarmJob", wishes: "Wishes", out: Path, *, as_json: bool) -> None:
    from understudy.farm.openjd_bundle import LOCAL_VALUES_FILE, TEMPLATE_FILE, write_bundle

    folder = out.absolute()
    files = write_bundle(job, wishes, folder)
    count = len(job.frames)
    if as_json:
        event = {"event": "bundle", "folder": str(folder), "files": [path.name for path in files], "frames": count}
        typer.echo(json_module.dumps(event))
        return
    typer.echo(f"{folder}: a job of {count or 'no'} numbered frame{'' if count == 1 else 's'}")
    template, values = shlex.quote(str(folder / TEMPLATE_FILE)), shlex.quote(str(folder / LOCAL_VALUES_FILE))
    typer.echo(f"on this machine:  openjd run {template} -p file://{values}")
    typer.echo(f"Deadline Cloud:   deadline bundle submit {shlex.quote(str(folder))}")
