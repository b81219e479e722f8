# SPDX-License-Identifier: Apache-2.0
"""The policy of a show: read from its file, and asked before a pack is loaded or rendered with.

A policy that can't be read refuses everything: it never means that there is none.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from understudy.contracts.document_problems import Problem, joined, problems_of, quoted
from understudy.contracts.engine import EngineInfo, PackInfo, PolicyInfo
from understudy.contracts.errors import RightsError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest
from understudy.contracts.policy import SCHEMA, Approval, PolicyDocument, Rules
from understudy.contracts.rights import COLORS, Badge, RecordState
from understudy.packs.badge import badge_of
from understudy.packs.licenses import can_be_met
from understudy.packs.pins import parse_pin
from understudy.packs.toml_file import parse_toml, read_page, shown

POLICY_VARIABLE = "UNDERSTUDY_POLICY"

_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class ShowPolicy:
    """A policy as it was read.

    Attributes:
        document: What it says.
        sha256: SHA-256 of its file, for the record.
        file: The file, as messages show it to who uses it here.
        content: Its bytes.
    """

    document: PolicyDocument
    sha256: str
    file: str
    content: bytes = field(default=b"", repr=False, compare=False)

    @property
    def show(self) -> str:
        """The production's name."""
        return self.document.show.name

    def approval(self, pin: PackPin) -> Approval | None:
        """The approval that covers a pack, if there is one."""
        return next((entry for entry in self.document.packs.approvals if _names([entry.pack], pin)), None)

    def allows(self, pin: PackPin, role: str) -> bool | None:
        """Whether a pack is on the allow list for its role; None where there is no such list."""
        allow = self.document.rules_for(role).allow
        return None if allow is None else _names(allow, pin) is not None

    def refusal(self, manifest: PackManifest, pin: PackPin, record: RecordState) -> RightsError | None:
        """Why a pack may not be used, as the error to raise; None when it may.

        Args:
            manifest: What the pack promises.
            pin: The pack with its digest.
            record: How its rights record stands to the manifest.
        """
        rules = self.document.rules_for(manifest.role.value)
        for rule, reason in self._broken(rules, manifest, pin, badge_of(manifest, record, self, pin=pin)):
            return self._error(str(pin), rule, reason)
        return None

    def refusal_of(self, pack: PackInfo) -> RightsError | None:
        """The same for a pack as an engine tells of it. One that this program can't judge is refused."""
        try:
            manifest = PackManifest.model_validate(pack.manifest)
        except ValidationError:
            return self._error(str(pack.pin), "packs", "its manifest can't be understood here, so it can't be judged")
        return self.refusal(manifest, pack.pin, pack.rights_record or "missing")

    def badge_of(self, pack: PackInfo) -> Badge:
        """A pack's badge for this show, as an engine tells of the pack."""
        try:
            manifest = PackManifest.model_validate(pack.manifest)
        except ValidationError:
            return Badge("red", ("its manifest can't be understood here, so it can't be judged",))
        return badge_of(manifest, pack.rights_record or "missing", self, pin=pack.pin)

    def judged(self, info: EngineInfo) -> EngineInfo:
        """What an engine says of its packs, with the badges and the refusals of this policy beside the engine's own.

        Args:
            info: What an engine says of itself.
        """
        packs: list[PackInfo] = []
        for pack in info.packs:
            badge, refused = self.badge_of(pack), self.refusal_of(pack)
            told = pack.refused or str(refused or "")
            packs.append(replace(pack, badge=badge.color, badge_reasons=badge.reasons, refused=told))
        return replace(info, packs=tuple(packs))

    @property
    def info(self) -> PolicyInfo:
        """What a record holds of it."""
        return PolicyInfo(show=self.show, sha256=self.sha256, source_types=self.document.record.source_types)

    def require(self, pack: PackInfo, *, where: str = "") -> None:
        """Refuses a pack that may not be used.

        Args:
            pack: The pack, as an engine tells of it.
            where: The field that names it, for messages.

        Raises:
            RightsError: It may not be used.
        """
        if refused := self.refusal_of(pack):
            refused.where = where or refused.where
            raise refused

    def _broken(self, rules: Rules, manifest: PackManifest, pin: PackPin, badge: Badge) -> Iterator[tuple[str, str]]:
        """The rules that a pack breaks, and how."""
        if entry := _names(rules.deny, pin):
            yield "deny", f'"{entry}" is on the list of packs that are denied'
        if rules.allow is not None and not _names(rules.allow, pin):
            yield "allow", "it is not on the list of packs that are allowed"
        if rules.minimum_badge and COLORS.index(badge.color) > COLORS.index(rules.minimum_badge):
            yield (
                "minimum_badge",
                f"its badge is {badge.color} ({badge.reasons[0]}), and {rules.minimum_badge} is asked",
            )
        if rules.generative is False and manifest.rights.generative != "no":
            invents = manifest.rights.generative == "yes"
            yield "generative", "it invents content" if invents else "it does not say that it invents nothing"
        concluded = manifest.license.concluded
        if rules.allow_licenses is not None and not _met_by(concluded, rules.allow_licenses):
            yield "allow_licenses", f"its concluded license is {concluded}"
        if rules.deny_licenses and not can_be_met(concluded, lambda name: not _is_one(name, rules.deny_licenses)):
            yield "deny_licenses", f"its concluded license is {concluded}"
        kinds, evidence = self.document.record.required_evidence, manifest.training.evidence
        if kinds and evidence not in kinds:
            yield "required_evidence", f"the evidence of its training basis is {evidence}"

    def _error(self, pack: str, rule: str, reason: str) -> RightsError:
        head = self.document.show
        ask = f"{head.approved_by} ({head.contact})" if head.contact else head.approved_by
        return RightsError(
            f'the policy of show "{head.name}" refuses {pack} by its rule {rule}: {reason}',
            fix=f"take another pack, or ask {ask}",
        )


