# SPDX-License-Identifier: Apache-2.0
"""Every check, and running them all."""

from collections.abc import Iterator

from understudy.publish.checks import color, frames, packs, picture, quality, record, rights
from understudy.publish.checks.check import Check, Finding
from understudy.publish.subject import Subject

_FAMILIES = (frames, color, picture, record, packs, rights, quality)

CHECKS: tuple[Check, ...] = tuple(check for family in _FAMILIES for check in family.CHECKS)
"""All checks, in the order in which they are told."""


def run_checks(subject: Subject) -> Iterator[Finding]:
    """What every check finds, family by family."""
    for family in _FAMILIES:
        yield from family.find(subject)
