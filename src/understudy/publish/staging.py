# SPDX-License-Identifier: Apache-2.0
"""Brings files into a staging folder: cloned, linked or copied, on disk for good, and the same as their sources."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import MissingFileError, QualityGateError
from understudy.provenance.hashing import file_hashes
from understudy.publish.listing import VersionFile

How = Literal["copy", "link"]
"""``copy`` clones where the file system can (no pixel is copied then); ``link`` makes hard links where it can."""

_CLONE = 0x40049409  # FICLONE, linux/fs.h
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is to go into a version.

    Attributes:
        path: Where it is.
        target: Its path in the version, with forward slashes.
        expected: The BLAKE3 it must have; empty where nobody knows.
        derived: It is made from others.
    """

    path: Path
    target: str
    expected: str = ""
    derived: bool = False


def hashed(sources: Iterable[Source]) -> dict[Source, VersionFile]:
    """Size and hashes of each source, all cores at work.

    Raises:
        MissingFileError: One is not there.
        UnreadableFileError: One can't be read.
        QualityGateError: One is not what was checked.
    """
    with ThreadPoolExecutor(available_cores()) as pool:
        listed = tuple(sources)
        return dict(zip(listed, pool.map(_hashed, listed), strict=True))


def stage(files: Mapping[Source, VersionFile], folder: Path, how: How) -> None:
    """Brings every file into a folder; what is there already and right stays, what is wrong goes.

    Raises:
        OSError: The disk is full, the folder can't be written.
        QualityGateError: A source changed meanwhile, or a copy came out wrong.
    """
    wanted = {one.file: one for one in files.values()}
    for path in [path for path in folder.rglob("*") if not path.is_dir()]:
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for source, file in files.items():
        target = folder / file.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _is(target, file):
            target.unlink(missing_ok=True)
            _bring(source.path, target, how)
            if not _is(target, file):
                raise QualityGateError(
                    "changed while it was published", where=str(source.path), fix="wait for its render, publish again"
                )
        sync(target)
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        sync(path)


def sync(path: Path) -> None:
    """Waits until a file or a folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some network file systems can't sync a folder
            raise
    finally:
        os.close(handle)


def _hashed(source: Source) -> VersionFile:
    try:
        hashes = file_hashes(source.path, listed=True)
    except MissingFileError:
        raise MissingFileError(
            "is to be published and is not there", where=str(source.path), fix="render it again"
        ) from None
    if source.expected and hashes.blake3 != source.expected:
        raise QualityGateError(
            "is not the file that was checked", where=str(source.path), fix="wait for its render, publish again"
        )
    return VersionFile(file=source.target, size=hashes.size, blake3=hashes.blake3, xxh128=hashes.xxh128)


def _is(path: Path, file: VersionFile) -> bool:
    try:
        return path.stat().st_size == file.size and file_hashes(path).blake3 == file.blake3
    except (FileNotFoundError, MissingFileError):
        return False


def _bring(source: Path, target: Path, how: How) -> None:
    if how == "link":
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
        else:
            return
    with source.open("rb") as inside, target.open("xb") as outside:
        try:
            fcntl.ioctl(outside.fileno(), _CLONE, inside.fileno())
        except OSError:  # another device, or a file system that can't
            shutil.copyfileobj(inside, outside, _CHUNK)
    with suppress(OSError):
        shutil.copystat(source, target)
    target.chmod(0o444)  # a version never changes; a link shares its source's mode, which is not ours to change
