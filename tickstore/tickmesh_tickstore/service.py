"""The control plane: gRPC's TickStoreService, a thin edge over the handler table."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh.api.tickstore.v1 import tick_store_service_pb2_grpc as stubs
from tickmesh_serving.call_context import current_call
from tickmesh_serving.server import GrpcService
from tickmesh_tickstore.actions import HANDLERS, SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from tickmesh_tickstore.application import TickStore


class TickStoreServicer(stubs.TickStoreServiceServicer):
    """Runs each handler in a thread: the engine's calls block on disk."""

    def __init__(self, store: Callable[[], TickStore]) -> None:
        self._store = store

    async def _answer(self, method: str, request: Any) -> Any:
        _, handler, _ = HANDLERS[method]
        return await asyncio.to_thread(handler, self._store(), current_call(), request)

    async def CreateDataset(  # noqa: D102, N802 — as in the contract
        self,
        request: wire.CreateDatasetRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 — gRPC's signature
    ) -> wire.CreateDatasetResponse:
        answer: wire.CreateDatasetResponse = await self._answer("CreateDataset", request)
        return answer

    async def GetDataset(  # noqa: D102, N802 — as in the contract
        self,
        request: wire.GetDatasetRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 — gRPC's signature
    ) -> wire.GetDatasetResponse:
        answer: wire.GetDatasetResponse = await self._answer("GetDataset", request)
        return answer

    async def ListDatasets(  # noqa: D102, N802 — as in the contract
        self,
        request: wire.ListDatasetsRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 — gRPC's signature
    ) -> wire.ListDatasetsResponse:
        answer: wire.ListDatasetsResponse = await self._answer("ListDatasets", request)
        return answer

    async def OpenProducer(  # noqa: D102, N802 — as in the contract
        self,
        request: wire.OpenProducerRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 — gRPC's signature
    ) -> wire.OpenProducerResponse:
        answer: wire.OpenProducerResponse = await self._answer("OpenProducer", request)
        return answer

    async def GetStats(  # noqa: D102, N802 — as in the contract
        self,
        request: wire.GetStatsRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 — gRPC's signature
    ) -> wire.GetStatsResponse:
        answer: wire.GetStatsResponse = await self._answer("GetStats", request)
        return answer


def grpc_service(store: Callable[[], TickStore]) -> GrpcService:
    """The service as the chassis takes it; `store` is asked once calls are served."""
    servicer = TickStoreServicer(store)
    return GrpcService(
        SERVICE_NAME,
        lambda server: stubs.add_TickStoreServiceServicer_to_server(servicer, server),
    )
