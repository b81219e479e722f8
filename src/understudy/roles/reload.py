# SPDX-License-Identifier: Apache-2.0
"""What becomes of packs when their folders change: which new ones are taken, and which old ones stay for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from understudy.contracts.engine import PackFailure
from understudy.contracts.errors import UnderstudyError
from understudy.packs.discovery import Discovery
from understudy.packs.fingerprint import Stamp
from understudy.packs.pack import Pack
from understudy.packs.pins import parse_pin, version_key
from understudy.packs.registry import Registry
from understudy.roles.pack_settings import PackSettings

Key = tuple[str, str]
"""Id and version."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What to go over to.

    Attributes:
        found: The packs to serve from now on.
        problems: Digest of a pack that stays for a changed one that was refused, to the reason.
        heirs: Digest of a pack that is replaced to the pack that takes its place.
        unproven: A pack was refused because it did not load, which may be otherwise another time.
    """

    found: Discovery
    problems: Mapping[str, str] = field(default_factory=dict)
    heirs: Mapping[str, Pack] = field(default_factory=dict)
    unproven: bool = False


def succession(
    before: Registry,
    found: Discovery,
    suspect: Callable[[Pack], bool],
    resident: Callable[[Pack], bool],
    prove: Callable[[Pack], None],
) -> Succession:
    """Goes through what a new search found.

    A pack whose files changed has them compared with their hashes. One that would take over from a model in memory has
    to load first. What fails that is refused: the pack that was there stays, and the failure says why.

    Args:
        before: The packs until now.
        found: The packs on disk.
        suspect: Whether a file of a pack may have changed since the last search.
        resident: Whether a pack's model is in memory.
        prove: Loads a pack and warms it up; raises an error of the tree.
    """
    old = {(pack.id, pack.version): pack for pack in before}
    taken: dict[Key, Pack] = {}
    failures = list(found.failures)
    problems: dict[str, str] = {}
    heirs: dict[str, Pack] = {}
    unproven = False
    for pack in found.registry:
        key = (pack.id, pack.version)
        known = old.get(key)
        changed = known is None or known.digest != pack.digest
        proving = False
        try:
            if changed or suspect(pack):
                pack.verify()
            if changed and any(resident(other) for other in _makes_way(pack, known, before)):
                proving = True
                prove(pack)
        except UnderstudyError as error:
            unproven |= proving
            failures.append(PackFailure(path=pack.folder.as_posix(), problem=_sentence(error), fix=error.fix or ""))
            if known is not None:
                taken[key], problems[known.digest] = known, str(error)
            continue
        taken[key] = pack
        if known is not None and changed:
            heirs[known.digest] = pack
    broken = {failure.path: failure for failure in found.failures}
    for key, pack in old.items():
        if key not in taken and (failure := broken.get(pack.folder.as_posix())):
            taken[key] = pack
            problems[pack.digest] = f"{failure.problem}; {failure.fix}" if failure.fix else failure.problem
    return Succession(replace(found, registry=Registry(taken), failures=tuple(failures)), problems, heirs, unproven)


def trusted(found: Discovery, settings: PackSettings) -> Discovery:
    """What was found, without the packs of code that the settings do not trust."""
    if settings.allow_python_packs:
        return found
    pins = [parse_pin(text, where="packs.trusted_python_packs") for text in settings.trusted_python_packs]
    kept: dict[Key, Pack] = {}
    failures = list(found.failures)
    for pack in found.registry:
        listed = any(
            pin.id == pack.id and pin.version in {"", pack.version} and pack.digest.startswith(pin.sha256)
            for pin in pins
        )
        if not pack.manifest.runtime.is_code or pack.source == "shipped" or listed:
            kept[pack.id, pack.version] = pack
            continue
        fix = f'add "{pack.id}@{pack.version}#{pack.digest[:12]}" to packs.trusted_python_packs'
        failures.append(PackFailure(path=pack.folder.as_posix(), problem="is code, which is not trusted here", fix=fix))
    return replace(found, registry=Registry(kept), failures=tuple(failures))


def touched_files(before: tuple[Stamp, ...], now: tuple[Stamp, ...]) -> frozenset[str]:
    """Paths of the files that differ between two fingerprints."""
    return frozenset(stamp[0] for stamp in set(before) ^ set(now))


def _makes_way(pack: Pack, known: Pack | None, before: Registry) -> list[Pack]:
    """The packs that lose requests to this one: its own former bytes, or what its id named until now."""
    if known is not None:
        return [known]
    versions = sorted((other for other in before if other.id == pack.id), key=lambda other: version_key(other.version))
    newest = versions[-1:] if versions else []
    return [other for other in newest if version_key(other.version) < version_key(pack.version)]


def _sentence(error: UnderstudyError) -> str:
    return f"{error.where}: {error.problem}" if error.where else error.problem
