"""The order of the policies, fixed here and asserted by a test.

Outermost first: a call has a name before anything is said about it; traces, metrics and logs see
every outcome, refusals included; the deadline covers identity; errors are innermost, so that all
the others see the status that the caller gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_serving.interceptors.deadline import DeadlineInterceptor
from tickmesh_serving.interceptors.errors import ErrorsInterceptor
from tickmesh_serving.interceptors.identity import Authenticator, IdentityInterceptor
from tickmesh_serving.interceptors.interceptor import nothing
from tickmesh_serving.interceptors.logging import LoggingInterceptor
from tickmesh_serving.interceptors.metrics import MetricsInterceptor
from tickmesh_serving.interceptors.request_id import RequestIdInterceptor
from tickmesh_serving.interceptors.tracing import TracingInterceptor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.rpc.status_pb2 import Status

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.errors import ErrorTable
    from tickmesh_serving.identifiers import IdGenerator
    from tickmesh_serving.interceptors.interceptor import Interceptor
    from tickmesh_serving.lifecycle import Lifecycle
    from tickmesh_serving.metrics import RpcMetrics
    from tickmesh_serving.permissions import PermissionTable
    from tickmesh_serving.rpc_call import RpcCall
    from tickmesh_serving.tracing import Tracing


class Chain:
    """Runs the policies around a call; gRPC's and Flight's adapters share one instance.

    `begin` runs outermost first and may raise. `end` is called exactly once a call, whatever
    happened, and runs every policy's `end`, innermost first.
    """

    def __init__(self, interceptors: Sequence[Interceptor], lifecycle: Lifecycle) -> None:
        self.interceptors = tuple(interceptors)
        self.lifecycle = lifecycle
        begin = (interceptor.begin for interceptor in self.interceptors)
        end = (interceptor.end for interceptor in reversed(self.interceptors))
        self._begin = tuple(step for step in begin if step is not nothing)
        self._end = tuple(step for step in end if step is not nothing)

    def begin(self, call: RpcCall) -> CallContext:
        """Let the call pass every policy and return what its handler sees.

        Raises:
            Exception: a policy refused the call; pass it to `end` in `call.error`.
        """
        for begin in self._begin:
            begin(call)
        if not call.exempt:
            self.lifecycle.admit()
        return call.context(self.lifecycle.drain)

    def fail(self, call: RpcCall, error: BaseException) -> Status:
        """Take what a call raised and return what its caller is told; `end` is still to come."""
        call.error = error
        self._end[0](call)
        assert call.status is not None
        return call.status

    def end(self, call: RpcCall) -> None:
        """Close the call; afterwards `call.status` says what the caller is told."""
        for end in self._end:
            end(call)
        # An error holds the frames it passed, and this call is in one of them: a ring that would
        # keep whatever they hold, such as a read's snapshot, until the next garbage collection.
        call.error = None


def build_chain(
    *,
    lifecycle: Lifecycle,
    errors: ErrorTable,
    permissions: PermissionTable,
    authenticator: Authenticator,
    metrics: RpcMetrics,
    tracing: Tracing,
    clock: Clock,
    ids: IdGenerator,
    unary_deadline_seconds: float,
) -> Chain:
    """Return the chain of a server."""
    return Chain(
        (
            RequestIdInterceptor(ids),
            TracingInterceptor(tracing),
            MetricsInterceptor(metrics, clock),
            LoggingInterceptor(clock),
            DeadlineInterceptor(clock, unary_seconds=unary_deadline_seconds),
            IdentityInterceptor(authenticator, permissions),
            ErrorsInterceptor(errors),
        ),
        lifecycle,
    )
