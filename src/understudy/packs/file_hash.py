# SPDX-License-Identifier: Apache-2.0
"""Hashes of files, each read once while it does not change."""

import hashlib
import threading
from pathlib import Path

from understudy.contracts.errors import PackError
from understudy.packs.toml_file import shown

_hashes: dict[Path, tuple[tuple[int, int, int], str]] = {}
_hashes_lock = threading.Lock()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, remembered while its size, modification time and inode stay.

    Raises:
        PackError: The file can't be read.
    """
    try:
        stat = path.stat()
        key = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        with _hashes_lock:
            known = _hashes.get(path)
        if known and known[0] == key:
            return known[1]
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise PackError(f"can't be read: {error.strerror}", where=shown(path)) from None
    with _hashes_lock:
        _hashes[path] = (key, digest)
    return digest
