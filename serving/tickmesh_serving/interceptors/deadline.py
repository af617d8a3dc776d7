"""No unary call runs for ever: who sets no deadline gets the server's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_serving.interceptors.interceptor import nothing

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.rpc_call import RpcCall


class DeadlineInterceptor:
    """Fixes the instant by which a call is over. Streams end by drain or by their own rules."""

    name = "deadline"
    end = staticmethod(nothing)

    def __init__(self, clock: Clock, *, unary_seconds: float) -> None:
        self._clock = clock
        self._unary_seconds = unary_seconds

    def begin(self, call: RpcCall) -> None:
        """Keep the caller's deadline, or set the server's."""
        remaining = call.remaining_seconds
        if remaining is None and not call.streaming:
            call.limit_seconds = remaining = self._unary_seconds
        if remaining is not None:
            call.deadline_ns = self._clock.now_ns() + round(remaining * 1e9)
