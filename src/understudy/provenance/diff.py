# SPDX-License-Identifier: Apache-2.0
"""What differs between two records: what was rendered, with what, from what, and which frames came out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.frames.sequence import format_frames
from understudy.provenance.job import Job
from understudy.provenance.record import FrameEntry, Record


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        what: ``graph``, ``operations``, ``packs``, ``inputs``, ``color``, ``machines``, ``rights``, ``sequence``,
            ``draft`` or ``frames``.
        where: Where in it: a node and its field, a pack, a range of frames.
        before: What the first record says; None where it says nothing.
        after: What the second says.
    """

    what: str
    where: str
    before: Any
    after: Any

    def event(self) -> dict[str, Any]:
        """The event that ``understudy provenance diff --json`` prints."""
        return {
            "event": "difference",
            "what": self.what,
            "where": self.where,
            "before": self.before,
            "after": self.after,
        }


def differences_of(before: Record, after: Record) -> list[Difference]:
    """All differences but times and ids."""
    found: list[Difference] = []
    for what, look in (
        ("sequence", lambda record: record.sequence.model_dump(mode="json")),
        ("rights", lambda record: record.rights.model_dump(mode="json")),
        ("draft", lambda record: {"": record.draft}),
        ("operations", lambda record: _over_jobs(record, _operations)),
        ("packs", lambda record: _over_jobs(record, _packs)),
        ("inputs", lambda record: _over_jobs(record, _inputs)),
        ("color", lambda record: _over_jobs(record, _color)),
        ("machines", lambda record: _over_jobs(record, _machines)),
    ):
        found += _compared(what, look(before), look(after))
    return found + list(_frames(before, after))


def _over_jobs(record: Record, look: Any) -> dict[str, Any]:
    """What the jobs of a record say; where two say different things, both."""
    values: dict[str, list[Any]] = {}
    for job in record.jobs.values():
        for name, value in look(job).items():
            known = values.setdefault(name, [])
            if value not in known:
                known.append(value)
    return {name: known[0] if len(known) == 1 else known for name, known in values.items()}


def _compared(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Difference(what, name, before.get(name), after.get(name))


def _operations(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for operation in job.operations:
        found[operation.node] = operation.type
        found |= {f"{operation.node}.{name}": value for name, value in operation.parameters.items()}
        found |= {f"{operation.node}.{name}": value for name, value in operation.inputs.items()}
    return found


def _packs(job: Job) -> dict[str, Any]:
    return {f"{pack.role}: {pack.pin.partition('@')[0]}": pack.pin for pack in job.packs} | {
        f"badge of {pack.pin.partition('#')[0]}": pack.badge for pack in job.packs
    }


def _inputs(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in job.inputs:
        name = entry.node if entry.kind == "picture" else f"{entry.node}.{entry.kind}"
        found[name] = entry.pattern
        found[f"{name}.colorspace"] = entry.colorspace
        found |= {f"{name}/{file.file}": file.blake3 for file in entry.files}
    return found


def _color(job: Job) -> dict[str, Any]:
    return job.color.model_dump(mode="json")


def _machines(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in job.environments:
        for name, value in {**one.versions, **one.runtimes, "device": one.device, "platform": one.platform}.items():
            known = found.setdefault(name, [])
            if value not in known:
                known.append(value)
    return {name: sorted(known) for name, known in found.items()}


def _frames(before: Record, after: Record) -> Iterator[Difference]:
    a, b = before.by_frame, after.by_frame
    yield from _group("only in the first", (n for n in a if n not in b), "recorded", None)
    yield from _group("only in the second", (n for n in b if n not in a), None, "recorded")
    both = [n for n in a if n in b]
    changed = [n for n in both if a[n].pixels != b[n].pixels]
    yield from _group("other pixels", changed, None, None)
    same = [n for n in both if a[n].pixels == b[n].pixels and a[n].blake3 != b[n].blake3]
    yield from _group("same pixels, other files", same, None, None)
    for field in ("origin", "source_type"):
        kinds: dict[tuple[str, str], list[int | None]] = {}
        for n in both:
            pair = _value(a[n], field), _value(b[n], field)
            if pair[0] != pair[1]:
                kinds.setdefault(pair, []).append(n)
        for (old, new), numbers in kinds.items():
            yield from _group(field, numbers, old, new)


def _value(entry: FrameEntry, field: str) -> str:
    return str(getattr(entry, field))


def _group(where: str, numbers: Iterable[int | None], before: Any, after: Any) -> Iterator[Difference]:
    listed = list(numbers)
    if listed:
        text = format_frames(number for number in listed if number is not None) or "still"
        yield Difference("frames", f"{text}: {where}", before, after)
