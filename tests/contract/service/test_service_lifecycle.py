# SPDX-License-Identifier: Apache-2.0
"""Where a service listens, how it tells its health, and how it stops."""

import io
import json
import logging
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, make_request
from understudy.contracts.errors import UnavailableError, UsageError
from understudy.service.limits import Limits
from understudy.service.log import log_event, log_to_stderr
from understudy.service.server import Service

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Socket paths hold 107 bytes; pytest's own folders may be longer."""
    with tempfile.TemporaryDirectory(prefix="us") as folder:
        yield Path(folder)


def health_of(address: str, service: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)


def test_health_is_told_of_the_whole_and_of_the_service_by_name(serving: Serving) -> None:
    address = serving().address
    assert health_of(address) == SERVING
    assert health_of(address, "understudy.v1.Understudy") == SERVING
    with pytest.raises(grpc.RpcError):
        health_of(address, "other")


def test_while_it_stops_a_service_ends_what_runs_and_takes_nothing_new(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving()
    client = connect(service.address)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(client.run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        stopping = pool.submit(service.stop, 20.0)
        while health_of(service.address, "understudy.v1.Understudy") == SERVING:
            pass
        assert health_of(service.address) == NOT_SERVING
        with pytest.raises(UnavailableError, match="the service is stopping; try again"):
            client.run(make_request("echo"))
        assert not running.done()
        engine.release.set()
        assert running.result(20).confidence == 0.75
        assert stopping.result(20) is True
    with pytest.raises(UnavailableError):
        client.info()


def test_jobs_that_outlast_the_grace_are_cancelled(serving: Serving, connect: Connect, engine: FakeEngine) -> None:
    service = serving()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connect(service.address).run, make_request("endless"))
        assert engine.entered.acquire(timeout=20)
        assert service.stop(0.1) is True
        with pytest.raises(UnavailableError):
            running.result(20)
    assert engine.stopped.is_set()


def test_a_job_that_can_not_be_interrupted_is_reported(
    serving: Serving, connect: Connect, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.service.server._LAST_TILE_S", 0.1)
    service = serving()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connect(service.address).run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        assert service.stop(0) is False
        with pytest.raises(UnavailableError):
            running.result(20)


def test_stopping_twice_is_fine(serving: Serving) -> None:
    service = serving()
    assert service.stop() is True
    assert service.stop() is True


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "10.1.2.3:0", "gpu.studio:0"])
def test_an_address_that_others_reach_is_refused_unless_the_words_are_said(address: str, engine: FakeEngine) -> None:
    with pytest.raises(UsageError, match="--insecure-listen-anywhere"):
        Service(engine, address)
    Service(engine, address, anywhere=True)


def test_the_words_open_every_address(engine: FakeEngine, connect: Connect) -> None:
    with Service(engine, "0.0.0.0:0", anywhere=True) as service:
        port = service.address.rpartition(":")[2]
        assert connect(f"127.0.0.1:{port}").info() == engine.info()


def test_a_taken_port_is_refused(serving: Serving, engine: FakeEngine) -> None:
    address = serving().address
    with pytest.raises(UsageError, match=f"^{address}: can't listen here"):
        Service(engine, address).start()


def test_an_address_of_another_machine_is_refused(engine: FakeEngine) -> None:
    with pytest.raises(UsageError, match="can't listen here"):
        Service(engine, "192.0.2.1:0", anywhere=True).start()


def test_a_socket_file_is_this_user_s_alone_and_goes_with_the_service(
    short_path: Path, engine: FakeEngine, connect: Connect
) -> None:
    path = short_path / "a b.sock"
    with Service(engine, f"unix:{path}") as service:
        assert service.address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert connect(f"unix://{path}").info() == engine.info()
        connect(service.address).run(make_request("echo"))
        with pytest.raises(UsageError, match="listens here already"):
            Service(engine, f"unix:{path}").start()
    assert not path.exists()


def test_a_socket_left_by_a_killed_service_is_replaced(short_path: Path, engine: FakeEngine, connect: Connect) -> None:
    path = short_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with Service(engine, f"unix:{path}") as service:
        assert connect(service.address).info() == engine.info()


def test_a_file_in_the_socket_s_place_is_never_harmed(short_path: Path, engine: FakeEngine) -> None:
    path = short_path / "plate.exr"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="no socket is there"):
        Service(engine, f"unix:{path}").start()
    assert path.read_bytes() == b"precious"
    with pytest.raises(UsageError, match="folder does not exist"):
        Service(engine, f"unix:{short_path}/none/s").start()
    with pytest.raises(UsageError, match="over 100 bytes"):
        Service(engine, f"unix:{short_path}/{'x' * 100}").start()


def methods_listed(address: str) -> list[str]:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (answer,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests, timeout=20)
        return [service.name for service in answer.list_services_response.service]


def test_reflection_is_off_unless_asked_for(serving: Serving) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        methods_listed(serving().address)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "understudy.v1.Understudy" in methods_listed(serving(reflection=True).address)


def test_every_call_is_logged_with_its_id_and_no_pixels(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "understudy.service"):
        service = serving()
        connect(service.address).run(make_request("echo", request_id="shot\n010"))
        service.stop()
    (record,) = (record for record in caplog.records if record.getMessage() == "run")
    facts = vars(record)["fields"]
    assert facts["peer"].startswith("ipv4:127.0.0.1:")
    assert facts["seconds"] >= 0
    assert {key: facts[key] for key in facts if key not in {"peer", "seconds"}} == {
        "request_id": "shot010",
        "role": "upscale",
        "pack": "echo",
        "plates": 1,
        "bytes": 560,
        "bytes_received": 560,
    }


def test_logs_are_lines_of_json() -> None:
    stream = io.StringIO()
    before = logging.root.handlers[:], logging.root.level
    try:
        log_to_stderr(stream=stream)
        log_event("run", {"request_id": 'a"b\n', "bytes": 3})
        try:
            json.loads("{")
        except ValueError as error:
            log_event("internal error", level=logging.ERROR, exc_info=error)
        logging.getLogger("other").warning("a library's %s", "word")
        logging.getLogger("other").info("not this")
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    first, second, third = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["request_id"], first["bytes"]) == ("run", "info", 'a"b\n', 3)
    assert "JSONDecodeError: Expecting" in second["traceback"]
    assert third["event"] == "a library's word"


def test_workers_default_to_the_cores_this_process_may_use() -> None:
    assert Limits().workers_on(1) == len(os.sched_getaffinity(0))
    assert Limits(workers=3).workers_on(2) == 3
