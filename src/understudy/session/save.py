# SPDX-License-Identifier: Apache-2.0
"""Saves a session: looks at a graph in both qualities, and packs what it takes to go on elsewhere."""

import os
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from blake3 import blake3

from understudy import __version__
from understudy.contracts.engine import Engine
from understudy.contracts.errors import PackError, RightsError, UnreadableFileError, UsageError
from understudy.graph.document import Graph, Lock
from understudy.graph.draft import with_draft_scale
from understudy.graph.events import Listener
from understudy.graph.graph_text import graph_text
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.parsing import load_graph, parse_graph
from understudy.graph.paths import files_of, with_absolute_files, with_files
from understudy.graph.prepare import device_class
from understudy.graph.standing import State
from understudy.graph.yaml_file import read_yaml
from understudy.packs.policy import ShowPolicy
from understudy.provenance.record_file import record_of
from understudy.session.container import require_name, write_session
from understudy.session.document import Config, Output, Quality, Result, Session, Variable
from understudy.session.inventory import Look, files_by_frame, inputs_of, look_at, packs_of
from understudy.session.variables import Roots, start_of

_HEAD = "# Written by understudy session. Paths start at the variables of session.json; packs are locked.\n"


def save_session(
    graph_file: Path,
    target: Path,
    engine: Engine,
    *,
    frames: str = "",
    draft_scale: str = "",
    with_results: bool = False,
    variables: Mapping[str, str] | None = None,
    policy: ShowPolicy | None = None,
    listener: Listener | None = None,
) -> Session:
    """Saves the work on a graph into one file.

    Args:
        graph_file: The document.
        target: The session's file.
        engine: Tells its packs.
        frames: The chosen frames; empty takes the graph's, or all.
        draft_scale: Another scale of drafts than the graph's, for the session too; empty for the graph's.
        with_results: Drafts that are done go into the file.
        variables: Name to folder: what paths are to start at, beside the variables that the document itself uses.
        policy: The show's.
        listener: Hears warnings, and how color spaces and packs were settled.

    Returns:
        What the session says.

    Raises:
        UnderstudyError: The render would be refused, or the file can't be written.
    """
    require_name(target)
    graph, folder = with_absolute_files(load_graph(graph_file)), graph_file.resolve().parent
    if draft_scale:
        graph = with_draft_scale(graph, draft_scale, draft=True)
    roots = Roots(_named(variables or {}) | _used_in(graph_file), str(folder))
    tell = listener or (lambda _event: None)
    asked = frames or graph.frames
    with closing(Ledger(default_ledger())) as ledger:
        looks: dict[Quality, Look] = {
            "final": look_at(graph, engine, ledger, tell, frames=asked, quality="final", policy=policy)
        }
        try:
            looks["draft"] = look_at(
                graph, engine, ledger, lambda _event: None, frames=asked, quality="draft", policy=policy
            )
        except (PackError, RightsError) as error:
            tell({"event": "warning", "node": "draft", "message": f"nothing is known of its draft: {error}"})
        inputs = inputs_of(graph, looks["final"].job, ledger, roots)
    job = looks["final"].job
    results = tuple(_results(looks)) if with_results else ()
    packs = packs_of(graph, job.info, {quality: look.job for quality, look in looks.items()})
    config, content = _config(looks["final"])
    document = _relocated(graph, config, roots, asked)
    where = roots.path(str(graph_file.resolve()), "graph")
    session = Session(
        saved=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        device=device_class(job.info),
        graph=where,
        frames=asked,
        variables={name: _variable(folder, target) for name, folder in sorted(roots.used.items())},
        ocio=config,
        packs=packs,
        inputs=inputs,
        outputs=tuple(_outputs(looks)),
        results=tuple(result for result, _ in results),
    )
    pins = tuple(pack.pin for pack in packs)
    document = document.model_copy(update={"lock": Lock(packs=pins, ocio=document.lock.ocio if document.lock else "")})
    write_session(target, session, graph_text(document, _HEAD), content, results)
    return session


