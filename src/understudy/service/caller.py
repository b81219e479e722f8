# SPDX-License-Identifier: Apache-2.0
"""Who calls."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The other end of a call.

    Attributes:
        name: Whose hashes, regions and fair share these are. Empty where nothing tells callers apart.
        admin: May load and unload packs.
        local: On this machine: a Unix socket, or an address of the loopback network.
    """

    name: str = ""
    admin: bool = False
    local: bool = False


def caller_of(context: Any) -> Caller:
    """Who makes a call.

    Args:
        context: Of the call.
    """
    peer = str(context.peer())
    return Caller(local=peer.startswith(("unix:", "ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D")), admin=True)
