# SPDX-License-Identifier: Apache-2.0
"""Checks of a pack's papers and files."""

from understudy.conformance.report import CheckFailedError
from understudy.contracts.errors import PackError
from understudy.packs import Pack

CARD = "README.md"
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
    path = pack.folder / CARD
    if not path.is_file():
        raise CheckFailedError("there is no README.md", f"write one with headings {', '.join(_SECTIONS)}")
    text = path.read_text(encoding="utf-8", errors="replace")
    headings = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
    missing = [name for name in _SECTIONS if not any(name in heading for heading in headings)]
    if missing:
        raise CheckFailedError(f"README.md has no heading for {', '.join(missing)}", "add one and fill it")
    return f"README.md, {len(text.split())} words"


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
