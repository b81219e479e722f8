# SPDX-License-Identifier: Apache-2.0
"""Whether the other end of a connection is the user that this process runs as.

A Unix socket of ours can be opened by its owner alone. A TCP connection from this machine has its other end here too,
and the kernel says whose it is: at once when it is asked for that one socket (sock_diag(7)), else from its table of all
sockets (proc(5), ``/proc/net/tcp``), which takes milliseconds to read.
"""

import os
import re
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_PEER = re.compile(r"^ipv[46]:(?P<host>\[.+\]|[^\[\]:]+):(?P<port>\d{1,5})$")
_Host = IPv4Address | IPv6Address

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
_HEADER, _REQUEST = struct.Struct("=IHHII"), struct.Struct("=BBBBI")
_STATE_AT, _UID_AT = _HEADER.size + 1, _HEADER.size + 4 + 48 + 12
_ESTABLISHED = 1


class SameUser:
    """Answers for peers as gRPC names them.

    Attributes:
        ports: Where this process listens.
    """

    def __init__(self) -> None:
        self.ports: tuple[int, ...] = ()

    def __call__(self, peer: str) -> bool:
        """Whether a peer is this user, or root.

        Args:
            peer: Such as ``ipv4:127.0.0.1:50404`` or ``unix:``.
        """
        return peer.startswith("unix:") or user_of(peer, self.ports) in {0, os.geteuid()}


def user_of(peer: str, ports: Iterable[int] = ()) -> int | None:
    """The number of the user whose socket on this machine has a peer's address; None when that can't be told.

    Args:
        peer: As gRPC names it.
        ports: Of ours, one of which it may be connected to.
    """
    match = _PEER.match(unquote(peer))
    if match is None:
        return None
    try:
        host, port = ip_address(match["host"].strip("[]").partition("%")[0]), int(match["port"])
    except ValueError:
        return None
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    if port > 65535:
        return None
    for ours in ports:
        if (user := _asked(host, port, ours)) is not None:
            return user
    return _from_tables(host, port)


def _asked(host: _Host, port: int, ours: int) -> int | None:
    """Who has the socket from a port of an address to a port of the same address."""
    family = socket.AF_INET if isinstance(host, IPv4Address) else socket.AF_INET6
    address = host.packed.ljust(16, b"\0")
    wanted = struct.pack("!HH", port, ours) + address + address + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + wanted
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(header + body)
            answer = kernel.recv(4096)
    except (AttributeError, OSError):  # another system, or a container that has no netlink
        return None
    kind = _HEADER.unpack_from(answer)[1] if len(answer) >= _UID_AT + 4 else 0
    if kind != _SOCK_DIAG_BY_FAMILY or answer[_STATE_AT] != _ESTABLISHED:
        return None
    return int(struct.unpack_from("=I", answer, _UID_AT)[0])


def _from_tables(host: _Host, port: int) -> int | None:
    wanted = _table_addresses(host, port)
    for table in _TABLES:
        try:
            text = table.read_text()
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            fields = line.split()
            # fields: number, local address, remote address, state, queues, timer, retransmits, user, ...
            if len(fields) > 7 and fields[1] in wanted and fields[3] == "01":  # 01: established
                return int(fields[7])
    return None


def _table_addresses(host: _Host, port: int) -> set[str]:
    """An address as the table writes it; an IPv4 one may stand in the table of IPv6, mapped."""
    forms = [host.packed]
    if isinstance(host, IPv4Address):
        forms.append(IPv6Address(f"::ffff:{host}").packed)
    # Words of 32 bits, each as a number of this machine.
    words = [struct.unpack(f"={len(form) // 4}I", form) for form in forms]
    return {f"{''.join(f'{word:08X}' for word in form)}:{port:04X}" for form in words}
