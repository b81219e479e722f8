# SPDX-License-Identifier: Apache-2.0
"""The record is there and is of the state of things that is published, and the frames are those that it tells of.

What the frames are against the record, the hash list and the signature is found by ``provenance.verify``; here that
gets titles and a place in a publish.
"""

from collections.abc import Iterator

from understudy.contracts.errors import InputError
from understudy.provenance.findings import Finding as Verified
from understudy.provenance.hashing import file_hashes
from understudy.provenance.record import Record
from understudy.provenance.verify import verify
from understudy.publish.checks.check import Check, Finding, Severity
from understudy.publish.checks.words import frames_are, frames_text
from understudy.publish.lineage import input_path
from understudy.publish.subject import Subject


def _check(name: str, title: str, catches: str, fix: str, severity: Severity = "error") -> Check:
    return Check(name=name, severity=severity, family="record", title=title, catches=catches, fix=fix)


MISSING = _check(
    "record-missing",
    "There is no record of how these frames were made",
    "no provenance record lies beside the frames",
    "render them with Understudy; the action Write the record takes up frames that this very graph has made",
)
UNREADABLE = _check(
    "record-unreadable",
    "The record is damaged",
    "the provenance record can't be read, or is of another schema",
    "take it from a backup, or render the frames again",
)
STALE = _check(
    "record-stale",
    "Frames are older than what they are made from",
    "the graph, or a file that was read, is not what it was when the frames were rendered",
    "render the frames again: the Repair action does",
)
UNSIGNED = _check(
    "unsigned",
    "Nobody signed the record",
    "no signature lies beside the record (an error where the policy says `publish.signature_required`)",
    "sign it: understudy provenance sign RECORD --certificate FILE --key FILE",
    "warning",
)
_RESTORE = "restore it from where it is whole"
_AGAIN = "render the frame again: the Repair action does; or copy it from where it is whole"
_LIST = "restore the folder ascmhl, or render again"
_SIGN = "sign the record again"

_VERIFIED = (
    _check(
        "render-unfinished",
        "A render is still under way",
        "the record names a render that has not ended or was killed",
        "wait for it, or render again",
    ),
    _check(
        "record-altered",
        "The record was changed",
        "the record is not the one that the hash list was written for",
        _RESTORE,
    ),
    _check(
        "record-inconsistent",
        "The record contradicts itself",
        "what the record says in all is not what its frames say",
        _RESTORE,
    ),
    _check(
        "record-swapped",
        "The record belongs to other frames",
        "none of the frames is of the record beside them",
        "put the frames' own record back",
    ),
    _check("record-unlisted", "The record is not in the hash list", "the hash list does not name the record", _LIST),
    _check("list-missing", "There is no hash list", "no ASC MHL hash list lies beside the record", _LIST),
    _check(
        "list-altered",
        "The hash list is damaged",
        "the ASC MHL hash list can't be read, or is not the one that its chain names",
        _LIST,
    ),
    _check(
        "list-foreign",
        "The hash list is another program's",
        "the ASC MHL hash list was not written by Understudy, and covers nothing of this render",
        "render into a folder of its own; or, if that list is not wanted, remove ascmhl and render again",
    ),
    _check(
        "list-differs",
        "The hash list is another one's",
        "the hash list has another hash or size for a frame than the record",
        _LIST,
    ),
    _check(
        "frame-unrecorded",
        "Frames that nobody recorded",
        "a frame lies there that the record does not tell of",
        "render again, which takes up frames of the very job; or remove it",
    ),
    _check(
        "frame-foreign",
        "Frames were rendered by another version",
        "a frame was written by another job (graph, packs, color config) than is on record",
        _AGAIN,
    ),
    _check("frame-altered", "Pixels were changed", "a frame's pixels are not those that were recorded", _AGAIN),
    _check("frame-header", "A header was edited", "a frame's pixels are as recorded, and its header is not", _AGAIN),
    _check(
        "frame-recompressed",
        "Frames were stored anew",
        "a frame was compressed or stored another way; pixels and header are as recorded",
        _AGAIN,
    ),
    _check(
        "frame-rewrapped",
        "Frames were written anew",
        "a frame's bytes differ; pixels and header are as recorded",
        _AGAIN,
    ),
    _check(
        "signature-missing",
        "The signature is gone",
        "the record says that it is signed, and no manifest lies beside it",
        _SIGN,
    ),
    _check(
        "signature-broken",
        "The signature does not hold",
        "the manifest beside the record is over something else, or is damaged",
        "restore record and signature from where they are whole; sign it again only if you know what changed",
    ),
    _check(
        "signature-expired",
        "The signer's certificate has ended",
        "the certificate has ended, and no timestamp says when it was used",
        _SIGN,
    ),
    _check(
        "signature-untrusted",
        "The signer is not trusted",
        "no authority that you trust vouches for the signer (a warning where none was named)",
        "sign with a certificate of a trusted authority, or name the authorities with --trust",
    ),
    _check(
        "signature-unchecked",
        "The signature could not be checked",
        "c2pa-python is not installed",
        "pip install 'understudy[publish]'",
        "warning",
    ),
)

