# SPDX-License-Identifier: Apache-2.0
"""The record is there, is these frames' own, is finished, and is of the state of things that is published."""

from collections import defaultdict
from collections.abc import Iterator

from understudy.contracts.errors import InputError
from understudy.provenance.hashing import file_hashes
from understudy.provenance.record import Record
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_are, frames_text
from understudy.publish.lineage import input_path
from understudy.publish.subject import Subject

MISSING = Check(
    name="record-missing",
    severity="error",
    family="record",
    title="There is no record of how these frames were made",
    catches="no provenance record lies beside the frames",
    fix="render them with Understudy; the Repair action writes the record of frames that this very graph has made",
)
UNREADABLE = Check(
    name="record-unreadable",
    severity="error",
    family="record",
    title="The record is damaged",
    catches="the provenance record can't be read, or is of another schema",
    fix="take it from a backup, or render the frames again",
)
UNFINISHED = Check(
    name="record-unfinished",
    severity="error",
    family="record",
    title="A render is still under way",
    catches="the record names a render that has not ended, or that was killed",
    fix="wait for it, or render again with --resume",
)
STALE = Check(
    name="record-stale",
    severity="error",
    family="record",
    title="Frames are older than what they are made from",
    catches="the graph or a file that was read is not what it was when the frames were rendered",
    fix="render the frames again: the Repair action does",
)
SWAPPED = Check(
    name="record-swapped",
    severity="error",
    family="record",
    title="The record belongs to other frames",
    catches="a frame's header names another record than the one beside it",
    fix="put the frames' own record back, or render them again",
)
OTHER_JOB = Check(
    name="frames-other-render",
    severity="error",
    family="record",
    title="Frames were rendered by another version",
    catches="a frame's header names another job (graph, packs or color config) than the record has for it",
    fix="render these frames again: the Repair action does",
)

CHECKS = (MISSING, UNREADABLE, UNFINISHED, STALE, SWAPPED, OTHER_JOB)


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the record itself."""
    record = subject.record
    if subject.record_problem:
        yield UNREADABLE.found(subject.record_problem.problem, file=str(subject.record_path))
    elif record is None:
        yield MISSING.found(f"no record of {subject.pattern} lies beside it", file=str(subject.folder))
    else:
        yield from _unfinished(subject, record)
        yield from _stale(subject, record)
        yield from _headers(subject, record)


def _unfinished(subject: Subject, record: Record) -> Iterator[Finding]:
    if record.pending:
        ranges = ", ".join(text or "the picture" for text in record.pending.values())
        yield UNFINISHED.found(f"a render of {ranges} has not ended", file=str(subject.record_path))


def _stale(subject: Subject, record: Record) -> Iterator[Finding]:
    if subject.graph_digest:
        old = [entry.frame for entry in record.frames if record.jobs[entry.job].graph.sha256 != subject.graph_digest]
        if old:
            yield STALE.found(
                f"{frames_are(old)} of another state of the graph than the one that is published", frames=old
            )
            return
    for job_name, job in record.jobs.items():
        for entry in job.inputs:
            lineage = subject.lineages.get(job_name)
            changed = []
            for file in entry.files:
                path = input_path(entry.pattern, file.file)
                try:
                    if path.exists() and file_hashes(path).sha256 != file.sha256:
                        changed.append(file)
                except InputError:
                    changed.append(file)
            if changed:
                named = frames_text(file.frame for file in changed) if changed[0].frame is not None else changed[0].file
                what = "the plate" if lineage and lineage.plate == entry else f"what node {entry.node} read"
                made = [one.frame for one in record.frames if one.job == job_name]
                yield STALE.found(
                    f"{named} of {what} changed after the render",
                    frames=made,
                    file=str(input_path(entry.pattern, changed[0].file)),
                )


def _headers(subject: Subject, record: Record) -> Iterator[Finding]:
    swapped: dict[str, list[FrameNumber]] = defaultdict(list)
    other: dict[str, list[FrameNumber]] = defaultdict(list)
    for frame, look in subject.sound.items():
        if look.header is None:
            continue
        said = str(look.header.metadata.get("understudy:recordId", ""))
        job = str(look.header.metadata.get("understudy:job", ""))
        entry = record.by_frame.get(frame)
        if said and said != record.id:
            swapped[said].append(frame)
        elif entry and job and job != entry.job:
            other[str(look.header.metadata.get("understudy:packs", ""))].append(frame)
    for said, frames in swapped.items():
        yield SWAPPED.found(
            f"{frames_text(frames)} of record {said[:8]}, and the record beside them is {record.id[:8]}".replace(
                " of record", " belongs to record" if len(frames) == 1 else " belong to record", 1
            ),
            frames=frames,
            file=str(subject.record_path),
        )
    for packs, frames in other.items():
        made = ", ".join(pin.partition("#")[0] for pin in packs.split()) or "other settings"
        yield OTHER_JOB.found(
            f"{frames_are(frames)} of another render than the record says ({made})",
            frames=frames,
            file=str(subject.path(frames[0])),
        )
