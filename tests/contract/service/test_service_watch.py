# SPDX-License-Identifier: Apache-2.0
"""What a real client's calls leave on the status page, in the metrics, in the spans and in its own errors."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from contract.service.certificates import Authority
from contract.service.rig import FakeEngine, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.client.retries import Retries
from understudy.contracts.errors import BusyError, PlateError, UnavailableError, UnderstudyError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.service.credentials import TlsSettings
from understudy.service.limits import Limits
from understudy.service.server import Service
from understudy.service.watching import Watch

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def watched(engine: FakeEngine) -> Iterator[Service]:
    limits = Limits(workers=1, drain_s=0.0)
    with Service(engine, "127.0.0.1:0", limits=limits, watch=Watch(status="127.0.0.1:0")) as service:
        yield service
        engine.release.set()


def text(service: Service, path: str = "") -> str:
    with OPENER.open(service.status_url + path, timeout=20) as answer:
        return str(answer.read().decode())


def metric(service: Service, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text(service, "metrics")):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


def test_a_request_is_counted_with_its_stages_and_bytes(watched: Service, connect: Any) -> None:
    client = connect(watched.address)
    size = full_plate().nbytes
    for _ in range(3):
        client.run(make_request("echo"))
    with pytest.raises(UnderstudyError):
        client.run(make_request("fail"))
    labels = {"role": "upscale", "pack": "other"}
    wait_until(lambda: metric(watched, "understudy_requests_total", **labels, outcome="failed") == 1, "the failure")
    assert metric(watched, "understudy_requests_total", **labels, outcome="done") == 3
    assert metric(watched, "understudy_errors_total", error="Internal") == 1
    for stage, count in (("receive", 4), ("queue", 4), ("run", 4), ("send", 3)):
        got = metric(watched, "understudy_stage_seconds_count", stage=stage, role="upscale")
        assert got == count, stage
    assert metric(watched, "understudy_pixel_bytes_total", transport="stream", direction="in") == 4 * size
    assert metric(watched, "understudy_pixel_bytes_total", transport="stream", direction="out") == 3 * size
    assert metric(watched, "understudy_pack_state", pack="p", state="available") == 1
    assert metric(watched, "understudy_workers") == 1


def test_the_page_shows_what_runs_and_what_failed_without_its_sentence(
    watched: Service, engine: FakeEngine, connect: Any
) -> None:
    client = connect(watched.address)
    engine.failure = PlateError("a secret of the user", where="/secret/plate.exr")
    with pytest.raises(PlateError):
        client.run(make_request("fail", request_id="shot_010"))
    wait_until(lambda: "shot_010" in text(watched), "the error")
    assert "PlateError" in text(watched)
    assert "secret" not in text(watched)


def test_health_of_packs_and_healthz_follow_the_service(engine: FakeEngine) -> None:
    service = Service(engine, "127.0.0.1:0", limits=Limits(drain_s=0.0), watch=Watch(status="127.0.0.1:0"))
    service.start()
    with grpc.insecure_channel(service.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def health(name: str) -> int:
            return int(stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=20).status)

        assert [health(name) for name in ("", "understudy.v1.Understudy", "pack:p")] == [1, 1, 1]
        with pytest.raises(grpc.RpcError):
            health("pack:unknown")
    assert text(service, "healthz") == "serving\n"
    url = service.status_url
    service.stop()
    with pytest.raises(urllib.error.URLError):
        OPENER.open(url, timeout=5)


def test_a_status_port_that_is_taken_starts_no_service(watched: Service, engine: FakeEngine) -> None:
    taken = watched.status_url.removeprefix("http://").rstrip("/")
    with pytest.raises(UsageError, match="can't listen here"):
        Service(engine, "127.0.0.1:0", watch=Watch(status=taken)).start()


def test_spans_go_below_the_span_of_the_client(
    engine: FakeEngine, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from understudy.service.tracing import OtelTracing

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("understudy.service.watching.tracing_from_environment", lambda: OtelTracing(provider))
    with Service(engine, "127.0.0.1:0", watch=Watch(tracing=True)) as service:
        client = connect(service.address)
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("a host program")
        with tracer.start_as_current_span("comp") as span:
            client.run(make_request("echo", request_id="shot_010"))
        wait_until(lambda: len(exporter.get_finished_spans()) == 5, "five spans")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    root = spans["understudy.v1.Understudy/Run"]
    assert root.context.trace_id == span.get_span_context().trace_id
    assert root.parent is not None
    assert root.parent.span_id == span.get_span_context().span_id
    assert root.attributes is not None
    assert root.attributes["understudy.request_id"] == "shot_010"
    assert set(spans) == {root.name, "receive", "queue", "run", "send"}


def test_errors_carry_the_request_that_the_log_has(watched: Service, engine: FakeEngine, connect: Any) -> None:
    client = connect(watched.address)
    engine.failure = PlateError("too dark", where="plate a")
    for request_id in ("shot_010", ""):
        with pytest.raises(PlateError) as caught:
            client.run(make_request("fail", request_id=request_id))
        assert caught.value.request_id == request_id or len(caught.value.request_id) == 32
        assert caught.value.where == "plate a"


def test_a_busy_service_is_asked_again_until_it_has_room(engine: FakeEngine, connect: Any) -> None:
    with Service(engine, "127.0.0.1:0", limits=Limits(workers=1, max_requests=1, drain_s=0.0)) as service:
        holder, client = connect(service.address), connect(service.address, retries=Retries(busy=50))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(holder.run, make_request("hold"))
            assert engine.entered.acquire(timeout=20)
            with pytest.raises(UnavailableError) as caught:
                holder.run(make_request("echo"))
            second = pool.submit(client.run, make_request("echo"))
            engine.release.set()
            assert first.result(20).confidence == second.result(30).confidence == 0.75
        if isinstance(caught.value, BusyError):
            assert caught.value.retry_after_s > 0


def test_replicas_over_tls_are_checked_against_the_first_name(
    engine: FakeEngine, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Authority(tmp_path, "studio")
    pair = studio.issue("farm", hosts=("localhost",))
    tls = TlsSettings(certificate=pair.certificate, key=pair.key)
    monkeypatch.setenv("UNDERSTUDY_TLS_CA", str(studio.file))
    with Service(engine, "127.0.0.1:0", tls=tls) as first, Service(engine, "127.0.0.1:0", tls=tls) as second:
        ports = [service.address.rpartition(":")[2] for service in (first, second)]
        client = RemoteEngine(",".join(f"localhost:{port}" for port in ports), timeout_s=20)
        for _ in range(4):
            assert client.run(make_request("echo")).confidence == 0.75
        client.close()


def test_packs_that_come_and_go_are_seen(engine: FakeEngine) -> None:
    from grpc_health.v1 import health

    from understudy.service.watching import Watching

    servicer = health.HealthServicer()
    watching = Watching(Watch(), [engine], servicer)
    watching.look()
    info = engine.info()
    other = replace(info.packs[0], pin=PackPin(id="q", version="1.0.0", sha256="1" * 64))
    engine.info = lambda: replace(info, packs=(other,))  # type: ignore[method-assign] # what the disk has now
    watching.look()
    assert servicer._server_status["pack:p"] == health_pb2.HealthCheckResponse.NOT_SERVING
    assert servicer._server_status["pack:q"] == health_pb2.HealthCheckResponse.SERVING
