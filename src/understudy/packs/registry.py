# SPDX-License-Identifier: Apache-2.0
"""The packs that loaded, by id and version, and how one is chosen."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from understudy.contracts.errors import DuplicatePackError, PackError, PackNotFoundError, PinMismatchError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.packs.manifest import shown
from understudy.packs.pack import Pack

SHORTEST_DIGEST = 12
"""Digits of a digest that a pin needs at least."""

_PIN = re.compile(r"^(?P<id>[a-z0-9]+(?:-[a-z0-9]+)*)(?:@(?P<version>[0-9A-Za-z.+-]+))?(?:#(?P<sha256>[0-9a-fA-F]+))?$")


def parse_pin(text: str) -> PackPin:
    """Reads ``id``, ``id@version`` or ``id@version#digest``.

    Args:
        text: The digest may be cut to its first 12 or more digits.

    Raises:
        UsageError: It is none of these.
    """
    match = _PIN.match(text.strip())
    if match is None:
        raise UsageError(f'"{text}" names no pack', where="pack", fix="write id, id@1.2.0 or id@1.2.0#digest")
    sha256 = (match["sha256"] or "").lower()
    if sha256 and not SHORTEST_DIGEST <= len(sha256) <= 64:
        problem = f'"{text}" has a digest of {len(sha256)} digits'
        raise UsageError(problem, where="pack", fix=f"give {SHORTEST_DIGEST} to 64 digits")
    return PackPin(id=match["id"], version=match["version"] or "", sha256=sha256)


def version_key(version: str) -> tuple[object, ...]:
    """A sort key in the order of semantic versioning 2.0.0: a pre-release comes before its release."""
    body, _, build = version.partition("+")
    core, _, pre = body.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    # Numeric identifiers sort by value and before words (rule 11.4).
    words = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")) if pre else ()
    return (numbers, not pre, words, build)


class Registry:
    """An immutable set of packs; several versions of one id may stand side by side."""

    def __init__(self, packs: Mapping[tuple[str, str], Pack] | None = None) -> None:
        self._packs = MappingProxyType(dict(packs or {}))

    def __iter__(self) -> Iterator[Pack]:
        """Packs by role, id and version."""
        roles = list(Role)
        order = sorted(
            self._packs.values(), key=lambda pack: (roles.index(pack.role), pack.id, version_key(pack.version))
        )
        return iter(order)

    def __len__(self) -> int:
        return len(self._packs)

    def with_packs(self, *packs: Pack) -> "Registry":
        """A registry with these packs too; this one stays as it is.

        Raises:
            DuplicatePackError: An id and version is there already, from another folder. Then none is added.
        """
        merged = dict(self._packs)
        for pack in packs:
            key = (pack.id, pack.version)
            if (other := merged.get(key)) is not None and other.folder.resolve() != pack.folder.resolve():
                raise DuplicatePackError(
                    f"{pack.id}@{pack.version} is already there, from {other.folder.as_posix()} ({other.source})",
                    where=shown(pack.folder),
                    fix="give one of them another version or take its folder off the search path",
                )
            merged.setdefault(key, pack)
        return Registry(merged)

    def of_role(self, role: Role) -> tuple[Pack, ...]:
        """The packs of a role, by id and version."""
        return tuple(pack for pack in self if pack.role is role)

    def find(self, pin: PackPin, role: Role | None = None) -> Pack:
        """The pack that a pin names.

        Args:
            pin: Without a version the highest one is taken.
            role: The role it must play; None for any.

        Raises:
            PackNotFoundError: No pack has that id, or that version of it.
            PinMismatchError: The pack is there with another digest.
            PackError: The pack plays another role.
        """
        versions = sorted(
            (pack for pack in self._packs.values() if pack.id == pin.id), key=lambda pack: version_key(pack.version)
        )
        if not versions:
            raise PackNotFoundError(f'there is no pack "{pin.id}"', where="pack", fix=self._who_is_there(pin.id, role))
        named = [pack for pack in versions if pin.version in {"", pack.version}]
        if not named:
            there = _listed(pack.version for pack in versions)
            raise PackNotFoundError(
                f"there is no version {pin.version} of {pin.id}", where="pack", fix=f"there is {there}"
            )
        pack = named[-1]
        if role is not None and pack.role is not role:
            others = _listed(other.id for other in self.of_role(role)) or "none"
            problem = f"{pack.id} is a pack for {pack.role}, not for {role}"
            raise PackError(problem, where="pack", fix=f"packs for {role}: {others}")
        if pin.sha256 and not _same_digest(pin.sha256, pack.digest):
            raise PinMismatchError(
                f"{pack.id}@{pack.version} has the digest {pack.digest[:12]}..., not the pinned {pin.sha256[:12]}...",
                where=shown(pack.folder),
                fix="install the pinned bytes, or pin the pack that is there",
            )
        return pack

    def _who_is_there(self, wanted: str, role: Role | None) -> str:
        candidates = list(dict.fromkeys(pack.id for pack in self if role is None or pack.role is role))
        return suggestion(wanted, candidates, f"packs for {role}" if role else "packs")


def suggestion(wanted: str, ids: Sequence[str], what: str = "packs") -> str:
    """What to say to someone who named a pack that is not there."""
    ids = list(dict.fromkeys(ids))
    if close := get_close_matches(wanted, ids, n=3):
        return f"did you mean {' or '.join(close)}?"
    return f"the {what}: {', '.join(ids)}" if ids else f"there are no {what}; look at `understudy packs list`"


def _same_digest(pinned: str, digest: str) -> bool:
    return len(pinned) >= SHORTEST_DIGEST and digest.startswith(pinned.lower())


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
