from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.store.sql.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tickmesh_registry.store import SchemaStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SchemaStore]:
    engine: SchemaStore
    if request.param == "memory":
        engine = MemoryStore(epoch="epoch-1")
    else:
        engine = SqliteStore(tmp_path / "registry.db", new_epoch="epoch-1")
    await engine.open()
    yield engine
    await engine.close()
