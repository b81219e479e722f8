# SPDX-License-Identifier: Apache-2.0
"""``understudy farm``: what a job of `understudy submit --to openjd` runs on a worker. Not for people."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli import options as o
from understudy.contracts.errors import JobCancelledError, QualityGateError, UnderstudyError

if TYPE_CHECKING:
    from understudy.farm.openjd_messages import OpenJDLines

SERVER_VARIABLE = "UNDERSTUDY_FARM_SERVER"
"""Where `start` tells `task` that the service of their session is."""

_IDLE_S = 1800
"""A service whose session was killed ends after this."""

farm_app = typer.Typer(
    help="What a farm's worker runs for a job of `understudy submit --to openjd`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

State = Annotated[Path, typer.Argument(metavar="FILE", help="What was started is noted here.")]
GraphFile = Annotated[Path, typer.Argument(metavar="GRAPH.yaml", help="The graph of a bundle.")]


@farm_app.command()
def start(state: State, device: o.Device = "auto", policy: o.Policy = "") -> None:
    """Start a service for the tasks of a session, and tell the session where it is."""
    from understudy.farm.local_service import start as start_service

    with _told("") as tell:
        options = ["--device", device, *(["--policy", policy] if policy else [])]
        service = start_service([*options, "--exit-when-idle", str(_IDLE_S)])
        try:
            service.save(state)
        except BaseException:
            service.stop()
            raise
        tell.line(f"a service for this session is at {service.address}")
        typer.echo(f"openjd_env: {SERVER_VARIABLE}={service.address}")


@farm_app.command()
def stop(state: State) -> None:
    """Stop the service of a session."""
    from understudy.farm.local_service import LocalService

    with _told("") as tell:
        service = LocalService.load(state)
        if service is None:
            tell.line("no service was started")
            return
        ran = service.runs
        for line in service.stop().splitlines():
            tell.line(f"service: {line}")
        tell.line("the service is stopped" if ran else "the service was gone already")
        state.unlink(missing_ok=True)


@farm_app.command()
def task(graph: GraphFile, part: o.Part = "", draft: o.Draft = False, policy: o.Policy = "") -> None:
    """Render a part of a job on the session's service; frames may be written as OpenJD does."""
    gc.disable()  # a chunk's overhead is the start and the end of this process, and imports make no garbage
    from understudy.cli.cancel import cancel_on_signal
    from understudy.cli.job import open_engine
    from understudy.contracts.engine import Control
    from understudy.farm.chunks import from_openjd
    from understudy.graph.parsing import load_graph
    from understudy.graph.plate_cache import default_cache
    from understudy.graph.render import render_graph
    from understudy.packs.policy import find_policy
    from understudy.provenance.recorder import Recorder

    gc.enable()
    with _told(part) as tell:
        frames = from_openjd(part) if part else ""
        document = load_graph(graph)
        rules = find_policy(policy)
        server = os.environ.get(SERVER_VARIABLE, "")
        with cancel_on_signal() as caught, open_engine(server, document.config, policy=rules) as engine:
            render_graph(
                document,
                engine,
                part=frames,
                draft=draft,
                on_event=tell.hear,
                control=Control(cancelled=lambda: bool(caught)),
                policy=rules,
                witness=Recorder(rules.document.record.source_types if rules else None),
                cache=default_cache(),
            )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is closed; taking the libraries apart would take a tenth of a second


@farm_app.command()
def verify(graph: GraphFile, draft: o.Draft = False) -> None:
    """Compare what a job made with its records."""
    from understudy.farm.outputs import records_of
    from understudy.graph.parsing import load_graph
    from understudy.provenance.verify import verify as verify_records

    with _told("") as tell:
        errors = 0
        for path in records_of(load_graph(graph), draft=draft):
            tell.status(f"comparing frames with {path.name}")
            verdict = verify_records(path)
            for finding in verdict.findings:
                tell.line(f"{finding.severity}: {finding}")
            tell.line(f"{path.name}: {verdict.frames} frames, {verdict.errors} errors")
            errors += verdict.errors
        if errors:
            raise QualityGateError(f"{errors} findings against the records of the job", fix="render these frames again")


@contextmanager
def _told(part: str) -> "Iterator[OpenJDLines]":
    """What tells a session how it goes; an error is told, and ends the process as everywhere."""
    from understudy.farm.openjd_messages import OpenJDLines

    tell = OpenJDLines(part)
    try:
        yield tell
    except UnderstudyError as error:
        tell.fail(error)
        raise
    except KeyboardInterrupt:
        tell.fail(JobCancelledError("cancelled"))
        raise
    except Exception as error:
        tell.fail(UnderstudyError(f"internal error: {type(error).__name__}: {error}"))
        raise
