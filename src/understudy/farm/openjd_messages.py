# SPDX-License-Identifier: Apache-2.0
"""What a task tells an Open Job Description session: lines on stdout that start with ``openjd_``.

The lines are those of "How Jobs Are Run" of the specification, section "Stdout/Stderr messages".
"""

import sys
import time
from typing import Any, TextIO

from understudy.contracts.errors import UnderstudyError

_STATUS_S = 1.0
"""Progress within a frame is not told more often."""


class OpenJDLines:
    """Tells the events of a render as progress, status and lines for people.

    Args:
        part: Which frames the task renders, for people.
        stream: Where to; stdout when left out.
    """

    def __init__(self, part: str, stream: TextIO | None = None) -> None:
        self._part = part or "the job"
        self._stream = stream
        self._told = 0.0

    def hear(self, event: dict[str, Any]) -> None:
        """Tells one event."""
        tell = getattr(self, f"_{event['event']}", None)
        if tell:
            tell(event)

    def fail(self, error: UnderstudyError) -> None:
        """Tells why the task fails."""
        self._say("openjd_fail: ", f"{error} (exit code {error.exit_code})")

    def status(self, text: str) -> None:
        """Tells what is being done."""
        self._say("openjd_status: ", text)

    def line(self, text: str) -> None:
        """A line for people."""
        self._say("understudy: ", text)

    def _pack(self, event: dict[str, Any]) -> None:
        self.line(f"{event['node']}: pack {event['id']}@{event['version']}#{event['sha256'][:12]}")

    def _warning(self, event: dict[str, Any]) -> None:
        frame = event.get("frame")
        where = event.get("node", "") + (f" frame {frame}" if frame is not None else "")
        self.line(f"warning: {where}: {event['message']}")

    def _plan(self, event: dict[str, Any]) -> None:
        why = f": {event['why']}" if event["why"] else ""
        self.line(f"{event['node']}: {event['frames']} {event['state']}{why}")

    def _start(self, event: dict[str, Any]) -> None:
        self._progress(0, event["frames"])
        self.status(f"frames {self._part}: {event['frames']} to look at")

    def _step(self, event: dict[str, Any]) -> None:
        if event["total"] > 1 and time.monotonic() - self._told > _STATUS_S:
            self._told = time.monotonic()
            frame = "" if event["frame"] is None else f" {event['frame']}"
            self.status(f"frames {self._part}: {event['node']}{frame}, {event['done']} of {event['total']}")

    def _frame(self, event: dict[str, Any]) -> None:
        how = "was there" if event["skipped"] else f"{event['seconds']:.2f} s"
        self.line(f"frame {event['frame']}: {event['file']}: {how}")
        self._progress(event["done"], event["total"])

    def _done(self, event: dict[str, Any]) -> None:
        skipped = f", {event['skipped']} were there" if event["skipped"] else ""
        self.status(f"frames {self._part}: {event['frames']} rendered{skipped} in {event['seconds']:.1f} s")

    def _progress(self, done: int, total: int) -> None:
        self._say("openjd_progress: ", f"{100 * done / max(1, total):.1f}")

    def _say(self, head: str, text: str) -> None:
        # In one line whatever the text: a file's name must not be able to give a session orders of its own.
        stream = self._stream or sys.stdout
        stream.write(head + " ".join(text.split()) + "\n")
        stream.flush()
