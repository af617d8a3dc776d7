"""How many calls, how they ended, how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.metrics import RpcMetrics
    from tickmesh_serving.rpc_call import RpcCall


class MetricsInterceptor:
    """Counts calls."""

    name = "metrics"

    def __init__(self, metrics: RpcMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def begin(self, call: RpcCall) -> None:
        """Count the call as running."""
        self._metrics.started(call.transport, call.method)

    def end(self, call: RpcCall) -> None:
        """Count the outcome."""
        elapsed_ns = self._clock.monotonic_ns() - call.started_ns
        self._metrics.ended(
            call.transport,
            call.method,
            code=call.code,
            # The length of a stream says when its client left, nothing about the server.
            seconds=None if call.streaming else elapsed_ns / 1e9,
        )
