# SPDX-License-Identifier: Apache-2.0
"""The packs that loaded, by id and version."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from understudy.contracts.errors import DuplicatePackError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.packs.pack import Pack
from understudy.packs.pins import choose_pack, version_key
from understudy.packs.toml_file import shown


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
        return choose_pack(self, pin, role)
