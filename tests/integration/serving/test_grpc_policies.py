"""What a gRPC client sees of the policies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from tests.integration.serving.sample_service import (
    LEAK,
    SERVICE,
    SampleFlight,
    build,
    stream,
    unary,
)
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_rpc
from tickmesh.errors import (
    DeadlineExceededError,
    InternalError,
    NotFoundError,
    TickmeshError,
    UnavailableError,
    UnimplementedError,
)
from tickmesh_serving.config import ServingConfig

if TYPE_CHECKING:
    from tickmesh_serving.server import ServiceProcess


async def failure(
    channel: grpc.aio.Channel, method: str, request: bytes = b""
) -> tuple[TickmeshError, grpc.aio.AioRpcError]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unary(channel, method)(request)
    return error_from_rpc(caught.value), caught.value


def everything_sent(error: grpc.aio.AioRpcError) -> str:
    return f"{error.details()} {error.trailing_metadata()} {error.initial_metadata()}"


async def test_bug_in_a_handler_shows_nothing_but_an_error_id(channel: grpc.aio.Channel) -> None:
    error, raw = await failure(channel, "Fail")
    assert isinstance(error, InternalError)
    assert len(error.metadata["errorId"]) == 32
    for word in (*LEAK.split(), "Traceback", "ValueError", ".py"):
        assert word not in everything_sent(raw)


async def test_bug_in_mid_stream_shows_nothing_but_an_error_id(channel: grpc.aio.Channel) -> None:
    counting = stream(channel, "Count")(b"2")
    assert [await counting.read(), await counting.read()] == [b"0", b"1"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await counting.read()
    assert isinstance(error_from_rpc(caught.value), InternalError)
    assert "passwd" not in everything_sent(caught.value)


async def test_domain_error_arrives_as_its_class_with_its_reason(channel: grpc.aio.Channel) -> None:
    error, _ = await failure(channel, "Fail", b"missing")
    assert isinstance(error, NotFoundError)
    assert (error.reason, error.metadata["thing"]) == ("THING_NOT_FOUND", "x")
    assert error.resource == ("thing", "x")


@pytest.mark.parametrize("method", ["Nothing", "NotAsync"])
async def test_unknown_and_unserved_methods_carry_an_error_info_too(
    channel: grpc.aio.Channel, method: str
) -> None:
    error, _ = await failure(channel, method)
    assert isinstance(error, UnimplementedError)
    assert error.domain == "tickmesh"


async def test_request_id_of_the_client_is_the_handlers_and_comes_back(
    channel: grpc.aio.Channel,
) -> None:
    call = unary(channel, "Echo")(b"", metadata=grpc.aio.Metadata((REQUEST_ID, "mine-1")))
    assert await call == b"mine-1"
    assert dict(await call.trailing_metadata())[REQUEST_ID] == "mine-1"
    error, _ = await failure(channel, "Fail")
    assert error.request_id


async def test_unary_call_without_a_deadline_ends_at_the_servers() -> None:
    server = build(ServingConfig(unary_deadline_seconds=0.05, drain_seconds=1.0))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.addresses["grpc"]) as channel:
            error, _ = await failure(channel, "Sleep")
            assert isinstance(error, DeadlineExceededError)
            assert error.reason == "DEADLINE_EXCEEDED"
            counting = stream(channel, "Count")(b"")
            for _ in range(10):  # ten times 10 ms: a stream outlives the unary deadline
                await counting.read()
            counting.cancel()
    finally:
        await server.stop()


async def test_server_that_is_starting_refuses_calls_with_a_retry_delay() -> None:
    gate = asyncio.Event()
    listening = asyncio.Event()

    class SlowComponent:
        async def start(self) -> None:
            listening.set()
            await gate.wait()

        async def drain(self) -> None: ...

        async def stop(self) -> None: ...

    server = build(ServingConfig(drain_seconds=1.0), components=[SlowComponent()])
    starting = asyncio.create_task(server.start())
    await listening.wait()
    try:
        async with grpc.aio.insecure_channel(server.addresses["grpc"]) as channel:
            error, raw = await failure(channel, "Echo")
            assert isinstance(error, UnavailableError)
            assert (error.reason, error.retry_after_seconds) == ("STARTING", 1.0)
            assert dict(raw.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "1000"
            gate.set()
            await starting
            assert await unary(channel, "Echo")(b"x") == b"x"
    finally:
        gate.set()
        await starting
        await server.stop()


async def test_server_whose_permission_table_has_a_gap_does_not_start() -> None:
    from grpc_health.v1 import health_pb2_grpc

    from tickmesh_serving.errors import ErrorTable
    from tickmesh_serving.flight import FlightEndpoint
    from tickmesh_serving.permissions import FLIGHT_METHODS, PermissionTable
    from tickmesh_serving.server import GrpcService, ServiceProcess

    server = ServiceProcess(
        "registry",
        ServingConfig(drain_seconds=0.1),
        grpc_services=[
            GrpcService(
                "grpc.health.v1.Health",
                lambda server: health_pb2_grpc.add_HealthServicer_to_server(
                    health_pb2_grpc.HealthServicer(), server
                ),
            )
        ],
        errors=ErrorTable(),
        permissions=PermissionTable({"/grpc.health.v1.Health/Check": "health.read"}),
    )
    with pytest.raises(LookupError, match=r"Health/List, /grpc\.health\.v1\.Health/Watch"):
        await server.start()

    with_flight = ServiceProcess(
        "tickstore",
        ServingConfig(drain_seconds=0.1),
        grpc_services=[],
        errors=ErrorTable(),
        permissions=PermissionTable(dict.fromkeys([*FLIGHT_METHODS[1:], "Echo"], "sample.use")),
        flight=FlightEndpoint(SampleFlight()),
    )
    with pytest.raises(LookupError, match=r"no entry for DoPut, Fail$"):
        await with_flight.start()


async def test_metrics_count_calls_by_outcome(
    server: ServiceProcess, channel: grpc.aio.Channel
) -> None:
    await failure(channel, "Fail", b"missing")
    labels = {"transport": "grpc", "method": f"/{SERVICE}/Fail", "code": "NOT_FOUND"}
    assert server.metrics.get_sample_value("tickmesh_rpc_calls_total", labels) == 1
