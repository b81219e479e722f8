# SPDX-License-Identifier: Apache-2.0
"""Spans of requests and their stages by OpenTelemetry, the extra ``understudy[tracing]``.

Off unless asked for, and nothing of OpenTelemetry is imported then. Where spans go is OpenTelemetry's own environment:
``OTEL_TRACES_EXPORTER`` (``otlp`` or ``console``) and ``OTEL_EXPORTER_OTLP_ENDPOINT``. One of the two must be set: the
standard's default would send to a port that nobody named.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from understudy.contracts.errors import UsageError

Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """A piece of work with a beginning and an end."""

    def child(self, name: str, /) -> "Span":
        """Begins a part of this work."""
        ...

    def describe(self, attributes: Attributes, /) -> None:
        """Adds facts."""
        ...

    def current(self) -> Any:
        """A context in which spans that this thread begins are parts of this one."""
        ...

    def end(self, error: str = "", /) -> None:
        """Ends the work.

        Args:
            error: Class of its error; empty when it went well.
        """
        ...


class Tracing(Protocol):
    """Begins spans."""

    def request(self, name: str, metadata: Iterable[tuple[str, str | bytes]], /) -> Span:
        """Begins the span of a call.

        Args:
            name: Full name of the method.
            metadata: Of the call; a W3C ``traceparent`` in it names the caller's span.
        """
        ...

    def part(self, name: str, /) -> Span:
        """Begins a part of what this thread does now."""
        ...

    def close(self) -> None:
        """Sends what has not been sent yet."""
        ...


class _NoSpan:
    def child(self, _name: str, /) -> Span:
        return self

    def describe(self, _attributes: Attributes, /) -> None:
        return

    @contextmanager
    def current(self) -> Iterator[None]:
        yield

    def end(self, _error: str = "", /) -> None:
        return


class NoTracing:
    """Nobody traces."""

    def request(self, _name: str, _metadata: Iterable[tuple[str, str | bytes]], /) -> Span:
        """A span that is nowhere."""
        return _NoSpan()

    def part(self, _name: str, /) -> Span:
        """A span that is nowhere."""
        return _NoSpan()

    def close(self) -> None:
        """Does nothing."""


class _OtelSpan:
    def __init__(self, tracer: Any, span: Any) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str) -> Span:
        from opentelemetry.trace import set_span_in_context

        return _OtelSpan(self._tracer, self._tracer.start_span(name, context=set_span_in_context(self._span)))

    def describe(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def current(self) -> Any:
        from opentelemetry.trace import use_span

        return use_span(self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False)

    def end(self, error: str = "") -> None:
        if error:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class OtelTracing:
    """Spans by a provider of OpenTelemetry's SDK, which is ours alone: the process's global one is left alone.

    Args:
        provider: An ``opentelemetry.sdk.trace.TracerProvider``.
    """

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        from understudy import __version__

        self._provider = provider
        self._tracer = provider.get_tracer("understudy", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def request(self, name: str, metadata: Iterable[tuple[str, str | bytes]]) -> Span:
        """Begins the span of a call, below the caller's if it named one."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        parent = self._propagator.extract(carrier, Context())
        return _OtelSpan(self._tracer, self._tracer.start_span(name, context=parent, kind=SpanKind.SERVER))

    def part(self, name: str) -> Span:
        """Begins a part of what this thread does now."""
        return _OtelSpan(self._tracer, self._tracer.start_span(name))

    def close(self) -> None:
        """Sends what has not been sent yet."""
        self._provider.shutdown()


def tracing_from_environment() -> Tracing:
    """Tracing as the ``OTEL_*`` variables have it.

    Raises:
        UsageError: OpenTelemetry is not installed, or no exporter is named.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return NoTracing()
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise UsageError("tracing needs OpenTelemetry", fix="pip install 'understudy[tracing]'") from None
    exporters = [_exporter(name) for name in _exporter_names()]
    if not exporters:
        return NoTracing()
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "understudy"}
    provider = TracerProvider(resource=Resource.create(named))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return OtelTracing(provider)


def _exporter_names() -> tuple[str, ...]:
    text = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not text:
        endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        if not any(os.environ.get(name) for name in endpoints):
            raise UsageError(
                "tracing is on, and nothing says where spans go",
                where="OTEL_TRACES_EXPORTER",
                fix="set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER to otlp or console",
            )
        text = "otlp"
    return tuple(name for part in text.split(",") if (name := part.strip()) and name != "none")


def _exporter(name: str) -> Any:
    if name == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        # One line each, beside the log: standard output tells programs the address.
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n")
    if name == "otlp":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    raise UsageError(
        f"there is no exporter {name!r}", where="OTEL_TRACES_EXPORTER", fix="take otlp (over gRPC), console or none"
    )
