"""A small service on the real chassis, for the tests of the chassis. Runs as a program too."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pyarrow as pa
from pyarrow import flight

from tickmesh_serving.call_context import current_call
from tickmesh_serving.command import service_command
from tickmesh_serving.config import ServingConfig
from tickmesh_serving.errors import ErrorTable
from tickmesh_serving.flight import FlightEndpoint
from tickmesh_serving.permissions import PermissionTable
from tickmesh_serving.server import GrpcService, ServiceProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from tickmesh_serving.flight import FlightCall
    from tickmesh_serving.server import Component

SERVICE = "sample.v1.SampleService"
LEAK = "/etc/passwd SELECT secret"
SCHEMA = pa.schema([pa.field("n", pa.int64())])


def one_row() -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": [1]}, schema=SCHEMA)


def acknowledged(reader: object) -> bool:
    """Wait for an acknowledgement of a put: the stream is in its handler."""
    read: Callable[[], pa.Buffer | None] = reader.read  # type: ignore[attr-defined]  # stub's type
    return read() is not None


def unary(channel: grpc.aio.Channel, method: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(
        f"/{SERVICE}/{method}", request_serializer=bytes, response_deserializer=bytes
    )


def stream(
    channel: grpc.aio.Channel, method: str
) -> grpc.aio.UnaryStreamMultiCallable[bytes, bytes]:
    return channel.unary_stream(
        f"/{SERVICE}/{method}", request_serializer=bytes, response_deserializer=bytes
    )


_Context = grpc.aio.ServicerContext[Any, Any]


class NoSuchThingError(Exception):
    """A domain error: knows nothing of the wire."""

    reason = "THING_NOT_FOUND"
    message = "no thing of this name"
    resource = ("thing", "x")

    def __init__(self) -> None:
        super().__init__(self.message)
        self.metadata = {"thing": "x"}


async def echo(request: bytes, _context: _Context) -> bytes:
    call = current_call()
    return request or call.request_id.encode()


async def fail(request: bytes, _context: _Context) -> bytes:
    if request == b"missing":
        raise NoSuchThingError
    raise ValueError(LEAK)


async def sleep(_request: bytes, _context: _Context) -> bytes:
    await asyncio.Event().wait()
    return b""


async def count(request: bytes, _context: _Context) -> AsyncIterator[bytes]:
    """Count for ever, or until the request's number, then fail."""
    number = 0
    while not request or number < int(request):
        yield str(number).encode()
        number += 1
        await asyncio.sleep(0.01)
    raise ValueError(LEAK)


def not_async(_request: bytes, _context: _Context) -> bytes:
    return b""


def add_sample_service(server: grpc.aio.Server) -> None:
    make = grpc.unary_unary_rpc_method_handler
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": make(echo),
        "Fail": make(fail),
        "Sleep": make(sleep),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "NotAsync": make(not_async),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class SampleFlight:
    """Every handler fails with a text that must not leave the server, unless asked otherwise."""

    def put(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        for _chunk in reader:
            writer.write(pa.py_buffer(b"taken"))
        if descriptor.path == [b"fail"]:
            raise ValueError(LEAK)

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        if ticket.ticket == b"fail":
            raise ValueError(LEAK)
        if ticket.ticket == b"missing":
            raise NoSuchThingError
        return call.generator_stream(SCHEMA, self._numbers(call, ticket.ticket))

    def _numbers(self, call: FlightCall, ticket: bytes) -> Iterable[pa.RecordBatch]:
        yield one_row()
        if ticket == b"fail-later":
            raise ValueError(LEAK)
        while ticket == b"follow" and not call.draining and not call.cancelled:
            call.drain.wait_in_thread(timeout_seconds=0.01)
            yield one_row()

    def exchange(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        raise ValueError(LEAK)

    def info(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        raise OSError(2, LEAK, "/etc/passwd")

    def schema(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        if descriptor.path == [b"fail"]:
            raise ValueError(LEAK)
        if descriptor.path == [b"missing"]:
            raise NoSuchThingError
        return SCHEMA

    def flights(self, call: FlightCall, criteria: bytes) -> Iterable[flight.FlightInfo]:
        yield from ()
        raise ValueError(LEAK)

    def action(self, call: FlightCall, action_type: str, body: bytes) -> Iterable[bytes]:
        if action_type == "Echo":
            yield body or call.request_id.encode()
            return
        yield b"first"
        raise ValueError(LEAK)

    def actions(self, call: FlightCall) -> Sequence[tuple[str, str]]:
        return [("Echo", "Answers the body."), ("Fail", "Fails.")]


PERMISSIONS = PermissionTable(
    {
        **{
            f"/{SERVICE}/{method}": "sample.use"
            for method in ("Echo", "Fail", "Sleep", "Count", "NotAsync")
        },
        **dict.fromkeys(
            ("DoPut", "DoGet", "DoExchange", "GetFlightInfo", "GetSchema", "ListFlights"),
            "sample.use",
        ),
        **dict.fromkeys(("ListActions", "Echo", "Fail"), "sample.use"),
    }
)


@dataclass(frozen=True)
class SampleConfig:
    serving: ServingConfig = field(default_factory=ServingConfig)
    fail_at_start: bool = False


def build(
    serving: ServingConfig,
    *,
    components: Sequence[Component] = (),
    max_streams: int = 32,
    max_streams_per_principal: int = 0,
) -> ServiceProcess:
    return ServiceProcess(
        "tickstore",
        serving,
        grpc_services=[GrpcService(SERVICE, add_sample_service)],
        errors=ErrorTable({NoSuchThingError: grpc.StatusCode.NOT_FOUND}),
        permissions=PERMISSIONS,
        flight=FlightEndpoint(
            SampleFlight(),
            max_streams=max_streams,
            max_streams_per_principal=max_streams_per_principal,
        ),
        components=components,
    )


def _build_process(config: SampleConfig, _home: Path) -> ServiceProcess:
    if config.fail_at_start:
        raise RuntimeError("told to fail")
    return build(config.serving)


def main(section: str) -> None:
    command = service_command(
        section, config_class=SampleConfig, process_factory=_build_process, help="A sample."
    )
    command.main(args=sys.argv[2:])


if __name__ == "__main__":
    main(sys.argv[1])
