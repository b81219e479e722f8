# SPDX-License-Identifier: Apache-2.0
"""Checks of a pack's papers, files and formal promises."""

from itertools import islice

from understudy.conformance.report import CheckFailedError, CheckSkippedError
from understudy.conformance.subject import Subject
from understudy.contracts.errors import PackError
from understudy.packs import Pack
from understudy.packs.badge import badge_of
from understudy.packs.bom import BOM_NAME, differences, pack_bom, read_bom
from understudy.packs.bom_shape import shape_problems
from understudy.packs.card import CARD_NAME
from understudy.packs.toml_file import shown

_SECTIONS = ("contract", "limits", "license", "training")


def hashes(pack: Pack) -> str:
    """Every declared file has the declared SHA-256."""
    try:
        pack.verify()
    except PackError as error:
        raise CheckFailedError(f"{error.where}: {error.problem}", error.fix or "restore the file") from None
    return f"{len(pack.files())} files, digest {pack.digest[:12]}"


def card(pack: Pack) -> str:
    """A card, README.md, tells people what the pack is, its contract, limits, license and training."""
    path = pack.folder / CARD_NAME
    if not path.is_file():
        raise CheckFailedError("there is no README.md", f"write one with headings {', '.join(_SECTIONS)}")
    text = path.read_text(encoding="utf-8", errors="replace")
    headings = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
    missing = [name for name in _SECTIONS if not any(name in heading for heading in headings)]
    if missing:
        raise CheckFailedError(f"README.md has no heading for {', '.join(missing)}", "add one and fill it")
    return f"README.md, {len(text.split())} words"


def record(pack: Pack) -> str:
    """A rights record, pack.cdx.json, is a CycloneDX 1.6 ML-BOM that says what manifest, card and files say."""
    again = f"run `understudy packs bom {shown(pack.folder)}`"
    try:
        document = read_bom(pack.folder / BOM_NAME)
    except FileNotFoundError:
        raise CheckFailedError(f"there is no {BOM_NAME}", again) from None
    except ValueError as error:
        raise CheckFailedError(f"{BOM_NAME}: {error}", again) from None
    if problem := next(shape_problems(document), None):
        raise CheckFailedError(f"{BOM_NAME}: {problem}", again)
    wanted = pack_bom(pack.manifest, pack.folder, pack.digest)
    if places := list(islice(differences(document, wanted), 4)):
        more = " and more" if len(places) > 3 else ""
        raise CheckFailedError(f"{BOM_NAME} says otherwise at {', '.join(places[:3])}{more}", again)
    badge = badge_of(pack.manifest, "agrees", pin=pack.pin)
    return f"{wanted['serialNumber']}, badge {badge.color}: {badge.reasons[0]}"


def draft(subject: Subject) -> str:
    """The pack that stands in for it when speed counts is there, and plays the same role."""
    wanted = subject.pack.manifest.draft
    if not wanted:
        raise CheckSkippedError("it names no draft pack")
    roles = {info.role for info in subject.engine.info().packs if info.pin.id == wanted}
    if not roles:
        raise CheckFailedError(f'there is no pack "{wanted}" on the search path', "install it, or leave draft out")
    if subject.pack.role.value not in roles:
        raise CheckFailedError(f"{wanted} is a pack for {', '.join(roles)}", "name one of the same role")
    return wanted


def confidence(subject: Subject) -> str:
    """The model returns a confidence of its own exactly when its contract says so."""
    names = subject.tensor_names()
    own = [name for name in names if "confidence" in name]
    if bool(own) != subject.contract.confidence:
        found = f"it returns {', '.join(names)}, and contract.confidence is {str(subject.contract.confidence).lower()}"
        raise CheckFailedError(found, f"write confidence = {str(bool(own)).lower()}")
    return ", ".join(names)


def rights(pack: Pack) -> str:
    """License and training basis are stated, and agree with each other."""
    spdx, training = pack.manifest.license, pack.manifest.training
    for name, value in (("declared", spdx.declared), ("concluded", spdx.concluded)):
        if value in {"NOASSERTION", "NONE"}:
            raise CheckFailedError(f"license.{name} is {value}", "find out the license and write its SPDX identifier")
    if training.basis == "unknown":
        raise CheckFailedError("training.basis is unknown", "find out what the model was trained on and write it")
    if (training.basis == "none") != (training.evidence == "not-applicable"):
        found = f'training.basis is "{training.basis}" with evidence "{training.evidence}"'
        raise CheckFailedError(found, 'basis "none" goes with evidence "not-applicable", and only with it')
    return f"{spdx.concluded}; trained on: {training.basis} ({training.evidence})"
