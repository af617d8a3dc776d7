"""The cache tiers: what they answer, and that losing Redis loses nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import grpc
import pytest

from tests.support.redis import RedisServer
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import cache_pb2, selector_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.registry_process import RegistryProcess, StartRegistry, Stub

# A registry waits 50 ms for Redis: a busy machine needs many starts until all calls are in time.
pytestmark = pytest.mark.timeout(900)

_SUBJECTS = 24
_PATIENCE_SECONDS = 400.0


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


async def start(start_registry: StartRegistry, redis_url: str) -> RegistryProcess:
    return await start_registry(environment={"TICKMESH_REGISTRY__CACHE__REDIS_URL": redis_url})


async def register(stub: Stub) -> list[pb.RegisterSchemaResponse]:
    return [
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject=f"s{i}", text=trades(x={"const": i}), labels={"é": "ü"}
            )
        )
        for i in range(_SUBJECTS)
    ]


async def read_all(stub: Stub, expected: list[pb.RegisterSchemaResponse]) -> None:
    """Every version, by number, by id and by fingerprint: right, whatever Redis does."""
    for answer in expected:
        schema = answer.schema
        for request in (
            pb.GetSchemaRequest(
                subject=selector_pb2.SubjectSelector(subject=schema.subject, version=1)
            ),
            pb.GetSchemaRequest(schema_id=schema.schema_id),
            pb.GetSchemaRequest(fingerprint=schema.fingerprint),
        ):
            got = await stub.GetSchema(request, timeout=20)
            assert got.schema == schema
            assert got.revision == _SUBJECTS


async def tiers(stub: Stub) -> dict[str, cache_pb2.CacheTier]:
    answer = await stub.GetCacheStats(cache_pb2.GetCacheStatsRequest())
    return {tier.name: tier for tier in answer.tiers}


async def restarted(
    registry: RegistryProcess, *, expected: list[pb.RegisterSchemaResponse]
) -> dict[str, cache_pb2.CacheTier]:
    """Restart the registry, so that its memory is empty, and read everything."""
    await registry.stop()
    await registry.start()
    async with registry.stub() as stub:
        await read_all(stub, expected)
        return await tiers(stub)


async def test_memory_answers_what_was_asked_before(registry: RegistryProcess) -> None:
    async with registry.stub() as stub:
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=TRADES))
        request = pb.GetSchemaRequest(subject=selector_pb2.SubjectSelector(subject="s", version=1))
        before = (await tiers(stub))["versions"]
        for _ in range(5):
            await stub.GetSchema(request)
        found = await tiers(stub)
    assert list(found) == ["versions", "selections", "schemas", "fields"]
    assert found["versions"].hits - before.hits == 5
    assert found["versions"].entries == 1
    assert 0 < found["versions"].bytes <= found["versions"].max_bytes


async def test_a_restarted_replica_is_answered_by_redis(
    start_registry: StartRegistry, redis_server: RedisServer
) -> None:
    registry = await start(start_registry, redis_server.url)
    async with registry.stub() as stub:
        expected = await register(stub)
    await fill(registry, redis_server, expected=expected)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (found := (await restarted(registry, expected=expected))["redis"]).errors:
            pass  # on a busy machine it answers some calls later than the registry waits
    assert found.misses == 0
    assert found.hits == 3 * _SUBJECTS


async def fill(
    registry: RegistryProcess,
    server: RedisServer,
    *,
    expected: list[pb.RegisterSchemaResponse],
) -> None:
    """Restart and read until Redis holds everything: what it takes too late is not kept."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            await restarted(registry, expected=expected)
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while len(await server.keys()) < 3 * _SUBJECTS:  # noqa: ASYNC110 - Redis tells nobody
                        await asyncio.sleep(0.02)
                    return


