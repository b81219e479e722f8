# SPDX-License-Identifier: Apache-2.0
"""Tokens for the servers that play remote packs: never in a pack, and each for one address alone.

A pack is somebody else's data. If it could say which token to send, or where to, it could have one sent to a server of
its own; so the file that holds the tokens says for which address each is, and nothing else does.
"""

import os
import stat
import tomllib
from ipaddress import ip_address
from pathlib import Path

from understudy.contracts.errors import UsageError

TOKENS_VARIABLE = "UNDERSTUDY_REMOTE_TOKENS"

_LONGEST = 4096


def token_for(address: str, *, tls: bool) -> str:
    """The bearer token for a server; empty for none.

    Args:
        address: ``host:port``, as the pack has it.
        tls: The connection is encrypted.

    Raises:
        UsageError: The file of ``UNDERSTUDY_REMOTE_TOKENS`` is missing or wrong or others may read it, or the token
            would travel where others can read it.
    """
    named = os.environ.get(TOKENS_VARIABLE)
    token = _tokens(Path(named)).get(address, "") if named else ""
    if token and not tls and not _loopback(address):
        fix = "write tls = true under [runtime.remote] of the pack, or take the address out of the file"
        raise UsageError("the token would travel unencrypted, where others can read it", where=address, fix=fix)
    return token


def _tokens(path: Path) -> dict[str, str]:
    where = f"{TOKENS_VARIABLE} ({path})"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = tomllib.load(file) if stat.S_ISREG(mode) else {}
    except OSError as error:
        raise UsageError(f"the tokens can't be read: {error.strerror}", where=where) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the tokens can't be read: {error}", where=where) from None
    if not stat.S_ISREG(mode):
        raise UsageError("is no file", where=where)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError("others may read the tokens", where=where, fix=f"chmod 600 {path}")
    for address, token in found.items():
        if not isinstance(token, str) or not _is_token(token):
            fix = 'write lines such as "gpu-box.studio.example:8001" = "the token"'
            raise UsageError(f'no token for "{address[:80]}"', where=where, fix=fix)
    return found


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isascii() and text.isprintable() and " " not in text


def _loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