def _named(given: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, folder in given.items():
        if start_of(f"${name}") != (name, ""):
            raise UsageError(f"{name!r} is no name for a variable", where="--var", fix="letters, digits and _")
        path = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 - as in documents
        if not os.path.isdir(path):  # noqa: PTH112 - never raises
            raise UsageError(f"there is no folder {folder!r}", where="--var", fix="name one that is there")
        found[name] = path
    return found


def _used_in(graph_file: Path) -> dict[str, str]:
    """The variables that the document's own paths start at, with what they are now."""
    raw = parse_graph(read_yaml(graph_file, "graph"), source=str(graph_file))
    starts = [start_of(named.path) for named in files_of(raw)]
    values = {start[0]: os.environ.get(start[0], "") for start in starts if start}
    return {name: os.path.normpath(value) for name, value in values.items() if os.path.isabs(value)}  # noqa: PTH117


def _relocated(graph: Graph, config: Config, roots: Roots, frames: str) -> Graph:
    """The document with paths that start at variables; of its lock only the config is left."""
    custom = graph.model_copy(update={"frames": frames, "lock": None if graph.ocio else Lock(ocio=config.name)})
    return with_files(custom, lambda named: roots.path(named.path, named.place))


def _config(look: Look) -> tuple[Config, bytes]:
    color = look.job.color
    if color.built_in:
        return Config(name=color.name, cache_id=color.cache_id), b""
    suffix, content = color.packed()
    member: Literal["ocio/config.ocio", "ocio/config.ocioz"]
    member = "ocio/config.ocioz" if suffix == ".ocioz" else "ocio/config.ocio"
    return Config(name=os.path.abspath(color.name), cache_id=color.cache_id, member=member), content  # noqa: PTH100


def _variable(folder: str, target: Path) -> Variable:
    """A folder that shares no more than the root with the session's file is not found beside it."""
    here = str(target.absolute().parent)
    together = os.path.commonpath([here, folder])
    return Variable(folder=folder, beside="" if together == os.sep else os.path.relpath(folder, here))


def _outputs(looks: Mapping[Quality, Look]) -> list[Output]:
    return [
        Output(
            write=output[0],
            quality=quality,
            frame=output[1],
            state=standing.state.value,
            key=look.keys[output].digest,
            why=standing.why,
        )
        for quality, look in looks.items()
        for output, standing in look.found.items()
    ]


def _results(looks: Mapping[Quality, Look]) -> list[tuple[Result, Path]]:
    """The files of drafts that are done, and their records."""
    found: list[tuple[Result, Path]] = []

    def add(path: Path, **what: object) -> None:
        size, content = _digest(path)
        member = f"results/{len(found)}{path.suffix.lower()}"
        found.append((Result.model_validate({**what, "member": member, "size": size, "content": content}), path))

    taken: set[Path] = set()
    for quality, look in looks.items():
        plan = look.job.plan
        for output, standing in look.found.items():
            picture, sidecar = files_by_frame(plan, output)
            if standing.state is not State.DONE or not plan.writes[output[0]].draft or picture in taken:
                continue
            taken.add(picture)
            facts = {"write": output[0], "quality": quality, "frame": output[1], "key": look.keys[output].digest}
            add(picture, part="picture", **facts)
            if sidecar is not None and sidecar.exists():
                add(sidecar, part="sidecar", **facts)
        for name, write in plan.writes.items():
            record = record_of(write.pattern.parent, write.pattern.name) if write.draft else None
            if record is not None and record[0] not in taken:
                taken.add(record[0])
                add(record[0], write=name, quality=quality, part="record", name=record[0].name)
    return found


def _digest(path: Path) -> tuple[int, str]:
    """Bytes of a file, and their BLAKE3: not the ledger's, for what goes into the file is checked against it."""
    hasher = blake3()
    try:
        hasher.update_mmap(path)
        return path.stat().st_size, hasher.hexdigest()[:32]
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
