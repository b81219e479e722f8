# SPDX-License-Identifier: Apache-2.0
"""Makes a version: ``ROOT/<name>/v###`` appears whole, in one rename, or not at all, and is never overwritten.

Everything is staged in a hidden folder beside the versions and verified there. A publisher that is killed leaves that
folder and its journal; the next one takes over what is right of it, or removes it. Publishing what the latest version
holds already gives that version, so a farm may run a publish again.
"""

import ctypes
import datetime as dt
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import UnavailableError, UsageError
from understudy.frames.atomic import failure
from understudy.provenance.mhl import CHAIN, FOLDER, Listed, c4_id, list_name, write_list
from understudy.publish.journal import Journal
from understudy.publish.listing import VERSION_FILE, Listing, Representation, Version, digest_of, read_version
from understudy.publish.staging import How, Source, hashed, stage, sync

_VERSION = re.compile(r"v(\d+)$")
_NOREPLACE = 1  # RENAME_NOREPLACE, linux/fs.h
_AT_FDCWD = -100
_NO_SUCH_RENAME = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


@dataclass(frozen=True, slots=True)
class Integrated:
    """What became of a publish.

    Attributes:
        version: What the version holds.
        folder: Where it is.
        already: It was there: its content is that of the latest version.
    """

    version: Version
    folder: Path
    already: bool


def version_name(number: int) -> str:
    """The name of a version's folder: ``v003``."""
    return f"v{number:03d}"


def version_number(name: str) -> int:
    """The number of a version's folder; 0 for any other name."""
    match = _VERSION.match(name)
    return int(match[1]) if match else 0


def next_version(home: Path) -> int:
    """The number that the next version of a product will have, unless another publisher is quicker.

    Args:
        home: The folder of the product's versions; need not exist.
    """
    try:
        return max((version_number(name) for name in os.listdir(home)), default=0) + 1  # noqa: PTH208 - names only
    except FileNotFoundError:
        return 1


def integrate(listing: Listing, root: Path, *, how: How = "copy", expected: int = 0) -> Integrated:
    """Publishes a listing as the next version of its product.

    Args:
        listing: What the version is to hold.
        root: The publish root.
        how: Clone or copy, or hard links where they can be made.
        expected: The number that it must get, because a burn-in shows it; 0 takes any.

    Raises:
        InputError: A file is not there or can't be read.
        QualityGateError: A file is not the one that was checked, or changed meanwhile.
        UnavailableError: Another publish took the expected number.
        UsageError: Two files have one name in the version.
        OutputError: The root can't be written, or its disk is full. No version is left half made.
    """
    home = root / listing.name
    files = hashed(_sources(listing))
    digest = digest_of(listing.name, tuple(file for source, file in files.items() if not source.derived))
    version = Version(
        name=listing.name,
        version=1,
        digest=digest,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        representations=tuple(one.model_copy(update={"staging_dir": "", "blake3": {}}) for one in _own(listing)),
        files=tuple(files.values()),
        data=listing.data,
    )
    try:
        home.mkdir(parents=True, exist_ok=True)
        journal = Journal.take_over(home, digest)
        there = _latest(home, digest)
        if there:
            if journal:
                journal.end()
            return there
        journal = journal or Journal.begin(home, digest)
        try:
            stage(files, journal.staging, how)
            return _reveal(version, journal.staging, home, expected)
        finally:
            journal.end()
    except OSError as error:
        raise failure(Path(error.filename or home), error) from None


def _reveal(version: Version, staging: Path, home: Path, expected: int) -> Integrated:
    """Gives the staging folder the next free number as its name."""
    while True:
        number = next_version(home)
        if expected and number != expected:
            raise UnavailableError(
                f"{version_name(expected)} was taken by another publish meanwhile", where=str(home), fix="publish again"
            )
        version = _described(version, number, staging)
        sync(staging)
        folder = home / version_name(number)
        if _rename_new(staging, folder):
            sync(home)
            return Integrated(version, folder, already=False)
        if there := _latest(home, version.digest):
            return there


def _described(version: Version, number: int, staging: Path) -> Version:
    """Writes what the version holds, and the hash list over all of it: exactly its own files."""
    created = dt.datetime.fromisoformat(version.created)
    title = f"{version.name}_{version_name(number)}"
    hash_list = Representation(name="hashlist", ext="mhl", files=(list_name(title, created), CHAIN), folder=FOLDER)
    others = tuple(one for one in version.representations if one.folder != FOLDER)
    version = version.model_copy(update={"version": number, "representations": (*others, hash_list)})
    content = version.to_bytes()
    note = staging / VERSION_FILE
    note.unlink(missing_ok=True)
    note.write_bytes(content)
    listed = [Listed(one.file, one.size, "xxh128", one.xxh128) for one in version.files]
    path = write_list(
        staging, [*listed, Listed(VERSION_FILE, len(content), "c4", c4_id(content))], now=created, title=title
    )
    for written in (note, path, path.with_name(CHAIN)):
        written.chmod(0o444)
        sync(written)
    sync(path.parent)
    return version


def _latest(home: Path, digest: str) -> Integrated | None:
    """The latest version, if it holds this."""
    folder = home / version_name(next_version(home) - 1)
    version = read_version(folder)
    return Integrated(version, folder, already=True) if version and version.digest == digest else None


def _rename_new(source: Path, target: Path) -> bool:
    """Renames a folder; False where something of that name is there, even an empty folder."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _NOREPLACE) == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            return False
        if code not in _NO_SUCH_RENAME:
            raise OSError(code, os.strerror(code), str(target))
    if target.exists():
        return False
    try:
        source.rename(target)  # a folder with something in it is never replaced by this either (POSIX rename)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            return False
        raise
    return True


def _own(listing: Listing) -> Iterator[Representation]:
    """What goes into a version; the hash list of the folder that it comes from may name files of others."""
    return (one for one in listing.representations if one.folder != FOLDER)


def _sources(listing: Listing) -> Iterator[Source]:
    seen: dict[str, Path | None] = {VERSION_FILE: None}
    for one in _own(listing):
        for name in one.names:
            target = f"{one.folder.rstrip('/')}/{name}" if one.folder else name
            path = Path(os.path.abspath(one.staging_dir or ".")) / name  # noqa: PTH100 - Path keeps the ``..``
            if target in seen and seen[target] != path:
                raise UsageError(
                    f"two files of the version would be {target}",
                    where=f"representations.{one.name}",
                    fix="give one of the representations a folder of its own",
                )
            if target not in seen:  # layers of one file are several representations
                yield Source(path, target, one.blake3.get(name, ""), one.derived)
            seen[target] = path
