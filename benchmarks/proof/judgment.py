# SPDX-License-Identifier: Apache-2.0
"""What a soak must have kept to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from proof.served import Facts

_ENDS = {"right", "cancelled", "late", "killed"}
EMPTY_AT_REST = (
    "understudy_open_requests",
    "understudy_queue_length",
    "understudy_workers_busy",
    "understudy_held_bytes",
)
"""Metrics of the service that are zero when nobody asks for anything."""

_SPARE_DESCRIPTORS = 2  # gRPC opens and closes a few of its own as it likes
_SPARE_THREADS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """The service at rest, nobody connected.

    Attributes:
        round: After which round.
        seconds: Since the start.
        facts: What it held.
        counters: What its own metrics say of what is open, waits and is held.
    """

    round: int
    seconds: float
    facts: Facts
    counters: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """For people."""
        held = self.facts
        return (
            f"{held.rss_bytes / 1e6:.0f} MB, {held.descriptors} descriptors, {held.threads} threads,"
            f" {held.regions} regions"
        )


def requests_wrong(results: Sequence[tuple[int, str, dict[str, Any]]], total: int) -> list[str]:
    """Requests that did not end as they must: each one once, with the right answer or as its client chose to end it."""
    found = [
        f"request {serial} ({fact.get('pack')}) {what}: {fact.get('said')}"
        for serial, what, fact in results
        if what not in _ENDS
    ]
    ends = Counter(serial for serial, _, _ in results)
    lost = [serial for serial in range(total) if not ends[serial]]
    twice = [serial for serial, count in ends.items() if count > 1]
    found += [f"{len(lost)} requests were lost, such as {lost[:5]}"] if lost else []
    found += [f"{len(twice)} requests ended twice, such as {twice[:5]}"] if twice else []
    return found


def leaks(samples: Sequence[Sample], most_growth: float) -> list[str]:
    """What the service holds at the end and did not hold after it had warmed up.

    The first quarter of the rounds is warm-up. Memory is the median of the following quarter beside that of the last.

    Args:
        samples: One a round.
        most_growth: Share that memory may grow by.
    """
    quarter = max(1, len(samples) // 4)
    warm, last = samples[quarter : 2 * quarter] or samples[:1], samples[-quarter:]
    found = []
    before, after = (median(sample.facts.rss_bytes for sample in part) for part in (warm, last))
    if after > before * (1 + most_growth):
        found.append(f"memory grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB")
    begun = samples[: 2 * quarter]
    for name, spare in (("descriptors", _SPARE_DESCRIPTORS), ("threads", _SPARE_THREADS)):
        most, now = max(getattr(s.facts, name) for s in begun), getattr(samples[-1].facts, name)
        if now > most + spare:
            found.append(f"{name} grew from {most} to {now}")
    for sample in samples:
        still = {name: value for name, value in sample.counters.items() if name in EMPTY_AT_REST and value}
        found += [f"after round {sample.round}, at rest: {still}"] if still else []
        if sample.facts.regions:
            found.append(
                f"after round {sample.round}, {sample.facts.regions} regions of clients that are gone are mapped"
            )
    return found


def log_wrong(log: Sequence[dict[str, Any]]) -> list[str]:
    """What the service's own log says that it must not."""
    found = [f"the log has: {line}" for line in log if line.get("level") == "error" or "traceback" in line]
    if not any(line.get("event") == "stopped" for line in log):
        found.append("the log does not say that it stopped")
    return found
