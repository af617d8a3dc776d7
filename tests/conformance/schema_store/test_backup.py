"""A backup holds everything and restores into any engine, under another epoch."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_fixtures import fresh_database
from tests.support.registry_values import ACTOR, new_version, register, registered
from tickmesh.errors import ConfigError
from tickmesh_registry.domain.compatibility import Mode, SettingsOverride
from tickmesh_registry.store import CompletedRequest, Refusal, RegisteredOutcome
from tickmesh_registry.store.sql.maintenance import SqliteMaintenance
from tickmesh_registry.store.sql.postgres import PostgresStore
from tickmesh_registry.store.sql.postgres_maintenance import PostgresMaintenance
from tickmesh_registry.store.sql.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tickmesh_registry.store import SchemaStore, Transaction
    from tickmesh_registry.store.sql.maintenance import Maintenance

NOW_NS = 1_000


class Place:
    """Where a store of some engine lives."""

    def __init__(self, store: Callable[[], SchemaStore], maintenance: Maintenance) -> None:
        self.store = store
        self.maintenance = maintenance


class Places:
    """Makes places; each store is another one."""

    def __init__(self, request: pytest.FixtureRequest, directory: Path) -> None:
        self._request = request
        self._directory = directory
        self.ends = AsyncExitStack()
        self._made = 0

    async def make(self, engine: str) -> Place:
        self._made += 1
        epoch = f"new-epoch-{self._made}"
        if engine == "sqlite":
            path = self._directory / f"store{self._made}" / "registry.db"
            return Place(
                lambda: SqliteStore(path, new_epoch="epoch-1"),
                SqliteMaintenance(path, new_epoch=lambda: epoch),
            )
        cluster = self._request.getfixturevalue("postgres")
        url = await self.ends.enter_async_context(fresh_database(cluster))
        return Place(
            lambda: PostgresStore(url, new_epoch=lambda: "unused"),
            PostgresMaintenance(url, new_epoch=lambda: epoch),
        )


@pytest.fixture
async def places(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Places]:
    made = Places(request, tmp_path)
    async with made.ends:
        yield made


ENGINES = ("sqlite", "postgresql")
PAIRS = [pytest.param(a, b, id=f"{a} to {b}") for a in ENGINES for b in ENGINES]


async def fill(store: SchemaStore) -> None:
    """Something in every table."""
    await register(store, "ticks.trades", text='{"é": "\U0001f600"}')
    await register(store, "ticks.trades", fingerprint="shared")
    await register(store, "ticks.quotes", fingerprint="shared")

    async def body(transaction: Transaction) -> None:
        new = new_version(await transaction.subject("ticks.quotes"))
        transaction.add_version(new)
        transaction.add_change(registered(new))
        transaction.set_settings("", SettingsOverride(mode=Mode.FULL))
        transaction.set_refusal(Refusal("ticks.quotes", "f", "ada", NOW_NS))
        transaction.set_completed_request(
            CompletedRequest(
                principal=ACTOR.principal,
                request_id="r1",
                digest="d",
                outcomes=(RegisteredOutcome("ticks.quotes", 2, False, "{}"),),
                completed_at_ns=NOW_NS,
            )
        )

    await store.transact(body)
    await store.compact(1, forget_before_ns=0)


async def content_of(store: SchemaStore) -> object:
    """Everything a store tells but its epoch."""
    page = await store.changes_after(0, limit=1_000)
    async with store.snapshot() as reader:
        return (
            page.revisions,
            (page.head.revision, page.head.compact_revision, page.head.changed_at_ns),
            await reader.versions_through(page.head.revision, after=("", 0), limit=1_000),
            await reader.subjects(prefix="", limit=1_000),
            await reader.subject(""),
            await reader.completed_request(ACTOR.principal, "r1"),
            await reader.refusal("ticks.quotes", "f", "ada"),
        )


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_a_store_moves_whole_between_engines_under_another_epoch(
    places: Places, tmp_path: Path, source: str, target: str
) -> None:
    origin = await places.make(source)
    store = origin.store()
    await store.open()
    await fill(store)
    wanted = await content_of(store)
    file = tmp_path / "backup.db"
    told = await origin.maintenance.backup(file)  # while it is being served
    assert (told.revision, told.versions) == (4, 4)
    await register(store, "later")
    epoch = (await store.head()).epoch
    await store.close()

    destination = await places.make(target)
    brought = await destination.maintenance.restore(file, replace=False)
    moved = destination.store()
    await moved.open()
    assert await content_of(moved) == wanted
    head = await moved.head()
    assert head.epoch == brought.epoch != epoch
    version = await register(moved, "ticks.trades")
    assert (version.revision, version.version, version.schema_id) == (5, 3, 4)
    await moved.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_restore_is_refused_while_a_registry_serves_or_over_what_is_there(
    places: Places, tmp_path: Path, engine: str
) -> None:
    place = await places.make(engine)
    store = place.store()
    await store.open()
    await register(store, "a")
    file = tmp_path / "backup.db"
    await place.maintenance.backup(file)
    await register(store, "b")
    with pytest.raises(ConfigError, match="stop"):
        await place.maintenance.restore(file, replace=True)
    assert (await register(store, "c")).revision == 3
    await store.close()
    with pytest.raises(ConfigError, match=r"stands at revision 3.*--force"):
        await place.maintenance.restore(file, replace=False)
    assert (await place.maintenance.restore(file, replace=True)).revision == 1
    store = place.store()
    await store.open()
    assert (await register(store, "d")).revision == 2
    await store.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_is_no_backup_is_refused_and_changes_nothing(
    places: Places, tmp_path: Path, engine: str
) -> None:
    place = await places.make(engine)
    store = place.store()
    await store.open()
    await register(store, "a")
    file = tmp_path / "backup.db"
    await place.maintenance.backup(file)
    with pytest.raises(ConfigError, match="exists already"):
        await place.maintenance.backup(file)
    await store.close()

    text = tmp_path / "text"
    text.write_text("no database " * 1_000)
    other = tmp_path / "other.db"
    sqlite3.connect(other).executescript("CREATE TABLE t (x); PRAGMA user_version = 3;").close()
    torn = tmp_path / "torn.db"
    shutil.copyfile(file, torn)
    with torn.open("r+b") as damaged:
        damaged.seek(5_000)
        damaged.write(b"\xff" * 20_000)
    for wrong in (text, other, torn, tmp_path / "missing"):
        with pytest.raises(ConfigError):
            await place.maintenance.restore(wrong, replace=True)
    store = place.store()
    await store.open()
    head = await store.head()
    assert (head.epoch, head.revision) == ("epoch-1", 1)
    await store.close()


async def test_a_backup_needs_a_store(places: Places, tmp_path: Path) -> None:
    place = await places.make("sqlite")
    with pytest.raises(ConfigError, match="there is no store"):
        await place.maintenance.backup(tmp_path / "backup.db")
