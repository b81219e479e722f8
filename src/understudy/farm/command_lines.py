# SPDX-License-Identifier: Apache-2.0
"""A render as commands, one for each chunk, for farm managers that run commands."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.farm.chunks import chunks
from understudy.farm.job import FarmJob
from understudy.frames.sequence import format_frames


@dataclass(frozen=True, slots=True)
class ChunkCommand:
    """One task.

    Attributes:
        frames: What it renders, such as ``1001-1004``; empty for a job of stills.
        count: How many frames that are.
        argv: The command and its arguments.
    """

    frames: str
    count: int
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        """The command for a shell."""
        return shlex.join(self.argv)

    def event(self) -> dict[str, Any]:
        """It as JSON types."""
        event: dict[str, Any] = {"event": "chunk", "frames": self.frames, "count": self.count}
        return {**event, "command": self.line, "argv": list(self.argv)}


def chunk_commands(
    job: FarmJob, graph_file: Path, *, size: int, contiguous: bool, program: Sequence[str] = ("understudy",)
) -> Iterator[ChunkCommand]:
    """The commands of a job, in the order of its frames; each may run anywhere, at any time, and again.

    Args:
        job: The render.
        graph_file: Where its graph was written.
        size: Most frames of a chunk.
        contiguous: The frames of a chunk follow each other.
        program: What starts Understudy on the farm.

    Raises:
        UsageError: The size is none.
    """
    options = [*(("--draft",) if job.draft else ()), *(("--policy", str(job.policy)) if job.policy else ())]
    start = (*program, "render", str(graph_file))
    if not job.frames:
        yield ChunkCommand("", 0, (*start, *options))
    for chunk in chunks(job.frames, size, contiguous=contiguous):
        frames = format_frames(chunk)
        yield ChunkCommand(frames, len(chunk), (*start, f"--part={frames}", *options))
