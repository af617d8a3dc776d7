"""The Flight listener: every handler passes the same policies as a gRPC call.

What pyarrow's server lacks decides the shape of this module. A plain exception would send the
server's traceback to the client, so every handler is guarded. Each call holds a thread, so streams
are capped where they begin. `shutdown()` waits for the last stream without a deadline, so it runs
in a thread of its own and the process leaves without it if it must.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
import pyarrow as pa
import structlog
from pyarrow import flight

from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import build_status, flight_error
from tickmesh.errors import ResourceExhaustedError, TickmeshError
from tickmesh_serving.call_context import CallContext, enter_call
from tickmesh_serving.lifecycle import RETRY_AFTER_SECONDS
from tickmesh_serving.rpc_call import RpcCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.config import ServerTls
    from tickmesh_serving.interceptors.chain import Chain
    from tickmesh_serving.permissions import PermissionTable

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.flight")

_MIDDLEWARE = "tickmesh"
_UNKNOWN_ACTION = "unknown"
_STREAMS = frozenset(
    {flight.FlightMethod.DO_GET, flight.FlightMethod.DO_PUT, flight.FlightMethod.DO_EXCHANGE}
)
_ResultT = TypeVar("_ResultT")


@dataclass(frozen=True)
class FlightCall(CallContext):
    """One Flight call, as its handler sees it."""

    server: flight.ServerCallContext | None = field(default=None, repr=False, compare=False)
    guard: Callable[[BaseException], flight.FlightError] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def cancelled(self) -> bool:
        """Whether the client went away; long streams poll this, Flight tells it in no other way."""
        return self.server is not None and self.server.is_cancelled()

    def generator_stream(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch | pa.Table | tuple[pa.RecordBatch, bytes]],
    ) -> flight.GeneratorStream:
        """Return a stream over a Python iterator whose failures reach the client as errors of ours.

        Use it for live streams only: pyarrow takes the GIL for every batch. Stored data belongs in
        a `RecordBatchStream` over a C++ reader.

        Args:
            schema: of all batches; without dictionary columns.
            batches: batches, or (batch, application metadata).
        """
        items: Iterable[Any] = batches  # the stubs do not know the pairs
        return flight.GeneratorStream(schema, self._guarded(items))

    def _guarded(self, items: Iterable[_ResultT]) -> Iterator[_ResultT]:
        try:
            yield from items
        except GeneratorExit:
            raise
        except BaseException as error:
            if self.guard is None:
                raise
            raise self.guard(error) from None


class FlightHandlers(Protocol):
    """What a service does on its Flight port. Handlers run in threads and may raise anything."""

    def put(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Take a stream of batches and acknowledge them."""
        ...

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Return a stream: a `RecordBatchStream` over a C++ reader, or `call.generator_stream`."""
        ...

    def exchange(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Read and write batches at the same time."""
        ...

    def info(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Return schema and endpoints of what a descriptor names."""
        ...

    def schema(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        """Return the schema of what a descriptor names."""
        ...

    def flights(self, call: FlightCall, criteria: bytes) -> Iterable[flight.FlightInfo]:
        """Return what can be read."""
        ...

    def action(self, call: FlightCall, action_type: str, body: bytes) -> Iterable[bytes]:
        """Do an action that the permission table names, and return its results."""
        ...

    def actions(self, call: FlightCall) -> Sequence[tuple[str, str]]:
        """Return (type, description) of every action."""
        ...


class FlightEndpoint:
    """Handlers with the bound of their streams; the process starts and stops it."""

    def __init__(self, handlers: FlightHandlers, *, max_streams: int = 128) -> None:
        self._handlers = handlers
        self._max_streams = max_streams
        self._server: GuardedFlightServer | None = None

    def start(
        self,
        *,
        host: str,
        port: int,
        chain: Chain,
        permissions: PermissionTable,
        clock: Clock,
        tls: ServerTls,
    ) -> int:
        """Listen; calls are refused until the process serves. Return the port.

        Raises:
            OSError: the address cannot be listened on.
        """
        try:
            self._server = GuardedFlightServer(
                self._handlers,
                host=host,
                port=port,
                chain=chain,
                permissions=permissions,
                clock=clock,
                tls=tls,
                max_streams=self._max_streams,
            )
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
        return self._server.port

    def begin_stop(self) -> threading.Event:
        """Stop listening in a thread; the event is set once every stream has ended.

        A stream that neither side ends keeps it unset for ever: wait with a deadline.
        """
        stopped = threading.Event()
        server = self._server

        def stop() -> None:
            if server is not None:
                server.shutdown()
            stopped.set()

        threading.Thread(target=stop, name="flight-shutdown", daemon=True).start()
        return stopped


class _CallMiddleware(flight.ServerMiddleware):
    """Carries one call from its headers to its end; pyarrow keeps it on the call's own thread."""

    def __init__(self, headers: dict[str, str], chain: Chain, release: Callable[[], None]) -> None:
        super().__init__()
        self.headers = headers
        self.call: RpcCall | None = None
        self._chain = chain
        self._release = release

    def sending_headers(self) -> dict[str, list[str] | list[bytes]]:
        """Tell the client the name of its call."""
        return {} if self.call is None else {REQUEST_ID: [self.call.request_id]}

    def call_completed(self, exception: pa.ArrowException | None) -> None:
        """Close the call, its stream included."""
        self._release()
        enter_call(None)
        if self.call is None:
            return
        if exception is not None and self.call.error is None:
            # A C++ reader failed in mid-stream, or the client went away: pyarrow has answered.
            self.call.code = "CANCELLED" if _means_cancelled(exception) else "INTERNAL"
            _log.warning(
                "flight.stream.broken", request_id=self.call.request_id, error=str(exception)
            )
        self._chain.end(self.call)


class _Admission(flight.ServerMiddlewareFactory):
    """Refuses calls before they cost anything: no server yet or any more, or too many streams."""

    def __init__(self, chain: Chain, *, max_streams: int) -> None:
        super().__init__()
        self._chain = chain
        self._max = max_streams
        self._lock = threading.Lock()
        self._running = {True: 0, False: 0}  # streams, and calls that are none

    def start_call(
        self, info: flight.CallInfo, headers: dict[str, list[str] | list[bytes]]
    ) -> _CallMiddleware:
        """Let a call in, or refuse it."""
        stream = info.method in _STREAMS
        try:
            self._chain.lifecycle.admit()
            self._take(stream=stream)
        except TickmeshError as error:
            raise flight_error(
                build_status(
                    grpc.StatusCode[error.code],
                    reason=error.reason,
                    message=error.message,
                    metadata=error.metadata,
                    retry_after_seconds=error.retry_after_seconds,
                )
            ) from None
        return _CallMiddleware(
            {
                key.lower(): values[0]
                for key, values in headers.items()
                if values and isinstance(values[0], str)
            },
            self._chain,
            lambda: self._give_back(stream=stream),
        )

    def _take(self, *, stream: bool) -> None:
        with self._lock:
            if self._running[stream] < self._max:
                self._running[stream] += 1
                return
        raise ResourceExhaustedError(
            f"{self._max} streams are open, which is the limit of this server; close one, or retry",
            reason="TOO_MANY_STREAMS",
            metadata={"maxStreams": str(self._max)},
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def _give_back(self, *, stream: bool) -> None:
        with self._lock:
            self._running[stream] -= 1


class GuardedFlightServer(flight.FlightServerBase):
    """A Flight server none of whose handlers can leak a traceback or go past a policy."""

    def __init__(
        self,
        handlers: FlightHandlers,
        *,
        host: str,
        port: int,
        chain: Chain,
        permissions: PermissionTable,
        clock: Clock,
        tls: ServerTls,
        max_streams: int,
    ) -> None:
        self._handlers = handlers
        self._chain = chain
        self._clock = clock
        self._permissions = permissions
        address = f"[{host}]" if ":" in host else host
        certificates = None
        if tls.certificate is not None and tls.private_key is not None:
            certificates = [(tls.certificate.read_text(), tls.private_key.read_text())]
        super().__init__(
            f"{'grpc+tls' if tls.enabled else 'grpc'}://{address}:{port}",
            tls_certificates=certificates,
            verify_client=tls.client_roots is not None,
            root_certificates=None if tls.client_roots is None else tls.client_roots.read_text(),
            middleware={_MIDDLEWARE: _Admission(chain, max_streams=max_streams)},
        )

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Guard `put`."""
        self._serve(
            context, "DoPut", lambda call: self._handlers.put(call, descriptor, reader, writer)
        )

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """Guard `get`."""
        return self._serve(context, "DoGet", lambda call: self._handlers.get(call, ticket))

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Guard `exchange`."""
        self._serve(
            context,
            "DoExchange",
            lambda call: self._handlers.exchange(call, descriptor, reader, writer),
        )

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Guard `info`."""
        return self._serve(
            context, "GetFlightInfo", lambda call: self._handlers.info(call, descriptor)
        )

    def get_schema(  # type: ignore[override]  # stubs say Schema; pyarrow wants a SchemaResult
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.SchemaResult:
        """Guard `schema`."""
        return self._serve(
            context,
            "GetSchema",
            lambda call: flight.SchemaResult(self._handlers.schema(call, descriptor)),
        )

    def list_flights(  # type: ignore[override]  # stubs say str; pyarrow passes bytes
        self, context: flight.ServerCallContext, criteria: bytes
    ) -> Iterator[flight.FlightInfo]:
        """Guard `flights`."""
        # Made whole inside the guard: pyarrow would iterate it outside.
        return iter(
            self._serve(
                context, "ListFlights", lambda call: list(self._handlers.flights(call, criteria))
            )
        )

    def do_action(
        self, context: flight.ServerCallContext, action: flight.Action
    ) -> Iterator[bytes]:
        """Guard `action`."""
        known = action.type if action.type in self._permissions else _UNKNOWN_ACTION
        body = action.body.to_pybytes()
        return iter(
            self._serve(
                context,
                known,
                lambda call: list(self._handlers.action(call, action.type, body)),
            )
        )

    def list_actions(  # type: ignore[override]  # stubs say Action; pyarrow wants ActionType
        self, context: flight.ServerCallContext
    ) -> list[flight.ActionType]:
        """Guard `actions`."""
        return self._serve(
            context,
            "ListActions",
            lambda call: [flight.ActionType(*pair) for pair in self._handlers.actions(call)],
        )

    def _serve(
        self,
        context: flight.ServerCallContext,
        method: str,
        handler: Callable[[FlightCall], _ResultT],
    ) -> _ResultT:
        middleware = context.get_middleware(_MIDDLEWARE)
        assert isinstance(middleware, _CallMiddleware)
        identity = context.peer_identity().decode("utf-8", "replace")
        call = middleware.call = RpcCall(
            transport="flight",
            method=method,
            streaming=method in {"DoPut", "DoGet", "DoExchange"},
            exempt=False,
            metadata=middleware.headers,
            peer=context.peer(),
            peer_identities=(identity,) if identity else (),
            remaining_seconds=None,  # pyarrow does not tell the client's deadline
            started_ns=self._clock.monotonic_ns(),
        )

        def guard(error: BaseException) -> flight.FlightError:
            return flight_error(self._chain.fail(call, _cause(error, context)))

        try:
            seen = self._chain.begin(call)
            enter_call(seen)
            return handler(
                FlightCall(
                    principal=seen.principal,
                    request_id=seen.request_id,
                    deadline_ns=seen.deadline_ns,
                    traceparent=seen.traceparent,
                    peer=seen.peer,
                    drain=seen.drain,
                    server=context,
                    guard=guard,
                )
            )
        except BaseException as error:  # noqa: BLE001 - anything else would leak a traceback
            raise guard(error) from None


def _means_cancelled(error: BaseException) -> bool:
    return isinstance(error, flight.FlightCancelledError)


def _cause(error: BaseException, context: flight.ServerCallContext) -> BaseException:
    """Return the error to report: what Arrow raises once the client has left is a cancellation.

    A FlightCancelledError itself must never be sent: pyarrow's client raises it in mid-stream as a
    KeyboardInterrupt.
    """
    if _means_cancelled(error) or (
        isinstance(error, pa.ArrowException | OSError) and context.is_cancelled()
    ):
        return asyncio.CancelledError()
    return error
