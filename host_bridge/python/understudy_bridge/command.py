# SPDX-License-Identifier: Apache-2.0
"""Finds the executable, starts it, reads its JSON lines."""

from __future__ import annotations  # hosts with Python 3.9 don't know `X | None`

import json
import os
import queue
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

EXECUTABLE_VARIABLE = "UNDERSTUDY_EXECUTABLE"

Event = dict[str, Any]
"""One JSON object that the command wrote."""

CANCELLED = 130
"""Exit code of a command that was told to stop."""

_KEPT_COMPLAINTS = 50
_NOTE = Path(__file__).with_name("executable.txt")  # `understudy install` writes it: a host's PATH is often a poor one
_NO_WINDOW = int(getattr(subprocess, "CREATE_NO_WINDOW", 0))  # Windows alone opens one
_LAST_LINES_S = 5.0  # what a killed command's pipes get to run dry
_HOST_VARIABLES = ("PYTHONHOME", "PYTHONPATH")  # they say where the host's Python lives, not the command's


class BridgeError(Exception):
    """The command is missing or failed.

    Attributes:
        exit_code: The command's exit code, 130 when it was cancelled; None when it did not start.
        events: What it had told until then.
    """

    def __init__(self, message: str, exit_code: int | None = None, events: Sequence[Event] = ()) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.events = tuple(events)


def find_executable() -> str:
    """The path of ``understudy``: ``$UNDERSTUDY_EXECUTABLE``, else what installed this copy, else the one on ``PATH``.

    Raises:
        BridgeError: It is nowhere.
    """
    named = os.environ.get(EXECUTABLE_VARIABLE, "")
    found = shutil.which(named or _noted()) or (None if named else shutil.which("understudy"))
    if found is None:
        where = f"{EXECUTABLE_VARIABLE}={named} is not an executable" if named else "understudy is not on PATH"
        raise BridgeError(f"{where}; install understudy and set {EXECUTABLE_VARIABLE} to its path")
    return found


def _noted() -> str:
    try:
        return _NOTE.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def run(
    arguments: Sequence[str],
    on_event: Callable[[Event], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    poll_s: float = 0.1,
    grace_s: float = 30.0,
) -> list[Event]:
    """Runs ``understudy ARGUMENTS --json`` to its end.

    Args:
        arguments: Command and options, without ``--json``.
        on_event: Hears each JSON object as it comes, in the calling thread. What it raises ends the command.
        cancelled: Asked at least every ``poll_s`` seconds, in the calling thread; once it is true, the command is told
            to stop, cleans up and ends.
        poll_s: Seconds.
        grace_s: Seconds a command that was told to stop has for that, before it is killed.

    Returns:
        Every event, in order.

    Raises:
        BridgeError: The command is missing, failed, or was cancelled (exit code 130).
    """
    executable = find_executable()
    # Before a "--": what follows that is never read as an option.
    options = arguments.index("--") if "--" in arguments else len(arguments)
    command = [executable, *arguments[:options], "--json", *arguments[options:]]
    environment = {name: value for name, value in os.environ.items() if name not in _HOST_VARIABLES}
    try:
        process = subprocess.Popen(  # noqa: S603 - a list, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
            creationflags=_NO_WINDOW,
        )
    except (OSError, ValueError) as error:
        raise BridgeError(f"{executable} can't be started: {error}") from error
    with process:
        return _follow(process, on_event, cancelled, poll_s, grace_s)


def _follow(
    process: subprocess.Popen[str],
    on_event: Callable[[Event], object] | None,
    cancelled: Callable[[], bool] | None,
    poll_s: float,
    grace_s: float,
) -> list[Event]:
    # Both pipes are drained by threads: a command that fills one while we wait on the other would hang.
    lines: queue.Queue[str | None] = queue.Queue()
    complaints: deque[str] = deque(maxlen=_KEPT_COMPLAINTS)
    readers = [
        threading.Thread(target=_read_lines, args=(process.stdout or (), lines), daemon=True),
        threading.Thread(target=complaints.extend, args=(process.stderr or (),), daemon=True),
    ]
    for reader in readers:
        reader.start()
    events: list[Event] = []
    killer: threading.Timer | None = None
    try:
        while True:
            if killer is None and cancelled is not None and cancelled():
                process.terminate()
                killer = threading.Timer(grace_s, process.kill)
                killer.daemon = True
                killer.start()
            try:
                line = lines.get(timeout=poll_s)
            except queue.Empty:
                continue
            if line is None:
                break
            event = _parse(line)
            if event is not None:
                events.append(event)
                if on_event is not None:
                    on_event(event)
        code = process.wait()
        for reader in readers:
            reader.join()
    except BaseException:
        process.kill()
        for reader in readers:  # before the pipes are closed: a reader may be in the middle of a line
            reader.join(_LAST_LINES_S)
        raise
    finally:
        if killer is not None:
            killer.cancel()
    if code < 0 and killer is not None:
        code = CANCELLED  # it ended by our signal, before it could catch it
    if code != 0:
        raise BridgeError(_sentence(events, complaints, code), code, events)
    return events


def _read_lines(stream: Iterable[str], lines: queue.Queue[str | None]) -> None:
    try:
        for line in stream:
            lines.put(line)
    finally:
        lines.put(None)


def _parse(line: str) -> Event | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _sentence(events: Sequence[Event], complaints: Iterable[str], code: int) -> str:
    """What the command said of its failure: the error event, else stderr, else the exit code."""
    for event in reversed(events):
        if event.get("event") == "error" and event.get("problem"):
            where = f"{event['where']}: " if event.get("where") else ""
            fix = f"; {event['fix']}" if event.get("fix") else ""
            return f"{where}{event['problem']}{fix}"
    if code == CANCELLED:
        return "cancelled"
    return "".join(complaints).strip() or f"understudy ended with exit code {code}"
