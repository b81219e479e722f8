# SPDX-License-Identifier: Apache-2.0
"""How an error that ends a command is told."""

import os
import sys
from contextlib import suppress

from understudy.contracts.errors import UnderstudyError

_LONGEST = 4000
"""Longer messages are cut."""


def tell(error: UnderstudyError) -> None:
    """Tells the error to a person on stderr, and to a program on stdout when it asked for JSON."""
    if "--json" in sys.argv:
        import json

        kind = type(error).__name__
        told = {"problem": _short(error.problem), "where": error.where and _short(error.where), "fix": error.fix}
        event = {"event": "error", "kind": kind, **told, "exit_code": error.exit_code}
        if error.request_id:
            event["request_id"] = error.request_id
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except OSError:
            silence_stdout()
    with suppress(OSError):
        sys.stderr.write(f"understudy: {_short(str(error))}\n")
        sys.stderr.flush()


def silence_stdout() -> None:
    """What is still buffered for a reader that went away, or for a full disk, goes nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _short(text: str) -> str:
    """Text that may quote a whole document, cut in the middle."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
