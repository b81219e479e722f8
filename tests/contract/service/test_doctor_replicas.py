# SPDX-License-Identifier: Apache-2.0
"""``understudy doctor --server a,b`` asks each replica by itself."""

import json
from dataclasses import replace

from typer.testing import CliRunner

from contract.service.rig import FakeEngine
from understudy.cli.main import app
from understudy.contracts.engine import EngineInfo
from understudy.service.server import Service


class Sound(FakeEngine):
    """An engine without failures, of some version."""

    def __init__(self, version: str = "1") -> None:
        super().__init__()
        self._version = version

    def info(self) -> EngineInfo:
        return replace(super().info(), failures=(), version=self._version)


def doctor(address: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["doctor", "--json", "--server", address])
    return done.exit_code, json.loads(done.stdout)


def test_each_replica_is_asked_and_named() -> None:
    with Service(Sound(), "127.0.0.1:0") as one, Service(Sound(), "127.0.0.1:0") as two:
        code, facts = doctor(f"{one.address},{two.address}")
        assert (code, facts["problems"]) == (0, [])
        assert isinstance(facts["replicas"], dict)
        assert list(facts["replicas"]) == [one.address, two.address]
        shown = CliRunner().invoke(app, ["doctor", "--server", f"{one.address},{two.address}"]).stdout
        assert shown.index(one.address) < shown.index(two.address)
        code, facts = doctor(one.address)
        assert (code, "replicas" in facts) == (0, False)


def test_one_that_does_not_answer_is_told_beside_one_that_does() -> None:
    with Service(Sound(), "127.0.0.1:0") as one:
        code, facts = doctor(f"{one.address},127.0.0.1:1")
    assert code == 1
    assert isinstance(facts["problems"], list)
    assert [problem.startswith("engine: 127.0.0.1:1") for problem in facts["problems"]] == [True]
    assert list(facts["replicas"]) == [one.address]  # type: ignore[call-overload] # JSON


def test_replicas_that_differ_are_told() -> None:
    with Service(Sound(), "127.0.0.1:0") as one, Service(Sound("2"), "127.0.0.1:0") as two:
        code, facts = doctor(f"{one.address},{two.address}")
    assert code == 1
    assert facts["problems"] == [
        f"the replicas have different versions of Understudy: {one.address} 1, {two.address} 2"
    ]
