# SPDX-License-Identifier: Apache-2.0
"""Compares what lies on disk with what was recorded: pictures, records, hash list, signatures."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import InputError, MissingFileError, UnreadableFileError
from understudy.frames.sequence import Pattern, format_frames, split_pattern
from understudy.graph.document import digest_of
from understudy.packs.bom import bom_sha256
from understudy.provenance.findings import Finding, Verdict, in_order
from understudy.provenance.merge import numbers_in, settled
from understudy.provenance.mhl import FOLDER, TOOL, Listed, fits, read_list
from understudy.provenance.other_files import OwnFiles, names_in, neighbors, strangers
from understudy.provenance.picture_checks import Checked, check_picture
from understudy.provenance.record import FileHash, FrameEntry, Record
from understudy.provenance.record_file import (
    find_records,
    parse_record,
    read_bytes,
    signature_path,
)
from understudy.provenance.signature_checks import SignatureState, check_signature

_RENDER = "render the missing frames"


@dataclass(slots=True)
class _Subject:
    """A record that is verified."""

    path: Path
    record: Record
    content: bytes
    altered: bool = False  # it is told to be another one: what it says of pictures tells nothing of them
    checked: dict[str, Checked] = field(default_factory=dict)


def verify(where: Path, *, anchors: str = "") -> Verdict:
    """Verifies a record, or all of a folder.

    Args:
        where: A record, or a folder with records.
        anchors: PEM certificates of the authorities whose signers are trusted; empty for none.

    Raises:
        MissingFileError: There is nothing.
        UnreadableFileError: The folder can't be read.
    """
    whole = where.is_dir()
    if not whole and not where.exists():
        raise MissingFileError("there is no such record or folder", where=str(where), fix="check the path")
    folder = where if whole else where.parent
    verdict = Verdict()
    findings: list[Finding] = []
    subjects = _subjects(find_records(folder) if whole else [where], findings)
    under_way = any(subject.record.pending for subject in subjects)
    listed = _list(folder, findings, expected=bool(subjects) and not under_way)
    if whole and not subjects and not findings:
        fix = "render without --no-record, or restore the record"
        findings.append(Finding(check="record-missing", problem="the folder has no provenance record", fix=fix))
    states = []
    for subject in subjects:
        findings += _record_findings(subject, listed)
        verdict.frames += len(subject.record.frames)
        state = _signature(subject, anchors, findings)
        states.append(state)
    _check_pictures(folder, subjects, listed or {})
    for subject in subjects:
        findings += _picture_findings(subject)
        if not subject.altered:
            findings += _frames_without_entry(folder, subject.record)
        verdict.bytes += sum(one.size for one in subject.checked.values())
    if whole and subjects:
        told = _told_already(folder, subjects, findings)
        if (
            listed is None and not under_way and _has_list(folder)
        ):  # that it can't be used is told; then nothing is listed
            told |= set(names_in(folder))
        findings += strangers(folder, _own_files(subjects), told, listed or {})
    elif subjects:
        findings += neighbors(folder, _own_files(subjects), listed or {})
    verdict.claimed = bool(subjects) and all(subject.record.signed for subject in subjects)
    verdict.signed = bool(states) and all(state.holds for state in states)
    verdict.trusted = bool(states) and all(state.trusted for state in states)
    verdict.findings = in_order(findings)
    return verdict


def _subjects(paths: Iterable[Path], findings: list[Finding]) -> list[_Subject]:
    found = []
    for path in paths:
        try:
            content = read_bytes(path)
            found.append(_Subject(path, parse_record(content, path), content))
        except UnreadableFileError as error:
            findings.append(
                Finding(check="record-unreadable", file=path.name, problem=error.problem, fix=error.fix or "")
            )
    return found


def _list(folder: Path, findings: list[Finding], *, expected: bool) -> dict[str, Listed] | None:
    """The hash list; None where there is none of ours, or it is broken and told so.

    Args:
        folder: Where it belongs.
        findings: Takes what is wrong.
        expected: It is missed where it is not there: a render writes it at its end.
    """
    try:
        found = read_list(folder)
    except InputError as error:
        fix = "restore the folder ascmhl from where it is whole, or remove it and render again"
        name = Path(error.where or "").name
        findings.append(Finding(check="list-altered", file=f"ascmhl/{name}", problem=error.problem, fix=fix))
        return None
    if found is None:
        if expected:
            fix = "restore the folder ascmhl, or render again"
            findings.append(Finding(check="list-missing", file="ascmhl", problem="there is no hash list", fix=fix))
        return None
    if found.tool != TOOL:
        whose = f"the hash list was written by {found.tool}" if found.tool else "nobody knows who wrote the hash list"
        fix = "render into a folder of its own; or, if the list is not wanted, remove ascmhl and render again"
        problem = f"{whose}, and tells nothing of this render"
        findings.append(Finding(check="list-foreign", file=f"ascmhl/{found.path.name}", problem=problem, fix=fix))
        return None
    return found.files


def _record_findings(subject: _Subject, listed: Mapping[str, Listed] | None) -> Iterator[Finding]:
    record, name = subject.record, subject.path.name
    for frames in record.pending.values():
        known = record.by_frame
        left = [number for number in numbers_in(frames) if number not in known]
        text = f"frames {format_frames(n for n in left if n is not None)}" if frames else "the still"
        problem = f"a render is under way or was killed: {text} {'have' if frames else 'has'} no entry"
        yield Finding(check="render-unfinished", file=name, problem=problem, fix=_RENDER)
    if listed is not None and not record.pending:
        entry = listed.get(name)
        if entry is None:
            fix = "restore the folder ascmhl, or render again"
            yield Finding(check="record-unlisted", file=name, problem="is not in the hash list", fix=fix)
        elif not fits(entry, subject.content):
            subject.altered = True
            problem = "is not the record that the hash list was written for"
            yield Finding(check="record-altered", file=name, problem=problem, fix="restore it from where it is whole")
        else:
            yield from _list_differences(record, listed)
    if not subject.altered and (problem := _inconsistency(record)):
        yield Finding(check="record-inconsistent", file=name, problem=problem, fix="restore it from where it is whole")


def _list_differences(record: Record, listed: Mapping[str, Listed]) -> Iterator[Finding]:
    frames = {file.file: entry.frame for entry in record.frames for file in (entry, *entry.beside)}
    for file in record.files:
        entry = listed.get(file.file)
        if entry is None or (entry.size, entry.value) != (file.size, file.xxh128):
            problem = "is not in the hash list" if entry is None else "is another one in the hash list"
            fix = "restore the folder ascmhl, or render again"
            yield Finding(check="list-differs", file=file.file, frame=frames[file.file], problem=problem, fix=fix)


def _inconsistency(record: Record) -> str:
    if settled(record) != record:
        return "what it says in all is not what its frames say"
    for entry in record.frames:
        if entry.job not in record.jobs:
            return f"tells of no job {entry.job[:12]}, which made {entry.file}"
    for pack in (pack for job in record.jobs.values() for pack in job.packs):
        bom = record.boms.get(pack.pin)
        if pack.bom_sha256 != (bom_sha256(bom) if bom is not None else ""):
            return f"the rights record of {pack.pin.partition('#')[0]} in it is another one than it names"
    for job in record.jobs.values():
        try:
            if digest_of(job.graph.document) == job.graph.sha256:
                continue
        except (KeyError, TypeError, AttributeError):
            pass
        return "the digest of a graph is not that of the graph in it"
    return ""


def _signature(subject: _Subject, anchors: str, findings: list[Finding]) -> SignatureState:
    if subject.altered:  # why the signature does not hold is told already
        return SignatureState()
    state = check_signature(subject.record, subject.content, signature_path(subject.path), anchors)
    if state.finding:
        findings.append(state.finding)
    return state


def _check_pictures(folder: Path, subjects: list[_Subject], listed: Mapping[str, Listed]) -> None:
    """Reads every recorded file, as many at once as there are cores."""
    work: list[tuple[_Subject, FrameEntry, FileHash]] = [
        (subject, entry, file)
        for subject in subjects
        for entry in subject.record.frames
        for file in (entry, *entry.beside)
    ]

    def check(item: tuple[_Subject, FrameEntry, FileHash]) -> Checked:
        subject, entry, file = item
        return check_picture(folder, subject.record, entry, file, listed)

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="verify") as pool:
        for (subject, _, file), found in zip(work, pool.map(check, work), strict=True):
            subject.checked[file.file] = found


def _picture_findings(subject: _Subject) -> Iterator[Finding]:
    wrong = [one for one in subject.checked.values() if one.finding]
    strangers = {one.record_id for one in wrong if one.record_id and one.record_id != subject.record.id}
    if strangers and len(wrong) == len(subject.checked) and all(one.record_id in strangers for one in wrong):
        if not subject.altered:
            subject.altered = True
            problem = "none of the pictures is of this record: it belongs to others"
            fix = "restore the record that belongs to these pictures"
            yield Finding(check="record-swapped", file=subject.path.name, problem=problem, fix=fix)
        return
    for one in wrong:
        if one.finding and not (one.as_listed and subject.altered):
            yield one.finding


def _frames_without_entry(folder: Path, record: Record) -> Iterator[Finding]:
    """Frames on disk or to be made that the record does not tell of."""
    split = split_pattern(record.sequence.pattern)
    known = record.by_frame
    wanted = set(numbers_in(record.sequence.frames))
    under_way = {number for frames in record.pending.values() for number in numbers_in(frames)}
    on_disk: set[int | None] = set()
    if split:
        on_disk = _on_disk(folder, split[0])
    elif (folder / record.sequence.pattern).is_file():
        on_disk = set(record.by_frame) or {None}
    for number in sorted((wanted | set(on_disk)) - set(known), key=lambda n: (n is not None, n or 0)):
        name = split[0].path(number).name if split and number is not None else record.sequence.pattern
        if number in on_disk:
            problem = "is not on record: nobody knows what made it"
            fix = "render again, which takes up frames of the very job; or remove it"
            yield Finding(check="frame-unrecorded", file=name, frame=number, problem=problem, fix=fix)
        elif number not in under_way:
            problem = "was to be made and is not there"
            yield Finding(check="frame-missing", file=name, frame=number, problem=problem, fix=_RENDER)


def _on_disk(folder: Path, pattern: Pattern) -> set[int | None]:
    numbers: set[int | None] = set()
    for name in names_in(folder):
        if name.startswith(pattern.head) and name.endswith(pattern.tail):
            digits = name[len(pattern.head) : len(name) - len(pattern.tail)]
            if digits.lstrip("-").isdecimal() and digits.isascii() and pattern.path(int(digits)).name == name:
                numbers.add(int(digits))
    return numbers


def _told_already(folder: Path, subjects: Iterable[_Subject], findings: Iterable[Finding]) -> set[str]:
    unreadable = {one.file for one in findings if one.check == "record-unreadable"}
    return unreadable | {one.file for subject in subjects for one in _frames_without_entry(folder, subject.record)}


def _has_list(folder: Path) -> bool:
    return (folder / FOLDER).is_dir()


def _own_files(subjects: Iterable[_Subject]) -> OwnFiles:
    """The files that records tell of, and those that tell of the records."""
    subjects = list(subjects)
    pictures = {file.file for subject in subjects for file in subject.record.files}
    notes = {one.name for subject in subjects for one in (subject.path, signature_path(subject.path))}
    return OwnFiles(recorded=pictures, notes=notes)
