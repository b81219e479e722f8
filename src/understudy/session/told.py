# SPDX-License-Identifier: Apache-2.0
"""What a session holds, for people."""

from collections.abc import Iterator

from understudy.frames.sequence import format_frames
from understudy.graph.document import Graph, inputs_of
from understudy.session.document import Session


def lines_of(session: Session, graph: Graph) -> Iterator[str]:
    """A session in lines: when, where, nodes, packs, inputs, what stood, what is in the file.

    Args:
        session: What it says.
        graph: Its graph.
    """
    yield f"saved {session.saved} with understudy {session.version} on {session.device}"
    yield f"graph {session.graph}, frames {session.frames or 'all'}"
    for name, variable in session.variables.items():
        yield f"variable {name} was {variable.folder}"
    own = ", in this file" if session.ocio.member else ""
    yield f"ocio {session.ocio.name} ({session.ocio.cache_id}{own})"
    for name, node in graph.nodes.items():
        sources = ", ".join(inputs_of(node).values())
        yield f"node {name}: {node.type}{f' of {sources}' if sources else ''}"
    for pack in session.packs:
        users = [*pack.final, *(f"{node} in drafts" for node in pack.draft if node not in pack.final)]
        yield f"pack {pack.pin[: pack.pin.index('#') + 13]}: {', '.join(users)}"
    for entry in session.inputs:
        count = f" {format_frames(entry.frames)}" if entry.frames else ""
        yield f"input {entry.place}: {entry.file}{count}"
    groups: dict[tuple[str, str, str, str], list[int | None]] = {}
    for output in session.outputs:
        groups.setdefault((output.write, output.quality, output.state, output.why), []).append(output.frame)
    for (write, quality, state, why), frames in groups.items():
        numbers = format_frames(frame for frame in frames if frame is not None) or "still"
        yield f"{quality} {write}: {numbers} {state}{f': {why}' if why else ''}"
    pictures = [result for result in session.results if result.part == "picture"]
    if pictures:
        numbers = format_frames(result.frame for result in pictures if result.frame is not None) or "still"
        size = sum(result.size for result in session.results)
        yield f"drafts in this file: {numbers} ({size / 1e6:.1f} MB)"
