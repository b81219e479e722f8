# SPDX-License-Identifier: Apache-2.0
"""People who can be seen have consented, and nothing becomes final that is a draft or that nobody approved."""

from collections.abc import Iterator

from understudy.graph.draft import DRAFT_HEADER, is_draft_name
from understudy.provenance.record import Record
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.subject import Subject

CONSENT = Check(
    name="consent-missing",
    severity="error",
    family="rights",
    title="No consent for a person in this shot",
    catches="a person can be recognized, a node invents content or relights, and the record names no consent",
    fix="get the consent, and give its reference in the graph's rights block or with --rights",
)
APPROVAL = Check(
    name="approval-missing",
    severity="error",
    family="rights",
    title="Nobody approved this as final",
    catches="a final publish has no approval reference (unless the policy needs none)",
    fix="get the approval, and give its reference in the graph's rights block or with --rights",
)
DRAFT = Check(
    name="draft-in-final",
    severity="error",
    family="rights",
    title="Draft frames in a final publish",
    catches="frames of a final publish are drafts by their name, header or record, or were made of drafts",
    fix="render them again without --draft, of inputs that are no drafts",
)
TALENT_UNKNOWN = Check(
    name="talent-unknown",
    severity="warning",
    family="rights",
    title="Is there a person in this shot?",
    catches="a node invents content or relights, and nobody said whether a person can be recognized",
    fix="say it in the graph's rights block: talent: true or false",
)
TALENT_RELIGHT = Check(
    name="talent-relight",
    severity="warning",
    family="rights",
    title="A person was relit",
    catches=(
        "a person can be recognized and a node relights: whether that alters a performance is for production to say "
        "(California AB 1836 and AB 2602)"
    ),
    fix="ask production whether the consent covers it",
)

CHECKS = (CONSENT, APPROVAL, DRAFT, TALENT_UNKNOWN, TALENT_RELIGHT)


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with consents and approvals, by what the record and the headers say."""
    if subject.is_final and (drafts := _drafts(subject)):
        yield DRAFT.found("frames of a final publish are drafts", frames=drafts)
    record = subject.record
    if record is None:
        return
    rights = record.rights
    generative = _made_by(record, generative=True)
    relit = _made_by(record, generative=False)
    if rights.talent and (generative or relit) and not rights.consent:
        invented = any(one.generative == "yes" for job in record.jobs.values() for one in job.operations)
        what = (
            "the frames are partly invented"
            if invented
            else "a pack does not say that it invents nothing"
            if generative
            else "the light on them was changed"
        )
        yield CONSENT.found(f"a person can be recognized, {what}, and no consent is named", frames=generative or relit)
    elif rights.talent and relit:
        given = ", ".join(rights.consent)
        text = f"a person can be recognized, and the light on them was changed; the consents named are {given}"
        yield TALENT_RELIGHT.found(text, frames=relit)
    if rights.talent is None and (generative or relit):
        yield TALENT_UNKNOWN.found("nobody said whether a person can be recognized in the shot")
    if subject.is_final and subject.rules.final_needs_approval and not rights.approval:
        kind = "temporary material" if rights.use == "temporary" else "final material"
        yield APPROVAL.found(f"this is {kind} in a final publish, and no approval is named")


def _drafts(subject: Subject) -> list[FrameNumber]:
    """Frames that are drafts by their name, their header or their record: one of them is enough."""
    if is_draft_name(subject.pattern):
        return list(subject.there)
    by_header = {
        frame for frame, look in subject.sound.items() if look.header and look.header.metadata.get(DRAFT_HEADER)
    }
    frames = subject.record.frames if subject.record else ()
    by_record = {entry.frame for entry in frames if (job := subject.job_of(entry.frame)) and job.draft}
    return sorted(by_header | by_record, key=lambda frame: frame or 0)


def _made_by(record: Record, *, generative: bool) -> list[FrameNumber]:
    """Frames whose job has an operation that invents content or does not say that it does not, or one that relights."""
    jobs = {
        name
        for name, job in record.jobs.items()
        if any(one.generative != "no" if generative else one.type == "relight" for one in job.operations)
    }
    return [entry.frame for entry in record.frames if entry.job in jobs]
