# SPDX-License-Identifier: Apache-2.0
"""What a check is, and what it finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from understudy.frames.sequence import format_frames

Severity = Literal["error", "warning"]
Family = Literal["frames", "color", "picture", "record", "packs", "rights", "quality"]

FrameNumber = int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a check found.

    Attributes:
        check: Name of the check.
        severity: An ``error`` stops the publish, a ``warning`` is told.
        family: Which plug-in tells of it.
        title: What the artist reads first.
        problem: What was found, one sentence without a final period.
        fix: What to do, one sentence without a final period.
        file: The file it is about; empty for none.
        frames: The frames it is about.
        rights: It is about rights: the exit code is 7 then, not 5.
    """

    check: str
    severity: Severity
    family: Family
    title: str
    problem: str
    fix: str
    file: str = ""
    frames: tuple[FrameNumber, ...] = ()
    rights: bool = False

    def to_event(self) -> dict[str, Any]:
        """The finding as ``--json`` prints it; ``frame`` is the first of ``frames``."""
        numbers = [number for number in self.frames if number is not None]
        return {
            "event": "finding",
            "check": self.check,
            "severity": self.severity,
            "family": self.family,
            "title": self.title,
            "file": self.file,
            "frame": numbers[0] if numbers else None,
            "frames": format_frames(numbers),
            "problem": self.problem,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        name: Stable; policies, reports and tests call it by that.
        severity: What its findings are.
        family: Its module, and the plug-in that tells of it.
        title: What the artist reads first.
        catches: What it looks for, a sentence; the guide's table is made from it.
        fix: What to do about it, a sentence without a final period.
    """

    name: str
    severity: Severity
    family: Family
    title: str
    catches: str
    fix: str

    def found(
        self,
        problem: str,
        *,
        frames: Iterable[FrameNumber] = (),
        file: str = "",
        fix: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this check.

        Args:
            problem: What was found, one sentence without a final period.
            frames: The frames.
            file: The file.
            fix: What to do, where it is not what is always to be done.
            severity: Where a policy has it another way.
        """
        return Finding(
            check=self.name,
            severity=severity or self.severity,
            family=self.family,
            title=self.title,
            problem=problem,
            fix=fix or self.fix,
            file=file,
            frames=tuple(frames),
            rights=self.family in ("packs", "rights"),
        )
