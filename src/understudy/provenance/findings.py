# SPDX-License-Identifier: Apache-2.0
"""What a check finds, in the one shape that people, programs and plug-ins are told it in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

_ORDER = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: Stable name of the check.
        severity: ``error`` blocks, ``warning`` is told, ``note`` is for who wants to know.
        file: The file's name, or a path relative to the folder that was checked; empty for none.
        frame: The frame; None for none.
        problem: What was found, without a final period.
        fix: What to do about it.
    """

    check: str
    severity: Severity = "error"
    file: str = ""
    frame: int | None = None
    problem: str
    fix: str = ""

    def event(self) -> dict[str, Any]:
        """The event that a command prints with ``--json``."""
        return {
            "event": "finding",
            "check": self.check,
            "severity": self.severity,
            "file": self.file or None,
            "frame": self.frame,
            "problem": self.problem,
            "fix": self.fix,
        }

    def __str__(self) -> str:
        head = f"{self.file}: {self.problem}" if self.file else self.problem
        return f"{head}; {self.fix}" if self.fix else head


@dataclass(kw_only=True)
class Verdict:
    """What a verification came to.

    Attributes:
        findings: What is not as it should be.
        frames: Frames that were looked at.
        bytes: Bytes that were read.
        claimed: Every record says that it is signed.
        signed: Every record is signed, and every signature is over the record that is there.
        trusted: Every signature is of a signer that one of the given authorities vouches for.
    """

    findings: list[Finding] = field(default_factory=list)
    frames: int = 0
    bytes: int = 0
    claimed: bool = False
    signed: bool = False
    trusted: bool = False

    @property
    def errors(self) -> int:
        """How many findings block."""
        return sum(one.severity == "error" for one in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings only tell."""
        return sum(one.severity == "warning" for one in self.findings)

    def event(self) -> dict[str, Any]:
        """The event that ends ``understudy provenance verify --json``."""
        return {
            "event": "verified",
            "frames": self.frames,
            "errors": self.errors,
            "warnings": self.warnings,
            "signed": self.signed,
            "trusted": self.trusted,
        }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by file and frame; the same one once."""
    unique = dict.fromkeys(findings)
    return sorted(
        unique, key=lambda one: (_ORDER.index(one.severity), one.frame is None, one.frame or 0, one.file, one.check)
    )
