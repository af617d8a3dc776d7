"""State never comes from the second tier: only the change log says what is deleted."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis

from tests.support.redis import RedisServer
from tests.support.registry_values import register
from tickmesh_registry.domain.changes import Change, ChangeKind, Revision
from tickmesh_registry.domain.versions import Version, VersionState
from tickmesh_registry.lookup import ByNumber, BySchemaId, Lookup
from tickmesh_registry.redis_tier import RedisTier
from tickmesh_registry.shared_versions import SharedVersions
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.watch import WatchHub
from tickmesh_serving.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def unread(change: Change, *, include_previous: bool) -> bytes:
    """Nobody watches here."""
    return b""


class Replica:
    """A lookup of its own over a shared store and a shared Redis, however long that takes.

    A registry waits 50 ms for Redis and then does without; here Redis must be heard out.
    """

    def __init__(self, store: MemoryStore, url: str) -> None:
        clock = SystemClock()
        self.hub = WatchHub(store, encode=unread, clock=clock)
        self.tier = RedisTier(Redis.from_url(url), clock=clock, ttl_seconds=60)
        self.shared = SharedVersions(self.tier, store, self.hub)
        self.lookup = Lookup(store, self.hub, clock, shared=self.shared)

    async def finds(self, subject: str, number: int) -> None:
        """Wait until Redis holds a version: it is written behind the answer."""
        async with asyncio.timeout(60):
            while await self.shared.by_number(subject, number) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    server = RedisServer(tmp_path)
    await server.start()
    yield server.url
    await server.stop()


def changed(version: Version, state: VersionState, *, revision: int) -> Revision:
    """The log entry of a change of state."""
    change = Change(
        revision=revision,
        sequence=0,
        kind=ChangeKind.VERSION_DEPRECATED,
        subject=version.subject,
        schema=replace(version, state=state),
        previous=None,
        action=None,
        report=None,
        settings=None,
        rejected_text=None,
        actor=version.actor,
        changed_at_ns=2_000,
    )
    return Revision(revision, (change,))


async def test_a_version_that_is_not_active_is_asked_of_the_store(url: str) -> None:
    store = MemoryStore(epoch="e")
    version = await register(store, "s")
    first, second = Replica(store, url), Replica(store, url)
    for replica in (first, second):
        await replica.hub.start()
    assert (await first.lookup.get(BySchemaId(1))).version == version
    await second.finds("s", 1)
    second.hub.publish(changed(version, VersionState.DEPRECATED, revision=2), await store.head())
    assert await second.shared.by_number("s", 1) is None
    assert await second.shared.earliest(1) is None
    second.hub.publish(changed(version, VersionState.ACTIVE, revision=3), await store.head())
    assert await second.shared.by_number("s", 1) == version
    hits = second.tier.hits
    second.lookup.versions.clear()
    assert (await second.lookup.get(ByNumber("s", 1))).version == version
    assert second.tier.hits == hits + 1
    for replica in (first, second):
        await replica.shared.close()


class MovingStore(MemoryStore):
    """A store to which something happens at the end of the next read."""

    happens: Callable[[], None] | None = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        async with super().snapshot() as reader:
            yield reader
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()


async def test_what_was_read_before_the_store_moved_on_unheard_is_read_anew(url: str) -> None:
    store = MovingStore(epoch="e")
    version = await register(store, "s")
    writer, reader = Replica(store, url), Replica(store, url)
    for replica in (writer, reader):
        await replica.hub.start()
    await writer.lookup.get(ByNumber("s", 1))
    await writer.finds("s", 1)
    head = replace(await store.head(), revision=9, compact_revision=9)
    store.happens = lambda: reader.hub.move_to(head)
    assert await reader.shared.by_number("s", 1) is None
    assert await reader.shared.by_number("s", 1) == version
    for replica in (writer, reader):
        await replica.shared.close()


async def test_what_lies_ahead_of_the_replica_is_not_taken(url: str) -> None:
    """Another replica may have put a version that this one has not heard of."""
    store = MemoryStore(epoch="e")
    behind = Replica(store, url)
    await behind.hub.start()
    assert await behind.shared.by_number("s", 1) is None
    version = await register(store, "s")
    ahead = Replica(store, url)
    await ahead.hub.start()
    await ahead.lookup.get(ByNumber("s", 1))
    await ahead.finds("s", 1)
    assert await behind.shared.by_number("s", 1) is None
    assert (await behind.lookup.get(ByNumber("s", 1))).version == version
    for replica in (behind, ahead):
        await replica.shared.close()
