# SPDX-License-Identifier: Apache-2.0
"""What a conformance run says: one result per check, with what was found and how to fix it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from understudy.contracts.jobs import PackPin

Status = Literal["passed", "failed", "skipped"]


class CheckFailedError(Exception):
    """Raised by a check whose promise does not hold.

    Args:
        found: What was measured, one sentence without a final period.
        fix: What the pack's author should do.
    """

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found = found
        self.fix = fix


class CheckSkippedError(Exception):
    """Raised by a check that has nothing to test in this pack; its text says why."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome.

    Attributes:
        name: Stable short name such as ``tiles``.
        promise: What is promised, one sentence.
        status: ``passed``, ``failed`` or ``skipped``.
        found: What was measured, or why the check was skipped.
        fix: What to do when it failed; else empty.
    """

    name: str
    promise: str
    status: Status
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """All results of one pack.

    Attributes:
        folder: The pack's folder.
        pin: The pack, or None when its manifest can't be read.
        results: In the order the checks ran.
    """

    folder: str
    pin: PackPin | None
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """No check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.status == "failed")

    def as_json(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "folder": self.folder,
            "pack": str(self.pin) if self.pin else None,
            "passed": self.passed,
            "checks": [asdict(result) for result in self.results],
        }
