"""What only PostgreSQL promises: several processes over one store, and faults of the server."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.cutting_proxy import Cut, CuttingProxy
from tests.support.postgres import PASSWORD
from tests.support.postgres_fixtures import fresh_database
from tests.support.registry_values import new_version, register, registered
from tickmesh.errors import ConfigError, UnavailableError
from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store.sql import postgres_listener
from tickmesh_registry.store.sql.postgres import PostgresStore
from tickmesh_registry.store.sql.postgres_maintenance import PostgresMaintenance
from tickmesh_registry.store.sql.postgres_session import open_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.postgres import PostgresCluster
    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.store import Head, Transaction

_END_WRITERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickmesh-registry'
"""
_LISTENING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND granted AND datname = $1
"""


class Replica:
    """A store of one process, and what its listener was told."""

    def __init__(self, url: str, *, epoch: str = "epoch-2") -> None:
        self.store = PostgresStore(url, new_epoch=lambda: epoch, sessions=2)
        self.heard: list[Revision] = []
        self.heads: list[Head] = []
        self._moved = asyncio.Event()
        self.store.on_commit(self._take)
        self.store.on_head(self._take_head)

    def _take(self, revision: Revision, head: Head) -> None:
        assert head.revision == revision.revision
        self.heard.append(revision)
        self._moved.set()

    def _take_head(self, head: Head) -> None:
        self.heads.append(head)
        self._moved.set()

    @property
    def revisions(self) -> list[int]:
        return [revision.revision for revision in self.heard]

    async def heard_of(self, revision: int) -> None:
        async with asyncio.timeout(30):
            while not self.heard or self.heard[-1].revision < revision:
                self._moved.clear()
                await self._moved.wait()

    async def told_of_a_head(self, *, compacted: int = 0) -> Head:
        """The last head told, as soon as its log was compacted so far."""
        async with asyncio.timeout(30):
            while not self.heads or self.heads[-1].compact_revision < compacted:
                self._moved.clear()
                await self._moved.wait()
        return self.heads[-1]


@asynccontextmanager
async def replicas(url: str, count: int) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as ends:
        opened = []
        for _ in range(count):
            replica = Replica(url)
            await replica.store.open()
            ends.push_async_callback(replica.store.close)
            opened.append(replica)
        yield opened


async def test_every_replica_hears_every_revision_once_and_in_order(registry_database: str) -> None:
    async with replicas(registry_database, 3) as three:
        versions = await asyncio.gather(
            *(register(three[i % 3].store, f"s{i % 5}") for i in range(90))
        )
        assert sorted(version.revision for version in versions) == list(range(1, 91))
        for replica in three:
            await replica.heard_of(90)
            assert replica.revisions == list(range(1, 91))
        log = (await three[0].store.changes_after(0, limit=1_000)).revisions
        assert list(log) == three[1].heard == three[2].heard


async def test_a_writer_has_heard_its_own_revision_and_all_before_it(
    registry_database: str,
) -> None:
    async with replicas(registry_database, 2) as (one, other):
        for number in range(20):
            writer = (one, other)[number % 2]
            version = await register(writer.store, "a")
            assert writer.revisions == list(range(1, version.revision + 1))


async def test_a_lost_notification_costs_a_poll(
    registry_database: str, postgres: PostgresCluster
) -> None:
    admin = await postgres.connect(urlsplit(registry_database).path[1:])
    await admin.execute("DROP TRIGGER registry_clock_moved ON registry_clock")
    await admin.close()
    async with replicas(registry_database, 2) as (writer, follower):
        await register(writer.store, "before")  # the first poll after the start is over
        await follower.heard_of(1)
        for number in range(2, 6):
            version = await register(writer.store, "a")
            await follower.heard_of(version.revision)
            assert follower.revisions == list(range(1, number + 1))


async def test_compaction_by_one_replica_reaches_the_others_and_may_race(
    registry_database: str,
) -> None:
    async with replicas(registry_database, 2) as (one, other):
        for _ in range(6):
            await register(one.store, "a")
        await asyncio.gather(
            *(r.store.compact(n, forget_before_ns=0) for n in (2, 4, 3) for r in (one, other))
        )
        for replica in (one, other):
            assert (await replica.told_of_a_head(compacted=4)).compact_revision == 4
        assert (await one.store.head()).compact_revision == 4
        version = await register(other.store, "a")
        await one.heard_of(version.revision)


async def test_a_session_that_idles_with_the_counter_row_delays_writers_for_a_bounded_time(
    registry_database: str, postgres: PostgresCluster
) -> None:
    async with replicas(registry_database, 2) as (frozen, other):
        begun = asyncio.Event()
        thaw = asyncio.Event()

        async def body(transaction: Transaction) -> None:
            new = new_version(await transaction.subject("frozen"))
            transaction.add_version(new)
            transaction.add_change(registered(new))
            begun.set()
            await thaw.wait()

        stuck = asyncio.create_task(frozen.store.transact(body))
        await begun.wait()
        version = await register(other.store, "a")
        assert version.revision == 1
        thaw.set()
        written = await stuck  # in another session: what was staged in the first is gone
        assert written.head.revision == 2
        assert (await register(frozen.store, "b")).revision == 3
        assert frozen.revisions == [1, 2, 3]


async def test_a_replica_stopped_anywhere_in_a_write_fails_no_write_of_another(
    registry_database: str, postgres: PostgresCluster
) -> None:
    """Between Parse and Sync a session is not idle for the server: none of its timeouts ends it."""
    at_once = asyncio.Semaphore(8)

    async def froze(pieces: int) -> bool:
        async with at_once, fresh_database(postgres) as url:
            return await a_write_stops(url, postgres.port, after_pieces=pieces)

    outcomes = await asyncio.gather(*(froze(pieces) for pieces in range(1, 49)))
    assert outcomes.count(True) > 16
    # What a replica asks while it writes counts as well: on a slow machine there is more of it.
    pieces, within = len(outcomes), outcomes[-1]
    while within:
        pieces += 1
        assert pieces < 480, "the write has no end"
        within = await froze(pieces)


async def a_write_stops(url: str, port: int, *, after_pieces: int) -> bool:
    """Whether the write was so long; another replica writes, then the stopped one goes on."""
    async with CuttingProxy(port).running() as proxy:
        through = url.replace(f":{port}/", f":{proxy.port}/")
        async with replicas(through, 1) as (stopped,), replicas(url, 1) as (other,):
            proxy.freezes_after = after_pieces
            stopping = asyncio.create_task(register(stopped.store, "a"))
            freezing = asyncio.create_task(proxy.frozen.wait())
            await asyncio.wait({stopping, freezing}, return_when=asyncio.FIRST_COMPLETED)
            freezing.cancel()
            froze = not stopping.done()
            assert (await register(other.store, "b")).subject == "b"
            proxy.thaw()
            with suppress(StoreUnavailableError):
                await stopping
            last = (await register(stopped.store, "c")).revision
            await other.heard_of(last)
            assert stopped.revisions == other.revisions == list(range(1, last + 1))
            return froze


@pytest.mark.parametrize(
    "stands_still_seconds", [pytest.param(0.0, id="in-time"), pytest.param(2.5, id="late")]
)
async def test_a_session_whose_answer_nobody_takes_is_ended_for_those_who_wait(
    registry_database: str, postgres: PostgresCluster, stands_still_seconds: float
) -> None:
    """Also when they stand still themselves, from before they would look until the wait is over."""
    async with CuttingProxy(postgres.port).running() as proxy:
        through = registry_database.replace(f":{postgres.port}/", f":{proxy.port}/")
        stopped = await open_connection(through, {})
        async with replicas(registry_database, 1) as (replica,):
            await stopped.execute("BEGIN")
            await stopped.execute("SELECT pg_current_xact_id() FROM registry_clock FOR UPDATE")
            proxy.freezes_after = 1
            asking = asyncio.create_task(
                stopped.execute("SELECT repeat('x', 1000000) FROM generate_series(1, 64)")
            )
            asyncio.get_running_loop().call_later(3.0, time.sleep, stands_still_seconds)
            assert (await register(replica.store, "a")).revision == 1
            proxy.thaw()
            with pytest.raises((asyncpg.PostgresError, ConnectionError)):
                await asking


async def test_a_foreign_session_that_holds_the_counter_row_fails_writers_and_no_readers(
    registry_database: str, postgres: PostgresCluster
) -> None:
    foreign = await postgres.connect(urlsplit(registry_database).path[1:])
    async with replicas(registry_database, 1) as (replica,):
        async with foreign.transaction():
            await foreign.execute("SELECT * FROM registry_clock FOR UPDATE")
            writing = asyncio.create_task(register(replica.store, "a"))
            assert (await replica.store.head()).revision == 0
            with pytest.raises(StoreUnavailableError, match="another writer holds"):
                await writing
        assert (await register(replica.store, "a")).revision == 1
    await foreign.close()


async def test_a_writer_whose_sessions_are_all_ended_wrote_nothing_and_goes_on(
    registry_database: str, postgres: PostgresCluster
) -> None:
    admin = await postgres.connect()

    async def body(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("a"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        await admin.execute(_END_WRITERS)

    async with replicas(registry_database, 1) as (replica,):
        with pytest.raises(StoreUnavailableError, match="nothing was written"):
            await replica.store.transact(body)
        assert (await replica.store.head()).revision == 0
        assert (await register(replica.store, "a")).revision == 1
    await admin.close()


@pytest.mark.parametrize("late_seconds", [0.0, 1.0])
async def test_a_writer_whose_session_is_ended_once_writes_once_in_another(
    registry_database: str,
    postgres: PostgresCluster,
    late_seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does it go deaf. The server's word may be there before the end of the connection is."""
    monkeypatch.setattr(postgres_listener, "_CHECK_SECONDS", 0.1)
    admin = await postgres.connect()
    runs = 0

    async def body(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        new = new_version(await transaction.subject("a"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        if runs == 1:
            await admin.execute(_END_WRITERS)
            await asyncio.sleep(0.1)

    async with CuttingProxy(postgres.port).running() as proxy:
        proxy.ends_late_seconds = late_seconds
        url = registry_database.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with replicas(url, 1) as (replica,), replicas(registry_database, 1) as (other,):
            assert (await replica.store.transact(body)).head.revision == 1
            assert runs == 2
            assert (await register(replica.store, "a")).revision == 2
            assert (await register(other.store, "a")).revision == 3
            await replica.heard_of(3)
            await other.heard_of(3)
            assert other.revisions == replica.revisions == [1, 2, 3]
            async with asyncio.timeout(60):
                while await admin.fetchval(_LISTENING, urlsplit(url).path[1:]) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    await admin.close()


@pytest.mark.parametrize("cut", [Cut.BEFORE_THE_SERVER, Cut.AFTER_THE_SERVER])
async def test_a_commit_whose_answer_is_lost_is_told_as_it_ended_or_made_again(
    postgres: PostgresCluster, cut: Cut
) -> None:
    async with fresh_database(postgres) as url, CuttingProxy(postgres.port).running() as proxy:
        through = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with replicas(through, 1) as (replica,), replicas(url, 1) as (other,):
            await register(replica.store, "a")
            proxy.cut = cut
            assert (await register(replica.store, "a")).revision == 2
            assert proxy.cuts == 1
            assert (await other.store.head()).revision == 2
            assert (await register(replica.store, "a")).revision == 3
            assert replica.revisions == [1, 2, 3]


async def test_a_restarted_server_is_found_again_and_has_all_that_was_acknowledged(
    registry_database: str, postgres: PostgresCluster
) -> None:
    async with replicas(registry_database, 2) as (one, other):
        acknowledged = [(await register(one.store, "a")).revision for _ in range(5)]
        postgres.stop(immediately=True)
        with pytest.raises(StoreUnavailableError):
            await register(other.store, "a")
        with pytest.raises(StoreUnavailableError):
            await one.store.head()
        postgres.start()
        version = await register(other.store, "a")
        assert version.revision == acknowledged[-1] + 1
        await one.heard_of(version.revision)
        assert one.revisions == list(range(1, version.revision + 1))


async def test_w9_a_store_found_in_another_cluster_gets_another_epoch(
    registry_database: str, postgres: PostgresCluster
) -> None:
    async with replicas(registry_database, 1) as (before,):
        await register(before.store, "a")
        assert (await before.store.head()).epoch == "epoch-1"
    admin = await postgres.connect(urlsplit(registry_database).path[1:])
    await admin.execute("UPDATE registry_clock SET cluster = '1/00000001'")
    await admin.close()
    async with replicas(registry_database, 1) as (after,):
        head = await after.store.head()
        assert (head.epoch, head.revision) == ("epoch-2", 1)
    async with replicas(registry_database, 1) as (later,):
        assert (await later.store.head()).epoch == "epoch-2"


async def test_w9_a_promoted_standby_begins_another_epoch_and_no_standby_is_used(
    registry_database: str, postgres: PostgresCluster
) -> None:
    async with replicas(registry_database, 1) as (replica,):
        await register(replica.store, "a")
        postgres.stop()
        postgres.start_as_standby()
        with pytest.raises(StoreUnavailableError, match="nothing was written"):
            await register(replica.store, "a")
        with pytest.raises(StoreUnavailableError):
            await replica.store.head()
        await postgres.promote()
        head = await replica.told_of_a_head()
        assert (head.epoch, head.revision) == ("epoch-2", 1)
        assert (await register(replica.store, "a")).revision == 2


async def test_serving_needs_no_more_than_to_read_and_write_the_tables(
    registry_database: str, postgres: PostgresCluster
) -> None:
    database = urlsplit(registry_database).path[1:]
    role = f"serve_{database}"
    admin = await postgres.connect(database)
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'serve'")
    await admin.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    )
    async with replicas(postgres.url(database, user=role, password="serve"), 1) as (replica,):
        assert (await register(replica.store, "a")).revision == 1
        assert (await replica.store.compact(1, forget_before_ns=0)).compact_revision == 1
    await admin.execute(f"DROP OWNED BY {role}")
    await admin.execute(f"DROP ROLE {role}")
    await admin.close()


async def test_w9_a_running_replica_is_told_of_a_new_epoch(
    registry_database: str, postgres: PostgresCluster
) -> None:
    admin = await postgres.connect(urlsplit(registry_database).path[1:])
    async with replicas(registry_database, 1) as (replica,):
        await register(replica.store, "a")
        await admin.execute("UPDATE registry_clock SET epoch = 'epoch-3'")
        head = await replica.told_of_a_head()
        assert (head.epoch, head.revision) == ("epoch-3", 1)
        assert (await register(replica.store, "a")).revision == 2
    await admin.close()


async def test_w9_a_store_that_went_back_behind_its_revisions_gets_another_epoch(
    registry_database: str, postgres: PostgresCluster
) -> None:
    admin = await postgres.connect(urlsplit(registry_database).path[1:])
    async with replicas(registry_database, 1) as (replica,):
        for _ in range(3):
            await register(replica.store, "a")
        await admin.execute("DELETE FROM change_log WHERE revision > 1")
        await admin.execute("UPDATE registry_clock SET revision = 1")
        head = await replica.told_of_a_head()
        assert (head.epoch, head.revision) == ("epoch-2", 1)
    await admin.close()


async def test_tables_that_are_missing_or_newer_are_refused_with_what_to_do(
    postgres: PostgresCluster,
) -> None:
    name = await postgres.create_database()
    store = PostgresStore(postgres.url(name), new_epoch=lambda: "epoch-1")
    with pytest.raises(ConfigError, match="tickmesh registry migrate"):
        await store.open()
    assert await asyncio.gather(
        *(
            PostgresMaintenance(postgres.url(name), new_epoch=lambda: "epoch-1").migrate()
            for _ in range(3)
        )
    ) == [0, 0, 0]
    admin = await postgres.connect(name)
    await admin.execute("UPDATE alembic_version SET version_num = '9999'")
    await admin.close()
    with pytest.raises(ConfigError, match="newer version"):
        await PostgresStore(postgres.url(name), new_epoch=lambda: "epoch-1").open()
    await postgres.drop_database(name)


async def test_a_start_that_is_cut_off_anywhere_goes_on(postgres: PostgresCluster) -> None:
    async with fresh_database(postgres) as url, CuttingProxy(postgres.port).running() as proxy:
        through = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        requests, cut_off = 0, True
        while cut_off:
            requests += 3
            cuts = proxy.cuts
            proxy.requests_left = requests
            async with replicas(through, 1) as (replica,):
                cut_off = proxy.cuts > cuts
                proxy.requests_left = None
                assert (await register(replica.store, "a")).revision == requests // 3
        assert requests > 20


async def test_a_database_that_does_not_come_is_given_up_in_time_and_no_wrong_setting(
    postgres: PostgresCluster,
) -> None:
    async with CuttingProxy(postgres.port).running() as proxy:
        proxy.refuses = True
        url = postgres.url("postgres").replace(f":{postgres.port}/", f":{proxy.port}/")
        store = PostgresStore(url, new_epoch=lambda: "epoch-1", start_patience_seconds=0.5)
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="does not answer") as caught:
            await store.open()
        assert 0.1 < time.monotonic() - began < 25
        assert PASSWORD not in str(caught.value)
        assert caught.value.exit_code == 69


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://nobody:secret@127.0.0.1:{port}/postgres", "password authentication failed"),
        (f"postgresql://tickmesh:{PASSWORD}@127.0.0.1:{{port}}/nowhere", "does not exist"),
        (f"postgresql://tickmesh:{PASSWORD}@127.0.0.1:{{port}}/postgres?sslmode=some", "sslmode"),
    ],
)
async def test_wrong_settings_are_told_at_once(
    postgres: PostgresCluster, url: str, cause: str
) -> None:
    store = PostgresStore(url.format(port=postgres.port), new_epoch=lambda: "epoch-1")
    began = time.monotonic()
    with pytest.raises(ConfigError, match=cause):
        await store.open()
    assert time.monotonic() - began < 25  # who waits for a database does so for 30 s


async def test_every_text_compares_by_code_points(
    registry_database: str, postgres: PostgresCluster
) -> None:
    admin = await postgres.connect(urlsplit(registry_database).path[1:])
    others = await admin.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text'"
        " AND table_schema = 'public' AND collation_name IS DISTINCT FROM 'C'"
        " AND table_name <> 'alembic_version'"
    )
    await admin.close()
    assert others == []


async def test_a_wrong_password_is_named_and_not_shown(postgres: PostgresCluster) -> None:
    store = PostgresStore(
        postgres.url("postgres", password="not-the-password"), new_epoch=lambda: "epoch-1"
    )
    with pytest.raises(ConfigError, match="password authentication failed") as caught:
        await store.open()
    assert "not-the-password" not in str(caught.value)
