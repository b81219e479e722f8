# SPDX-License-Identifier: Apache-2.0
"""Looks at a shared library before it is loaded: the loader of Linux kills the process over a file that was cut off.

Source: System V ABI, "ELF-64 Object File Format".
"""

import struct
from pathlib import Path

from understudy.contracts.errors import UnreadableFileError, UnsupportedFileError

_HEADER = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ELF64_LITTLE = (b"\x7fELF", 2, 1)
_SHARED = 3
_X86_64 = 62
_LOAD = 1


def check_library(path: Path) -> None:
    """Raises unless a file is a whole shared library for 64-bit x86.

    Raises:
        UnreadableFileError: It is no shared library, is cut off, or can't be read.
        UnsupportedFileError: It is for another processor.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            raw = file.read(_HEADER.size)
            if len(raw) < _HEADER.size:
                raise UnreadableFileError("is no shared library", where=str(path), fix="name a plug-in")
            magic, bits, order, _, _, kind, machine, _, _, table, _, _, _, entry, count, *_ = _HEADER.unpack(raw)
            if (magic, bits, order) != _ELF64_LITTLE or kind != _SHARED or (count and entry != _SEGMENT.size):
                raise UnreadableFileError("is no shared library", where=str(path), fix="name a plug-in")
            if machine != _X86_64:
                raise UnsupportedFileError(
                    "is for another processor than this one", where=str(path), fix="install the plug-in for x86-64"
                )
            file.seek(table)
            segments = file.read(count * _SEGMENT.size)
    except OSError as error:
        raise UnreadableFileError(
            f"can't be read: {error.strerror}", where=str(path), fix="check its permissions"
        ) from None
    ends = [
        offset + length
        for what, _, offset, _, _, length, _, _ in _SEGMENT.iter_unpack(segments[: len(segments) // 56 * 56])
        if what == _LOAD
    ]
    if len(segments) < count * _SEGMENT.size or not ends or max(ends) > size:
        raise UnreadableFileError("is cut off", where=str(path), fix="install the plug-in again")
