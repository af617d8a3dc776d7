"""A tick store on the memory engine, without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.governed_ticks import MemorySchemas, trades_schema
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.tickets import KEY_BYTES
from tickmesh_tickstore.application import TickStore
from tickmesh_tickstore.counters import PutCounters
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.governance import Governance
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def call() -> CallContext:
    return CallContext.internal("test")


@pytest.fixture
def schemas() -> MemorySchemas:
    source = MemorySchemas()
    source.register("ticks.trades", trades_schema())
    return source


@pytest.fixture
def store(tmp_path: Path, schemas: MemorySchemas) -> Iterator[TickStore]:
    engine = MemoryEngine()
    clock = SystemClock()
    sandbox = SqlSandbox(SqlLimits(memory_bytes=128 << 20, timeout_seconds=20.0))
    yield TickStore(
        engine=engine,
        governance=Governance(schemas),
        settings=SettingsDirectory(tmp_path / "settings"),
        tickets=TicketOffice(bytes(KEY_BYTES), clock=clock, lifetime_seconds=60.0),
        sandbox=sandbox,
        counters=PutCounters(),
        clock=clock,
    )
    sandbox.close()
    engine.close()
