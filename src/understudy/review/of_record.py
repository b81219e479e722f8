# SPDX-License-Identifier: Apache-2.0
"""The words for the pictures of a provenance record."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from understudy.contracts.errors import InputError
from understudy.frames.header import read_header
from understudy.graph.draft import DRAFT_HEADER
from understudy.provenance.record import Record
from understudy.review.labels import Labels

DRAFT = "DRAFT"
"""The mark of a draft."""

_BADGES = ("green", "amber", "red")


def labels_of(record: Record, *, name: str, version: str = "", color: str = "") -> Labels:
    """The words for the pictures of a record.

    Args:
        record: The record.
        name: Name of the product.
        version: Its version, such as ``v003``.
        color: How the pictures came to the screen.
    """
    packs = {pack.pin: pack for job in record.jobs.values() for pack in job.packs}
    badges = [pack.badge for pack in packs.values() if pack.badge in _BADGES]
    rights = record.rights
    quality = record.quality
    made = [f"{quality.frames} frames"]
    made += [f"{quality.synthesized} synthesized"] if quality.synthesized else []
    made += [f"{quality.held} held"] if quality.held else []
    facts = [
        ("frames", record.sequence.frames + (f" at {record.sequence.fps} fps" if record.sequence.fps else "")),
        ("made", ", ".join(made)),
        *(("pack", f"{pack.pin.partition('#')[0]}  {pack.badge}".rstrip()) for pack in packs.values()),
        ("use", rights.use + (f", approval {rights.approval}" if rights.approval else ", no approval")),
        *([("consent", ", ".join(rights.consent))] if rights.consent else []),
        *([("train", "do not train on these pictures")] if rights.do_not_train else []),
        ("shown", color),
        ("record", record.id),
    ]
    marks = ([DRAFT] if record.draft else []) + (["TEMPORARY"] if rights.use == "temporary" else [])
    return Labels(
        name=name,
        version=version,
        badge=max(badges, key=_BADGES.index, default=""),
        mark=" ".join(marks),
        color=color,
        facts=tuple((word, text) for word, text in facts if text),
    )


def marked_draft(labels: Labels) -> Labels:
    """The words for pictures that are drafts, whatever their record says."""
    marks = labels.mark.split()
    return labels if DRAFT in marks else replace(labels, mark=" ".join([DRAFT, *marks]))


def is_draft(path: Path) -> bool:
    """Whether a picture's header says that it is a draft; a file that can't be read says nothing."""
    try:
        return bool(read_header(path).metadata.get(DRAFT_HEADER))
    except InputError:
        return False


def frame_rate(record: Record | None) -> Fraction:
    """Frames per second of a record's sequence; 24 where it does not say."""
    return Fraction(record.sequence.fps) if record and record.sequence.fps else Fraction(24)
