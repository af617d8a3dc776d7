"""One call as the policies see it: before it has a `CallContext`, and after its handler is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tickmesh_serving.call_context import CallContext
from tickmesh_serving.principal import ANONYMOUS, Principal
from tickmesh_serving.tracing import link_span, valid_traceparent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.rpc.status_pb2 import Status
    from opentelemetry.trace import Span

    from tickmesh_serving.drain_signal import DrainSignal

Transport = Literal["grpc", "flight"]

MAX_LINKED_TRACES = 128
"""Trace contexts noted of one call: as many as OpenTelemetry keeps links of a span."""


class RpcCall:
    """The mutable record of one call; each policy reads what the outer ones wrote.

    Attributes:
        transport: which listener took it.
        method: the permission table's key; also a label of metrics, so never what a caller made up.
        streaming: whether either side is a stream: such calls have no server deadline.
        exempt: health and reflection: no identity, no admission.
        metadata: the caller's text metadata, lower-case keys.
        peer: the caller's network address.
        peer_identities: names the caller's certificate proves, best first.
        remaining_seconds: until the caller's own deadline; None if there is none.
        limit_seconds: the deadline the server sets; None if it sets none.
        error: what the handler or a policy raised.
        status: what the caller is told about `error`.
        code: canonical code name of the outcome.
        linked_traces: trace contexts that parts of a stream named, the first ones, each once.
    """

    __slots__ = (
        "code",
        "deadline_ns",
        "error",
        "exempt",
        "limit_seconds",
        "linked_traces",
        "metadata",
        "method",
        "peer",
        "peer_identities",
        "principal",
        "remaining_seconds",
        "request_id",
        "span",
        "started_ns",
        "status",
        "streaming",
        "traceparent",
        "transport",
    )

    def __init__(
        self,
        *,
        transport: Transport,
        method: str,
        streaming: bool,
        exempt: bool,
        metadata: Mapping[str, str],
        peer: str | None,
        peer_identities: Sequence[str] = (),
        remaining_seconds: float | None,
        started_ns: int,
    ) -> None:
        self.transport: Transport = transport
        self.method = method
        self.streaming = streaming
        self.exempt = exempt
        self.metadata = metadata
        self.peer = peer
        self.peer_identities = peer_identities
        self.remaining_seconds = remaining_seconds
        self.started_ns = started_ns
        self.request_id = ""
        self.traceparent: str | None = None
        self.deadline_ns: int | None = None
        self.limit_seconds: float | None = None
        self.principal: Principal = ANONYMOUS
        self.span: Span | None = None
        self.error: BaseException | None = None
        self.status: Status | None = None
        self.code = "OK"
        self.linked_traces: list[str] = []

    def link_trace(self, traceparent: str, attributes: Mapping[str, str]) -> None:
        """Note that a part of this call, such as one batch, belongs to another trace.

        The call's span is linked to it, the log names it. What is no W3C trace context is passed
        over, and so is whatever comes after the first `MAX_LINKED_TRACES`.

        Args:
            traceparent: the part's W3C trace context.
            attributes: what the part is, for the link.
        """
        known = self.linked_traces
        if len(known) >= MAX_LINKED_TRACES or traceparent in known:
            return
        if valid_traceparent(traceparent) is None:
            return
        known.append(traceparent)
        if self.span is not None:
            link_span(self.span, traceparent, attributes)

    def context(self, drain: DrainSignal) -> CallContext:
        """Return what the handler sees."""
        return CallContext(
            principal=self.principal,
            request_id=self.request_id,
            deadline_ns=self.deadline_ns,
            traceparent=self.traceparent,
            peer=self.peer,
            drain=drain,
        )
