# SPDX-License-Identifier: Apache-2.0
"""What a render knows of the frames it wrote, line by line, until the record has it: for when the render is killed.

A record is brought up to date now and then. Each frame's line is written right before the frame takes its place, so
that the render that goes on after a kill can say of every frame what the killed one would have said: confidence,
inputs, machine. The files are hidden ones beside the pictures; they go when the record has all that their render was to
make.
"""

import json
import os
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from understudy.graph.steps.step import Frame
from understudy.provenance.frame_entry import FrameFacts
from understudy.provenance.job import InputEntry

_PREFIX = ".understudy-journal-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One frame that was written, or nearly.

    Attributes:
        frame: The frame.
        job: Digest of the job that made it.
        facts: What was known before it was written.
        clamped: Samples that the file's type could not hold.
        colorspace: Color space of the picture.
        fps: Frames per second; empty when unknown.
        inputs: The pictures it was made from: input, path and frame.
        warnings: Warnings since the line before.
    """

    frame: Frame
    job: str
    facts: FrameFacts
    clamped: int
    colorspace: str
    fps: str
    inputs: tuple[tuple[InputEntry, Path, Frame], ...]
    warnings: tuple[str, ...]


class Journal:
    """The lines of one render of one sequence; safe from several threads.

    Args:
        folder: Where the pictures lie.
        pattern: Name of the files, as ``Sequence.pattern``.
        token: Names the render.
    """

    def __init__(self, folder: Path, pattern: str, token: str) -> None:
        self._path = folder / f"{_stem(pattern)}{token}"
        self._lock = threading.Lock()
        self._file: int | None = None

    def add(self, line: Line) -> None:
        """Writes a line; a journal that can't be written is no reason to stop a render."""
        told = asdict(line) | {"inputs": [(e.model_dump(mode="json"), str(p), f) for e, p, f in line.inputs]}
        content = (json.dumps(told) + "\n").encode()
        with self._lock, suppress(OSError):
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
                self._file = os.open(self._path, flags, 0o666)
            os.write(self._file, content)

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def read_journals(folder: Path, pattern: str) -> dict[Frame, Line]:
    """What renders that were killed, or that run now, wrote of a sequence: each frame's last line."""
    found: dict[Frame, Line] = {}
    for path in sorted(_journals(folder, pattern), key=_changed):
        with suppress(OSError):
            for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # the last line of a killed render may be half there
                    line = _line(json.loads(text))
                    found[line.frame] = line
    return found


def remove_journals(folder: Path, pattern: str, under_way: Collection[str]) -> None:
    """Removes the journals of a sequence but those of renders that have something left to record."""
    for path in _journals(folder, pattern):
        if path.name.removeprefix(_stem(pattern)) not in under_way:
            with suppress(OSError):
                path.unlink()


def _line(told: dict[str, Any]) -> Line:
    inputs = tuple((InputEntry(**entry), Path(path), frame) for entry, path, frame in told["inputs"])
    facts = FrameFacts(**told["facts"])
    return Line(**told | {"facts": facts, "inputs": inputs, "warnings": tuple(told["warnings"])})


def _journals(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(f"{_stem(pattern)}*"))


def _stem(pattern: str) -> str:
    return f"{_PREFIX}{sha256(pattern.encode()).hexdigest()[:16]}-"


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
