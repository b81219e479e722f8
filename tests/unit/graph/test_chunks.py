# SPDX-License-Identifier: Apache-2.0
"""A job in chunks gives the bytes of a job in one: nodes read over a chunk's borders and never write over them."""

from pathlib import Path

from shots import Job, make_job
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine


def _render(job: Job, frames: str = "") -> list[int]:
    """Renders with an engine of its own, as another process would; the frames that were written."""
    written: list[int] = []

    def hear(event: dict[str, object]) -> None:
        if event["event"] == "frame" and not event["skipped"]:
            written.append(int(str(event["frame"])))

    engine = LocalEngine(device="cpu")
    try:
        render_graph(load_graph(job.graph), engine, frames=frames, on_event=hear)
    finally:
        engine.close()
    return written


def test_chunks_and_the_whole_have_the_same_bytes(tmp_path: Path) -> None:
    whole, chunks = make_job(tmp_path, frames=20), make_job(tmp_path, frames=20, out="chunks")
    _render(whole)
    assert _render(chunks, "1012-1020") == list(range(1012, 1021))  # the later one first, its border between two plates
    assert len(chunks.pictures()) == 9
    before = chunks.pictures()
    assert _render(chunks, "1001-1011") == list(range(1001, 1012))
    assert len(whole.pictures()) == 20
    assert chunks.pictures() == whole.pictures()
    assert {name: chunks.pictures()[name] for name in before} == before
