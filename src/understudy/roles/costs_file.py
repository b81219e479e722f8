# SPDX-License-Identifier: Apache-2.0
"""Keeps measured runs from one process to the next. Never required: without its file they begin anew.

Several processes of a machine share one file, such as the tasks of a farm: each adds its own runs to what is there, one
after the other, and the file is replaced whole. Where it can't be locked (some network disks), the runs of one of two
that save at once are lost, and nothing else.
"""

import fcntl
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import OutputError
from understudy.frames.atomic import atomic
from understudy.roles.costs import Costs
from understudy.runtimes.machine import processor

_SCHEMA = "understudy.costs/2"
_LARGEST = 32 << 20  # bytes; what is larger is none of ours
_EVERY_S = 60.0
_LOCK_S = 2.0

Problem = Callable[[str, str, Path], None]
"""Hears of a file that could not be read or saved: what happened, why, and which."""


def _unheard(_what: str, _why: str, _path: Path) -> None:
    return


def default_costs_file() -> Path | None:
    """``$UNDERSTUDY_COSTS``, or ``understudy/costs-<host>.json`` in the user's cache folder.

    Each host has its own: home folders are shared by machines that differ. None where the variable is ``off``.
    """
    given = os.environ.get("UNDERSTUDY_COSTS")
    if given:
        return None if given == "off" else Path(given).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:60] or "here"
    return cache / "understudy" / f"costs-{host}.json"


def this_machine() -> str:
    """What decides how long work takes here, beside packs and devices: the processor, and how many cores are ours."""
    return f"{processor()} x{available_cores()}"


class CostsFile:
    """Measured runs of this machine with a file.

    Args:
        path: The file; read at once where it exists. None keeps nothing.
        clock: Seconds.
        problem: Hears of a file that could not be read or saved, which is no error.
    """

    def __init__(
        self, path: Path | None, clock: Callable[[], float] = time.monotonic, problem: Problem = _unheard
    ) -> None:
        self.costs = Costs(self._save_sometimes, machine=this_machine())
        self._path = path
        self._clock = clock
        self._problem = problem
        self._lock = threading.Lock()
        self._saved_at = clock()
        if path is not None:
            self._read(path)

    def save(self) -> None:
        """Adds new runs to the file, if there are any, and takes up those that others added; a failure is only told."""
        with self._lock:
            self._saved_at = self._clock()
            new = self.costs.take_new()
            if self._path is None or not new:
                return
            with _alone(self._path):
                with suppress(FileNotFoundError, OSError, ValueError, TypeError, KeyError, RecursionError):
                    self.costs.load(_runs(self._path), new)
                try:
                    with atomic(self._path) as temporary:
                        text = json.dumps({"schema": _SCHEMA, "runs": self.costs.dump()})
                        temporary.write_text(text, encoding="utf-8")
                except OutputError as error:
                    self._problem("costs not saved", str(error), self._path)

    def _save_sometimes(self) -> None:
        if self._clock() - self._saved_at >= _EVERY_S:
            self.save()

    def _read(self, path: Path) -> None:
        try:
            self.costs.load(_runs(path))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._problem("costs not read", f"{type(error).__name__}: {error}"[:300], path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Open while no other process of this machine saves, as far as the disk can tell; waits a moment at most."""
    handle = -1
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)  # the folder itself: no file of its own is left
    try:
        until = time.monotonic() + _LOCK_S
        while handle >= 0:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _runs(path: Path) -> list[Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is too large")
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["schema"] != _SCHEMA:
        raise ValueError(f"its schema is not {_SCHEMA}")
    return list(document["runs"])
