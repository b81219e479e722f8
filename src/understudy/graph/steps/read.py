# SPDX-License-Identifier: Apache-2.0
"""The read step: a sequence or a still, in working form."""

from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import numpy as np

from understudy.color.decide import ColorDecision, decide
from understudy.contracts.errors import GraphError, SequenceError
from understudy.contracts.header import FileHeader
from understudy.contracts.outline import Outline
from understudy.contracts.plate import Plate, Sanitized
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.sequence import format_frames, open_sequence, parse_frames
from understudy.frames.stored import read_outline
from understudy.graph.document import ReadNode
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting
from understudy.graph.working_space import to_working
from understudy.roles.proxy import FULL_SIZE


class ReadStep:
    """Reads plates. Color space and channels are settled once, from the first file.

    Attributes:
        frames: From the first frame to the last, gaps included: a gap has a policy of its own.
        decision: The color space of the files, and why.
        proxy: How its plates are made smaller in a draft.
    """

    kind = "read"

    def __init__(self, name: str, node: ReadNode, setting: Setting) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self.proxy = setting.proxy if setting.draft else FULL_SIZE
        setting.files.require(Path(node.file), "read")
        self._sequence = open_sequence(node.file)
        self._present = frozenset(self._sequence.frames)
        self._header = self._read_header(self._sequence.path(min(self._present, default=None)))
        self.frames = self._frames()
        self.decision = self._decide()

    @cached_property
    def outline(self) -> Outline:
        """That of the first file, made smaller in a draft."""
        node = self._node
        whole = read_outline(
            Path(self._header.path), self._header, view=node.view, part=node.part, channels=self._wanted()
        )
        return self.proxy.small_outline(whole)

    def asks(self, _frame: Frame) -> tuple[Ask, ...]:
        """Nothing of the engine."""
        return ()

    def needs(self, _frame: Frame) -> tuple[Key, ...]:
        """Nothing of other nodes."""
        return ()

    @property
    def container(self) -> str:
        """Format of the files."""
        return self._header.container

    @property
    def pattern(self) -> str:
        """The pattern of the files' paths; of a still its path."""
        return self._sequence.pattern

    def files(self) -> tuple[Path, ...]:
        """Every file it may read."""
        return tuple(self._sequence.path(frame) for frame in (self._sequence.frames or (None,)))

    def source_of(self, frame: Frame) -> Path | None:
        """The file a frame is read from; None for a black frame."""
        if frame is None or frame in self._present:
            return self._sequence.path(frame)
        earlier = [other for other in self._sequence.frames if other < frame]
        if self._node.missing == "hold" and earlier:
            return self._sequence.path(earlier[-1])
        return None

    def require(self, frames: tuple[int, ...]) -> None:
        """Refuses a job that would meet a gap.

        Raises:
            SequenceError: Frames are missing where that is an error, or none stands before them to be held.
        """
        if self._node.missing == "black" or self._sequence.still:
            return
        missing = [frame for frame in frames if self.source_of(frame) is None]
        if missing and self._node.missing == "hold":
            raise SequenceError(
                f"frames {format_frames(missing)} are missing, and no frame before them to hold",
                where=self._node.file,
                fix="render them, choose other --frames, or say --missing black",
            )
        if missing:
            raise SequenceError(
                f"frames {format_frames(missing)} are missing",
                where=self._node.file,
                fix="render them, choose other --frames, or say --missing hold or --missing black",
            )

    def compute(self, frame: Frame, _fetch: Fetch) -> Outcome:
        """One plate; safe from several threads."""
        return self.read(frame)

    def cause(self, frame: Frame) -> Cause:
        """The content of the file, whatever its name, and how it is read."""
        path = self.source_of(frame)
        node = self._node
        facts = {
            "type": "read",
            "black": path is None,
            "colorspace": self.decision.colorspace,
            "view": node.view,
            "part": node.part,
            "channels": list(node.channels),
            "container": self.container,
            **self.proxy.facts,
        }
        return Cause(facts=facts, files=(path or self._sequence.path(self._sequence.frames[0]),))

    def read(self, frame: Frame) -> Outcome:
        """One plate; reading takes nothing of other nodes.

        Raises:
            InputError: The file can't be read, or its size or color space is not that of the first.
        """
        path = self.source_of(frame)
        if path is None:
            return Outcome(plate=self._black(frame), report={"missing": "black"})
        header = self._header if self._header.path == str(path) else self._read_header(path)
        self._check_like_first(header)
        self._setting.files.require(path, "read")
        plate = read_plate(
            path,
            header=header,
            frame=frame,
            colorspace=self.decision.colorspace,
            view=self._node.view,
            part=self._node.part,
            channels=self._wanted(),
        )
        report = {"nan": plate.sanitized.nan, "inf": plate.sanitized.inf} if plate.sanitized else {}
        return Outcome(plate=self.proxy.shrink(to_working(plate, self._setting.color)), report=report)

    def _read_header(self, path: Path) -> FileHeader:
        self._setting.files.require(path, "read")
        return read_header(path)

    def _frames(self) -> tuple[Frame, ...]:
        if self._sequence.still:
            return (None,)
        if self._node.frames:
            return parse_frames(self._node.frames)
        present = self._sequence.frames
        return tuple(range(present[0], present[-1] + 1))

    def _decide(self) -> ColorDecision:
        decision = decide(self._header.color, user=self._node.colorspace, config=self._setting.color)
        event = {"event": "color", "node": self.name, "colorspace": decision.colorspace}
        self._setting.listener(event | {"rule": decision.rule, "detail": decision.detail})
        for warning in decision.warnings:
            self._setting.listener({"event": "warning", "node": self.name, "message": warning})
        return decision

    def _wanted(self) -> tuple[str, ...] | None:
        if not self._node.channels:
            return None
        have = [name for part in self._header.parts for name in part.channels]
        wanted = tuple(name for name in have if any(fnmatchcase(name, p) for p in self._node.channels))
        if not wanted:
            raise GraphError(
                f"no channel fits {', '.join(self._node.channels)}",
                where=f"nodes.{self.name}.channels",
                fix=f"there are {', '.join(have)}",
            )
        return wanted

    def _check_like_first(self, header: FileHeader) -> None:
        here, first = header.display_window, self._header.display_window
        if (here.width, here.height) != (first.width, first.height):
            raise SequenceError(
                f"is {here.width}x{here.height}, the sequence starts with {first.width}x{first.height}",
                where=header.path,
                fix="split the sequence with --frames where its size changes",
            )
        own = decide(header.color, user=self._node.colorspace, config=self._setting.color).colorspace
        if own != self.decision.colorspace:
            raise SequenceError(
                f"is in {own}, the sequence starts in {self.decision.colorspace}",
                where=header.path,
                fix="split the sequence with --frames, or declare one space with --colorspace",
            )

    def _black(self, frame: Frame) -> Plate:
        like = self.read(self._sequence.frames[0]).plate
        return replace(like, pixels=np.zeros_like(like.pixels), frame=frame, sanitized=Sanitized())
