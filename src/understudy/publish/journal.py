# SPDX-License-Identifier: Apache-2.0
"""Journals of publishes under way: a hidden file beside a hidden staging folder, locked while its publisher lives.

A lock that nobody holds tells a publisher that was killed, on any machine that shares the folder; process numbers would
tell that of one machine only.
"""

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

_PREFIX = ".understudy-publish-"
_SUFFIX = ".journal"


class Journal:
    """One publish under way.

    Attributes:
        staging: Its folder; there once it is made.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle
        self.staging = path.with_suffix("")

    @classmethod
    def begin(cls, home: Path, digest: str) -> "Journal":
        """A new one, with its empty staging folder.

        Args:
            home: The folder of the product's versions.
            digest: What is to be published.

        Raises:
            OSError: The folder can't be written.
        """
        while True:
            path = home / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
            if _lock(handle, path) is not False:
                break
            os.close(handle)  # another publisher took it for a dead one's, in the moment before it was locked
        journal = cls(path, handle)
        os.write(handle, digest.encode())
        os.fsync(handle)
        journal.staging.mkdir()
        return journal

    @classmethod
    def take_over(cls, home: Path, digest: str) -> "Journal | None":
        """Removes what killed publishers left, and takes over from one that was publishing the same.

        Args:
            home: The folder of the product's versions.
            digest: What is to be published.

        Raises:
            OSError: The folder can't be read or written.
        """
        found: Journal | None = None
        for path in sorted(home.glob(f"{_PREFIX}*{_SUFFIX}")):
            try:
                handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if not _lock(handle, path):
                os.close(handle)
                continue
            journal = cls(path, handle)
            same = os.read(handle, 64).decode("ascii", "replace") == digest and journal.staging.is_dir()
            if same and found is None:
                found = journal
            else:
                journal.end()
        return found

    def end(self) -> None:
        """Removes the staging folder, if it is still there, and the journal."""
        if self.staging.is_dir():
            shutil.rmtree(self.staging)
        with suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._handle)


def _lock(handle: int, path: Path) -> bool | None:
    """Whether this process has the journal now; None where the file system has no locks, so that nobody can tell."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
