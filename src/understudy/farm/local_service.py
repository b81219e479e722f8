# SPDX-License-Identifier: Apache-2.0
"""A service for the tasks of one worker's session: started before the first of them, stopped after the last.

It listens on a Unix socket in a folder that only its user can enter, so that no token has to travel.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.contracts import errors
from understudy.contracts.errors import UnavailableError, UnderstudyError, UnreadableFileError

START_S = 120.0
"""Longest time that a service may take until it serves."""

STOP_S = 10.0
"""What a service gets to stop by itself."""

_PREFIX = "understudy-farm-"
_NOTE = "service.json"
_POLL_S = 0.02
_LOG_LINES = 20
_LEVELS = ("warning", "error", "critical")
"""Of the log's lines that matter to who renders; each frame's are left to the log."""


@dataclass(frozen=True, slots=True)
class LocalService:
    """A service that runs.

    Attributes:
        address: Where, as ``--server`` takes it.
        pid: Its process.
        born: When that was started, in the system's own count, so that no other process is taken for it.
        folder: Holds socket and log, and goes with it.
    """

    address: str
    pid: int
    born: str
    folder: str

    def save(self, path: Path) -> None:
        """Writes what `stop` of another process needs."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "LocalService | None":
        """What was saved; None where nothing was.

        Raises:
            UnreadableFileError: It is not what `save` writes.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise UnreadableFileError("does not say which service was started", where=str(path)) from None

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return _born(self.pid) == self.born

    def stop(self) -> str:
        """Ends it and removes its folder; a service that is gone is no error.

        Returns:
            The last warnings and errors of its log.
        """
        if self.runs:
            _signal(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_S
            while self.runs and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            if self.runs:
                _signal(self.pid, signal.SIGKILL)
        log = _tail(Path(self.folder) / "log")
        shutil.rmtree(self.folder, ignore_errors=True)
        return log


def start(options: Sequence[str] = (), *, timeout_s: float = START_S) -> LocalService:
    """Starts ``understudy serve`` in a process of its own, which outlives this one, and waits until it serves.

    Args:
        options: More options of ``serve``.
        timeout_s: Longest time to wait.

    Raises:
        UnavailableError: It did not come up; its last words are in the message.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # of mode 0700; a session's own folder may be too deep for a socket
    command = (sys.executable, "-m", "understudy", "serve", "--listen", f"unix:{folder}/socket", "--json", *options)
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
        )
    try:
        address = _wait(process, folder, timeout_s)
    except BaseException:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    service = LocalService(address, process.pid, _born(process.pid), str(folder))
    service.save(folder / _NOTE)
    return service


def _sweep() -> None:
    """Removes the folders of services that were killed, and whose sessions with them."""
    for note in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_NOTE}"):
        with suppress(OSError, UnreadableFileError):
            service = LocalService.load(note)
            if service and not service.runs and note.parent.stat().st_uid == os.getuid():
                shutil.rmtree(note.parent, ignore_errors=True)


def _wait(process: "subprocess.Popen[bytes]", folder: Path, timeout_s: float) -> str:
    """The address of a service that starts, once it serves."""
    deadline = time.monotonic() + timeout_s
    while True:
        ended = process.poll() is not None
        event = _first_event(folder / "out")
        if "address" in event:
            return str(event["address"])
        if ended:
            raise _refusal(event, folder / "log")
        if time.monotonic() > deadline:
            raise UnavailableError(f"the local service did not come up in {timeout_s:g} s")
        time.sleep(_POLL_S)


def _refusal(event: dict[str, Any], log: Path) -> UnderstudyError:
    """Why a service did not start, as the error that it told."""
    kind = getattr(errors, str(event.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, UnderstudyError)):
        return UnavailableError(f"the session's service did not start: {_tail(log) or 'it said nothing'}")
    problem = f"{event.get('problem')} (so the session's service did not start)"
    return kind(problem, where=event.get("where"), fix=event.get("fix"))


def _first_event(out: Path) -> dict[str, Any]:
    """What the service tells first: where it serves, or why it does not; empty before."""
    head, newline, _ = out.read_text(encoding="utf-8").partition("\n")
    return dict(json.loads(head)) if newline else {}


def _born(pid: int) -> str:
    """The start time of a process; empty when it is gone, or only waits for its parent to be told so."""
    try:
        # proc_pid_stat(5): the name in parentheses may hold anything; state and start time are fields 3 and 22.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _tail(log: Path) -> str:
    """The last lines of a log that tell of trouble, or that are no JSON."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if _tells(line)][-_LOG_LINES:])


def _tells(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return True
    return not isinstance(entry, dict) or entry.get("level", "error") in _LEVELS
