# SPDX-License-Identifier: Apache-2.0
"""The badge of a pack: green, amber or red, computed from what its manifest, its rights record and a show's policy say.

- **green**: the concluded license allows commercial use; the training basis is own, licensed, public-domain, synthetic
  or none, its evidence a contract, an audit or, for a model that never learned, not applicable; the pack is on the
  show's allow-list where there is one.
- **amber**: the same, but the evidence is the author's word; or the basis is unknown or scraped, and the show approved.
- **red**: the license is missing, or does not allow commercial use as far as anybody knows; the basis is unknown or
  scraped without approval; or the pack keeps or trains on what it is given.

What the rule leaves open is never good: a pack that does not say whether it keeps or trains on inputs is amber at best,
and so is one without a rights record. A record that says otherwise than the manifest is red.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest
from understudy.contracts.rights import COLORS, Answer, Badge, Color, RecordState
from understudy.packs.licenses import NO_LICENSE, commercial_use

if TYPE_CHECKING:
    from understudy.packs.policy import ShowPolicy

_DATA = frozenset({"onnx", "spandrel"})
_GOOD_BASES = frozenset({"own", "licensed", "public-domain", "synthetic", "none"})

_Finding = tuple[Color, str]


def badge_of(
    manifest: PackManifest, record: RecordState, policy: "ShowPolicy | None" = None, *, pin: PackPin | None = None
) -> Badge:
    """A pack's badge, with the reasons for its color.

    Args:
        manifest: What the pack promises.
        record: How its ``pack.cdx.json`` stands to the manifest, as ``packs.bom.record_state`` says.
        policy: The show's policy; None where there is none.
        pin: The pack with its digest, for policies that name one; None takes id and version alone.
    """
    pin = pin or PackPin(id=manifest.id, version=manifest.version, sha256="")
    findings = [
        *_license(manifest),
        *_training(manifest, policy, pin),
        *_inputs(manifest),
        *_record(record),
        *_allow_list(policy, manifest, pin),
    ]
    worst = max((color for color, _ in findings), key=COLORS.index)
    return Badge(worst, tuple(text for color, text in findings if color == worst))


def keeps_inputs(manifest: PackManifest) -> Answer:
    """Whether the model keeps what it is given. A graph, or weights alone, can't: we run it, and nothing stays."""
    said = manifest.rights.retains_inputs
    return "no" if said == "unknown" and manifest.runtime.kind in _DATA else said


def trains_on_inputs(manifest: PackManifest) -> Answer:
    """Whether the model learns from what it is given. A graph, or weights alone, can't: they are never written."""
    said = manifest.rights.trains_on_inputs
    return "no" if said == "unknown" and manifest.runtime.kind in _DATA else said


def needs_network(manifest: PackManifest) -> Answer:
    """Whether the pack needs a network: a remote one does, a graph, or weights alone, can't use one."""
    if manifest.runtime.is_code:
        return manifest.rights.network
    return "yes" if manifest.runtime.kind == "remote" else "no"


def people(manifest: PackManifest) -> str:
    """Whether people can be recognized in what the model learned from; not in nothing."""
    said = manifest.rights.people
    return "no" if said == "unknown" and manifest.training.basis == "none" else said


def _license(manifest: PackManifest) -> Iterator[_Finding]:
    concluded = manifest.license.concluded
    if concluded in NO_LICENSE:
        yield "red", f"nobody concluded under which license it stands ({concluded})"
        return
    answer = commercial_use(concluded, manifest.rights.commercial_use)
    if answer == "yes":
        yield "green", f"its concluded license, {concluded}, allows commercial use"
    elif answer == "no":
        yield "red", f"its concluded license, {concluded}, does not allow commercial use"
    else:
        yield "red", f"nobody said whether its concluded license, {concluded}, allows commercial use"


def _training(manifest: PackManifest, policy: "ShowPolicy | None", pin: PackPin) -> Iterator[_Finding]:
    basis, evidence = manifest.training.basis, manifest.training.evidence
    if basis not in _GOOD_BASES:
        what = "it is unknown what it learned from" if basis == "unknown" else "it learned from scraped data"
        approval = policy.approval(pin) if policy else None
        if approval:
            yield "amber", f"{what}, and {approval.by} approved it on {approval.date}"
        else:
            yield "red", f"{what}, and no show approved it"
    elif basis == "none" and evidence == "not-applicable":
        yield "green", "it never learned, so no training data has rights in it"
    elif evidence in _EVIDENCE:
        what = f"its training data is {_BASES[basis]}" if basis in _BASES else "it never learned"
        yield "green", f"{what}, by {_EVIDENCE[evidence]}"
    elif basis == "none":
        yield "amber", "that it never learned is its author's word alone"
    else:
        yield "amber", f"that its training data is {_BASES[basis]} is its author's word alone"


_BASES = {
    "own": "the author's own",
    "licensed": "licensed",
    "public-domain": "in the public domain",
    "synthetic": "synthetic",
}
_EVIDENCE = {"contract": "contract", "audited": "audit"}


def _inputs(manifest: PackManifest) -> Iterator[_Finding]:
    for answer, does, does_not in (
        (keeps_inputs(manifest), "keeps", "keep"),
        (trains_on_inputs(manifest), "trains on", "train on"),
    ):
        if answer == "yes":
            yield "red", f"it {does} what it is given"
        elif answer == "unknown":
            yield "amber", f"it does not say whether it {does} what it is given"
        else:
            yield "green", f"it does not {does_not} what it is given"


def _record(record: RecordState) -> Iterator[_Finding]:
    if record == "missing":
        yield "amber", "it has no rights record (pack.cdx.json)"
    elif record == "differs":
        yield "red", "its rights record (pack.cdx.json) says otherwise than its manifest and its files"
    else:
        yield "green", "its rights record agrees with its manifest and its files"


def _allow_list(policy: "ShowPolicy | None", manifest: PackManifest, pin: PackPin) -> Iterator[_Finding]:
    listed = policy.allows(pin, manifest.role.value) if policy else None
    if policy is not None and listed is not None:
        text = "it is on" if listed else "it is not on"
        yield "green" if listed else "amber", f"{text} the allow list of show {policy.show}"
