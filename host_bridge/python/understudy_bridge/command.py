# SPDX-License-Identifier: Apache-2.0
"""Finds the executable, starts it, reads its JSON lines."""

import json
import os
import shutil
import subprocess  # noqa: S404 - starting the command is this module's purpose
import threading
from collections import deque
from typing import Any, Callable, Dict, List, Optional, Sequence  # noqa: UP035 - hosts with Python 3.9

EXECUTABLE_VARIABLE = "UNDERSTUDY_EXECUTABLE"

Event = Dict[str, Any]  # noqa: UP006 - hosts with Python 3.9


class BridgeError(Exception):
    """The command is missing or failed.

    Attributes:
        exit_code: The command's exit code; None when it did not start.
    """

    def __init__(self, message: str, exit_code: Optional[int] = None) -> None:  # noqa: UP045 - Python 3.9
        super().__init__(message)
        self.exit_code = exit_code


def find_executable() -> str:
    """The path of ``understudy``: ``$UNDERSTUDY_EXECUTABLE``, else the one on ``PATH``.

    Raises:
        BridgeError: It is nowhere.
    """
    named = os.environ.get(EXECUTABLE_VARIABLE, "")
    found = shutil.which(named or "understudy")
    if found is None:
        where = f"{EXECUTABLE_VARIABLE}={named} is not an executable" if named else "understudy is not on PATH"
        raise BridgeError(f"{where}; install understudy and set {EXECUTABLE_VARIABLE} to its path")
    return found


def run(
    arguments: Sequence[str],
    on_event: Callable[[Event], None] = lambda event: None,
    cancelled: Callable[[], bool] = lambda: False,
    poll_s: float = 0.1,
) -> List[Event]:  # noqa: UP006 - Python 3.9
    """Runs ``understudy ARGUMENTS --json`` to its end.

    Args:
        arguments: Command and options, without ``--json``.
        on_event: Hears each JSON object, in the calling thread.
        cancelled: Asked every ``poll_s`` seconds; the command is then told to stop and cleans up.
        poll_s: Seconds.

    Returns:
        Every event.

    Raises:
        BridgeError: The command is missing, failed, or was cancelled (exit code 130).
    """
    command = [find_executable(), *arguments, "--json"]
    try:
        process = subprocess.Popen(  # noqa: S603 - a list, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8"
        )
    except OSError as error:
        raise BridgeError(f"{command[0]} can't be started: {error}") from error
    lines: "deque[str]" = deque()
    complaints: "deque[str]" = deque(maxlen=50)
    readers = [
        threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True),
        threading.Thread(target=complaints.extend, args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    events: List[Event] = []  # noqa: UP006 - Python 3.9
    told_to_stop = False
    while readers[0].is_alive() or lines:
        if lines:
            event = _parse(lines.popleft())
            if event is not None:
                events.append(event)
                on_event(event)
            continue
        if not told_to_stop and cancelled():
            process.terminate()
            told_to_stop = True
        readers[0].join(poll_s)
    code = process.wait()
    readers[1].join()
    if code != 0:
        errors = [event for event in events if event.get("event") == "error"]
        text = errors[-1].get("problem", "") if errors else "".join(complaints).strip()
        raise BridgeError(text or f"understudy ended with exit code {code}", code)
    return events


def _parse(line: str) -> Optional[Event]:  # noqa: UP045 - Python 3.9
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
