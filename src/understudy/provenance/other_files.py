# SPDX-License-Identifier: Apache-2.0
"""Files of a folder that no record tells of: those that the hash list covers, and strangers."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import InputError, MissingFileError, UnreadableFileError
from understudy.provenance.findings import Finding
from understudy.provenance.hashing import file_hashes
from understudy.provenance.mhl import Listed, fits
from understudy.provenance.record_file import SUFFIX, read_bytes

_RESTORE = "restore it from where it is whole"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What is judged by records.

    Attributes:
        recorded: Pictures, by name.
        notes: The records and their signatures.
    """

    recorded: frozenset[str] | set[str]
    notes: frozenset[str] | set[str]


def strangers(folder: Path, own: OwnFiles, told: Iterable[str], listed: Mapping[str, Listed]) -> Iterator[Finding]:
    """What is wrong with all other files of a folder that is verified as a whole.

    Args:
        folder: The folder.
        own: What is judged by records.
        told: Files that are told of already.
        listed: The hash list by path.
    """
    known = own.recorded | own.notes | set(told)
    for name in sorted(set(names_in(folder)) - known - listed.keys()):
        problem = "is neither on record nor in the hash list"
        yield Finding(
            check="file-unlisted", severity="warning", file=name, problem=problem, fix="remove it if unwanted"
        )
    others = [listed[name] for name in sorted(listed.keys() - known)]
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="verify") as pool:
        found = dict(zip(others, pool.map(lambda one: _problem(folder, one), others), strict=True))
    gone = [one for one in others if found[one] == "is in the hash list and not there"]
    left = [one for one in others if one not in gone]
    if any(one.path.endswith(SUFFIX) for one in gone) and not left:
        problem = f"the hash list also names {_some([one.path for one in gone])}: a record and all of its files"
        fix = "restore them if they belong here; the next render or signature writes the list without them"
        yield Finding(check="product-missing", severity="warning", problem=problem, fix=fix)
        gone = []
    for one in gone:
        yield Finding(check="file-missing", file=one.path, problem=found[one], fix=_RESTORE)
    for one in left:
        if found[one]:
            yield Finding(check="file-altered", file=one.path, problem=found[one], fix=_RESTORE)


def neighbors(folder: Path, own: OwnFiles, listed: Mapping[str, Listed]) -> Iterator[Finding]:
    """That a folder has other files than those of the one record that is verified.

    Args:
        folder: The folder.
        own: What is judged by the record.
        listed: The hash list by path.
    """
    others = sorted((set(names_in(folder)) | listed.keys()) - own.recorded - own.notes)
    if others:
        problem = f"the folder has other files, which were not looked at: {_some(others)}"
        yield Finding(check="files-beside", severity="note", problem=problem, fix="verify the folder to look at all")


def names_in(folder: Path) -> list[str]:
    """The files of a folder itself, without hidden ones.

    Raises:
        UnreadableFileError: It can't be read.
    """
    try:
        return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".") and entry.is_file()]
    except OSError as error:
        raise UnreadableFileError(f"the folder can't be read ({error.strerror})", where=str(folder)) from None


def _problem(folder: Path, one: Listed) -> str:
    """What is wrong with a file by the hash list; empty for nothing."""
    path = folder / one.path
    try:
        if one.kind == "c4":
            same = fits(one, read_bytes(path))
        else:
            hashes = file_hashes(path, listed=True)
            same = (hashes.size, hashes.xxh128) == (one.size, one.value)
    except MissingFileError:
        return "is in the hash list and not there"
    except InputError as error:
        return error.problem
    return "" if same else "is not the file that the hash list was written for"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
