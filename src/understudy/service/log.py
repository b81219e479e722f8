# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line on standard error."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

LOGGER = logging.getLogger("understudy.service")


def log_event(
    event: str,
    fields: Mapping[str, object] | None = None,
    *,
    level: int = logging.INFO,
    exc_info: BaseException | None = None,
) -> None:
    """Writes one event.

    Args:
        event: A word or two that never change (``run``, ``serving``), to search by.
        fields: Facts beside it; JSON types.
        level: Of `logging`.
        exc_info: An exception whose traceback belongs in the log.
    """
    LOGGER.log(level, event, extra={"fields": dict(fields or {})}, exc_info=exc_info)


class JsonLines(logging.Formatter):
    """A log record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(*, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Sends this service's logs, and warnings of all libraries, to standard error as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
