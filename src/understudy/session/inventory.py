# SPDX-License-Identifier: Apache-2.0
"""What a graph has on this machine: its packs, what it reads, and how its outputs stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from understudy.contracts.engine import NO_CONTROL, Engine, EngineInfo, PackInfo
from understudy.contracts.errors import MissingFileError
from understudy.frames.sequence import split_pattern
from understudy.graph.content_key import ContentKey
from understudy.graph.document import Graph
from understudy.graph.draft import is_draft_node
from understudy.graph.events import Listener
from understudy.graph.ledger import Ledger
from understudy.graph.paths import files_of
from understudy.graph.pins import pin_packs
from understudy.graph.plan import Plan
from understudy.graph.prepare import PreparedJob, prepare
from understudy.graph.standing import Output, Standing, keys_of, standings
from understudy.graph.steps.read import ReadStep
from understudy.packs.policy import ShowPolicy
from understudy.session.document import Input, Pack, Quality
from understudy.session.variables import Roots


@dataclass(frozen=True, kw_only=True)
class Look:
    """A render that could be begun, and what of it is there.

    Attributes:
        job: The render.
        keys: The content key of each output.
        found: How each output stands.
    """

    job: PreparedJob
    keys: Mapping[Output, ContentKey]
    found: Mapping[Output, Standing]


def look_at(
    graph: Graph,
    engine: Engine,
    ledger: Ledger,
    listener: Listener,
    *,
    frames: str,
    quality: Quality,
    policy: ShowPolicy | None,
) -> Look:
    """Plans a render and looks at its outputs; nothing is computed.

    Raises:
        UnderstudyError: It would be refused.
    """
    job = prepare(graph, engine, ledger, listener, NO_CONTROL, frames, draft=quality == "draft", policy=policy)
    keys = keys_of(job.keys, ledger, job.plan.outputs)
    return Look(job=job, keys=keys, found=standings(job.plan, keys, ledger))


def packs_of(graph: Graph, info: EngineInfo, jobs: Mapping[Quality, PreparedJob]) -> tuple[Pack, ...]:
    """Every pack that is asked for on the way: a stand-in is found by way of the pack that names it.

    Args:
        graph: The document.
        info: What the engine has.
        jobs: The renders.
    """
    unjudged = replace(info, packs=tuple(replace(pack, refused="") for pack in info.packs))
    plain = {name: node.model_copy(update={"quality": "final"}) if is_draft_node(node) else node
             for name, node in graph.nodes.items()}  # fmt: skip
    named = pin_packs(graph.model_copy(update={"nodes": plain}), unjudged, draft=False)
    nodes: dict[str, dict[Quality, set[str]]] = {}
    for quality, job in jobs.items():
        for packs in (job.packs, named):
            for node, pack in packs.items():
                nodes.setdefault(full_pin(pack), {}).setdefault(quality, set()).add(node)
    return tuple(
        Pack(pin=pin, **{quality: tuple(sorted(users)) for quality, users in by.items()})
        for pin, by in sorted(nodes.items())
    )


def full_pin(pack: PackInfo) -> str:
    """``id@version#sha256``."""
    return f"{pack.pin.id}@{pack.pin.version}#{pack.pin.sha256}"


def inputs_of(graph: Graph, job: PreparedJob, ledger: Ledger, roots: Roots) -> tuple[Input, ...]:
    """What a render reads, with the digest of each file.

    Args:
        graph: The document; paths are absolute.
        job: Its render.
        ledger: Knows files.
        roots: Gives paths their variables.

    Raises:
        InputError: A file can't be read.
    """
    decisive = job.keys.files(job.plan.outputs)
    documents = _documents(graph)
    contents = ledger.contents([*decisive, *(path for _, path in documents)])
    left = dict.fromkeys(decisive)
    found: list[Input] = []
    for name, step in job.plan.steps.items():
        if not isinstance(step, ReadStep):
            continue
        place, frames = f"nodes.{name}.file", _frames(step, set(decisive))
        for path in frames.values():
            left.pop(path, None)
        file = roots.path(step.pattern, place)
        if None in frames:
            found.append(Input(place=name, file=file, content=contents[frames[None]]))
        else:
            found.append(
                Input(place=name, file=file, frames={f: contents[p] for f, p in frames.items() if f is not None})
            )
    for place, path in [*documents, *(("lights", path) for path in left)]:
        found.append(Input(place=place, file=roots.path(str(path), place), content=contents[path]))
    return tuple(found)


def files_here(entry: Input, path: str) -> dict[int | None, Path]:
    """The files of an input, by frame.

    Args:
        entry: The input.
        path: Its path or pattern on this machine.
    """
    split = split_pattern(path) if entry.frames else None
    return {frame: split[0].path(frame) for frame in entry.frames} if split else {None: Path(path)}


def contents_here(paths: Iterable[Path], ledger: Ledger) -> dict[Path, str]:
    """The digests of those files that are there.

    Raises:
        UnreadableFileError: One can't be read.
    """
    there = [path for path in paths if path.is_file()]
    try:
        return ledger.contents(there)
    except MissingFileError:  # one went while others were read
        return contents_here(there, ledger)


def files_by_frame(plan: Plan, output: Output) -> tuple[Path, Path | None]:
    """The picture of an output, and where its sidecar goes."""
    write = plan.writes[output[0]]
    return write.path(output[1]), write.sidecar(output[1])


def _frames(step: ReadStep, wanted: set[Path]) -> dict[int | None, Path]:
    """The files that are read, by the frame they belong to; a frame held over a gap is that before it."""
    found: dict[Path, int | None] = {}
    for frame in step.frames:
        path = step.source_of(frame)
        if path in wanted and path is not None:
            found.setdefault(path, frame)
    return {frame: path for path, frame in found.items()}


def _documents(graph: Graph) -> list[tuple[str, Path]]:
    """Files that a graph names beside pictures: lights, timelines."""
    return [
        (named.place, Path(named.path))
        for named in files_of(graph)
        if named.mark.access == "read" and not _is_picture(named.place)
    ]


def _is_picture(place: str) -> bool:
    """Whether a place is a read node's file, or a picture within lights that the graph holds itself."""
    return place.endswith(".file") and ".timeline." not in place
