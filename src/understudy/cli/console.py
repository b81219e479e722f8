# SPDX-License-Identifier: Apache-2.0
"""Where commands print their tables."""

from rich.console import Console


class Printer(Console):
    """A rich console on stdout that leaves it to ``main`` what to do when the reader, such as ``head``, had enough."""

    def on_broken_pipe(self) -> None:
        """Rich itself would end the process with exit code 1."""
        raise BrokenPipeError
