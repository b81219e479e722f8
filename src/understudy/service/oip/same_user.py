# SPDX-License-Identifier: Apache-2.0
"""Whether the other end of a connection is the user that this process runs as.

A Unix socket of ours can be opened by its owner alone. A TCP connection from this machine is found in the kernel's
table of sockets (proc(5), ``/proc/net/tcp``), which names the user of its other end.
"""

import os
import re
import socket
import struct
import threading
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_PEER = re.compile(r"^ipv[46]:(?P<host>\[.+\]|[^\[\]:]+):(?P<port>\d+)$")
_REMEMBERED_S = 1.0  # the table takes milliseconds to read; a port passes to another user no faster in practice
_MOST_REMEMBERED = 1000


class SameUser:
    """Answers for peers as gRPC names them, and remembers for a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, bool]] = {}

    def __call__(self, peer: str) -> bool:
        """Whether a peer is this user, or root.

        Args:
            peer: Such as ``ipv4:127.0.0.1:50404`` or ``unix:``.
        """
        if peer.startswith("unix:"):
            return True
        now = time.monotonic()
        with self._lock:
            known = self._known.get(peer)
        if known is not None and now - known[0] < _REMEMBERED_S:
            return known[1]
        same = user_of(peer) in {0, os.geteuid()}
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[peer] = (now, same)
        return same


def user_of(peer: str) -> int | None:
    """The number of the user whose socket on this machine has a peer's address; None when that can't be told."""
    match = _PEER.match(unquote(peer))
    if match is None:
        return None
    try:
        wanted = _table_addresses(ip_address(match["host"].strip("[]").partition("%")[0]), int(match["port"]))
    except ValueError:
        return None
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


def _table_addresses(host: IPv4Address | IPv6Address, port: int) -> set[str]:
    """An address as the table writes it; an IPv4 one may stand in the table of IPv6, mapped."""
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    forms = [host.packed]
    if isinstance(host, IPv4Address):
        forms.append(IPv6Address(f"::ffff:{host}").packed)
    return {f"{_words(form)}:{port:04X}" for form in forms}


def _words(packed: bytes) -> str:
    """Network bytes as the table's words of 32 bits, each in the machine's own order."""
    return "".join(f"{socket.ntohl(word):08X}" if _little() else f"{word:08X}"
                   for word in struct.unpack(f">{len(packed) // 4}I", packed))  # fmt: skip


def _little() -> bool:
    return struct.pack("=H", 1)[0] == 1
