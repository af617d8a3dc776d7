"""Every call of every service needs a permission; every service has the standard side doors."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc.aio
import pyarrow as pa
import pytest
from google.protobuf import descriptor_pool
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from pyarrow import flight

from tests.support.services import SERVICE_NAMES, WITH_FLIGHT, serving
from tickmesh._wire.status import error_from_rpc
from tickmesh.errors import PermissionDeniedError
from tickmesh_serving.permissions import FLIGHT_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tickmesh_serving.principal import Principal

pytestmark = pytest.mark.integration

SERVING = health_pb2.HealthCheckResponse.SERVING
every_service = pytest.mark.parametrize("name", SERVICE_NAMES)


def nobody(_principal: Principal, _permission: str) -> bool:
    return False


def rpcs(name: str) -> list[Any]:
    return list(descriptor_pool.Default().FindServiceByName(SERVICE_NAMES[name]).methods)


# Permissions --------------------------------------------------------------------------------


@every_service
async def test_every_call_has_an_entry_in_the_services_one_table(name: str, tmp_path: Path) -> None:
    calls = [f"/{SERVICE_NAMES[name]}/{rpc.name}" for rpc in rpcs(name)]
    async with serving(name, tmp_path) as process:
        if name in WITH_FLIGHT:
            assert process._flight is not None
            calls += [*FLIGHT_METHODS, *process._flight.action_types()]
        assert process._permissions.missing(calls) == []
        assert process._permissions.missing([*calls, "DoNothing"]) == ["DoNothing"]


@every_service
async def test_who_is_granted_nothing_is_denied_every_rpc(name: str, tmp_path: Path) -> None:
    async with (
        serving(name, tmp_path, grants=nobody) as process,
        grpc.aio.insecure_channel(process.addresses["grpc"]) as channel,
    ):
        for rpc in rpcs(name):
            method = f"/{SERVICE_NAMES[name]}/{rpc.name}"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _call(channel, method, rpc)
            error = error_from_rpc(caught.value)
            assert isinstance(error, PermissionDeniedError), method
            assert error.metadata["method"] == method


@pytest.mark.parametrize("name", WITH_FLIGHT)
async def test_who_is_granted_nothing_is_denied_every_flight_method_and_action(
    name: str, tmp_path: Path
) -> None:
    async with serving(name, tmp_path, grants=nobody) as process:
        assert process._flight is not None
        actions = process._flight.action_types()
        await asyncio.to_thread(_try_flight, process.addresses["flight"], actions)


async def _call(channel: grpc.aio.Channel, method: str, rpc: Any) -> None:
    kinds: dict[tuple[bool, bool], Callable[..., Any]] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
    }
    kind = kinds[rpc.client_streaming, rpc.server_streaming]
    call = kind(method, request_serializer=bytes, response_deserializer=bytes)
    running = call(iter([b""]) if rpc.client_streaming else b"", timeout=120)
    if rpc.server_streaming:
        await running.read()
    else:
        await running


def _try_flight(address: str, actions: list[str]) -> None:
    path = flight.FlightDescriptor.for_path("ticks.trades")
    schema = pa.schema([("n", pa.int64())])

    def put(client: flight.FlightClient) -> None:
        writer, _ = client.do_put(path, schema)
        writer.close()

    def exchange(client: flight.FlightClient) -> None:
        writer, reader = client.do_exchange(path)
        with writer:
            reader.read_chunk()

    def act(action: str, client: flight.FlightClient) -> None:
        list(client.do_action(flight.Action(action, b"")))

    calls: dict[str, Callable[[flight.FlightClient], object]] = {
        "DoPut": put,
        "DoGet": lambda client: client.do_get(flight.Ticket(b"ticket")).read_all(),
        "DoExchange": exchange,
        "GetFlightInfo": lambda client: client.get_flight_info(path),
        "ListFlights": lambda client: list(client.list_flights()),
        "ListActions": lambda client: list(client.list_actions()),
        **{action: partial(act, action) for action in actions},
    }
    assert {*calls, "GetSchema"} == {*FLIGHT_METHODS, *actions}
    with flight.connect(f"grpc://{address}") as client:
        for method, call in calls.items():
            with pytest.raises(flight.FlightUnauthorizedError) as refused:
                call(client)
            status = status_pb2.Status.FromString(refused.value.extra_info)
            assert status.code == grpc.StatusCode.PERMISSION_DENIED.value[0], method
        # The one method whose errors pyarrow sends without extra_info.
        with pytest.raises(Exception, match="lacks the permission"):
            client.get_schema(path)


# Side doors ---------------------------------------------------------------------------------


@every_service
async def test_health_reflection_and_metrics_of_every_service(name: str, tmp_path: Path) -> None:
    """Flight has no health of its own: it is a named service in the health of its process."""
    async with (
        serving(name, tmp_path) as process,
        grpc.aio.insecure_channel(process.addresses["grpc"]) as channel,
    ):
        served = {"", SERVICE_NAMES[name]} | ({"tickmesh.flight"} if name in WITH_FLIGHT else set())
        stub = health_pb2_grpc.HealthStub(channel)
        listed = await stub.List(health_pb2.HealthListRequest())
        assert {each: state.status for each, state in listed.statuses.items()} == dict.fromkeys(
            served, SERVING
        )
        for each in served:
            request = health_pb2.HealthCheckRequest(service=each)
            assert (await stub.Check(request)).status == SERVING
            watch = stub.Watch(request)
            first = await watch.read()
            assert isinstance(first, health_pb2.HealthCheckResponse)
            assert first.status == SERVING
            watch.cancel()
        for version in ("v1", "v1alpha"):
            assert SERVICE_NAMES[name] in await _reflected(channel, version)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{process.addresses['http']}/metrics") as response,
        ):
            assert response.status == 200
            assert "tickmesh_rpc_calls_total" in await response.text()


async def _reflected(channel: grpc.aio.Channel, version: str) -> set[str]:
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    await call.done_writing()
    assert isinstance(answer, reflection_pb2.ServerReflectionResponse)
    return {service.name for service in answer.list_services_response.service}
