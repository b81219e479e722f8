# SPDX-License-Identifier: Apache-2.0
"""Puts the events of many chunks together, so that they read as those of one render."""

import time
from collections.abc import Mapping
from typing import Any

from understudy.graph.events import Event, Listener


class Tally:
    """Counts what chunks tell, each output once.

    A chunk whose worker was killed is told twice: the frames it had done come again as skipped. The largest values and
    the clamped samples of a killed worker's part are not known.

    Args:
        total: How many outputs there are.
        listener: Hears the events.
    """

    def __init__(self, total: int, listener: Listener) -> None:
        self._total = total
        self._listener = listener
        self._began = time.monotonic()
        self._outputs: set[tuple[str, Any]] = set()
        self._warnings: set[tuple[Any, str]] = set()
        self._skipped = 0
        self._confidences: list[float] = []
        self._largest: dict[str, float] = {}
        self._sums = {"clamped": 0, "cached": 0}

    @property
    def complete(self) -> bool:
        """Whether every output was told."""
        return len(self._outputs) == self._total

    def hear(self, event: Event) -> None:
        """Passes on what holds for the whole job."""
        match event["event"]:
            case "frame":
                self._frame(event)
            case "warning":
                said = (event.get("node"), str(event["message"]))
                if said not in self._warnings:
                    self._warnings.add(said)
                    self._listener(event)
            case "step" | "timings" | "workers":
                self._listener(event)

    def add(self, facts: Mapping[str, Any]) -> None:
        """Adds what a render of a part said at its end: ``max_in``, ``max_out``, ``clamped``, ``cached``."""
        for name in ("max_in", "max_out"):
            value = facts[name]
            if value is not None:
                self._largest[name] = max(value, self._largest.get(name, value))
        for name in self._sums:
            self._sums[name] += facts[name]

    def finish(self) -> None:
        """Tells the event ``done``."""
        known = self._confidences
        self._listener(
            {
                "event": "done",
                "frames": len(self._outputs) - self._skipped,
                "skipped": self._skipped,
                "seconds": round(time.monotonic() - self._began, 3),
                "max_in": self._largest.get("max_in"),
                "max_out": self._largest.get("max_out"),
                "clamped": self._sums["clamped"],
                "confidence": sum(known) / len(known) if known else None,
                "cached": self._sums["cached"],
            }
        )

    def _frame(self, event: Event) -> None:
        output = (event["node"], event["frame"])
        if output in self._outputs:
            return
        self._outputs.add(output)
        self._skipped += bool(event["skipped"])
        if event["confidence"] is not None:
            self._confidences.append(event["confidence"])
        self._listener(event | {"done": len(self._outputs), "total": self._total})
