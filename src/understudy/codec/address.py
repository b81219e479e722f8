# SPDX-License-Identifier: Apache-2.0
"""Addresses of a service: ``host:port``, ``[v6]:port`` or ``unix:path``."""

import ipaddress
from dataclasses import dataclass

from understudy.contracts.errors import UsageError

DEFAULT_PORT = 7433
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
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


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