CHECKS = (MISSING, UNREADABLE, STALE, UNSIGNED, *_VERIFIED)

_BY_NAME = {check.name: check for check in CHECKS}
_TOLD_BY_FRAMES = {"frame-missing", "frame-unreadable", "record-missing", "record-unreadable"}
"""Findings of ``verify`` that other checks have already."""


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the record, and with the frames by it."""
    record = subject.record
    if subject.record_problem:
        yield UNREADABLE.found(subject.record_problem.problem, file=str(subject.record_path))
    elif record is None or subject.record_path is None:
        yield MISSING.found(f"no record of {subject.pattern} lies beside it", file=str(subject.folder))
    else:
        yield from _stale(subject, record)
        verdict = verify(subject.record_path, anchors=subject.anchors)
        required: Severity | None = "error" if subject.rules.signature_required else None
        for one in verdict.findings:
            if one.severity != "note" and one.check not in _TOLD_BY_FRAMES:
                yield _as_finding(subject, one, required)
        if not record.signed and not record.pending:  # what is under way can't be signed yet
            yield UNSIGNED.found(
                "no signature lies beside the record", file=str(subject.record_path), severity=required
            )


def _as_finding(subject: Subject, one: Verified, required: Severity | None) -> Finding:
    check = _BY_NAME[one.check]
    severity: Severity = "error" if one.severity == "error" else "warning"
    severity = required if required and one.check.startswith("signature-") else severity
    frames = (one.frame,) if one.frame is not None else ()
    where = f"{frames_text(frames)}: " if frames else ""
    file = str(subject.folder / one.file) if one.file else ""
    return check.found(f"{where}{one.problem}", frames=frames, file=file, fix=check.fix or one.fix, severity=severity)


def _stale(subject: Subject, record: Record) -> Iterator[Finding]:
    if subject.graph_digest:
        old = [entry.frame for entry in record.frames if record.jobs[entry.job].graph.sha256 != subject.graph_digest]
        if old:
            yield STALE.found(f"{frames_are(old)} of another state of the graph than this one", frames=old)
            return
    for name, job in record.jobs.items():
        for entry in job.inputs:
            changed = []
            for file in entry.files:
                path = input_path(entry.pattern, file.file)
                try:
                    if path.exists() and file_hashes(path).blake3 != file.blake3:
                        changed.append(file)
                except InputError:
                    changed.append(file)
            if changed:
                numbers = [file.frame for file in changed]
                what = changed[0].file if numbers[0] is None else f"{frames_text(numbers)} of {entry.pattern}"
                made = [one.frame for one in record.frames if one.job == name]
                where = str(input_path(entry.pattern, changed[0].file))
                yield STALE.found(f"{what} changed after the render", frames=made, file=where)
