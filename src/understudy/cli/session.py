# SPDX-License-Identifier: Apache-2.0
"""``understudy session``: saves the work on a graph, and goes on with it elsewhere."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import PackError, QualityGateError, UsageError

if TYPE_CHECKING:
    from understudy.graph.document import Graph
    from understudy.session.arrival import Arrival
    from understudy.session.bring_back import Brought
    from understudy.session.differences import Difference
    from understudy.session.document import Quality

session_app = typer.Typer(help="Work on a graph in one file: save, resume elsewhere, show, diff.", no_args_is_help=True)

SessionArgument = Annotated[Path, typer.Argument(metavar="FILE.session", help="What `session save` wrote.")]
Sets = Annotated[
    list[str],
    typer.Option("--set", metavar="NAME=FOLDER", help="Where a variable's folder is here; may be repeated."),
]


@session_app.command()
def save(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH.yaml", help="A graph document (understudy.graph/1).")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE.session", help="The file to write.")],
    frames: o.Frames = "",
    draft_scale: o.DraftScale = "",
    with_results: Annotated[
        bool, typer.Option("--with-results", help="Put the drafts that are done into the file.")
    ] = False,
    var: Annotated[
        list[str],
        typer.Option(
            "--var", metavar="NAME=FOLDER", help="Paths in FOLDER start at $NAME in the session; may be repeated."
        ),
    ] = [],  # noqa: B006 - typer's way
    device: o.Device = "auto",
    policy: o.Policy = "",
    json: o.Json = False,
) -> None:
    """Save a graph, its pins, digests and what stands, so that work goes on elsewhere."""
    from understudy.cli.job import open_engine, pairs
    from understudy.graph.parsing import load_graph
    from understudy.packs.policy import find_policy
    from understudy.session.save import save_session

    rules = find_policy(policy)
    with open_engine("", load_graph(graph).config, device, policy=rules) as engine:
        session = save_session(
            graph,
            to,
            engine,
            frames=frames,
            draft_scale=draft_scale,
            with_results=with_results,
            variables=pairs(var, "--var"),
            policy=rules,
            listener=_hearing(json),
        )
    size, drafts = to.stat().st_size, sum(result.part == "picture" for result in session.results)
    done = {
        quality: sum(one.state == "done" for one in session.outputs if one.quality == quality)
        for quality in ("final", "draft")
    }
    event = {"event": "saved", "file": str(to), "bytes": size, "done": done, "drafts": drafts}
    variables = {name: variable.folder for name, variable in session.variables.items()}
    if json:
        _line({**event, "variables": variables})
        return
    total = sum(one.quality == "final" for one in session.outputs)
    stand = f"{done['final']} of {total} outputs stand, {done['draft']} of its draft's"
    typer.echo(f"{to}: {stand}; {drafts} drafts in the file ({size / 1e6:.1f} MB)")
    for name, folder in variables.items():
        typer.echo(f"${name} is {folder}")


@session_app.command()
def resume(
    file: SessionArgument,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="Write pictures, and the graph to go on with, in this folder."),
    ] = None,
    sets: Sets = [],  # noqa: B006 - typer's way
    check: Annotated[
        bool, typer.Option("--check", help="Say what differs and what would be rendered; no more.")
    ] = False,
    use_installed_packs: Annotated[
        bool, typer.Option("--use-installed-packs", help="Take packs of other digests than the session's.")
    ] = False,
    draft: Annotated[bool, typer.Option("--draft/--final", help="In draft, or in final quality.")] = False,
    frames: o.Frames = "",
    redo: o.Redo = False,
    cache_gb: o.CacheGb = None,
    rights: o.RightsFile = "",
    no_record: o.NoRecord = False,
    device: o.Device = "auto",
    server: o.Server = "",
    transport: o.Transport = "auto",
    policy: o.Policy = "",
    json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Go on with a session: say what differs here, bring its drafts back, render what is missing."""
    from understudy.cli.job import open_engine, run_graph
    from understudy.packs.policy import find_policy
    from understudy.session.arrival import locked, write_document
    from understudy.session.bring_back import bring_back
    from understudy.session.container import SessionFile
    from understudy.session.differences import from_machine

    rules, quality = find_policy(policy), _quality(draft=draft)
    if transport == "files":
        raise UsageError("a session's drafts come back on this machine", where="--transport", fix="leave it out")
    with SessionFile(file) as opened:
        arrival = _arrived(opened, sets, to)
        config = arrival.config()
        with open_engine(server, config, device, transport, rules) as engine:
            info = engine.info()
            differences = from_machine(arrival, info)
            _tell(differences, arrival, json, err=not check)
            packs = opened.session.packs

            def lock(which: "Quality") -> "Graph":
                return locked(arrival.graph(), packs, info.packs, which, own=use_installed_packs, config=config)

            graph = lock(quality)
            if to is not None and not check:
                document = to / f"{file.stem}.yaml"
                if not write_document(_for_both(graph, lock), document):
                    _warn(f"{document} is there with another content, and stays as it is", json)
            if not check:
                for which in dict.fromkeys(result.quality for result in opened.session.results):
                    try:
                        again = lock(which)
                    except PackError as error:
                        _warn(f"no drafts are brought back: {error}", json)
                        continue
                    _tell_brought(bring_back(opened, again, engine, which, frames=frames, policy=rules), json)
    run_graph(
        graph,
        device=device,
        server=server,
        transport=transport,
        policy=policy,
        as_json=json,
        verbose=verbose,
        frames=frames,
        draft=draft,
        redo=redo,
        dry_run=check,
        cache_gb=cache_gb,
        rights=rights,
        no_record=no_record,
        remarks=[
            f"not as in the session {file.name}: {one}"
            for one in differences
            if one.about == "pack" and (draft or not all(node.endswith(" in drafts") for node in one.nodes))
        ],
    )


