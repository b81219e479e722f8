# SPDX-License-Identifier: Apache-2.0
"""``understudy tokens``: who may use a service."""

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli import options as o

tokens_app = typer.Typer(help="Tokens of a service: add, list, revoke.", no_args_is_help=True)

_File = Annotated[
    Path, typer.Option("--file", metavar="FILE", help="The access file (understudy.access/1) that the service reads.")
]


@tokens_app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: a person, a farm, a host.")],
    file: _File,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="render, or admin (may also load and unload packs); may be repeated."),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=0, help="Valid for so many days; 0: until it is revoked.")
    ] = 0,
    json: o.Json = False,
) -> None:
    """Makes a token and prints it, once: the file keeps only its hash."""
    from datetime import UTC, datetime, timedelta
    from typing import get_args

    from understudy.contracts.errors import UsageError
    from understudy.service.access_file import Role, add_token

    known: tuple[Role, ...] = get_args(Role)
    wanted = role or ["render"]
    for given in wanted:
        if given not in known:
            raise UsageError(f"there is no role {given!r}", where="--role", fix="say render or admin")
    roles = tuple(one for one in known if one in wanted)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) if days else None
    token = add_token(file, name, roles, expires)
    if json:
        _say({"event": "token", "name": name, "roles": roles, "token": token, "expires": expires and str(expires)})
    else:
        typer.echo(token)
        typer.echo(f"{name} may {' and '.join(roles)}; this is the only time that the token is shown", err=True)


@tokens_app.command("list")
def list_tokens(file: _File, json: o.Json = False) -> None:
    """Lists names, roles and the beginning of each hash."""
    from datetime import UTC, datetime

    from understudy.service.access_file import read_access_file

    content = read_access_file(file)
    now = datetime.now(UTC)
    for token in content.token:
        facts: dict[str, object] = {
            "event": "access",
            "kind": "token",
            "name": token.name,
            "roles": token.roles,
            "hash": token.sha256[:8],
            "expires": None if token.expires is None else token.expires.isoformat(),
            "expired": token.expired(now),
        }
        until = "until revoked" if token.expires is None else f"until {token.expires:%Y-%m-%d %H:%M}"
        state = "expired" if token.expired(now) else until
        line = f"{token.name:20} {'+'.join(token.roles):14} token {token.sha256[:8]}  {state}"
        _say(facts) if json else typer.echo(line)
    for entry in content.certificate:
        facts = {"event": "access", "kind": "certificate", "name": entry.name, "roles": entry.roles}
        line = f"{entry.name:20} {'+'.join(entry.roles):14} certificate {entry.common_name}"
        _say({**facts, "common_name": entry.common_name}) if json else typer.echo(line)


@tokens_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose tokens, or 8 digits or more of one token's hash.")],
    file: _File,
    json: o.Json = False,
) -> None:
    """Takes tokens out of the file; a running service notices at the next call."""
    from understudy.contracts.errors import UsageError
    from understudy.service.access_file import revoke_tokens

    count = revoke_tokens(file, name)
    if not count:
        raise UsageError(f"there is no token of {name!r}", where=str(file), fix="see: understudy tokens list")
    _say({"event": "revoked", "name": name, "tokens": count}) if json else typer.echo(f"revoked {count}")


def _say(facts: dict[str, object]) -> None:
    import json

    typer.echo(json.dumps(facts))
