# SPDX-License-Identifier: Apache-2.0
"""Hashes of files: read once, in blocks."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import MissingFileError, UnreadableFileError

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashes:
    """What a file holds.

    Attributes:
        size: Bytes.
        sha256: SHA-256, hexadecimal.
        sha1: SHA-1, hexadecimal; empty when it was not asked for.
    """

    size: int
    sha256: str
    sha1: str = ""


def file_hashes(path: Path, *, sha1: bool = False) -> Hashes:
    """Hashes of one file; the interpreter is free for others meanwhile.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be read.
    """
    strong, fast = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    size = 0
    block = memoryview(bytearray(_BLOCK))
    try:
        with path.open("rb", buffering=0) as file:
            _will_read(file.fileno())
            while count := file.readinto(block):
                size += count
                strong.update(block[:count])
                if sha1:
                    fast.update(block[:count])
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    return Hashes(size, strong.hexdigest(), fast.hexdigest() if sha1 else "")


def _will_read(handle: int) -> None:
    """Has the system read ahead, where it can."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
