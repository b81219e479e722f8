# SPDX-License-Identifier: Apache-2.0
"""What a job has made, found by its graph."""

from pathlib import Path

from understudy.contracts.errors import MissingFileError
from understudy.frames.sequence import split_pattern
from understudy.graph.document import Graph
from understudy.graph.draft import output_file
from understudy.provenance.record_file import record_of


def records_of(graph: Graph, *, draft: bool) -> tuple[Path, ...]:
    """The records of a graph's outputs.

    Args:
        graph: The document.
        draft: It was rendered as a draft.

    Raises:
        MissingFileError: An output has none.
    """
    found: list[Path] = []
    for name in graph.writes():
        file = output_file(graph, name, draft=draft)
        split = split_pattern(file)
        path = Path(str(split[0])) if split else Path(file)
        record = record_of(path.parent, path.name)
        if record is None:
            raise MissingFileError("there is no record of these frames", where=str(path), fix="render them")
        found.append(record[0])
    return tuple(dict.fromkeys(found))
