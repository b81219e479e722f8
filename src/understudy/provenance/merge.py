# SPDX-License-Identifier: Apache-2.0
"""Puts records of one sequence together: later frames take the place of earlier ones, frames of others stay."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from understudy.contracts.shot_rights import ShotRights
from understudy.frames.sequence import format_frames, parse_frames
from understudy.graph.draft import DRAFT_HEADER
from understudy.provenance.job import Environment, InputEntry, Job
from understudy.provenance.record import FileHash, FrameEntry, Record, Sequence, quality_of, runs_of
from understudy.provenance.source_types import COMPOSITE, TRAINED, strongest


def merged(record: Record, addition: Record) -> Record:
    """A record with what another render of the same pictures adds.

    Frames of ``addition`` take the place of the same frames; all others stay as they are, with their jobs. So does
    the id. The result is not signed: what a signature was over has changed.

    Args:
        record: The record that is there.
        addition: Another render's.
    """
    frames = {entry.frame: _with_whole_header(entry, record) for entry in record.frames}
    frames |= {entry.frame: _with_whole_header(entry, addition) for entry in addition.frames}
    jobs = dict(record.jobs)
    for name, job in addition.jobs.items():
        jobs[name] = _merged_job(jobs[name], job) if name in jobs else job
    return settled(
        record.model_copy(
            update={
                "created": min(filter(None, (record.created, addition.created)), default=""),
                "updated": max(record.updated, addition.updated),
                "generator": addition.generator,
                "sequence": _merged_sequence(record.sequence, addition.sequence),
                "rights": record.rights if addition.rights == ShotRights() else addition.rights,
                "jobs": jobs,
                "boms": record.boms | addition.boms,
                "header": {},
                "frames": tuple(frames.values()),
                "pending": record.pending | addition.pending,
                "signed": False,
            }
        )
    )


def settled(record: Record) -> Record:
    """The record in order, with everything computed that is computed.

    Frames are sorted, jobs that made none of them and are not under way are dropped, renders whose frames all have an
    entry are no longer pending, and what all headers say alike stands once.

    Args:
        record: Its files have whole headers, ``header`` holds what they leave out.
    """
    entries = sorted(record.frames, key=lambda entry: (entry.frame is not None, entry.frame or 0))
    whole = [_with_whole_header(entry, record) for entry in entries]
    common = _common([entry.header for entry in whole])
    frames = tuple(_with_own_header(entry, common) for entry in whole)
    there = {entry.frame for entry in frames}
    pending = {name: text for name, text in record.pending.items() if not set(numbers_in(text)) <= there}
    made = {entry.job for entry in frames}
    jobs = {name: job for name, job in sorted(record.jobs.items()) if name in made or pending}
    pins = {pack.pin for job in jobs.values() for pack in job.packs}
    return record.model_copy(
        update={
            "source_type": _whole_source_type(frames),
            "draft": any(jobs[name].draft for name in made if name in jobs)
            or any(entry.header.get(DRAFT_HEADER) for entry in whole),
            "runs": runs_of(frames),
            "quality": quality_of(frames),
            "jobs": jobs,
            "boms": {pin: bom for pin, bom in sorted(record.boms.items()) if pin in pins},
            "header": common,
            "frames": frames,
            "pending": pending,
        }
    )


def numbers_in(text: str) -> tuple[int | None, ...]:
    """The frames of a range; a still's for an empty one."""
    return parse_frames(text) if text else (None,)


def sequence_of(like: Sequence, frames: Iterable[int]) -> Sequence:
    """A sequence over other frames."""
    numbers = sorted(set(frames))
    steps = {after - before for before, after in pairwise(numbers)}
    return like.model_copy(
        update={
            "frames": format_frames(numbers),
            "first": numbers[0] if numbers else None,
            "last": numbers[-1] if numbers else None,
            "step": steps.pop() if len(steps) == 1 else 1 if numbers and not steps else None,
        }
    )


