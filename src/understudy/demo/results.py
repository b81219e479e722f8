# SPDX-License-Identifier: Apache-2.0
"""What the demo found out, role by role; the report shows it and ``demo.json`` keeps it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from understudy.demo.measure import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that must hold.

    Attributes:
        label: What was checked.
        holds: Whether it does.
        detail: The numbers.
    """

    label: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Numbers against truth.

    Attributes:
        columns: Headings; the first column names the row.
        rows: Cells as text; the row of our default pack has ``best`` set.
        ours: Index of the row that the pictures show.
        note: How it was measured, one or two sentences.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ours: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleResult:
    """One role.

    Attributes:
        role: ``motion``, ``interpolate``, ``upscale`` or ``relight``.
        probe: Whether the range of values survived.
        headline: The number that matters most, as text.
        table: Numbers against truth.
        checks: What else must hold.
        packs: The packs that played: id, version, sha256, title, license, training, badge and its reasons, encoding.
        frames: Frames rendered.
        seconds: Wall time of the render.
        color: The chain of color spaces, one step each.
        command: How to render it again.
        record: The provenance record of the pictures, relative to the report.
    """

    role: str
    probe: Probe
    headline: str
    table: Table
    checks: tuple[Check, ...]
    packs: tuple[Mapping[str, str], ...]
    frames: int
    seconds: float
    color: tuple[str, ...]
    command: str
    record: str

    @property
    def holds(self) -> bool:
        """The probe and every check hold."""
        return self.probe.holds and all(check.holds for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftResult:
    """What a draft of a role costs and misses.

    Attributes:
        role: The role.
        frames: Pictures the draft wrote.
        final_seconds: Wall time of a picture of the final, files included.
        draft_seconds: The same of the draft.
        misses: How far it is from the final: decibels on the display, or pixels of vector.
        shift: How far the draft lies from the final at most, pixels, by phase correlation.
    """

    role: str
    frames: int
    final_seconds: float
    draft_seconds: float
    misses: str
    shift: float

    @property
    def times(self) -> float:
        """How many times quicker the draft is."""
        return self.final_seconds / self.draft_seconds


@dataclass(kw_only=True)
class Rendered:
    """What a graph's events told.

    Attributes:
        packs: Pack events by node.
        color: Color events by node.
        frames: Frame events in order.
        seconds: Wall time.
    """

    packs: dict[str, dict[str, Any]] = field(default_factory=dict)
    color: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def hear(self, event: dict[str, Any]) -> None:
        """Keeps what the report needs of an event."""
        kind = event["event"]
        if kind == "pack":
            self.packs[event["node"]] = event
        elif kind == "color":
            self.color[event["node"]] = event
        elif kind == "frame":
            self.frames.append(event)
        elif kind == "done":
            self.seconds = event["seconds"]


def as_json(result: RoleResult) -> dict[str, Any]:
    """The result as JSON types."""
    return asdict(result) | {"holds": result.holds, "probe_line": result.probe.line}
