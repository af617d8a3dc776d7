"""Where a watch opens its streams: on its client's connection, until that is taken for dead.

A connection can be dead without saying so (a router forgot it, a proxy hangs); a stream opened
again on it would hang as well. From then on the watch has a connection of its own.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tickmesh._wire.metadata import REQUEST_ID
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc
    import grpc.aio

    from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
    from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import (
        SchemaRegistryServiceAsyncStub,
    )
    from tickmesh.watch import SyncWatchCall


class WatchConnection:
    """For a watch in a thread."""

    def __init__(
        self,
        stub: SchemaRegistryServiceStub,
        *,
        open_channel: Callable[[], grpc.Channel],
        on_open: Callable[[SyncWatchCall], None],
    ) -> None:
        """Begin on the client's connection.

        Args:
            stub: the client's.
            open_channel: makes a channel with a connection of its own.
            on_open: told of every call, so that it can be cancelled from elsewhere.
        """
        self._stub = stub
        self._open_channel = open_channel
        self._on_open = on_open
        self._own: grpc.Channel | None = None

    def open(self, request: wire.WatchRequest) -> SyncWatchCall:
        """Open a stream."""
        call = self._stub.Watch(request, metadata=((REQUEST_ID, uuid.uuid4().hex),))
        self._on_open(call)
        return call

    def renew(self) -> None:
        """Open later streams on a new connection."""
        self.close()
        self._own = self._open_channel()
        self._stub = SchemaRegistryServiceStub(self._own)

    def close(self) -> None:
        """Close the connection of its own, if there is one."""
        if self._own is not None:
            self._own.close()
            self._own = None


class AsyncWatchConnection:
    """For a watch on an event loop."""

    def __init__(
        self,
        stub: SchemaRegistryServiceAsyncStub,
        *,
        open_channel: Callable[[], grpc.aio.Channel],
    ) -> None:
        """Begin on the client's connection.

        Args:
            stub: the client's.
            open_channel: makes a channel with a connection of its own.
        """
        self._stub = stub
        self._open_channel = open_channel
        self._own: grpc.aio.Channel | None = None

    def open(
        self, request: wire.WatchRequest
    ) -> grpc.aio.UnaryStreamCall[wire.WatchRequest, wire.WatchResponse]:
        """Open a stream."""
        return self._stub.Watch(request, metadata=((REQUEST_ID, uuid.uuid4().hex),))

    async def renew(self) -> None:
        """Open later streams on a new connection."""
        await self.close()
        self._own = self._open_channel()
        self._stub = SchemaRegistryServiceStub(self._own)

    async def close(self) -> None:
        """Close the connection of its own, if there is one."""
        if self._own is not None:
            await self._own.close()
            self._own = None