@session_app.command()
def show(file: SessionArgument, json: o.Json = False) -> None:
    """Say what a session holds."""
    from understudy.session.container import SessionFile

    with SessionFile(file) as opened:
        if json:
            document = opened.session.model_dump(mode="json", by_alias=True)
            _line({"event": "session", "file": str(file), **document, "document": opened.graph.document})
            return
        from understudy.session.told import lines_of

        for line in lines_of(opened.session, opened.graph):
            typer.echo(line)


@session_app.command()
def diff(
    file: SessionArgument,
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER.session]", help="Another session; this machine when left out.")
    ] = None,
    sets: Sets = [],  # noqa: B006 - typer's way
    device: o.Device = "auto",
    server: o.Server = "",
    policy: o.Policy = "",
    json: o.Json = False,
) -> None:
    """Say what differs between a session and this machine, or another session; exit code 5 where something does."""
    from understudy.cli.job import open_engine
    from understudy.packs.policy import find_policy
    from understudy.session.container import SessionFile
    from understudy.session.differences import from_machine, from_session

    with SessionFile(file) as opened:
        if other is not None:
            with SessionFile(other) as second:
                differences = from_session(opened, second)
            arrival = None
        else:
            arrival = _arrived(opened, sets, None)
            with open_engine(server, arrival.config(), device, policy=find_policy(policy)) as engine:
                differences = from_machine(arrival, engine.info())
    _tell(differences, arrival, json)
    if json:
        _line({"event": "compared", "differences": len(differences)})
    if differences:
        count = len(differences)
        raise QualityGateError(f"{count} difference{'' if count == 1 else 's'}", where=str(file))
    if not json:
        typer.echo("no differences")


def _quality(*, draft: bool) -> "Quality":
    return "draft" if draft else "final"


def _for_both(graph: "Graph", lock: "Callable[[Quality], Graph]") -> "Graph":
    """The graph with the packs of both qualities, as far as they are here."""
    from understudy.graph.document import Lock

    pins: list[str] = []
    for quality in ("final", "draft"):
        with suppress(PackError):
            pins += (lock(quality).lock or Lock()).packs
    assert graph.lock is not None
    return graph.model_copy(update={"lock": graph.lock.model_copy(update={"packs": tuple(sorted(set(pins)))})})


def _arrived(opened: Any, sets: list[str], to: Path | None) -> "Arrival":
    from understudy.cli.job import pairs
    from understudy.session.arrival import arrive

    return arrive(opened, pairs(sets, "--set"), to)


def _tell(
    differences: "tuple[Difference, ...]", arrival: "Arrival | None", as_json: bool, *, err: bool = False
) -> None:
    """Tells where folders are and what differs; to stderr before a render."""
    import dataclasses

    for name, place in (arrival.places if arrival else {}).items():
        if as_json:
            _line({"event": "variable", "name": name, "folder": place.folder, "by": place.by})
        else:
            where = f"{place.folder} ({place.by})" if place.folder else "not known here; say --set"
            typer.echo(f"${name}: {where}", err=err)
    for difference in differences:
        if as_json:
            _line({"event": "difference", **dataclasses.asdict(difference)})
        else:
            typer.echo(str(difference), err=err)


def _tell_brought(brought: "Brought", as_json: bool) -> None:
    if as_json:
        _line({"event": "brought", "files": brought.files, "there": brought.there, "stale": brought.stale})
    elif brought.files or brought.stale:
        stale = f"; {brought.stale} are of something else than is here and stay in the session" if brought.stale else ""
        typer.echo(f"{brought.files} files of drafts brought back{stale}", err=True)
    if brought.why:
        _warn(f"no drafts are brought back: {brought.why}", as_json)


def _warn(message: str, as_json: bool) -> None:
    if as_json:
        _line({"event": "warning", "node": "session", "message": message})
    else:
        typer.echo(f"warning: {message}", err=True)


def _hearing(as_json: bool) -> Callable[[dict[str, Any]], None]:
    def hear(event: dict[str, Any]) -> None:
        if as_json and event["event"] in ("warning", "color", "pack"):
            _line(event)
        elif event["event"] == "warning":
            typer.echo(f"warning: {event.get('node', '')}: {event['message']}", err=True)

    return hear


def _line(event: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(event, default=str))
