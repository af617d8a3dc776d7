"""The chain of policies as one interceptor of a grpc.aio server.

One object instead of one a policy: a handler is wrapped once and kept, and a stream passes one
generator instead of seven.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import trailing_metadata
from tickmesh.errors import InvalidArgumentError, UnimplementedError
from tickmesh_serving.call_context import enter_call
from tickmesh_serving.call_limits import CallLimits
from tickmesh_serving.rpc_call import RpcCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.interceptors.chain import Chain

    # Requests and responses are the messages of any service, so the handlers' types are open: Any.
    _Context = grpc.aio.ServicerContext[Any, Any]
    _Handler = grpc.RpcMethodHandler[Any, Any]
    _Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]

_UNKNOWN = "unknown"
_UNREADABLE = object()


class _Behaviour(Protocol):
    """A handler's function: (request or iterator of requests, context) → answer(s)."""

    def __call__(self, request: Any, context: _Context, /) -> Any:
        """Serve a call."""
        ...


class ChainInterceptor(grpc.aio.ServerInterceptor):
    """Runs every call of a grpc.aio server through a chain."""

    def __init__(
        self, chain: Chain, clock: Clock, *, exempt_services: Collection[str], tls: bool
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._tls = tls
        self._limits = CallLimits()
        self._exempt = frozenset(exempt_services)
        self._wrapped: dict[str, tuple[_Handler, _Handler]] = {}
        self._not_served = self._wrap(
            grpc.stream_stream_rpc_method_handler(_refuse_unknown), _UNKNOWN, exempt=False
        )

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler:
        """Return the handler of a call, wrapped."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._not_served
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        exempt = method.split("/")[1] in self._exempt
        wrapped = self._wrap(handler, method, exempt=exempt)
        self._wrapped[method] = (handler, wrapped)
        return wrapped

    def _wrap(self, handler: _Handler, method: str, *, exempt: bool) -> _Handler:
        streaming = bool(handler.request_streaming or handler.response_streaming)
        make, behaviour = _maker_and_behaviour(handler)
        if not (inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour)):
            # A generated servicer's own method: the service does not have this call (yet).
            behaviour = _refuse_unknown

        def new_call(context: _Context) -> RpcCall:
            return self._new_call(context, method, streaming=streaming, exempt=exempt)

        wrapped = (
            self._around_generator(behaviour, new_call)
            if inspect.isasyncgenfunction(behaviour)
            else self._around_coroutine(behaviour, new_call)
        )
        result: _Handler = make(
            wrapped,
            request_deserializer=_reading(handler),
            response_serializer=handler.response_serializer,
        )
        return result

    def _around_coroutine(
        self, behaviour: _Behaviour, new_call: Callable[[_Context], RpcCall]
    ) -> Callable[[Any, _Context], Awaitable[Any]]:
        async def serve(request: Any, context: _Context) -> Any:
            call = new_call(context)
            try:
                enter_call(self._chain.begin(call))
                _require_readable(request)
                if call.limit_seconds is None:
                    answer = await behaviour(request, context)
                else:
                    with self._limits.within(call.limit_seconds):
                        answer = await behaviour(request, context)
            except BaseException as error:  # noqa: BLE001 - every failure passes the chain
                await self._fail(call, context, error)
            self._chain.end(call)
            context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
            return answer

        return serve

    def _around_generator(
        self, behaviour: _Behaviour, new_call: Callable[[_Context], RpcCall]
    ) -> Callable[[Any, _Context], AsyncIterator[Any]]:
        async def serve(request: Any, context: _Context) -> AsyncIterator[Any]:
            call = new_call(context)
            try:
                enter_call(self._chain.begin(call))
                _require_readable(request)
                async with aclosing(behaviour(request, context)) as answers:
                    async for answer in answers:
                        yield answer
            except BaseException as error:  # noqa: BLE001 - every failure passes the chain
                await self._fail(call, context, error)
            self._chain.end(call)
            context.set_trailing_metadata(((REQUEST_ID, call.request_id),))

        return serve

    async def _fail(self, call: RpcCall, context: _Context, error: BaseException) -> None:
        """Close a call that raised: tell the caller, or pass a cancellation on. Always raises.

        gRPC raises an InternalError where nothing can be sent any more: the caller has gone.
        """
        if isinstance(error, grpc.aio.InternalError):
            error = asyncio.CancelledError()
        status = self._chain.fail(call, error)
        self._chain.end(call)
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            # Swallowing a cancellation would leak the stream in gRPC's core.
            raise error
        try:
            await context.abort(
                getattr(grpc.StatusCode, call.code),
                status.message,
                (*trailing_metadata(status), (REQUEST_ID, call.request_id)),
            )
        except grpc.aio.InternalError:
            raise asyncio.CancelledError from None

    def _new_call(
        self, context: _Context, method: str, *, streaming: bool, exempt: bool
    ) -> RpcCall:
        # The stubs say that time_remaining is a float; without a deadline it is None.
        remaining: float | None = context.time_remaining()
        return RpcCall(
            transport="grpc",
            method=method,
            streaming=streaming,
            exempt=exempt,
            metadata={
                key: value
                for key, value in context.invocation_metadata() or ()
                if isinstance(value, str)
            },
            peer=context.peer(),
            # Asking costs as much as all policies together, and plain text proves nothing.
            peer_identities=_peer_identities(context) if self._tls else (),
            remaining_seconds=remaining,
            started_ns=self._clock.monotonic_ns(),
        )


def _peer_identities(context: _Context) -> list[str]:
    """Return the certificate's subject alternative names, URIs first (SPIFFE's convention)."""
    names = [name.decode("utf-8", "replace") for name in context.peer_identities() or ()]
    return sorted(names, key=lambda name: "://" not in name)


def _maker_and_behaviour(handler: _Handler) -> tuple[Callable[..., _Handler], _Behaviour]:
    """Return gRPC's maker for the handler's kind of call, and the handler's own function."""
    request = "stream" if handler.request_streaming else "unary"
    response = "stream" if handler.response_streaming else "unary"
    kind = f"{request}_{response}"
    make: Callable[..., _Handler] = getattr(grpc, f"{kind}_rpc_method_handler")
    behaviour: _Behaviour = getattr(handler, kind)
    return make, behaviour


def _reading(handler: _Handler) -> Callable[[bytes], Any] | None:
    """The reader of a call's single message, which lets the chain tell what cannot be read.

    grpc.aio would answer UNKNOWN and name the exception's class.
    """
    read = handler.request_deserializer
    if read is None or handler.request_streaming:
        return read

    def read_or_mark(message: bytes) -> Any:
        try:
            return read(message)
        except DecodeError:
            return _UNREADABLE

    return read_or_mark


def _require_readable(request: Any) -> None:
    if request is _UNREADABLE:
        raise InvalidArgumentError(
            "the bytes are not a message of this call: expected its protobuf encoding, every "
            "string in UTF-8; use the generated client"
        )


async def _refuse_unknown(_request: Any, _context: _Context) -> Any:
    raise UnimplementedError("this server has no such call; ask reflection for those it has")
