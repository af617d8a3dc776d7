"""The Flight listener: every handler passes the same policies as a gRPC call.

What pyarrow's server lacks decides the shape of this module. A plain exception would send the
server's traceback to the client, so every handler is guarded. Each call holds a thread, so streams
are capped where they begin. `shutdown()` waits for the last stream without a deadline, so it runs
in a thread of its own and the process leaves without it if it must.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from pyarrow import flight

from tickmesh._wire.status import error_from_flight, flight_error
from tickmesh_serving.call_context import enter_call
from tickmesh_serving.flight_admission import MIDDLEWARE, Admission, CallMiddleware, means_cancelled
from tickmesh_serving.flight_call import FlightCall, FlightHandlers
from tickmesh_serving.rpc_call import RpcCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.interceptors.chain import Chain
    from tickmesh_serving.permissions import PermissionTable
    from tickmesh_serving.tls import ServerCertificate

_UNKNOWN_ACTION = "unknown"
_LAST_WORDS_SECONDS = 1.0
_ResultT = TypeVar("_ResultT")

__all__ = ["FlightCall", "FlightEndpoint", "FlightHandlers", "GuardedFlightServer"]


class FlightEndpoint:
    """Handlers with the bounds of their streams; the process starts and stops it."""

    def __init__(
        self,
        handlers: FlightHandlers,
        *,
        max_streams: int = 128,
        max_streams_per_principal: int = 0,
    ) -> None:
        self._handlers = handlers
        self._max_streams = max_streams
        self._max_streams_per_principal = max_streams_per_principal
        self._server: GuardedFlightServer | None = None
        self._ended = threading.Event()

    def action_types(self) -> list[str]:
        """Return the types of the actions that are served."""
        call = FlightCall.internal("permissions")
        return [action_type for action_type, _ in self._handlers.actions(call)]

    def start(
        self,
        *,
        host: str,
        port: int,
        chain: Chain,
        permissions: PermissionTable,
        clock: Clock,
        certificate: ServerCertificate | None,
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
                certificate=certificate,
                max_streams=self._max_streams,
                max_streams_per_principal=self._max_streams_per_principal,
            )
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
        return self._server.port

    def begin_stop(self) -> threading.Event:
        """Stop listening in a thread; the event is set once no stream has anything under way.

        Streams that only wait for their client may be left then: see `ended`. One that neither side
        ends, and that never settles, keeps the event unset for ever: wait with a deadline.
        """
        quiet = threading.Event()
        server = self._server

        def stop() -> None:
            if server is not None:
                server.shutdown()
            self._ended.set()
            quiet.set()

        def settle() -> None:
            if server is not None:
                server.admission.wait_until_settled()
                # Streams that have just been answered end by themselves within this time.
                self._ended.wait(_LAST_WORDS_SECONDS)
            quiet.set()

        threading.Thread(target=stop, name="flight-shutdown", daemon=True).start()
        threading.Thread(target=settle, name="flight-settling", daemon=True).start()
        return quiet

    @property
    def ended(self) -> bool:
        """Whether every stream has ended; if not, threads of theirs still hang in C++."""
        return self._ended.is_set()


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
        certificate: ServerCertificate | None,
        max_streams: int,
        max_streams_per_principal: int,
    ) -> None:
        self._handlers = handlers
        self._chain = chain
        self._clock = clock
        self._permissions = permissions
        address = f"[{host}]" if ":" in host else host
        shown = None if certificate is None else [(certificate.chain, certificate.private_key)]
        roots = None if certificate is None else certificate.client_roots
        self.admission = Admission(
            chain, max_streams=max_streams, max_streams_per_principal=max_streams_per_principal
        )
        super().__init__(
            f"{'grpc' if certificate is None else 'grpc+tls'}://{address}:{port}",
            tls_certificates=shown,
            verify_client=roots is not None,
            root_certificates=roots,
            middleware={MIDDLEWARE: self.admission},
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
        try:
            return self._serve(
                context,
                "GetSchema",
                lambda call: flight.SchemaResult(self._handlers.schema(call, descriptor)),
            )
        except flight.FlightError as error:
            raise _schema_refusal(error) from None

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
        middleware = context.get_middleware(MIDDLEWARE)
        assert isinstance(middleware, CallMiddleware)
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
            if call.streaming:
                self.admission.charge(middleware, seen.principal.name)
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
                    settle=middleware.settle,
                    link_trace=call.link_trace,
                )
            )
        except BaseException as error:  # noqa: BLE001 - anything else would leak a traceback
            raise guard(error) from None


def _cause(error: BaseException, context: flight.ServerCallContext) -> BaseException:
    """Return the error to report: what Arrow raises once the client has left is a cancellation.

    A FlightCancelledError itself must never be sent: pyarrow's client raises it in mid-stream as a
    KeyboardInterrupt.
    """
    if means_cancelled(error) or (
        isinstance(error, pa.ArrowException | OSError) and context.is_cancelled()
    ):
        return asyncio.CancelledError()
    return error


def _schema_refusal(error: flight.FlightError) -> Exception:
    """Return an error that pyarrow can send from `get_schema` without a traceback.

    Of all handlers `get_schema` is the one whose FlightErrors pyarrow does not translate: it sends
    class, message and formatted traceback, and no `extra_info`. Where the traceback cannot be
    formatted Arrow falls back to the class's name. `get_flight_info` answers the schema as well,
    and fails like all others.
    """
    told = error_from_flight(error)
    kind = {"NOT_FOUND": _NoSuchSchemaError, "INVALID_ARGUMENT": _BadDescriptorError}
    return kind.get(told.code, _NoSchemaError)(told.message)


def _unformattable(_error: BaseException) -> BaseException | None:
    raise AttributeError


class _NoSchemaError(Exception):
    """Any failure."""

    __cause__ = property(_unformattable)


class _NoSuchSchemaError(KeyError):
    """Sent as NOT_FOUND."""

    __cause__ = property(_unformattable)
    __str__ = Exception.__str__  # a KeyError's own would quote the message


class _BadDescriptorError(ValueError):
    """Sent as INVALID_ARGUMENT."""

    __cause__ = property(_unformattable)
