# SPDX-License-Identifier: Apache-2.0
"""The frames are all there, once, under their right names, whole, and made of numbers."""

from collections.abc import Iterator

from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_are, frames_text
from understudy.publish.subject import Subject

MISSING = Check(
    name="frames-missing",
    severity="error",
    family="frames",
    title="Frames are missing",
    catches="frames that the record promises, or that lie between the first and the last on disk, have no file",
    fix="render them: the Repair action does, or understudy render GRAPH --frames",
)
DUPLICATE = Check(
    name="frames-duplicate",
    severity="error",
    family="frames",
    title="Frames are there twice",
    catches="a frame number has two files, padded differently",
    fix="remove the files with the wrong padding",
)
PADDING = Check(
    name="frames-padding",
    severity="error",
    family="frames",
    title="Frames are named wrongly",
    catches="a frame is there under a name with another padding than the pattern's",
    fix="rename the files",
)
EMPTY = Check(
    name="frames-empty",
    severity="error",
    family="frames",
    title="Frames are empty",
    catches="a frame's file has no bytes",
    fix="render them again: the Repair action does; look whether the disk was full",
)
UNREADABLE = Check(
    name="frames-unreadable",
    severity="error",
    family="frames",
    title="Frames can't be read",
    catches="a frame's file is cut short, damaged or no picture",
    fix="render it again: the Repair action does",
)
NOT_FINITE = Check(
    name="frames-not-finite",
    severity="error",
    family="frames",
    title="Frames have broken pixels",
    catches="a frame holds NaN or infinite samples",
    fix="find the division by zero or the bad render, and render the frames again",
)

CHECKS = (MISSING, DUPLICATE, PADDING, EMPTY, UNREADABLE, NOT_FINITE)


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the files and their numbers."""
    if subject.files:
        yield from _names(subject)
    elif not subject.there:
        yield MISSING.found("the picture is not there", file=str(subject.path(None)))
    empty: list[FrameNumber] = []
    broken: dict[FrameNumber, tuple[int, int]] = {}
    for frame, look in subject.frames.items():
        if look.problem and not look.path.stat().st_size:
            empty.append(frame)
        elif look.problem:
            yield UNREADABLE.found(
                f"{frames_text((frame,))} {look.problem.problem}", file=str(look.path), frames=(frame,)
            )
        elif look.nan or look.inf:
            broken[frame] = (look.nan, look.inf)
    if empty:
        yield EMPTY.found(f"{frames_are(empty)} empty (0 bytes)", frames=empty, file=str(subject.path(empty[0])))
    if broken:
        nan, inf = (sum(counts[index] for counts in broken.values()) for index in (0, 1))
        kinds = " and ".join(f"{count} {kind}" for count, kind in ((nan, "NaN"), (inf, "infinite")) if count)
        yield NOT_FINITE.found(
            f"{frames_are(broken)} not made of numbers alone: {kinds} samples",
            frames=broken,
            file=str(subject.path(next(iter(broken)))),
        )


def _names(subject: Subject) -> Iterator[Finding]:
    there = set(subject.there)
    missing = [frame for frame in subject.expected if frame is not None and frame not in subject.names]
    if not subject.expected:
        yield MISSING.found(f"no file fits {subject.pattern}", file=str(subject.folder))
    if missing:
        yield MISSING.found(f"{frames_are(missing)} not there", frames=missing, file=str(subject.path(missing[0])))
    wanted = set(subject.expected)
    twice = {frame: names for frame, names in subject.names.items() if len(names) > 1 and frame in wanted}
    if twice:
        frame, names = next(iter(twice.items()))
        yield DUPLICATE.found(
            f"{frames_are(twice)} there twice, such as {' and '.join(names)}",
            frames=twice,
            file=str(subject.path(frame)),
        )
    misnamed = {
        frame: names[0]
        for frame, names in subject.names.items()
        if frame in wanted and frame not in there and len(names) == 1
    }
    if misnamed:
        frame, name = next(iter(misnamed.items()))
        yield PADDING.found(
            f"{frames_are(misnamed)} named wrongly: {name} must be {subject.path(frame).name}",
            frames=misnamed,
            file=str(subject.folder / name),
        )
