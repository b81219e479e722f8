# SPDX-License-Identifier: Apache-2.0
"""Brings the drafts of a session back as files, where they are still what would be rendered."""

from contextlib import closing
from dataclasses import dataclass

from understudy.contracts.engine import Engine
from understudy.contracts.errors import UnderstudyError
from understudy.graph.document import Graph
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.standing import State, note_rendered
from understudy.packs.policy import ShowPolicy
from understudy.provenance.record_file import record_name, record_of
from understudy.session.container import SessionFile
from understudy.session.document import Quality, Result
from understudy.session.inventory import Look, files_by_frame, look_at


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the drafts in a session.

    Attributes:
        files: Files that were brought back.
        there: Pictures that were there already.
        stale: Pictures that are none of what would be rendered now, and stayed where they are.
        why: Why nothing could be brought back; empty for nothing of the kind.
    """

    files: int = 0
    there: int = 0
    stale: int = 0
    why: str = ""


def bring_back(
    file: SessionFile, graph: Graph, engine: Engine, quality: Quality, *, frames: str, policy: ShowPolicy | None
) -> Brought:
    """Brings back drafts of one quality: those whose content key is that of here.

    Args:
        file: The session.
        graph: Its graph on this machine, locked.
        engine: Tells its packs.
        quality: Of which render.
        frames: Of these frames; empty for those of the graph.
        policy: The show's.

    Raises:
        OutputError: A file can't be written.
        UnreadableFileError: The session is damaged.
    """
    results = [result for result in file.session.results if result.quality == quality]
    if not results:
        return Brought()
    with closing(Ledger(default_ledger())) as ledger:
        try:
            look = look_at(graph, engine, ledger, lambda _event: None, frames=frames, quality=quality, policy=policy)
        except UnderstudyError as error:
            return Brought(why=str(error))
        return _bring(file, look, results, ledger)


def _bring(file: SessionFile, look: Look, results: list[Result], ledger: Ledger) -> Brought:
    files = there = stale = 0
    sidecars = {(result.write, result.frame): result for result in results if result.part == "sidecar"}
    for result in results:
        output = (result.write, result.frame)
        if result.part != "picture" or output not in look.found:
            continue
        if look.keys[output].digest != result.key or not look.job.plan.writes[result.write].draft:
            stale += 1
            continue
        if look.found[output].state is State.DONE:
            there += 1
            continue
        picture, beside = files_by_frame(look.job.plan, output)
        brought = [picture]
        if output in sidecars and beside is not None:
            file.extract(sidecars[output], beside)
            brought.append(beside)
        file.extract(result, picture)
        note_rendered(ledger, brought, result.key)  # not every container can say its key
        files += len(brought)
    if not stale:  # else it would tell of frames that are not there
        files += sum(_bring_record(file, look, result) for result in results if result.part == "record")
    return Brought(files=files, there=there, stale=stale)


def _bring_record(file: SessionFile, look: Look, result: Result) -> int:
    """A record that is there stays: renders merge into it."""
    write = look.job.plan.writes.get(result.write)
    if write is None or not write.draft:
        return 0
    folder, name = write.pattern.parent, write.pattern.name
    fits = result.name in (record_name(name), record_name(name, alone=False))
    if not fits or (folder / result.name).exists() or record_of(folder, name) is not None:
        return 0
    file.extract(result, folder / result.name)
    return 1
