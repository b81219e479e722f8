# SPDX-License-Identifier: Apache-2.0
"""Finds what a person means to publish: a record, a graph, a folder, or a pattern of frames."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from understudy.contracts.errors import InputError, MissingFileError, UnreadableFileError
from understudy.frames.sequence import open_sequence, patterns_in, split_pattern
from understudy.graph.draft import output_file
from understudy.graph.parsing import load_graph
from understudy.graph.paths import with_absolute_files
from understudy.packs.policy import ShowPolicy
from understudy.provenance.record import Record
from understudy.provenance.record_file import SUFFIX, find_records, read_record, record_of, stem_of
from understudy.publish.subject import Subject

_GRAPHS = {".yaml", ".yml"}


def find_subjects(
    source: str, *, final: bool = False, policy: ShowPolicy | None = None, anchors: str = ""
) -> tuple[Subject, ...]:
    """What is to be published.

    Args:
        source: A record, a graph document (each write node is one), a folder (each record, and each sequence without
            one), or a pattern of frames.
        final: For final delivery.
        policy: The show's policy.
        anchors: PEM certificates of the authorities whose signers are trusted.

    Raises:
        InputError: It is not there, or nothing in it can be published.
        UsageError: The graph is wrong.
    """
    path = Path(source)
    if path.name.endswith(SUFFIX):
        found = [_of_record(path)]
    elif path.suffix.lower() in _GRAPHS:
        found = list(_of_graph(path))
    elif path.is_dir():
        found = list(_of_folder(path))
    else:
        found = [_of_pattern(source)]
    if not found:
        raise MissingFileError("holds no frames and no record", where=source, fix="name a record, a graph or a folder")
    return tuple(replace(one, final=final, policy=policy, anchors=anchors) for one in found)


def _of_record(path: Path) -> Subject:
    if not path.exists():
        raise MissingFileError("there is no such record", where=str(path), fix="check the path, or name the folder")
    folder = _absolute(path.parent)
    try:
        record = read_record(path)
    except InputError as error:
        stem = path.name.removesuffix(SUFFIX)
        whose = [text for text in patterns_in(folder) if stem.startswith(stem_of(text))]
        pattern = max(whose, key=len, default=stem)
        return Subject(folder, pattern, record_path=path, record_problem=error)
    return Subject(folder, record.sequence.pattern, record_path=folder / path.name, record=record)


def _of_graph(path: Path) -> Iterator[Subject]:
    graph = with_absolute_files(load_graph(path))
    for name in graph.writes():
        yield replace(_of_pattern(output_file(graph, name, draft=False)), graph_digest=graph.digest)


def _of_folder(folder: Path) -> Iterator[Subject]:
    folder = _absolute(folder)
    recorded: set[tuple[str, str]] = set()
    damaged = False
    for path in find_records(folder):
        subject = _of_record(path)
        recorded |= {_around(one) for one in (subject.pattern, *_beside(subject.record))}
        damaged = damaged or subject.record is None
        yield subject
    for pattern in patterns_in(folder):
        name = Path(pattern).name
        if _around(name) not in recorded and not damaged:  # with a damaged record nobody knows whose frames they are
            yield Subject(folder, name)


def _of_pattern(text: str) -> Subject:
    split = split_pattern(text)
    if split:
        files = split[0]
        folder, pattern = _absolute(files.folder), Path(str(files)).name
    else:
        sequence = open_sequence(text)  # tells what is there instead
        folder, pattern = _absolute(Path(sequence.pattern).parent), Path(sequence.pattern).name
    try:
        found = record_of(folder, pattern)
    except UnreadableFileError as error:
        return Subject(folder, pattern, record_path=Path(error.where or folder), record_problem=error)
    return Subject(folder, pattern, *found) if found else Subject(folder, pattern)


def _around(pattern: str) -> tuple[str, str]:
    """What stands before and after the frame number: a frame that is padded wrongly is no sequence of its own."""
    split = split_pattern(pattern)
    return (split[0].head, split[0].tail) if split else (pattern, "")


def _beside(record: Record | None) -> set[str]:
    """Patterns of the files with layers that lie beside frames."""
    found = set()
    for entry in record.frames if record else ():
        for file in entry.beside:
            split = str(entry.frame) if entry.frame is not None else ""
            head, _, tail = file.file.rpartition(split) if split else (file.file, "", "")
            found.add(f"{head}%0{len(split)}d{tail}" if split else file.file)
    return found


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path keeps the ``..``
