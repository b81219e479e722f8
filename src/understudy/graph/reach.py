# SPDX-License-Identifier: Apache-2.0
"""The files by which another machine proves that it sees a graph's files as this one does."""

from pathlib import Path

from understudy.frames.sequence import open_sequence
from understudy.graph.document import Graph
from understudy.graph.paths import files_of


def files_to_prove(graph: Graph) -> tuple[list[Path], list[Path]]:
    """A file that is there of each input, and the path of each output.

    Raises:
        InputError: An input is missing.
    """
    inputs: list[Path] = []
    outputs: list[Path] = []
    for named in files_of(graph):
        path = Path(named.path)
        if named.mark.access == "write":
            outputs.append(path)
        elif named.mark.access == "read" and path.is_file():
            inputs.append(path)
        elif named.mark.access == "read":
            found = open_sequence(named.path)
            inputs.append(found.path(min(found.frames, default=None)))
    return inputs, outputs
