# SPDX-License-Identifier: Apache-2.0
"""Handles: what a plug-in holds of the host's objects.

A handle is a number that is never used twice, and never an address. So a plug-in that uses one after its object is gone
gets ``kOfxStatErrBadHandle``, as the specification has it, where a host of pointers would crash.
"""

import itertools
from typing import TypeVar

from understudy.ofx_host.abi import Refused, Status

Kind = TypeVar("Kind")


class HandleTable:
    """Objects by handle; safe from several threads."""

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}
        self._numbers = itertools.count(0x10000, 0x10)  # aligned as pointers are, for plug-ins that tag them

    def add(self, thing: object) -> int:
        """A new handle of an object, which stays alive until `drop`."""
        handle = next(self._numbers)
        self._objects[handle] = thing
        return handle

    def get(self, handle: int | None, kind: type[Kind]) -> Kind:
        """The object behind a handle.

        Raises:
            Refused: There is none, or it is of another kind.
        """
        thing = self._objects.get(handle or 0)
        if not isinstance(thing, kind):
            raise Refused(Status.BAD_HANDLE)
        return thing

    def drop(self, handle: int) -> None:
        """Forgets a handle; no harm in doing so twice."""
        self._objects.pop(handle, None)

    def all_of(self, kind: type[Kind]) -> list[Kind]:
        """All objects of a kind."""
        return [thing for thing in list(self._objects.values()) if isinstance(thing, kind)]

    def __len__(self) -> int:
        return len(self._objects)


HANDLES = HandleTable()
"""Those of this process. Suites are global in plug-ins, so what they are asked about must be found without a host."""
