# SPDX-License-Identifier: Apache-2.0
"""Health by name follows the packs' states."""

import pytest
from grpc_health.v1 import health, health_pb2

from understudy.contracts.engine import PackState
from understudy.contracts.jobs import PackPin
from understudy.service.pack_health import NOT_SERVING, SERVING, PackHealth

OLD = PackPin(id="flow", version="1.0.0", sha256="a" * 64)
NEW = PackPin(id="flow", version="2.0.0", sha256="b" * 64)
OTHER = PackPin(id="zoom", version="1.0.0", sha256="c" * 64)
NAMES = ("", "understudy.v1.Understudy", "pack:flow", "pack:zoom")


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


def told(servicer: health.HealthServicer) -> dict[str, int]:
    return {name: servicer._server_status[name] for name in NAMES if name in servicer._server_status}


def test_a_pack_serves_while_one_of_its_versions_can(servicer: health.HealthServicer) -> None:
    packs = PackHealth(servicer)
    packs.serve([OLD, NEW, OTHER])
    assert set(told(servicer).values()) == {SERVING}
    packs.hear(PackState(pin=OLD, state="failed", problem="broken"))
    assert told(servicer)["pack:flow"] == SERVING
    packs.hear(PackState(pin=NEW, state="failed", problem="broken"))
    assert told(servicer)["pack:flow"] == NOT_SERVING
    assert told(servicer)["pack:zoom"] == told(servicer)[""] == SERVING
    packs.hear(PackState(pin=NEW, state="loading"))
    assert told(servicer)["pack:flow"] == SERVING


def test_a_pack_that_is_gone_does_not_serve_and_a_new_one_does(servicer: health.HealthServicer) -> None:
    packs = PackHealth(servicer)
    packs.serve([OLD])
    packs.has([OTHER])
    assert told(servicer)["pack:flow"] == NOT_SERVING
    assert told(servicer)["pack:zoom"] == SERVING


def test_while_it_drains_nothing_serves(servicer: health.HealthServicer) -> None:
    packs = PackHealth(servicer)
    packs.serve([OLD, OTHER])
    packs.drain()
    packs.hear(PackState(pin=OLD, state="ready"))
    assert set(told(servicer).values()) == {health_pb2.HealthCheckResponse.NOT_SERVING}
    assert set(told(servicer)) == set(NAMES)
