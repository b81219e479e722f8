# SPDX-License-Identifier: Apache-2.0
"""The log of a run: one JSON object a line, in a file and for whoever listens."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Listener = Callable[[Event], None]


class RunLog:
    """Appends events to ``log.jsonl`` and passes them on.

    Args:
        path: The file.
        listener: Hears each event too.
    """

    def __init__(self, path: Path, listener: Listener | None = None) -> None:
        self._path = path
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            with path.open("a", encoding="utf-8") as stream:
                stream.write("\n")  # a kill cut the last line short
        self._listener = listener

    def write(self, event: str, **facts: Any) -> None:
        """Writes one event. Figures get 6 significant digits; one that is not finite is null, as JSON has no other."""
        line = {"event": event, **{key: _rounded(value) for key, value in facts.items()}}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if self._listener:
            self._listener(line)


def read_log(path: Path) -> list[Event]:
    """The events of a log; a line that a kill cut short is left out."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
