# SPDX-License-Identifier: Apache-2.0
"""The file that says who may use the service, schema ``understudy.access/1``.

It holds no token, only the SHA-256 of each: tokens are 32 random bytes, so nobody finds one from its hash. A name may
stand in it several times, with an old and a new token for instance.
"""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from understudy.contracts.document_problems import joined, problems_of
from understudy.contracts.errors import UsageError
from understudy.packs.toml_file import read_toml_file, shown
from understudy.private_file import require_private

SCHEMA = "understudy.access/1"
TOKEN_PREFIX = "ust_"  # noqa: S105 - so that a scanner finds one that leaked
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$"

Role = Literal["render", "admin"]

_HINTS = {
    "name": "letters, digits and _ . @ -, at most 64 of them, such as mira or farm-01",
    "sha256": "64 lower-case hexadecimal digits, as `understudy tokens add` writes",
}
_HEAD = f"""\
# Who may use the service. Written by `understudy tokens`, which keeps no comments but this one.
schema = "{SCHEMA}"
"""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenEntry(_Part):
    """A bearer token.

    Attributes:
        name: Whose it is; fair shares, hashes and shared memory are counted by name.
        roles: ``render`` may compute; ``admin`` may also load and unload packs, and sees paths of the service's
            machine.
        sha256: Hash of the token.
        expires: Not valid from this time on; none: valid until it is revoked.
    """

    name: str = Field(pattern=NAME_PATTERN)
    roles: tuple[Role, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    expires: datetime | None = None

    @field_validator("expires")
    @classmethod
    def _with_zone(cls, value: datetime | None) -> datetime | None:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)

    def expired(self, now: datetime) -> bool:
        """Whether it is not valid any more."""
        return self.expires is not None and self.expires <= now


class CertificateEntry(_Part):
    """A client certificate of the authority in ``[tls] client_ca``.

    Attributes:
        name: Whose it is.
        roles: As for a token.
        common_name: The common name (CN) of its subject.
    """

    name: str = Field(pattern=NAME_PATTERN)
    roles: tuple[Role, ...] = Field(min_length=1)
    common_name: str = Field(min_length=1)


class AccessFile(_Part):
    """The whole document.

    Attributes:
        schema_: Always ``understudy.access/1`` (written ``schema``).
        token: Bearer tokens.
        certificate: Client certificates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Annotated[Literal["understudy.access/1"], Field(alias="schema")]
    token: tuple[TokenEntry, ...] = ()
    certificate: tuple[CertificateEntry, ...] = ()


def read_access_file(path: Path) -> AccessFile:
    """Reads and checks the file.

    Raises:
        UsageError: It is missing, not private, or wrong; every problem is told with its field.
    """
    require_private(path, "the access file")
    raw = read_toml_file(path, "access file", UsageError)
    try:
        return AccessFile.model_validate(raw)
    except ValidationError as error:
        problems = problems_of(error, raw, AccessFile, schema=SCHEMA, hints=_HINTS)
        text, place, fix = joined(shown(path), problems)
        raise UsageError(text, where=place, fix=fix) from None


def token_hash(token: str) -> str:
    """SHA-256 of a token, hexadecimal."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def add_token(path: Path, name: str, roles: tuple[Role, ...], expires: datetime | None = None) -> str:
    """Makes a token and enters its hash; the file is made when there is none.

    Returns:
        The token; it is kept nowhere.

    Raises:
        UsageError: The name is wrong, or the file is.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    try:
        entry = TokenEntry(name=name, roles=roles, sha256=token_hash(token), expires=expires)
    except ValidationError:
        raise UsageError(f"{name[:80]!r} is no name", where="NAME", fix=f"use {_HINTS['name']}") from None
    with _changing(path) as found:
        _write(path, found.model_copy(update={"token": (*found.token, entry)}))
    return token


def revoke_tokens(path: Path, which: str) -> int:
    """Takes out every token of a name, or the one whose hash begins so (8 digits or more).

    Returns:
        How many there were.

    Raises:
        UsageError: The file is missing or wrong.
    """
    with _changing(path, must_exist=True) as found:
        by_hash = len(which) >= 8
        kept = tuple(t for t in found.token if t.name != which and not (by_hash and t.sha256.startswith(which)))
        if len(kept) != len(found.token):
            _write(path, found.model_copy(update={"token": kept}))
        return len(found.token) - len(kept)


@contextmanager
def _changing(path: Path, *, must_exist: bool = False) -> Iterator[AccessFile]:
    """The file's content, while no other command changes it."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"the folder can't be opened: {error.strerror}", where=str(path.parent)) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield read_access_file(path) if must_exist or path.exists() else AccessFile.model_validate({"schema": SCHEMA})
    finally:
        os.close(folder)


def _write(path: Path, content: AccessFile) -> None:
    """Puts the new content in place at once, readable by this user alone."""
    text = "\n".join([_HEAD, *(_entry("token", t) for t in content.token), *_certificates(content)])
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _certificates(content: AccessFile) -> Iterator[str]:
    yield from (_entry("certificate", entry) for entry in content.certificate)


def _entry(table: str, entry: TokenEntry | CertificateEntry) -> str:
    lines = [f"[[{table}]]", f"name = {_quoted(entry.name)}", f"roles = [{', '.join(map(_quoted, entry.roles))}]"]
    if isinstance(entry, CertificateEntry):
        lines.append(f"common_name = {_quoted(entry.common_name)}")
    else:
        lines.append(f"sha256 = {_quoted(entry.sha256)}")
        if entry.expires is not None:
            lines.append(f"expires = {entry.expires.astimezone(UTC).isoformat(timespec='seconds')}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string (toml.io, v1.0.0, section String)."""
    escaped = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 0x20 or ord(c) == 0x7F else f"\\{c}" if c in '"\\' else c for c in text
    )
    return f'"{escaped}"'
