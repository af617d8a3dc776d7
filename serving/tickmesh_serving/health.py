"""grpc.health.v1, whole: Check, Watch and List.

Our own servicer because grpcio's has no List, starts as SERVING, holds its lock while it writes to
a slow watcher, and never ends a watch, so that each one costs a shutdown its full grace.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tickmesh.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

SERVICE_NAME = "grpc.health.v1.Health"
OVERALL = ""
"""The name under which the process as a whole is asked for."""
FLIGHT = "tickmesh.flight"
"""The name of the Flight port, which has no health service of its own."""

_TELL_SECONDS = 0.25

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(eq=False)
class _Watcher:
    service: str
    sent: health_pb2.HealthCheckResponse | None = None


class HealthServicer(health_pb2_grpc.HealthServicer):
    """States of named services; everything is NOT_SERVING until it is said to serve."""

    def __init__(self, names: Iterable[str]) -> None:
        self._serving = dict.fromkeys((OVERALL, *names), False)
        self._ended = False
        self._changed = asyncio.Event()
        self._watchers: set[_Watcher] = set()
        self._sent = asyncio.Event()

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

    async def told(self) -> None:
        """Wait until the states as they are have been written to every watcher.

        Who does not read holds nobody up: returns after a quarter of a second at the latest.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TELL_SECONDS):
                while any(
                    watcher.sent != self._response(watcher.service) for watcher in self._watchers
                ):
                    self._sent.clear()
                    await self._sent.wait()

    def end_watches(self) -> None:
        """End every watch once its last state is written. Call it on the event loop."""
        self._ended = True
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
        watcher = _Watcher(request.service)
        self._watchers.add(watcher)
        try:
            while True:
                changed = self._changed
                response = self._response(request.service)
                if response != watcher.sent:
                    yield response
                    watcher.sent = response  # gRPC comes for more once it has written this one
                    self._sent.set()
                elif self._ended:
                    raise UnavailableError(
                        "the server is going down; watch another replica", reason="DRAINING"
                    )
                else:
                    await changed.wait()
        finally:
            self._watchers.discard(watcher)
            self._sent.set()

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
