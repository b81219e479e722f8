# SPDX-License-Identifier: Apache-2.0
"""Hashes of files: read once, in blocks."""

import os
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3
from xxhash import xxh3_128

from understudy.contracts.errors import MissingFileError, UnreadableFileError

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashes:
    """What a file holds.

    Attributes:
        size: Bytes.
        blake3: BLAKE3, 256 bits, hexadecimal.
        xxh128: XXH3 with 128 bits, hexadecimal; empty when it was not asked for.
    """

    size: int
    blake3: str
    xxh128: str = ""


def file_hashes(path: Path, *, listed: bool = False) -> Hashes:
    """Hashes of one file; the interpreter is free for others meanwhile.

    Args:
        path: The file.
        listed: XXH128 too, for a hash list.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be read.
    """
    strong, fast = blake3(), xxh3_128()
    size = 0
    block = memoryview(bytearray(_BLOCK))
    try:
        with path.open("rb", buffering=0) as file:
            _will_read(file.fileno())
            while count := file.readinto(block):
                size += count
                strong.update(block[:count])
                if listed:
                    fast.update(block[:count])
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    return Hashes(size, strong.hexdigest(), fast.hexdigest() if listed else "")


def _will_read(handle: int) -> None:
    """Has the system read ahead, where it can."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
