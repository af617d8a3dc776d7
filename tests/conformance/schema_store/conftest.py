from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_fixtures import fresh_database
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.store.sql.postgres import PostgresStore
from tickmesh_registry.store.sql.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tickmesh_registry.store import SchemaStore


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SchemaStore]:
    async with AsyncExitStack() as ends:
        engine: SchemaStore
        if request.param == "memory":
            engine = MemoryStore(epoch="epoch-1")
        elif request.param == "sqlite":
            engine = SqliteStore(tmp_path / "registry.db", new_epoch="epoch-1")
        else:
            cluster = request.getfixturevalue("postgres")
            url = await ends.enter_async_context(fresh_database(cluster))
            engine = PostgresStore(url, new_epoch=lambda: "epoch-2")
        await engine.open()
        ends.push_async_callback(engine.close)
        yield engine
