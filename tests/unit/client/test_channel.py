# SPDX-License-Identifier: Apache-2.0
"""One target of gRPC for several replicas."""

import socket
from typing import Any

import pytest

from understudy.client.channel import balanced_target
from understudy.codec.address import Replicas
from understudy.contracts.errors import UnavailableError

NAMES = {
    "a": [(socket.AF_INET6, "fd00::1"), (socket.AF_INET, "10.0.0.1")],
    "b": [(socket.AF_INET, "10.0.0.2"), (socket.AF_INET, "10.0.0.3")],
    "six": [(socket.AF_INET6, "fe80::6%eth0")],
}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host[0].isdigit() or ":" in host:
            return [(socket.AF_INET, 0, 0, "", (host, port))]
        if host not in NAMES:
            raise socket.gaierror(-2, "Name or service not known")
        return [(family, socket.SOCK_STREAM, 6, "", (number, port)) for family, number in NAMES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("10.0.0.7:1,10.0.0.8:2", "ipv4:10.0.0.7:1,10.0.0.8:2"),
        ("a:1,b:2", "ipv4:10.0.0.1:1,10.0.0.2:2,10.0.0.3:2"),
        ("a:1,10.0.0.1:1", "ipv4:10.0.0.1:1"),
        ("a:1,gone:1", "ipv4:10.0.0.1:1"),
        ("six:1,b:2", "ipv6:[fe80::6]:1,[::ffff:10.0.0.2]:2,[::ffff:10.0.0.3]:2"),
        ("[::1]:1,[fd00::2]:2", "ipv6:[::1]:1,[fd00::2]:2"),
        ("unix:/run/a.sock,unix:b.sock", "unix:/run/a.sock,b.sock"),
        ("dns:///a:7433", "dns:///a:7433"),
    ],
)
def test_targets(text: str, target: str) -> None:
    assert balanced_target(Replicas.parse(text)) == target


def test_no_known_name_is_a_sentence() -> None:
    with pytest.raises(UnavailableError, match="gone:1,lost:2: no machine"):
        balanced_target(Replicas.parse("gone:1,lost:2"))
