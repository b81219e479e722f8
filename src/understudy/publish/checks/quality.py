# SPDX-License-Identifier: Apache-2.0
"""How good the frames are, by their own confidence and beside the plate. Warnings only: a person looks."""

from collections.abc import Iterator, Mapping

from understudy.frames.look import FrameLook, flicker
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_are
from understudy.publish.subject import Subject

CONFIDENCE = Check(
    name="confidence-low",
    severity="warning",
    family="quality",
    title="The models are unsure of many frames",
    catches=(
        "more than `publish.doubtful_percent` of the frames have a confidence (fifth percentile) below "
        "`publish.confidence`"
    ),
    fix="look at these frames with their confidence; a matte, another pack or a smaller move may help",
)
FLICKER = Check(
    name="flicker",
    severity="warning",
    family="quality",
    title="The light flickers more than in the plate",
    catches="the light of the frames jumps back and forth much more than that of the plate (measured as below)",
    fix="look at the range in motion; light_frame: first steadies a relight",
)
RETIME = Check(
    name="retime-frames",
    severity="warning",
    family="quality",
    title="Frames of the plate did not come through untouched",
    catches="a retime's frame that stands for a frame of the plate does not have the pixels of any of them",
    fix="render these frames again",
)

CHECKS = (CONFIDENCE, FLICKER, RETIME)

FLICKER_FACTOR, FLICKER_STOPS = 1.5, 0.02
"""Flicker is told above this many times the plate's and this many stops more."""


def find(subject: Subject) -> Iterator[Finding]:
    """What a person should look at."""
    record = subject.record
    if record is None:
        return
    rules = subject.rules
    doubtful = {
        entry.frame: entry.confidence_p05
        for entry in record.frames
        if entry.confidence_p05 is not None and entry.confidence_p05 < rules.confidence
    }
    share = 100 * len(doubtful) / len(record.frames) if record.frames else 0
    if share > rules.doubtful_percent:
        yield CONFIDENCE.found(
            f"{frames_are(doubtful)} doubtful: {share:.0f} % have a confidence below {rules.confidence:g}, down to "
            f"{min(doubtful.values()):.2f}",
            frames=doubtful,
        )
    if record.sequence.content == "picture":
        sources = subject.sources()
        yield from _flicker(subject, sources)
        yield from _untouched(subject, sources)


def _flicker(subject: Subject, sources: Mapping[FrameNumber, FrameLook]) -> Iterator[Finding]:
    ours, plates = _steady(subject.sound), _steady(sources)
    mine, theirs = flicker([look.light for look in ours if look.light is not None]), 0.0
    theirs = flicker([look.light for look in plates if look.light is not None])
    if len(plates) >= 3 and mine > FLICKER_FACTOR * theirs + FLICKER_STOPS:
        yield FLICKER.found(
            f"the light jumps by {mine:.3f} stops from frame to frame, in the plate by {theirs:.3f}",
            frames=subject.sound,
        )


def _steady(looks: Mapping[FrameNumber, FrameLook]) -> list[FrameLook]:
    """The longest run of consecutive frames that have light."""
    best: list[FrameLook] = []
    run: list[FrameLook] = []
    before: int | None = None
    for frame in sorted(frame for frame in looks if frame is not None):
        if looks[frame].light is None or (before is not None and frame != before + 1):
            run = []
        if looks[frame].light is not None:
            run = [*run, looks[frame]]
        before = frame
        best = max(best, run, key=len)
    return best


def _untouched(subject: Subject, sources: Mapping[FrameNumber, FrameLook]) -> Iterator[Finding]:
    """Retimes only, and only where every frame of the plate is there to compare with."""
    assert subject.record is not None
    known = {look.picture for look in sources.values()}
    changed: list[FrameNumber] = []
    for frame, look in subject.sound.items():
        entry = subject.record.by_frame.get(frame)
        lineage = subject.lineages.get(entry.job) if entry else None
        job = subject.job_of(frame)
        if not (entry and lineage and job and lineage.plate and lineage.retimes and lineage.passes_frames_through):
            continue
        whole = all(number in sources for number in lineage.files())
        same_form = job.color.output == lineage.plate.colorspace and _types(look) == _types(
            next(iter(sources.values()), None)
        )
        if entry.origin == "source" and whole and same_form and look.picture not in known:
            changed.append(frame)
    if changed:
        yield RETIME.found(
            f"{frames_are(changed)} said to be of the plate, and no frame of the plate has their pixels", frames=changed
        )


def _types(look: FrameLook | None) -> set[str]:
    """How the main colors are stored."""
    parts = look.header.parts if look and look.header else ()
    return {
        kind
        for part in parts
        for name, kind in zip(part.channels, part.sample_types, strict=True)
        if name in ("R", "G", "B", "A")
    }
