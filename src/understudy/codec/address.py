# SPDX-License-Identifier: Apache-2.0
"""Addresses of a service: ``host:port``, ``[v6]:port`` or ``unix:path``; of replicas, several or a DNS name."""

import ipaddress
from dataclasses import dataclass

from understudy.contracts.errors import UsageError

DEFAULT_PORT = 7433
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
MAX_REPLICAS = 64
"""Most addresses that a client takes."""

_FIX = f"write host:port, [IPv6]:port or unix:path, such as {DEFAULT_ADDRESS}"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address.

    Attributes:
        host: Name or number; empty for a socket file.
        port: TCP port; 0 asks for any free one when listening.
        path: The socket file; empty for TCP.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads an address.

        Raises:
            UsageError: It has none of the three forms.
        """
        if text.startswith("unix:"):
            path = text.removeprefix("unix://") if text.startswith("unix:///") else text.removeprefix("unix:")
            if not path or path.startswith("//") or "\0" in path:
                raise UsageError("the socket address has no path", where=text, fix=_FIX)
            if "," in path:  # gRPC would take it for two sockets
                raise UsageError("the socket's path has a comma, which parts addresses", where=text, fix=_FIX)
            return cls(path=path)
        host, colon, digits = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if not colon or not host or not digits.isascii() or not digits.isdigit() or int(digits) > 65535:
            raise UsageError("this is no address of a service", where=text or "(empty)", fix=_FIX)
        if (":" in host and not (bracketed and _is_number(host))) or not set("/ @%\0").isdisjoint(host):
            raise UsageError("this is no host name or number", where=text, fix=_FIX)
        return cls(host=host, port=int(digits))

    @property
    def target(self) -> str:
        """How gRPC writes it."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host.lower() == "localhost":
            return True
        return _is_number(self.host) and ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return self.target


@dataclass(frozen=True, slots=True)
class Replicas:
    """Where a client finds a service: at one address, or at several that answer alike.

    Attributes:
        addresses: One, or several that are all TCP or all sockets; without duplicates.
        dns: Each machine that this name has in the DNS, now and later, is a replica; ``addresses`` is then empty.
    """

    addresses: tuple[Address, ...] = ()
    dns: Address | None = None

    @classmethod
    def parse(cls, text: str) -> "Replicas":
        """Reads ``address``, ``address,address`` or ``dns:///host:port``.

        Raises:
            UsageError: It is none of these.
        """
        if text.startswith("dns:///"):
            name = Address.parse(text.removeprefix("dns:///"))
            if name.path or _is_number(name.host):
                raise UsageError("this is no DNS name", where=text, fix="write dns:///host:port")
            return cls(dns=name)
        addresses = tuple(dict.fromkeys(Address.parse(part.strip()) for part in text.split(",")))
        if len(addresses) > MAX_REPLICAS:
            raise UsageError(
                f"{len(addresses)} addresses, and at most {MAX_REPLICAS} may be named",
                where=_short(text),
                fix="put them under one DNS name and write dns:///host:port",
            )
        if len({bool(address.path) for address in addresses}) > 1:
            raise UsageError("sockets and host:port can't be mixed", where=_short(text), fix="name one kind")
        return cls(addresses=addresses)

    @property
    def several(self) -> bool:
        """Whether there may be more than one."""
        return self.dns is not None or len(self.addresses) > 1

    def __str__(self) -> str:
        return f"dns:///{self.dns}" if self.dns else ",".join(address.target for address in self.addresses)


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
