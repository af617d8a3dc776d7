"""Health, reflection and HTTP: what operators and tools nobody here wrote rely on."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from tests.integration.serving.sample_service import SERVICE, build
from tickmesh._wire.status import error_from_rpc
from tickmesh.errors import NotFoundError, UnavailableError
from tickmesh_serving.config import ServingConfig

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_lists_the_process_its_services_and_the_flight_port(
    channel: grpc.aio.Channel,
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    listed = await stub.List(health_pb2.HealthListRequest())
    assert {name: state.status for name, state in listed.statuses.items()} == {
        "": SERVING,
        SERVICE: SERVING,
        "tickmesh.flight": SERVING,
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert isinstance(error_from_rpc(caught.value), NotFoundError)


async def test_health_watch_tells_not_serving_and_ends_when_the_server_drains() -> None:
    server = build(ServingConfig(drain_seconds=20.0))
    await server.start()
    async with grpc.aio.insecure_channel(server.addresses["grpc"]) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="tickmesh.flight")
        )
        first = await watch.read()
        assert isinstance(first, health_pb2.HealthCheckResponse)
        assert first.status == SERVING
        await server.drain()
        last = await watch.read()
        assert isinstance(last, health_pb2.HealthCheckResponse)
        assert last.status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await server.stop()


async def test_health_says_that_a_server_drains_before_anything_else_is_told() -> None:
    told = asyncio.Event()

    class Work:
        async def start(self) -> None:
            pass

        async def drain(self) -> None:
            told.set()

        async def stop(self) -> None:
            pass

    server = build(ServingConfig(drain_seconds=20.0), components=[Work()])
    await server.start()
    watch = server.health.Watch(health_pb2.HealthCheckRequest(), cast("Any", None))
    assert (await anext(watch)).status == SERVING
    following = asyncio.ensure_future(anext(watch))
    draining = asyncio.create_task(server.drain())
    assert (await following).status == NOT_SERVING
    assert not told.is_set()  # nobody asked for more, so the watcher's state is not written yet
    last = asyncio.ensure_future(anext(watch))
    await draining
    assert told.is_set()
    with pytest.raises(UnavailableError, match="watch another replica"):
        await last
    await server.stop()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_answers_under_both_names(channel: grpc.aio.Channel, version: str) -> None:
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    assert isinstance(answer, reflection_pb2.ServerReflectionResponse)
    names = {service.name for service in answer.list_services_response.service}
    assert {
        SERVICE,
        "grpc.health.v1.Health",
        f"grpc.reflection.{version}.ServerReflection",
    } <= names

    await call.write(
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health")
    )
    described = await call.read()
    assert isinstance(described, reflection_pb2.ServerReflectionResponse)
    assert described.file_descriptor_response.file_descriptor_proto
    await call.done_writing()


async def test_http_port_serves_metrics_and_tells_live_from_ready() -> None:
    server = build(ServingConfig(drain_seconds=0.5))
    await server.start()
    url = f"http://{server.addresses['http']}"
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(url + path) as response:
                return response.status, await response.text()

        status, text = await get("/metrics")
        assert status == 200
        assert "tickmesh_rpc_calls_total" in text
        assert "process_resident_memory_bytes" in text
        assert (await get("/ready"))[0] == 200
        await server.drain()
        assert (await get("/live"))[0] == 200
        status, text = await get("/ready")
        assert status == 503
        assert '"tickmesh.flight": "NOT_SERVING"' in text
    await server.stop()
