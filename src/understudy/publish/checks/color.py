# SPDX-License-Identifier: Apache-2.0
"""The frames are in the color space that they are said to be in, and in one that the show takes."""

from collections import defaultdict
from collections.abc import Iterator

from understudy.color.config import ColorConfig
from understudy.color.decide import decide
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.header import ColorFacts
from understudy.provenance.job import Job
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_text
from understudy.publish.subject import Subject

HEADER = Check(
    name="colorspace-header",
    severity="error",
    family="color",
    title="Color space is labeled wrongly",
    catches="a frame's header states another color space than the record",
    fix="find out which program changed the header, and render the frames again",
)
ALLOWED = Check(
    name="colorspace-allowed",
    severity="error",
    family="color",
    title="Color space is not the show's",
    catches="the frames are in a color space that is not among the policy's `publish.colorspaces`",
    fix="set the color space of the write node to one of them, and render again",
)
CONFIG = Check(
    name="ocio-config",
    severity="error",
    family="color",
    title="OCIO config is not the show's",
    catches="the frames were made with an OCIO config whose cache id is not the policy's `publish.ocio_cache_id`",
    fix="set OCIO to the show's config, and render again",
)

CHECKS = (HEADER, ALLOWED, CONFIG)


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with color spaces; nothing is told of data."""
    record = subject.record
    if record is None or record.sequence.content == "data":
        return
    yield from _headers(subject)
    rules = subject.rules
    for job in record.jobs.values():
        space = job.color.output
        if rules.colorspaces and space and space not in rules.colorspaces:
            allowed = ", ".join(rules.colorspaces)
            yield ALLOWED.found(f"the frames are in {space}, and the show takes {allowed}")
            break
    for job in record.jobs.values():
        if rules.ocio_cache_id and job.color.cache_id != rules.ocio_cache_id:
            yield CONFIG.found(
                f"the frames were made with {job.color.config}, whose cache id is {job.color.cache_id or 'not known'}, "
                f"and the show's is {rules.ocio_cache_id}"
            )
            break


def _headers(subject: Subject) -> Iterator[Finding]:
    wrong: dict[tuple[str, str], list[FrameNumber]] = defaultdict(list)
    for frame, look in subject.sound.items():
        job = subject.job_of(frame)
        if job and look.header and job.color.output:
            said = _stated(look.header.color, job)
            if said and said != job.color.output:
                wrong[said, job.color.output].append(frame)
    for (said, declared), frames in wrong.items():
        yield HEADER.found(
            f"the header of {frames_text(frames)} says {said}, and the record says {declared}",
            frames=frames,
            file=str(subject.path(frames[0])),
        )


def _stated(facts: ColorFacts, job: Job) -> str:
    """The color space that a header states, as the job's config names it; empty where it states none."""
    try:
        config = ColorConfig.load(job.color.config)
    except ColorspaceError:  # the config is not on this machine
        config = ColorConfig.load()
    try:
        return decide(facts, config=config).colorspace
    except ColorspaceError:
        return ""
