# SPDX-License-Identifier: Apache-2.0
"""Every check, and running them all."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from understudy.publish.checks import color, frames, packs, picture, quality, record, rights
from understudy.publish.checks.check import Check, Finding
from understudy.publish.subject import Subject

_FAMILIES = (frames, color, picture, record, packs, rights, quality)

CHECKS: tuple[Check, ...] = tuple(check for family in _FAMILIES for check in family.CHECKS)
"""All checks, in the order in which they are told."""

_EXACT = {"frames", "color", "picture"}
_GENERAL = {"frame-foreign", "frame-altered", "frame-header", "frame-recompressed", "frame-rewrapped"}
"""Checks that say that a frame is another one than was recorded; those of ``_EXACT`` families say what is wrong."""

_OF_PIXELS = {"flicker", "retime-frames"}


def run_checks(subject: Subject) -> tuple[Finding, ...]:
    """What every check finds, family by family, each fault told once."""
    return tuple(_told_once([one for family in _FAMILIES for one in family.find(subject)]))


def _told_once(findings: list[Finding]) -> Iterator[Finding]:
    """Findings without those that another one explains.

    That a frame is not the recorded one is said within the finding that tells what is wrong with it. Of the quality of
    frames whose pixels are wrong nothing is told: they will be other ones.
    """
    general = [one for one in findings if one.check in _GENERAL]
    exact = [one for one in findings if one.family in _EXACT and one.severity == "error" and one.frames]
    explained = {id(one) for one in general if any(_overlap(one.frames, other.frames) for other in exact)}
    stale = [one for one in findings if one.check == "record-stale"]
    wrong = {frame for one in (*exact, *general, *stale) for frame in one.frames}
    for one in findings:
        if id(one) in explained or (one.check in _OF_PIXELS and _overlap(one.frames, wrong)):
            continue
        if one in exact and any(id(other) in explained and _overlap(one.frames, other.frames) for other in general):
            yield replace(one, problem=f"{one.problem}; the record tells of other bytes, too")
        else:
            yield one


def _overlap(some: Iterable[int | None], others: Iterable[int | None]) -> bool:
    return not set(some).isdisjoint(others)
