# SPDX-License-Identifier: Apache-2.0
"""How far a command is, from what it tells."""

from __future__ import annotations

from typing import Any


class Progress:
    """Listens to a command's events.

    Attributes:
        share: Of the work that is done, 0 to 1; never smaller than before.
        text: The same for people.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.text = ""
        self._done, self._total = 0, 0

    def hear(self, event: dict[str, Any]) -> bool:
        """Takes an event in, and says whether it told of progress."""
        kind = event.get("event")
        try:
            if kind == "start":
                self._total = int(event["frames"])
                within = 0.0
            elif kind == "frame":
                self._done, self._total = int(event["done"]), int(event["total"])
                within = 0.0
            elif kind == "step":
                within = float(event["done"]) / max(float(event["total"]), 1.0)
            else:
                return False
        except (KeyError, TypeError, ValueError):
            return False
        total = max(self._total, 1)
        self.share = max(self.share, min((self._done + min(within, 1.0)) / total, 1.0))
        self.text = f"{self._done} of {total} frame{'' if total == 1 else 's'}"
        return True
