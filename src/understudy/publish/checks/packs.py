# SPDX-License-Identifier: Apache-2.0
"""The packs that made the frames may be used for this show, and the frames of one range agree on them."""

from collections import defaultdict
from collections.abc import Iterator

from understudy.contracts.jobs import PackPin
from understudy.contracts.policy import Rules
from understudy.contracts.rights import COLORS
from understudy.packs.licenses import NO_LICENSE, can_be_met, commercial_use
from understudy.packs.pins import parse_pin
from understudy.packs.policy import ShowPolicy
from understudy.provenance.job import PackEntry
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_text
from understudy.publish.subject import Subject

REFUSED = Check(
    name="pack-not-allowed",
    severity="error",
    family="packs",
    title="A model is not allowed on this show",
    catches="the policy denies a pack, does not list it, or does not take its badge, its evidence or that it invents",
    fix="render with an allowed pack",
)
DIGEST = Check(
    name="pack-digest",
    severity="error",
    family="packs",
    title="A model is not the approved one",
    catches="the policy allows the pack's id and version with another SHA-256: other weights under the same name",
    fix="install the approved pack, and render again",
)
LICENSE = Check(
    name="pack-license",
    severity="error",
    family="packs",
    title="A model's license does not allow this",
    catches="the concluded license is missing, does not allow commercial use, or is refused by the policy",
    fix="render with a pack whose license allows it",
)
MIXED = Check(
    name="packs-mixed",
    severity="error",
    family="packs",
    title="Frames were made by different models",
    catches="frames of one range were made by different versions of a pack, as when farm machines are out of step",
    fix="bring the machines to one version, and render the range again",
)
UNKNOWN = Check(
    name="training-unknown",
    severity="warning",
    family="packs",
    title="Nobody knows what a model learned from",
    catches="the training basis of a pack is unknown",
    fix="ask the pack's author, or take another pack",
)

NO_BOM = Check(
    name="pack-record-missing",
    severity="warning",
    family="packs",
    title="A model came without its rights record",
    catches="the provenance record does not hold the ``pack.cdx.json`` of a pack, so the version will not either",
    fix="run understudy packs bom on the pack's folder, and render again",
)

CHECKS = (REFUSED, DIGEST, LICENSE, MIXED, UNKNOWN, NO_BOM)


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with packs, by what the record says of them."""
    record = subject.record
    if record is None:
        return
    users: dict[str, list[FrameNumber]] = defaultdict(list)
    packs: dict[str, PackEntry] = {}
    for entry in record.frames:
        for pack in record.jobs[entry.job].packs if entry.job in record.jobs else ():
            packs[pack.pin] = pack
            users[pack.pin].append(entry.frame)
    for pin, pack in packs.items():
        problem = next(_problems(pack, subject.policy), None)
        if problem:
            check, text, fix = problem
            yield check.found(text, frames=users[pin], fix=fix)
        elif pack.training_basis == "unknown":
            yield UNKNOWN.found(f"nobody said what {_short(pin)} learned from", frames=users[pin])
        elif not pack.bom_sha256:
            yield NO_BOM.found(f"the record holds no rights record of {_short(pin)}", frames=users[pin])
    yield from _mixed(packs, users)


def _problems(pack: PackEntry, policy: ShowPolicy | None) -> Iterator[tuple[Check, str, str]]:
    """What keeps a pack from being used, the most telling first."""
    pin = parse_pin(pack.pin)
    name = _short(pack.pin)
    ask = ""
    if policy:
        head = policy.document.show
        ask = f"or ask {head.approved_by}" + (f" ({head.contact})" if head.contact else "")
        rules = policy.document.rules_for(pack.role)
        show = f'show "{head.name}"'
        other = _allowed_digest(rules, pin)
        if other:
            text = f"{show} allows {name} with the digest {other}, and the frames were made with {pin.sha256[:12]}"
            yield DIGEST, text, f"{DIGEST.fix}, {ask}"
        if reason := next(_broken(rules, pack, pin, policy), None):
            yield REFUSED, f"{show} refuses {name}: {reason}", f"{REFUSED.fix}, {ask}"
        concluded = pack.license_concluded
        denied = {one.lower() for one in rules.deny_licenses}
        allowed = None if rules.allow_licenses is None else {one.lower() for one in rules.allow_licenses}
        if (denied and not can_be_met(concluded, lambda one: one.lower() not in denied)) or (
            allowed is not None and not can_be_met(concluded, lambda one: one.lower() in allowed)
        ):
            yield LICENSE, f"{show} does not take the license of {name}, {concluded}", f"{LICENSE.fix}, {ask}"
    if not pack.license_concluded or pack.license_concluded in NO_LICENSE:
        yield LICENSE, f"nobody concluded under which license {name} stands", LICENSE.fix
    elif commercial_use(pack.license_concluded, "unknown") == "no":
        yield LICENSE, f"the license of {name}, {pack.license_concluded}, does not allow commercial use", LICENSE.fix


def _broken(rules: Rules, pack: PackEntry, pin: PackPin, policy: ShowPolicy) -> Iterator[str]:
    denied = next((text for text in rules.deny if _fits(text, pin)), None)
    if denied:
        yield f'"{denied}" is on its list of packs that are denied'
    if policy.allows(pin, pack.role) is False:
        yield "it is not on its list of packs that are allowed"
    if rules.generative is False and pack.generative != "no":
        yield "it invents content" if pack.generative == "yes" else "it does not say that it invents nothing"
    if rules.minimum_badge and (not pack.badge or COLORS.index(pack.badge) > COLORS.index(rules.minimum_badge)):
        why = f" ({pack.badge_reasons[0]})" if pack.badge_reasons else ""
        yield f"its badge is {pack.badge or 'not known'}{why}, and {rules.minimum_badge} is asked"
    kinds = policy.document.record.required_evidence
    if kinds and pack.training_evidence not in kinds:
        yield f"the evidence of its training basis is {pack.training_evidence or 'not known'}"


def _mixed(packs: dict[str, PackEntry], users: dict[str, list[FrameNumber]]) -> Iterator[Finding]:
    by_name: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pin, pack in packs.items():
        by_name[parse_pin(pin).id, pack.role].append(pin)
    for pins in by_name.values():
        if len(pins) > 1:
            ordered = sorted(pins, key=lambda pin: len(users[pin]), reverse=True)
            told = ", ".join(
                f"{frames_text(users[pin])} by {_short(pin)}#{parse_pin(pin).sha256[:12]}" for pin in ordered
            )
            odd = [frame for pin in ordered[1:] for frame in users[pin]]
            yield MIXED.found(told, frames=odd)


def _allowed_digest(rules: Rules, pin: PackPin) -> str:
    """The digest with which a pack's id and version are allowed, where its own is not."""
    entries = [parse_pin(text) for text in rules.allow or ()]
    same = [entry for entry in entries if entry.id == pin.id and entry.version in ("", pin.version)]
    if not same or any(pin.sha256.startswith(entry.sha256) for entry in same):
        return ""
    return same[0].sha256[:12]


def _fits(text: str, pin: PackPin) -> bool:
    entry = parse_pin(text)
    return entry.id == pin.id and entry.version in ("", pin.version) and pin.sha256.startswith(entry.sha256)


def _short(pin: str) -> str:
    return pin.partition("#")[0]