def load_policy(path: Path) -> ShowPolicy:
    """Reads and checks a policy file.

    Raises:
        RightsError: It is missing or wrong; every problem is told with its field. Nothing is allowed without it.
    """
    where = shown(path)
    try:
        data = read_page(path, "policy", RightsError)
    except RightsError as error:
        error.fix = error.fix or _UNTIL
        raise
    except FileNotFoundError:
        fix = f"restore it, or correct --policy or ${POLICY_VARIABLE}"
        raise RightsError("there is no such policy, so nothing is allowed", where=where, fix=fix) from None
    return parse_policy(data, path)


def parse_policy(data: bytes, path: Path) -> ShowPolicy:
    """Checks the bytes of a policy file.

    Args:
        data: The bytes.
        path: The file, for messages.

    Raises:
        RightsError: They are wrong; every problem is told with its field.
    """
    where = shown(path)
    try:
        raw = parse_toml(data, path, "policy", RightsError)
    except RightsError as error:
        error.fix = error.fix or _UNTIL
        raise
    try:
        document = PolicyDocument.model_validate(raw)
    except ValidationError as error:
        raise _error(where, problems_of(error, raw, PolicyDocument, schema=SCHEMA, hints=_HINTS)) from None
    if problems := list(_further_problems(document)):
        raise _error(where, problems)
    return ShowPolicy(document, hashlib.sha256(data).hexdigest(), where, data)


def find_policy(given: str = "") -> ShowPolicy | None:
    """The policy of a command: the named file, else that of ``$UNDERSTUDY_POLICY``; None when neither names one.

    Raises:
        RightsError: It is missing or wrong.
    """
    named = given or os.environ.get(POLICY_VARIABLE, "")
    return load_policy(Path(named).expanduser()) if named else None


_UNTIL = "nothing is allowed until the policy is right"
_HINTS = {"date": "a date such as 2026-11-25", "name": "the name of the show"}


def _error(where: str, problems: Sequence[Problem]) -> RightsError:
    text, place, fix = joined(where, problems)
    return RightsError(text, where=place, fix=fix or _UNTIL)


def _further_problems(document: PolicyDocument) -> Iterator[Problem]:
    """Packs and licenses that are named in no way that could match."""
    tables: list[tuple[str, Rules]] = [("packs", document.packs)]
    tables += [(f"roles.{role.value}", rules) for role, rules in document.roles.items()]
    for table, rules in tables:
        for key, pins in (("allow", rules.allow or ()), ("deny", rules.deny)):
            yield from _pin_problems(f"{table}.{key}", pins)
        for key, names in (("allow_licenses", rules.allow_licenses or ()), ("deny_licenses", rules.deny_licenses)):
            for index, name in enumerate(names):
                if not _IDENTIFIER.fullmatch(name):
                    fix = "write one such as Apache-2.0; a pack's expression is taken apart"
                    yield Problem(f"{table}.{key}[{index}]", f"{quoted(name)} is no SPDX identifier", fix)
    for index, approval in enumerate(document.packs.approvals):
        for problem in _pin_problems(f"packs.approvals[{index}].pack", (approval.pack,)):
            yield Problem(f"packs.approvals[{index}].pack", problem.text, problem.fix)


def _pin_problems(field: str, pins: Sequence[str]) -> Iterator[Problem]:
    for index, text in enumerate(pins):
        try:
            parse_pin(text)
        except UsageError as error:
            yield Problem(f"{field}[{index}]", error.problem, error.fix or "")


def _names(entries: Sequence[str], pin: PackPin) -> str | None:
    """The first entry that names a pack."""
    for text in entries:
        entry = parse_pin(text)
        if entry.id == pin.id and entry.version in {"", pin.version} and pin.sha256.startswith(entry.sha256):
            return text
    return None


def _met_by(expression: str, names: Sequence[str]) -> bool:
    return can_be_met(expression, lambda name: _is_one(name, names))


def _is_one(name: str, names: Sequence[str]) -> bool:
    return name.lower() in {other.lower() for other in names}