def _merged_sequence(before: Sequence, after: Sequence) -> Sequence:
    numbers = [number for text in (before.frames, after.frames) if text for number in parse_frames(text)]
    whole = sequence_of(after, numbers)
    return whole.model_copy(update={"fps": after.fps or before.fps, "handles": max(before.handles, after.handles)})


def _merged_job(before: Job, after: Job) -> Job:
    return after.model_copy(
        update={
            "inputs": _merged_inputs(before.inputs, after.inputs),
            "environments": _merged_environments(before.environments, after.environments),
            "warnings": tuple(sorted({*before.warnings, *after.warnings})),
            "started": min(filter(None, (before.started, after.started)), default=""),
            "finished": max(before.finished, after.finished),
        }
    )


def _merged_inputs(before: tuple[InputEntry, ...], after: tuple[InputEntry, ...]) -> tuple[InputEntry, ...]:
    found = {(entry.node, entry.kind, entry.pattern): entry for entry in before}
    for entry in after:
        key = (entry.node, entry.kind, entry.pattern)
        if key in found:
            files = {file.file: file for file in (*found[key].files, *entry.files)}
            entry = entry.model_copy(update={"files": tuple(files[name] for name in sorted(files))})
        found[key] = entry
    return tuple(found[key] for key in sorted(found))


def _merged_environments(before: tuple[Environment, ...], after: tuple[Environment, ...]) -> tuple[Environment, ...]:
    """Each frame stands with what it was computed on last."""
    later = {number for one in after for number in numbers_in(one.frames)}
    groups: dict[str, tuple[Environment, set[int | None]]] = {}
    for one, numbers in (
        *((one, set(numbers_in(one.frames)) - later) for one in before),
        *((one, set(numbers_in(one.frames))) for one in after),
    ):
        if numbers:
            key = one.model_copy(update={"frames": ""}).model_dump_json()
            groups.setdefault(key, (one, set()))[1].update(numbers)
    merged_ones = [
        one.model_copy(update={"frames": format_frames(number for number in numbers if number is not None)})
        for one, numbers in groups.values()
    ]
    return tuple(sorted(merged_ones, key=lambda one: (one.frames, one.device)))


def _whole_source_type(frames: tuple[FrameEntry, ...]) -> str:
    types = {entry.source_type for entry in frames}
    found = strongest(types)
    return COMPOSITE if found == TRAINED and len(types) > 1 else found


def _with_whole_header(entry: FrameEntry, record: Record) -> FrameEntry:
    beside = tuple(file.model_copy(update={"header": record.header_of(file)}) for file in entry.beside)
    return entry.model_copy(update={"header": record.header_of(entry), "beside": beside})


def _with_own_header(entry: FrameEntry, common: Mapping[str, Any]) -> FrameEntry:
    def own(file: FileHash) -> dict[str, Any]:
        absent = dict.fromkeys(name for name in common if name not in file.header)
        return absent | {name: value for name, value in file.header.items() if common.get(name) != value}

    beside = tuple(file.model_copy(update={"header": own(file)}) for file in entry.beside)
    return entry.model_copy(update={"header": own(entry), "beside": beside})


def _common(headers: list[dict[str, Any]]) -> dict[str, Any]:
    """What most headers say of each name that most of them have."""
    counts: dict[str, Counter[tuple[str, Any]]] = {}
    for header in headers:
        for name, value in header.items():
            plain = isinstance(value, str | int | float)  # most are, and need no text to be told apart
            told = (type(value).__name__, value) if plain else ("", json.dumps(value, sort_keys=True))
            counts.setdefault(name, Counter())[told] += 1
    most = {name: found.most_common(1)[0] for name, found in counts.items()}
    return {
        name: value if kind else json.loads(value)
        for name, ((kind, value), count) in sorted(most.items())
        if 2 * count > len(headers)  # so no other is as common
    }