async def test_a_killed_redis_costs_nothing_but_its_help(
    start_registry: StartRegistry, redis_server: RedisServer
) -> None:
    registry = await start(start_registry, redis_server.url)
    async with registry.stub() as stub:
        expected = await register(stub)
    await redis_server.kill()
    found = (await restarted(registry, expected=expected))["redis"]
    assert found.hits == 0
    assert 0 < found.errors < _SUBJECTS, "the breaker keeps most calls from being made"
    await registry.logged("registry.redis.away")
    await redis_server.start()
    async with registry.stub() as stub, asyncio.timeout(_PATIENCE_SECONDS):
        while "registry.redis.back" not in registry.log():
            with suppress(grpc.RpcError):  # memory never holds what is not there
                await stub.GetSchema(pb.GetSchemaRequest(schema_id=1_000))
            await asyncio.sleep(0.05)
    await fill(registry, redis_server, expected=expected)


async def test_a_frozen_redis_delays_no_call_for_long(
    start_registry: StartRegistry, redis_server: RedisServer
) -> None:
    registry = await start(start_registry, redis_server.url)
    async with registry.stub() as stub:
        expected = await register(stub)
    await restarted(registry, expected=expected)
    redis_server.freeze()
    try:
        found = (await restarted(registry, expected=expected))["redis"]
    finally:
        redis_server.thaw()
    assert found.hits == 0
    assert 0 < found.errors < _SUBJECTS


async def test_garbage_in_redis_is_never_answered(
    start_registry: StartRegistry, redis_server: RedisServer
) -> None:
    registry = await start(start_registry, redis_server.url)
    async with registry.stub() as stub:
        expected = await register(stub)
    await fill(registry, redis_server, expected=expected)
    await registry.stop()  # what it still writes behind its answers would mend the garbage
    keys = await redis_server.keys()
    other = keys[0]
    for place, key in enumerate(keys):
        garbage = [b"", b"x" * 40, b"\x00" * 16, other * 10][place % 4]
        await redis_server.overwrite(key, garbage)
    found = (await restarted(registry, expected=expected))["redis"]
    assert found.hits == 0
    assert found.errors > 0


async def test_a_server_that_speaks_another_protocol_is_left_alone(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 \xff\xfe\r\n:not a number\r\n$-7\r\n" * 3)
        await writer.drain()
        await reader.read(1_000)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        registry = await start(start_registry, f"redis://127.0.0.1:{port}/0")
        async with registry.stub() as stub:
            expected = await register(stub)
        found = (await restarted(registry, expected=expected))["redis"]
        await registry.stop()
    assert found.hits == 0
    assert 0 < found.errors < _SUBJECTS


async def test_another_store_shares_nothing_with_the_first(
    start_registry: StartRegistry, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Keys name the store's epoch: a restored store finds nothing of its past."""
    first = await start(start_registry, redis_server.url)
    async with first.stub() as stub:
        expected = await register(stub)
    await fill(first, redis_server, expected=expected)
    second = await start_registry(
        home=tmp_path / "second",
        environment={"TICKMESH_REGISTRY__CACHE__REDIS_URL": redis_server.url},
    )
    async with second.stub() as stub:
        again = await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject="s0", text=trades(quite={"type": "integer"}))
        )
        got = await stub.GetSchema(pb.GetSchemaRequest(schema_id=1))
        assert got.schema == again.schema


@pytest.mark.parametrize("url", ["http://localhost", "nonsense"])
async def test_a_url_of_something_else_is_a_config_error(
    start_registry: StartRegistry, url: str
) -> None:
    with pytest.raises(AssertionError, match=r"registry\.cache\.redis_url"):
        await start(start_registry, url)


async def test_metrics_tell_of_every_tier(registry: RegistryProcess) -> None:
    async with registry.stub() as stub:
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=TRADES))
    url = f"http://{registry.http_address}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    for tier in ("versions", "selections", "schemas", "fields"):
        assert f'tickmesh_registry_cache_hits_total{{tier="{tier}"}}' in text
