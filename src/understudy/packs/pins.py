# SPDX-License-Identifier: Apache-2.0
"""Pins as text, and the one pack of many that a pin names."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Protocol, TypeVar

from understudy.contracts.errors import PackError, PackNotFoundError, PinMismatchError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role

SHORTEST_DIGEST = 12
"""Digits of a digest that a pin needs at least."""

_PIN = re.compile(r"^(?P<id>[a-z0-9]+(?:-[a-z0-9]+)*)(?:@(?P<version>[0-9A-Za-z.+-]+))?(?:#(?P<sha256>[0-9a-fA-F]+))?$")


class Pinned(Protocol):
    """What is asked of a pack to choose it; a ``Pack`` on disk and a ``PackInfo`` from an engine are both such."""

    @property
    def pin(self) -> PackPin:
        """Id, version and digest."""
        ...

    @property
    def role(self) -> str:
        """The job it plays."""
        ...


_P = TypeVar("_P", bound=Pinned)


def parse_pin(text: str, *, where: str = "pack") -> PackPin:
    """Reads ``id``, ``id@version`` or ``id@version#digest``.

    Args:
        text: The digest may be cut to its first 12 or more digits.
        where: The field that holds it, for messages.

    Raises:
        UsageError: It is none of these.
    """
    match = _PIN.match(text.strip())
    if match is None:
        raise UsageError(f'"{text}" names no pack', where=where, fix="write id, id@1.2.0 or id@1.2.0#digest")
    sha256 = (match["sha256"] or "").lower()
    if sha256 and not SHORTEST_DIGEST <= len(sha256) <= 64:
        problem = f'"{text}" has a digest of {len(sha256)} digits'
        raise UsageError(problem, where=where, fix=f"give {SHORTEST_DIGEST} to 64 digits")
    return PackPin(id=match["id"], version=match["version"] or "", sha256=sha256)


def version_key(version: str) -> tuple[object, ...]:
    """A sort key in the order of semantic versioning 2.0.0: a pre-release comes before its release."""
    body, _, build = version.partition("+")
    core, _, pre = body.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    # Numeric identifiers sort by value and before words (rule 11.4).
    words = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")) if pre else ()
    return (numbers, not pre, words, build)


def choose_pack(packs: Iterable[_P], pin: PackPin, role: Role | None = None, *, where: str = "pack") -> _P:
    """The one pack that a pin names.

    Args:
        packs: All that are there.
        pin: Without a version the highest one is taken.
        role: The role it must play; None for any.
        where: The field that holds the pin, for messages.

    Raises:
        PackNotFoundError: No pack has that id, or that version of it.
        PinMismatchError: The pack is there with another digest.
        PackError: The pack plays another role.
    """
    there = tuple(packs)
    versions = sorted((pack for pack in there if pack.pin.id == pin.id), key=lambda pack: version_key(pack.pin.version))
    if not versions:
        fix = _suggestion(pin.id, there, role)
        raise PackNotFoundError(f'there is no pack "{pin.id}"', where=where, fix=fix)
    named = [pack for pack in versions if pin.version in {"", pack.pin.version}]
    if not named:
        fix = "there is " + ", ".join(pack.pin.version for pack in versions)
        raise PackNotFoundError(f"there is no version {pin.version} of {pin.id}", where=where, fix=fix)
    pack = named[-1]
    if role is not None and pack.role != role:
        problem = f"{pin.id} is a pack for {pack.role}, not for {role}"
        raise PackError(problem, where=where, fix=f"packs for {role}: {', '.join(_ids(there, role)) or 'none'}")
    if pin.sha256 and not _same_digest(pin.sha256, pack.pin.sha256):
        found, pinned = pack.pin.sha256[:SHORTEST_DIGEST], pin.sha256[:SHORTEST_DIGEST]
        raise PinMismatchError(
            f"{pin.id}@{pack.pin.version} has the digest {found}..., not the pinned {pinned}...",
            where=where,
            fix="install the pinned bytes, or pin the pack that is there",
        )
    return pack


def _ids(packs: Iterable[Pinned], role: Role | None) -> list[str]:
    return list(dict.fromkeys(pack.pin.id for pack in packs if role is None or pack.role == role))


def _suggestion(wanted: str, packs: Iterable[Pinned], role: Role | None) -> str:
    what = f"packs for {role}" if role else "packs"
    ids = _ids(packs, role)
    if close := get_close_matches(wanted, ids, n=3):
        return f"did you mean {' or '.join(close)}?"
    return f"the {what}: {', '.join(ids)}" if ids else f"there are no {what}; look at `understudy packs list`"


def _same_digest(pinned: str, digest: str) -> bool:
    return len(pinned) >= SHORTEST_DIGEST and digest.startswith(pinned.lower())
