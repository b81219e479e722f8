# SPDX-License-Identifier: Apache-2.0
"""Spans of a request and its stages, read back from OpenTelemetry's own in-memory exporter."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from understudy.contracts.engine import PackState
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import PackPin
from understudy.service.observer import Observer
from understudy.service.tracing import NoTracing, OtelTracing, tracing_from_environment

pytest.importorskip("opentelemetry.sdk")

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PIN = PackPin(id="p", version="1.0.0", sha256="0" * 64)


class Context:
    def peer(self) -> str:
        return "unix:"

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return (("traceparent", PARENT), ("x-bin", b"\xff"))


@pytest.fixture
def exporter() -> Any:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


@pytest.fixture
def observer(exporter: Any) -> Iterator[Observer]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    observer = Observer(tracing=OtelTracing(provider))
    yield observer
    observer.close()


def test_a_request_and_its_stages_are_below_the_callers_span(observer: Observer, exporter: Any) -> None:
    call = observer.run_began(Context())
    call.enter("receive")
    call.request_id = "shot_010"
    call.header_read("upscale", PIN, 1)
    call.enter("queue")
    with call.running():
        observer.pack_changed(PackState(pin=PIN, state="loading"))
        observer.pack_changed(PackState(pin=PIN, state="ready"))
    call.enter("send")
    call.end()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"receive", "queue", "run", "load", "send", "understudy.v1.Understudy/Run"}
    root = spans["understudy.v1.Understudy/Run"]
    assert f"{root.context.trace_id:032x}-{root.parent.span_id:016x}" == PARENT[3:-3]
    assert root.attributes["understudy.request_id"] == "shot_010"
    assert root.attributes["understudy.pack"] == str(PIN)
    parents = {name: span.parent.span_id for name, span in spans.items() if span is not root}
    assert parents.pop("load") == spans["run"].context.span_id
    assert set(parents.values()) == {root.context.span_id}
    assert root.status.is_unset


def test_an_error_marks_the_request_and_the_stage_it_happened_in(observer: Observer, exporter: Any) -> None:
    call = observer.run_began(Context())
    call.enter("receive")
    call.fields["error"] = "PlateError"
    call.end()
    call.enter("run")  # a worker that comes late tells nobody
    receive, root = exporter.get_finished_spans()
    assert (receive.name, receive.attributes["error.type"]) == ("receive", "PlateError")
    assert not root.status.is_ok
    assert root.attributes["error.type"] == "PlateError"


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        tracing_from_environment()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(UsageError, match="zipkin"):
        tracing_from_environment()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert isinstance(tracing_from_environment(), NoTracing)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(tracing_from_environment(), NoTracing)


def test_nothing_of_opentelemetry_is_imported_unless_asked() -> None:
    script = (
        "import sys, understudy.service.server; assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
