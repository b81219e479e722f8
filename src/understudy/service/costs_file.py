# SPDX-License-Identifier: Apache-2.0
"""Keeps measured runs from one run of the service to the next. Never required: without its file they begin anew."""

import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from understudy.contracts.errors import OutputError
from understudy.frames.atomic import atomic
from understudy.roles.costs import Costs
from understudy.service.log import log_event

_SCHEMA = "understudy.costs/1"
_LARGEST = 32 << 20  # bytes; what is larger is none of ours
_EVERY_S = 60.0


def default_costs_file() -> Path:
    """``understudy/costs-<host>.json`` in the user's cache folder; home folders are shared by machines that differ."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:60] or "here"
    return cache / "understudy" / f"costs-{host}.json"


class CostsFile:
    """Measured runs with a file.

    Args:
        path: The file; read at once where it exists. None keeps nothing.
        clock: Seconds.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.costs = Costs(self._save_sometimes)
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._saved = 0
        self._saved_at = clock()
        if path is not None:
            _read(path, self.costs)

    def save(self) -> None:
        """Saves new runs, if there are any; a failure is logged and nothing more."""
        with self._lock:
            changes = self.costs.changes
            self._saved_at = self._clock()
            if self._path is None or changes == self._saved:
                return
            try:
                with atomic(self._path) as temporary:
                    text = json.dumps({"schema": _SCHEMA, "runs": self.costs.dump()})
                    temporary.write_text(text, encoding="utf-8")
            except OutputError as error:
                log_event("costs not saved", {"problem": str(error)}, level=logging.WARNING)
            self._saved = changes

    def _save_sometimes(self) -> None:
        if self._clock() - self._saved_at >= _EVERY_S:
            self.save()


def _read(path: Path, costs: Costs) -> None:
    """Takes what a file holds; whatever is wrong with it is logged, and the service goes on."""
    try:
        costs.load(_runs(path))
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        facts = {"file": str(path), "problem": f"{type(error).__name__}: {error}"[:300]}
        log_event("costs not read", facts, level=logging.WARNING)


def _runs(path: Path) -> list[Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is too large")
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["schema"] != _SCHEMA:
        raise ValueError(f"its schema is not {_SCHEMA}")
    return list(document["runs"])
