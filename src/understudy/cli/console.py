# SPDX-License-Identifier: Apache-2.0
"""Where commands print their tables, and how they count."""

from rich.console import Console


def counted(count: int, thing: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


class Printer(Console):
    """A rich console on stdout that leaves it to ``main`` what to do when the reader, such as ``head``, had enough."""

    def on_broken_pipe(self) -> None:
        """Rich itself would end the process with exit code 1."""
        raise BrokenPipeError
