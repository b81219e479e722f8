# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all: written under a hidden name in the same folder, then renamed."""

import errno
import itertools
import os
import re
import shutil
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from understudy.contracts.errors import OutputError

_PREFIX = ".understudy-"
_COUNTER = itertools.count()
_TEMPORARY = re.compile(re.escape(_PREFIX) + r"(?P<host>[A-Za-z0-9_]*)-(?P<pid>\d+)-\d+\.\w+$")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_MARGIN = 64 * 1024
"""A disk with less free than this after a failed write is called full."""

_live: set[Path] = set()
_live_lock = threading.Lock()
_STALE_S = 24 * 3600.0
"""Nobody writes one file for a day, whatever machine it is on."""

_swept: set[str] = set()
_sweep_lock = threading.Lock()


@contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path to write; on success it replaces ``path``, on any failure nothing is left of it.

    Creates missing folders. What killed writers left there is swept.

    Args:
        path: Where the finished file belongs.
        durable: The file is whole even where the machine stops right after; costs a flush of the disk.

    Raises:
        OutputError: The folder can't be made or written, or the disk is full; a file that was at ``path`` is untouched.
    """
    if path.is_dir():
        raise OutputError("is a folder", where=str(path), fix="name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(path, error) from None
    sweep(path.parent)
    temporary = temporary_path(path)
    with _live_lock:
        _live.add(temporary)
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
        if durable:
            with suppress(OSError):  # some network file systems can't sync a folder
                _sync(path.parent)
    except OSError as error:
        raise failure(path, error) from None
    except OutputError as error:
        if is_full(path.parent):
            raise failure(path, OSError(errno.ENOSPC, "")) from None
        raise error from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        with _live_lock:
            _live.discard(temporary)


def abandon() -> None:
    """Removes every temporary of this process and has it make no more: for one that is about to end at once."""
    _live_lock.acquire()  # and never let go: who wants to write from now on waits until the process has ended
    for temporary in _live:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """A hidden name beside a file, never given twice; what lies there is swept when this process was killed."""
    # Writers choose the format by the extension, so the temporary keeps it.
    return path.parent / f"{_PREFIX}{_host()}-{os.getpid()}-{next(_COUNTER)}{path.suffix}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(folder: Path) -> bool:
    """Whether a folder's disk has no room left."""
    try:
        return shutil.disk_usage(folder).free < _MARGIN
    except OSError:
        return False


def require_room(path: Path, nbytes: int) -> None:
    """Refuses a file that the disk can't hold, for writers that would end the process where it is full.

    Args:
        path: The file that is to be written.
        nbytes: The most bytes it may take.

    Raises:
        OutputError: There is less room than that.
    """
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:  # a file system that does not say
        return
    if free < nbytes + _MARGIN:
        raise failure(path, OSError(errno.ENOSPC, ""))


def failure(path: Path, error: OSError) -> OutputError:
    """What went wrong with an output, in a sentence."""
    if error.errno in _FULL:
        return OutputError(
            "the disk is full",
            where=str(path),
            fix="free some space or write elsewhere; nothing that was there is harmed",
        )
    reason = error.strerror or str(error)
    return OutputError(f"can't be written ({reason})", where=str(path), fix="check the folder and its permissions")


def sweep(folder: Path, *, again: bool = False) -> None:
    """Removes what writers left behind when they were killed, once per folder and process, or ``again``.

    Those of this host whose process is gone; those of others, of whose processes nothing is known here, after a day.
    """
    key = os.path.realpath(folder)
    with _sweep_lock:
        if key in _swept and not again:
            return
        _swept.add(key)
    with suppress(OSError):
        for entry in os.scandir(folder):
            match = _TEMPORARY.match(entry.name)
            if match is None:
                continue
            here = match["host"] == _host()
            with suppress(OSError):
                if not _alive(int(match["pid"])) if here else time.time() - entry.stat().st_mtime > _STALE_S:
                    Path(entry.path).unlink()


@cache
def _host() -> str:
    """This host as far as process numbers hold: no other container of its name, nor itself before it was started."""
    name = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:30]
    told = []
    with suppress(OSError):
        told = [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]  # noqa: PTH115 - no path
    return f"{name}_{zlib.crc32(''.join(told).encode()):08x}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
