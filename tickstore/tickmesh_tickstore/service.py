"""The control plane: gRPC's TickStoreService, made of the handler table."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from tickmesh_serving.call_context import current_call
from tickmesh_serving.server import GrpcService
from tickmesh_tickstore.actions import HANDLERS, SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from google.protobuf.message import Message

    from tickmesh_tickstore.actions import Handler
    from tickmesh_tickstore.application import TickStore


_WAITING_CALLS = 4


def grpc_service(store: Callable[[], TickStore]) -> GrpcService:
    """The service as the chassis takes it; `store` is asked once calls are served."""
    # Calls that may wait for minutes have threads of their own: no other call queues behind them.
    waiting = ThreadPoolExecutor(_WAITING_CALLS, thread_name_prefix="tickstore-waiting")
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            _behaviour(handler, store, waiting if handler.waits else None),
            request_deserializer=handler.request.FromString,
            response_serializer=_serialized,
        )
        for name, handler in HANDLERS.items()
    }
    generic = grpc.method_handlers_generic_handler(SERVICE_NAME, methods)
    return GrpcService(SERVICE_NAME, lambda server: server.add_generic_rpc_handlers((generic,)))


def _behaviour(
    handler: Handler, store: Callable[[], TickStore], threads: Executor | None
) -> Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]:
    async def answer(
        request: Message,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG001 — gRPC's signature
    ) -> Message:
        # In a thread: the engine's calls block on disk.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, handler.answer, store(), current_call(), request)

    return answer


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
