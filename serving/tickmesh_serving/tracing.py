"""Traces, off unless an endpoint is configured; the W3C context passes through either way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tickmesh._wire.metadata import TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class TracingConfig:
    """Where spans go."""

    endpoint: str | None = None
    """OTLP collector (gRPC), as `http://host:4317`; None: no tracing."""
    sample_ratio: float = 1.0
    """Share of traces begun here that is kept; the caller's decision is always followed."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sample_ratio <= 1.0:
            raise ValueError(f"expected sample_ratio from 0 to 1, was {self.sample_ratio}")


def valid_traceparent(value: str | None) -> str | None:
    """Return the value if it is a W3C trace context, else None."""
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def link_span(span: Span, traceparent: str, attributes: Mapping[str, str]) -> None:
    """Link a span to the trace of which a part of its work was asked."""
    context = _propagator.extract({TRACEPARENT: traceparent})
    span.add_link(get_current_span(context).get_span_context(), dict(attributes))


class Tracing:
    """Spans of one server; a disabled one makes none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("tickmesh")

    @classmethod
    def from_config(cls, config: TracingConfig, *, service: str) -> Tracing:
        """Return tracing as configured."""
        if config.endpoint is None:
            return cls()
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: f"tickmesh-{service}"}),
            sampler=ParentBased(TraceIdRatioBased(config.sample_ratio)),
        )
        exporter = OTLPSpanExporter(
            endpoint=config.endpoint, insecure=config.endpoint.startswith("http://")
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    @property
    def enabled(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    def start_span(
        self, name: str, *, parent: str | None, attributes: Mapping[str, str]
    ) -> tuple[Span, str | None]:
        """Begin a span.

        Args:
            name: of the operation.
            parent: W3C trace context of the caller.
            attributes: of the span.

        Returns:
            The span, and the trace context to pass on.

        Raises:
            RuntimeError: tracing is off.
        """
        if self._tracer is None:
            raise RuntimeError("tracing is off; ask .enabled first")
        context = None if parent is None else _propagator.extract({TRACEPARENT: parent})
        span = self._tracer.start_span(
            name, context=context, kind=SpanKind.SERVER, attributes=dict(attributes)
        )
        identity = span.get_span_context()
        traceparent = (
            f"00-{identity.trace_id:032x}-{identity.span_id:016x}-{int(identity.trace_flags):02x}"
        )
        return span, traceparent

    def end_span(self, span: Span, *, code: str) -> None:
        """End a span with the outcome of its call."""
        span.set_attribute("rpc.grpc.status_code", code)
        if code != "OK":
            span.set_status(Status(StatusCode.ERROR, code))
        span.end()

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
