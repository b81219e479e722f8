# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy.cli.main import app
from understudy.contracts.errors import UsageError
from understudy.service.access_file import TOKEN_PREFIX, read_access_file, token_hash


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["tokens", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_add_prints_the_token_once_and_keeps_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    token = _run("add", "mira", "--file", str(file)).strip()
    assert token.startswith(TOKEN_PREFIX)
    (entry,) = read_access_file(file).token
    assert (entry.name, entry.roles, entry.sha256, entry.expires) == ("mira", ("render",), token_hash(token), None)
    event = json.loads(
        _run("add", "chief", "--role", "admin", "--role", "render", "--days", "7", "--file", str(file), "--json")
    )
    assert event["roles"] == ["render", "admin"]
    assert event["expires"] is not None
    assert token_hash(event["token"]) == read_access_file(file).token[1].sha256


def test_list_and_revoke(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    for name in ("mira", "mira", "farm"):
        _run("add", name, "--file", str(file))
    listed = _run("list", "--file", str(file))
    assert [line.split()[0] for line in listed.splitlines()] == ["mira", "mira", "farm"]
    assert not any(entry.sha256 in listed for entry in read_access_file(file).token)
    events = [json.loads(line) for line in _run("list", "--file", str(file), "--json").splitlines()]
    assert [event["name"] for event in events] == ["mira", "mira", "farm"]
    assert _run("revoke", "mira", "--file", str(file)) == "revoked 2\n"
    assert [entry.name for entry in read_access_file(file).token] == ["farm"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "two words"), "is no name; use letters"),
        (("add", "mira", "--role", "owner"), "no role 'owner'; say render or admin"),
        (("revoke", "mira"), "the access file can't be read"),
        (("list",), "the access file can't be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        _run(*arguments, "--file", str(tmp_path / "access.toml"))


def test_revoking_nobody_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    _run("add", "mira", "--file", str(file))
    with pytest.raises(UsageError, match="no token of 'farm'"):
        _run("revoke", "farm", "--file", str(file))
