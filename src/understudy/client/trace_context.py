# SPDX-License-Identifier: Apache-2.0
"""Names the caller's span to the service (W3C Trace Context), where the caller traces by OpenTelemetry."""

import sys

TraceMetadata = tuple[tuple[str, str], ...]


def trace_metadata() -> TraceMetadata:
    """``traceparent`` and ``tracestate`` of the current span; empty without one.

    Nothing is imported for it: a program without OpenTelemetry has no span.
    """
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return tuple(carrier.items())
