# SPDX-License-Identifier: Apache-2.0
"""Whose requests are sent, and how urgent they are."""

import pytest

from understudy.client.sender import Sender, sender_from_environment
from understudy.contracts.errors import UsageError
from understudy.contracts.priority import Priority


def test_the_environment_says_who_and_how_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_USER", "zoe")
    monkeypatch.setenv("UNDERSTUDY_PRIORITY", "batch")
    assert sender_from_environment() == Sender(user="zoe", priority=Priority.BATCH)


def test_else_it_is_the_login_name_and_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_USER", "UNDERSTUDY_PRIORITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    assert sender_from_environment() == Sender(user="ana", priority=Priority.NORMAL)

    def nobody() -> str:
        raise OSError("no name")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert sender_from_environment().user.startswith("uid")


def test_a_wrong_priority_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PRIORITY", "urgent")
    with pytest.raises(UsageError, match="no priority; write interactive, normal, batch"):
        sender_from_environment()
