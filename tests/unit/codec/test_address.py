# SPDX-License-Identifier: Apache-2.0
"""Addresses: three forms, and who can reach them."""

import pytest

from understudy.codec.address import Address
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
     "[gpu]:80x", "[not:v6]:80", "http://host:80", "a/b:80", "user@host:80", "unix:", "unix://", "unix:a\0b", "h\0:1"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="host:port"):
        Address.parse(text)
