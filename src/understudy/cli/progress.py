# SPDX-License-Identifier: Apache-2.0
"""How a running job is told: JSON lines for programs, a progress bar on stderr for people."""

import json
import sys
import threading
from types import TracebackType
from typing import Any, Self

from understudy.contracts.errors import JobCancelledError


class JsonLines:
    """Each event as one JSON object a line on stdout."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return

    def hear(self, event: dict[str, Any]) -> None:
        """Writes one event.

        Raises:
            JobCancelledError: The reader went away.
        """
        line = json.dumps(event, default=str)
        with self._lock:
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except BrokenPipeError:
                raise JobCancelledError("nobody reads the events of --json any more") from None


class ProgressBar:
    """A bar over frames, warnings as they come, and a closing line that says what became of the range.

    Args:
        verbose: Tell of each request to a service where its time went.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._verbose = verbose
        self._task: Any = None
        self._files: list[str] = []

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._progress.stop()

    def hear(self, event: dict[str, Any]) -> None:
        """Shows one event."""
        tell = getattr(self, f"_{event['event']}", None)
        if tell:
            tell(event)

    def _transport(self, event: dict[str, Any]) -> None:
        reason = f" ({event['reason']})" if event["reason"] else ""
        self._print(f"frames travel by {event['name']}{reason}")

    def _workers(self, event: dict[str, Any]) -> None:
        self._print(f"{event['count']} worker{'' if event['count'] == 1 else 's'} of {event['where']}")

    def _color(self, event: dict[str, Any]) -> None:
        self._print(f"{event['node']}: {event['colorspace']} (by {event['rule']})")

    def _policy(self, event: dict[str, Any]) -> None:
        self._print(f"policy of show {event['show']} (sha256 {event['sha256'][:12]}, by the {event['by']})")

    def _pack(self, event: dict[str, Any]) -> None:
        badge = f" · {event['badge']}" if event.get("badge") else ""
        self._print(f"{event['node']}: pack {event['id']}@{event['version']}#{event['sha256'][:12]}{badge}")

    def _warning(self, event: dict[str, Any]) -> None:
        frame = event.get("frame")
        where = event.get("node", "") + (f" frame {frame}" if frame is not None else "")
        self._print(f"warning: {where}: {event['message']}", style="yellow")

    def _timings(self, event: dict[str, Any]) -> None:
        if self._verbose:
            frame = "" if event["frame"] is None else f" frame {event['frame']}"
            spent = [f"{word} {event[f'{word}_s'] * 1e3:.0f} ms" for word in ("receive", "queue", "run")]
            self._print(f"{event['node']}{frame}: the service took {', '.join(spent)} ({event['request_id']})")

    def _start(self, event: dict[str, Any]) -> None:
        self._task = self._progress.add_task("draft" if event["draft"] else "frames", total=event["frames"])

    def _plan(self, event: dict[str, Any]) -> None:
        if event["state"] != "missing":
            self._print(_plan_line(event))

    def _step(self, event: dict[str, Any]) -> None:
        if self._task is not None and event["total"] > 1:
            frame = "" if event["frame"] is None else f" {event['frame']}"
            self._progress.update(self._task, description=f"{event['node']}{frame} {event['done']}/{event['total']}")

    def _frame(self, event: dict[str, Any]) -> None:
        if not event["skipped"]:
            self._files.append(event["file"])
        if self._task is not None:
            self._progress.update(self._task, completed=event["done"])

    def _done(self, event: dict[str, Any]) -> None:
        count = event["frames"]
        parts = [f"{count} frame{'' if count == 1 else 's'} in {event['seconds']:.1f} s"]
        if event["skipped"]:
            parts.append(f"{event['skipped']} were there already")
        if event.get("cached"):
            parts.append(f"{event['cached']} results from earlier renders")
        if event["max_in"] is not None and event["max_out"] is not None:
            parts.append(f"in max {event['max_in']:.1f} → out max {event['max_out']:.1f}")
        parts.append(f"clamped {event['clamped']} px")
        if event["confidence"] is not None:
            parts.append(f"confidence {event['confidence']:.2f}")
        self._print(" · ".join(parts))
        if self._files:
            self._print(f"wrote {self._files[0]}" + (f" … {self._files[-1]}" if len(self._files) > 1 else ""))

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False, soft_wrap=True)


class Plan:
    """What ``--dry-run`` found, on stdout: outputs that stand alike, and why the others would be made."""

    def __init__(self) -> None:
        self._counts: dict[bool, int] = {True: 0, False: 0}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is None:
            sys.stdout.write(f"{self._counts[False]} to render, {self._counts[True]} done\n")

    def hear(self, event: dict[str, Any]) -> None:
        """Shows how some outputs stand, and warnings."""
        if event["event"] == "plan":
            self._counts[event["state"] == "done"] += event["count"]
            sys.stdout.write(_plan_line(event) + "\n")
        elif event["event"] == "warning":
            sys.stderr.write(f"warning: {event.get('node', '')}: {event['message']}\n")


def _plan_line(event: dict[str, Any]) -> str:
    why = f": {event['why']}" if event["why"] else ""
    return f"{event['node']}: {event['frames']} {event['state']}{why}"
