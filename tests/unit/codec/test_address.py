# SPDX-License-Identifier: Apache-2.0
"""Addresses: three forms, and who can reach them."""

import pytest

from understudy.codec.address import Address, Replicas
from understudy.contracts.errors import UsageError


@pytest.mark.parametrize(
    ("text", "target", "local"),
    [
        ("127.0.0.1:7433", "127.0.0.1:7433", True),
        ("localhost:0", "localhost:0", True),
        ("127.1.2.3:1", "127.1.2.3:1", True),
        ("[::1]:80", "[::1]:80", True),
        ("[::]:80", "[::]:80", False),
        ("0.0.0.0:80", "0.0.0.0:80", False),
        ("10.0.0.7:80", "10.0.0.7:80", False),
        ("gpu-01.studio:65535", "gpu-01.studio:65535", False),
        ("localhost.evil.example:80", "localhost.evil.example:80", False),
        ("unix:/run/a b.sock", "unix:/run/a b.sock", True),
        ("unix:///run/a.sock", "unix:/run/a.sock", True),
        ("unix:rel.sock", "unix:rel.sock", True),
    ],
)
def test_forms(text: str, target: str, local: bool) -> None:  # noqa: FBT001
    address = Address.parse(text)
    assert (address.target, address.local) == (target, local)
    assert Address.parse(address.target) == address


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":80", "host:x", "host:65536", "host:-1", "host:8 0", "host:٣", "::1", "::1:80", "[::1]",
     "[gpu]:80x", "[not:v6]:80", "http://host:80", "a/b:80", "user@host:80", "unix:", "unix://", "unix:a\0b",
     "unix:/a,b", "h\0:1"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="host:port"):
        Address.parse(text)


def test_replicas_are_several_addresses_or_a_name() -> None:
    one = Replicas.parse("a:1")
    assert (one.addresses, one.several, str(one)) == ((Address("a", 1),), False, "a:1")
    two = Replicas.parse("a:1, [::1]:2,a:1")
    assert (two.several, str(two)) == (True, "a:1,[::1]:2")
    assert Replicas.parse(str(two)) == two
    name = Replicas.parse("dns:///gpu.studio:7433")
    assert (name.several, str(name)) == (True, "dns:///gpu.studio:7433")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no address"),
        ("a:1,", "no address"),
        ("a:1,b", "no address"),
        ("a:1,unix:/b", "can't be mixed"),
        ("unix:/a,b", "no address"),
        ("dns:///10.0.0.1:1", "no DNS name"),
        ("dns:///unix:/a", "no DNS name"),
        ("dns:///a", "no address"),
        ("dns:///a:1,b:1", "no host name"),
        (",".join(f"a:{n}" for n in range(1, 66)), "at most 64"),
    ],
)
def test_other_replicas_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Replicas.parse(text)
