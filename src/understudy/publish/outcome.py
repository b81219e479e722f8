# SPDX-License-Identifier: Apache-2.0
"""What checks found, all together: what is told, and how a command ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from understudy.contracts.errors import QualityGateError, RightsError
from understudy.publish.checks.check import Finding
from understudy.publish.subject import Subject


@dataclass(frozen=True)
class Outcome:
    """What was found of one subject.

    Attributes:
        subject: What was checked.
        findings: What was found.
    """

    subject: Subject
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps it from being published."""
        return tuple(one for one in self.findings if one.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What somebody should know."""
        return tuple(one for one in self.findings if one.severity == "warning")

    def to_event(self) -> dict[str, Any]:
        """The closing event of ``--check-only --json``."""
        return {
            "event": "checked",
            "name": self.subject.name,
            "frames": len(self.subject.frames),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
        }


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0; 7 where rights refuse something, 5 where anything else does."""
    errors = [one for outcome in outcomes for one in outcome.errors]
    if any(one.rights for one in errors):
        return RightsError.exit_code
    return QualityGateError.exit_code if errors else 0
