"""grpc.health.v1, whole: Check, Watch and List.

Our own servicer because grpcio's has no List, starts as SERVING, holds its lock while it writes to
a slow watcher, and never ends a watch, so that each one costs a shutdown its full grace.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tickmesh.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tickmesh_serving.drain_signal import DrainSignal

SERVICE_NAME = "grpc.health.v1.Health"
OVERALL = ""
"""The name under which the process as a whole is asked for."""
FLIGHT = "tickmesh.flight"
"""The name of the Flight port, which has no health service of its own."""

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


class HealthServicer(health_pb2_grpc.HealthServicer):
    """States of named services; everything is NOT_SERVING until it is said to serve."""

    def __init__(self, names: Iterable[str], drain: DrainSignal) -> None:
        self._serving = dict.fromkeys((OVERALL, *names), False)
        self._drain = drain
        self._changed = asyncio.Event()

    @property
    def states(self) -> dict[str, bool]:
        """Whether each service is serving, by name."""
        return dict(self._serving)

    def set_serving(self, name: str, *, serving: bool) -> None:
        """Set the state of one service and tell who watches it. Call it on the event loop."""
        self._serving[name] = serving
        self._wake()

    def set_all(self, *, serving: bool) -> None:
        """Set the state of every service. Call it on the event loop."""
        for name in self._serving:
            self._serving[name] = serving
        self._wake()

    async def Check(  # noqa: N802 - the service's own name
        self,
        request: health_pb2.HealthCheckRequest,
        context: _Context,  # noqa: ARG002 - gRPC's signature
    ) -> health_pb2.HealthCheckResponse:
        """Answer the state of one service; NOT_FOUND if there is no such service."""
        if request.service not in self._serving:
            known = ", ".join(sorted(name for name in self._serving if name))
            raise NotFoundError(
                f"expected one of {known}, was {request.service!r}",
                reason="SERVICE_NOT_FOUND",
                metadata={"service": request.service},
            )
        return self._response(request.service)

    async def Watch(  # noqa: N802 - the service's own name
        self,
        request: health_pb2.HealthCheckRequest,
        context: _Context,  # noqa: ARG002 - gRPC's signature
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Stream the state of one service, each change once; ends when the server goes down."""
        sent: health_pb2.HealthCheckResponse | None = None
        while True:
            changed = self._changed
            response = self._response(request.service)
            if response != sent:
                yield response
                sent = response
            elif self._drain.given:
                raise UnavailableError(
                    "the server is going down; watch another replica", reason="DRAINING"
                )
            else:
                await changed.wait()

    async def List(  # noqa: N802 - the service's own name
        self,
        request: health_pb2.HealthListRequest,  # noqa: ARG002 - has no fields
        context: _Context,  # noqa: ARG002 - gRPC's signature
    ) -> health_pb2.HealthListResponse:
        """Answer the states of all services."""
        return health_pb2.HealthListResponse(
            statuses={name: self._response(name) for name in self._serving}
        )

    def _response(self, name: str) -> health_pb2.HealthCheckResponse:
        serving = self._serving.get(name)
        if serving is None:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if serving else _Status.NOT_SERVING)

    def _wake(self) -> None:
        # A fresh event a change: every watcher waits on the one it saw before it looked.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
