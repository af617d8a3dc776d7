"""A span for every call, below the caller's; when off, the caller's context passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh._wire.metadata import TRACEPARENT
from tickmesh_serving.tracing import Tracing, valid_traceparent

if TYPE_CHECKING:
    from tickmesh_serving.rpc_call import RpcCall


class TracingInterceptor:
    """Opens and closes spans."""

    name = "tracing"

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def begin(self, call: RpcCall) -> None:
        """Continue the caller's trace."""
        call.traceparent = valid_traceparent(call.metadata.get(TRACEPARENT))
        if self._tracing.enabled and not call.exempt:
            call.span, call.traceparent = self._tracing.start_span(
                call.method,
                parent=call.traceparent,
                attributes={"rpc.system": call.transport, "tickmesh.request_id": call.request_id},
            )

    def end(self, call: RpcCall) -> None:
        """Close the span with the outcome."""
        if call.span is not None:
            self._tracing.end_span(call.span, code=call.code)
