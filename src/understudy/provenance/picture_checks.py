# SPDX-License-Identifier: Apache-2.0
"""Whether a picture is still the one that its record tells of, and what became of it when it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import InputError, MissingFileError
from understudy.frames.header import read_header
from understudy.frames.pixel_hash import pixel_hash
from understudy.provenance.findings import Finding
from understudy.provenance.hashing import Hashes, file_hashes
from understudy.provenance.header_facts import STORAGE, differences, header_facts
from understudy.provenance.mhl import Listed
from understudy.provenance.record import FileHash, FrameEntry, Record

_MOST_TOLD = 8
"""Header attributes that one finding names."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one file.

    Attributes:
        finding: What is wrong; None when nothing is.
        size: Bytes that were read.
        record_id: What its header says of its record, where it is not as recorded.
        as_listed: It is not as recorded, but as the hash list has it: not the file was changed.
    """

    finding: Finding | None
    size: int = 0
    record_id: str = ""
    as_listed: bool = False


def check_picture(
    folder: Path, record: Record, entry: FrameEntry, file: FileHash, listed: Mapping[str, Listed]
) -> Checked:
    """Reads a file and compares it with its entry; pixels are decoded only where the file is another one.

    Args:
        folder: Where it lies.
        record: The record.
        entry: The frame.
        file: The frame's entry itself, or a file beside it.
        listed: What the hash list says, by name.
    """
    path = folder / file.file
    try:
        hashes = file_hashes(path)
    except MissingFileError:
        fix = "render it again, or copy it from where it is whole"
        return Checked(_finding("frame-missing", entry, file, "is not there", fix))
    except InputError as error:
        return Checked(_finding("frame-unreadable", entry, file, error.problem, error.fix or ""))
    if (hashes.size, hashes.blake3) == (file.size, file.blake3):
        return Checked(None, hashes.size)
    return _changed(path, record, entry, file, hashes, listed.get(file.file))


def _changed(
    path: Path, record: Record, entry: FrameEntry, file: FileHash, hashes: Hashes, listed: Listed | None
) -> Checked:
    fix = "render it again, or copy it from where it is as recorded"
    as_listed = listed is not None and (
        (listed.size, listed.value) == (hashes.size, file_hashes(path, listed=True).xxh128)
    )
    try:
        header = header_facts(read_header(path))
        pixels = pixel_hash(path)
    except InputError as error:
        return Checked(_finding("frame-unreadable", entry, file, error.problem, fix), hashes.size, "", as_listed)
    identity = str(header.get("understudy:recordId", ""))
    job = header.get("understudy:job")
    told = differences(record.header_of(file), header)
    if pixels == file.pixels:
        finding = _rewritten(entry, file, told)
    elif job is not None and job != entry.job:
        problem = "was written by another job, which is not on record"
        finding = _finding("frame-foreign", entry, file, problem, "render it again without --no-record")
    else:
        moved = [name for name in ("file:channels", "file:dataWindow") if name in told]
        detail = f" ({_phrase({name: told[name] for name in moved})})" if moved else ""
        finding = _finding("frame-altered", entry, file, f"its pixels are not those that were recorded{detail}", fix)
    return Checked(finding, hashes.size, identity, as_listed)


def _rewritten(entry: FrameEntry, file: FileHash, told: dict[str, str]) -> Finding:
    fix = "copy it from where it is as recorded, or render it again"
    if not told:
        return _finding("frame-rewrapped", entry, file, "was written anew; pixels and header are the same", fix)
    if told.keys() & STORAGE:
        problem = f"was compressed or stored another way; pixels are the same: {_phrase(told)}"
        return _finding("frame-recompressed", entry, file, problem, fix)
    return _finding("frame-header", entry, file, f"its header was edited; pixels are the same: {_phrase(told)}", fix)


def _phrase(told: dict[str, str]) -> str:
    shown = [f"{name.removeprefix('file:')} {text}" for name, text in list(told.items())[:_MOST_TOLD]]
    more = len(told) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def _finding(check: str, entry: FrameEntry, file: FileHash, problem: str, fix: str) -> Finding:
    return Finding(check=check, file=file.file, frame=entry.frame, problem=problem, fix=fix)
