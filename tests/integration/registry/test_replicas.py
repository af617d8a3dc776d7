"""Three replicas of the registry on one PostgreSQL: real processes that are killed and frozen."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.haproxy import haproxy
from tests.support.registry_process import RegistryProcess
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import (
    ConflictError,
    EpochChangedError,
    TickmeshError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.support.postgres import PostgresCluster
    from tickmesh.registered import Registration

pytestmark = pytest.mark.integration

Key = tuple[int, str, int]

PATIENCE_SECONDS = 120.0


PAIR = pytest.mark.parametrize("replicas", [2], indirect=True)


@pytest.fixture(params=[3])
async def replicas(
    request: pytest.FixtureRequest, tmp_path: Path, registry_database: str
) -> AsyncIterator[list[RegistryProcess]]:
    async with AsyncExitStack() as ends:
        started = [
            RegistryProcess(
                tmp_path / f"replica{number}",
                environment={"TICKMESH_REGISTRY__STORE__URL": registry_database},
            )
            for number in range(request.param)
        ]
        for replica in started:
            ends.push_async_callback(replica.stop)
        await asyncio.gather(*(replica.start() for replica in started))
        yield started


async def log_of(postgres: PostgresCluster, url: str) -> list[Key]:
    """The change log itself, read past every registry."""
    connection = await postgres.connect(urlsplit(url).path[1:])
    try:
        rows = await connection.fetch(
            "SELECT revision, subject, version FROM change_log ORDER BY revision, sequence"
        )
    finally:
        await connection.close()
    return [(row["revision"], row["subject"], row["version"]) for row in rows]


class Load:
    """Writers and watchers that go on whatever happens, and remember what they were told."""

    def __init__(self, address: str, *, writers: int = 3, watchers: int = 3) -> None:
        self._address = address
        self._writers = writers
        self._watchers = watchers
        self._stop = asyncio.Event()
        self._moved = asyncio.Event()
        self.acknowledged: list[Key] = []
        self.seen: list[list[Key]] = [[] for _ in range(watchers)]
        self.failures = 0

    async def run_while(self, faults: Awaitable[None]) -> int:
        """Keep the load up during the faults, then until every watcher saw the last revision."""
        async with asyncio.TaskGroup() as group:
            writing = [group.create_task(self._write(n)) for n in range(self._writers)]
            watching = [group.create_task(self._watch(n)) for n in range(self._watchers)]
            await faults
            self._stop.set()
            await asyncio.wait(writing)
            last = max(key[0] for key in self.acknowledged)
            await self._until(lambda: all(seen and seen[-1][0] >= last for seen in self.seen))
            for watcher in watching:
                watcher.cancel()
        return last

    async def acknowledge_more(self, count: int) -> None:
        """Wait until so many further registrations were acknowledged."""
        wanted = len(self.acknowledged) + count
        await self._until(lambda: len(self.acknowledged) >= wanted)

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached():
                self._moved.clear()
                await self._moved.wait()

    async def _write(self, writer: int) -> None:
        number = 0
        async with AsyncRegistryClient(self._address) as client:
            while not self._stop.is_set():
                number += 1
                registration = await self._register(client, f"writer{writer}", number)
                schema = registration.schema
                self.acknowledged.append((registration.revision, schema.subject, schema.version))
                self._moved.set()

    async def _register(
        self, client: AsyncRegistryClient, subject: str, number: int
    ) -> Registration:
        text = json.dumps({**json.loads(TRADES), "title": f"{subject} {number}"})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await client.register(subject, text, request_id=f"{subject}-{number}")
                except UnavailableError:
                    self.failures += 1
                    await asyncio.sleep(0.05)

    async def _watch(self, watcher: int) -> None:
        async with AsyncRegistryClient(self._address) as client:
            async for message in client.watch(after_revision=0, progress_seconds=1.0):
                self.seen[watcher] += [
                    (event.revision, event.subject, event.schema.version if event.schema else 0)
                    for event in message.events
                ]
                self._moved.set()


async def kill_one_after_another(replicas: list[RegistryProcess], load: Load) -> None:
    await load.acknowledge_more(10)
    for replica in replicas:
        await replica.kill()
        await load.acknowledge_more(10)
        await replica.start()
        await load.acknowledge_more(5)


async def judge(load: Load, postgres: PostgresCluster, url: str) -> None:
    log = await log_of(postgres, url)
    assert [key[0] for key in log] == list(range(1, len(log) + 1))
    assert set(load.acknowledged) <= set(log), "an acknowledged registration is lost"
    assert len(set(load.acknowledged)) == len(load.acknowledged)
    for seen in load.seen:
        assert seen == log[: len(seen)], "W1, W2, W3: a watcher saw something else than the log"


async def test_w1_w2_w3_w5_w10_killing_any_replica_behind_client_side_round_robin(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    load = Load(",".join(replica.address for replica in replicas))
    await load.run_while(kill_one_after_another(replicas, load))
    await judge(load, postgres, registry_database)


async def test_w1_w2_w3_w5_w10_killing_any_replica_behind_a_tcp_load_balancer(
    replicas: list[RegistryProcess],
    postgres: PostgresCluster,
    registry_database: str,
    tmp_path: Path,
) -> None:
    async with haproxy(tmp_path, [replica.address for replica in replicas]) as address:
        load = Load(address)
        await load.run_while(kill_one_after_another(replicas, load))
    await judge(load, postgres, registry_database)


async def test_w10_a_restarted_postgresql_loses_nothing_that_was_acknowledged(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    load = Load(",".join(replica.address for replica in replicas))

    async def restart() -> None:
        for immediately in (False, True):
            await load.acknowledge_more(15)
            await asyncio.to_thread(postgres.stop, immediately=immediately)
            await asyncio.to_thread(postgres.start)
        await load.acknowledge_more(15)

    await load.run_while(restart())
    await judge(load, postgres, registry_database)


@PAIR
async def test_a_frozen_replica_holds_up_nobody_else_for_long(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    frozen, *others = replicas
    load = Load(",".join(replica.address for replica in others))

    async def freeze() -> None:
        async with AsyncRegistryClient(frozen.address) as client:
            writing = asyncio.create_task(write_until_it_fails(client))
            await load.acknowledge_more(10)
            frozen.freeze()
            try:
                await load.acknowledge_more(30)
            finally:
                frozen.thaw()
                writing.cancel()
                with suppress(asyncio.CancelledError, TickmeshError):
                    await writing
        await load.acknowledge_more(10)

    await load.run_while(freeze())
    await judge(load, postgres, registry_database)


async def write_until_it_fails(client: AsyncRegistryClient) -> None:
    for number in range(100_000):
        text = json.dumps({**json.loads(TRADES), "title": f"frozen {number}"})
        await client.register("frozen", text)


async def decided(
    client: AsyncRegistryClient, subject: str, text: str, *, expected_version: int | None = None
) -> Registration:
    """Register, again as long as nothing is decided.

    A replica that stood still for too long with the counter row has lost it, and says that nothing
    was written.
    """
    request_id = uuid.uuid4().hex
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await client.register(
                    subject, text, expected_version=expected_version, request_id=request_id
                )
            except UnavailableError:
                await asyncio.sleep(0.05)


@PAIR
async def test_racing_compare_and_swaps_on_several_replicas_let_one_win(
    replicas: list[RegistryProcess],
) -> None:
    async with AsyncExitStack() as ends:
        clients = [
            await ends.enter_async_context(AsyncRegistryClient(replica.address))
            for replica in replicas
        ]
        for expected in range(8):
            outcomes = await asyncio.gather(
                *(
                    decided(
                        client,
                        "raced",
                        json.dumps({**json.loads(TRADES), "title": f"{expected} {number}"}),
                        expected_version=expected,
                    )
                    for number, client in enumerate(clients)
                ),
                return_exceptions=True,
            )
            winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            assert len(winners) == 1
            assert winners[0].schema.version == expected + 1
            losers = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert all(isinstance(loser, ConflictError) for loser in losers)


@PAIR
async def test_two_schemas_that_break_each_other_never_both_pass(
    replicas: list[RegistryProcess],
) -> None:
    """Each is compatible with the first version; whichever comes second breaks the other."""
    one_way = trades(venue={"type": "string"})
    other_way = trades(venue={"type": "integer"})
    async with (
        AsyncRegistryClient(replicas[0].address) as one,
        AsyncRegistryClient(replicas[1].address) as other,
    ):
        for number in range(10):
            subject = f"raced{number}"
            await one.register(subject, TRADES)
            outcomes = await asyncio.gather(
                decided(one, subject, one_way),
                decided(other, subject, other_way),
                return_exceptions=True,
            )
            passed = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            assert len(passed) == 1
            versions = await one.versions(subject)
            assert len(versions) == 2


@PAIR
async def test_w11_a_read_on_another_replica_waits_for_the_revision_that_was_seen(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    connection = await postgres.connect(urlsplit(registry_database).path[1:])
    await connection.execute("DROP TRIGGER registry_clock_moved ON registry_clock")
    await connection.close()
    async with replicas[0].stub() as writer, replicas[1].stub() as reader:
        for number in range(4):
            text = json.dumps({**json.loads(TRADES), "title": str(number)})
            written = await writer.RegisterSchema(
                pb.RegisterSchemaRequest(subject="ticks", text=text)
            )
            request = pb.GetSchemaRequest(min_revision=written.revision)
            request.subject.subject = "ticks"
            request.subject.latest.SetInParent()
            answer = await reader.GetSchema(request, timeout=PATIENCE_SECONDS)
            assert answer.revision >= written.revision
            assert answer.schema.version == number + 1


@PAIR
async def test_w3_lost_notifications_lose_no_event(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    connection = await postgres.connect(urlsplit(registry_database).path[1:])
    await connection.execute("DROP TRIGGER registry_clock_moved ON registry_clock")
    await connection.close()
    async with (
        AsyncRegistryClient(replicas[0].address) as writer,
        AsyncRegistryClient(replicas[1].address) as reader,
    ):
        arrived: asyncio.Queue[int] = asyncio.Queue()

        async def watch() -> None:
            # No mark may come in between: each poll takes a second, or longer.
            async for message in reader.watch(after_revision=0, progress_seconds=60.0):
                await arrived.put(message.revision)

        watching = asyncio.create_task(watch())
        await arrived.get()
        for number in range(5):
            text = json.dumps({**json.loads(TRADES), "title": str(number)})
            registration = await writer.register("ticks", text)
            assert await asyncio.wait_for(arrived.get(), PATIENCE_SECONDS) == registration.revision
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


@PAIR
async def test_w9_a_running_replica_ends_its_watchers_when_the_store_is_another_one(
    replicas: list[RegistryProcess], postgres: PostgresCluster, registry_database: str
) -> None:
    async with AsyncRegistryClient(replicas[1].address) as client:
        await client.register("ticks", TRADES)
        stream = client.watch(after_revision=0)
        message = await anext(stream)
        while message.revision < 1:
            message = await anext(stream)
        connection = await postgres.connect(urlsplit(registry_database).path[1:])
        await connection.execute("UPDATE registry_clock SET epoch = 'another'")
        await connection.close()
        with pytest.raises(EpochChangedError):
            async for _ in stream:
                pass
        with pytest.raises(EpochChangedError):
            await anext(client.watch(after_token=message.token))
        assert (await anext(client.watch(snapshot=True))).revision == 1
