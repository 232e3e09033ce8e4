"""A span for each call, sent to an OpenTelemetry collector; loaded only where the setting asks for it.

A span says service, operation, outcome and request id, and nothing else: no names, no keys, no contexts. If the
request came with a W3C `traceparent`, the span is its child, and is sent only if the caller's trace is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from keystead import __version__, errors
from keystead.api.webhook import is_loopback

_HEADERS: Final = ("traceparent", "tracestate")
_NANOSECONDS: Final = 1_000_000_000


class Tracing:
    """Makes spans of calls that are over; a thread of the library sends them."""

    def __init__(self, endpoint: str, worker: str) -> None:
        """Spans go to `endpoint`, e.g. `http://127.0.0.1:4318/v1/traces`.

        Raises:
            errors.SettingsError: it is no URL that spans may go to, or the libraries are not installed.
        """
        parts = urlsplit(endpoint)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise errors.SettingsError("otlp_endpoint must be an https URL, or http on loopback")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  optional and slow
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  as above
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  as above
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  as above
            from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415  as above
            from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  as above
                TraceContextTextMapPropagator,
            )
        except ImportError:
            raise errors.SettingsError(
                "otlp_endpoint needs the extra packages of keystead[otel]; install them"
            ) from None
        about = {"service.name": "keystead", "service.version": __version__, "service.instance.id": worker}
        self._provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("keystead", __version__)
        self._propagator: Any = TraceContextTextMapPropagator()
        self._kind, self._failed = SpanKind.SERVER, StatusCode.ERROR

    def call(
        self,
        service: str,
        operation: str,
        outcome: str,
        seconds: float,
        request_id: str,
        headers: Mapping[str, str],
    ) -> None:
        """None; the call, which has just ended, has its span."""
        carrier = {name: headers[name] for name in _HEADERS if name in headers}
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{service}.{operation}",
            context=self._propagator.extract(carrier),
            kind=self._kind,
            attributes={
                "keystead.service": service,
                "keystead.operation": operation,
                "keystead.outcome": outcome,
                "keystead.request_id": request_id,
            },
            start_time=end - int(seconds * _NANOSECONDS),
        )
        if outcome != "ok":
            span.set_status(self._failed)
        span.end(end)

    def close(self) -> None:
        """None once what was gathered is sent, or the collector did not take it."""
        self._provider.shutdown()


def tracing_of(endpoint: str | None, worker: str) -> Tracing | None:
    """What traces calls, None without an endpoint.

    Raises:
        errors.SettingsError: the endpoint cannot be used.
    """
    return None if endpoint is None else Tracing(endpoint, worker)
