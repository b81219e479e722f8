# SPDX-License-Identifier: Apache-2.0
"""Whether anything changed where packs are looked for, told from sizes and times alone: no file is read."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from understudy.packs.manifest import MANIFEST_NAME

_DEPTH = 4
_MOST_FILES = 20_000

Stamp = tuple[str, int, int, int]
"""Path, size in bytes, modification time in nanoseconds, inode."""


def fingerprint(folders: Iterable[Path]) -> tuple[Stamp, ...]:
    """A stamp for each file of the packs in these folders, and of packs that are being copied there.

    Hidden files are passed over, as the search passes them over; so are files over 20,000 and below four folders.

    Args:
        folders: The search path: packs, or folders of packs.
    """
    stamps: list[Stamp] = []
    for folder in folders:
        pack = (folder / MANIFEST_NAME).is_file()
        for stamp in _files(os.fspath(folder), 1 if pack else 0):
            stamps.append(stamp)
            if len(stamps) == _MOST_FILES:
                return tuple(sorted(stamps))
    return tuple(sorted(stamps))


def _files(folder: str, depth: int) -> Iterator[Stamp]:
    """Files of a pack; at depth 0, of the packs in a folder, whose own loose files are none."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] in "._" and (depth == 0 or entry.name[0] == "."):
                    continue
                if entry.is_dir():
                    if depth < _DEPTH:
                        yield from _files(entry.path, depth + 1)
                elif depth:
                    found = entry.stat()
                    yield (entry.path, found.st_size, found.st_mtime_ns, found.st_ino)
    except OSError:  # it went while we looked, which the next look will see
        return
