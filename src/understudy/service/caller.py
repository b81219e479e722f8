# SPDX-License-Identifier: Apache-2.0
"""Who calls."""

from dataclasses import dataclass
from typing import Any

_ATTRIBUTE = "understudy_caller"
_LOCAL = ("unix:", "ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "ipv6:[::ffff:127.", "ipv6:%5B::ffff:127.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The other end of a call.

    Attributes:
        name: Whose hashes, regions and fair share these are. Empty where nothing tells callers apart.
        admin: May load and unload packs, and sees paths of the service's machine.
        local: On this machine: a Unix socket, or an address of the loopback network.
    """

    name: str = ""
    admin: bool = False
    local: bool = False


def caller_of(context: Any) -> Caller:
    """Who makes a call, as `understudy.service.access.Access` found out; a nobody where it was not asked.

    Args:
        context: Of the call.
    """
    known = getattr(context, _ATTRIBUTE, None)
    return known if isinstance(known, Caller) else Caller()


def remember_caller(context: Any, caller: Caller) -> None:
    """Notes who makes a call, for `caller_of`."""
    setattr(context, _ATTRIBUTE, caller)


def is_local(peer: str) -> bool:
    """Whether a peer, as gRPC names it, is on this machine."""
    return peer.startswith(_LOCAL)
