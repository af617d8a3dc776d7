"""A dataset whose acknowledged rows are damaged on disk: it refuses, the others serve (T2, T10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.unit.tickstore.service.test_application import put, read
from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.tickets import KEY_BYTES
from tickmesh_tickstore.actions import run_action
from tickmesh_tickstore.application import TickStore
from tickmesh_tickstore.counters import PutCounters
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.domain.errors import DatasetDamagedError
from tickmesh_tickstore.engine import DiskEngine
from tickmesh_tickstore.governance import Governance
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tickmesh_serving.call_context import CallContext

HARMED, SOUND = "ticks.harmed", "ticks.sound"


@pytest.fixture
def store(tmp_path: Path, call: CallContext) -> Iterator[TickStore]:
    """A store that was opened again after one of its two datasets was damaged."""
    schemas = MemorySchemas()

    def opened() -> TickStore:
        clock = SystemClock()
        return TickStore(
            engine=DiskEngine(tmp_path / "store"),
            governance=Governance(schemas),
            settings=SettingsDirectory(tmp_path / "settings"),
            sandbox=SqlSandbox(SqlLimits()),
            tickets=TicketOffice(bytes(KEY_BYTES), clock=clock, lifetime_seconds=60.0),
            counters=PutCounters(),
            clock=clock,
        )

    before = opened()
    for name in (HARMED, SOUND):
        schemas.register(name, trades_schema())
        for number in range(4):
            put(before, call, trades(3, start_ns=number * 10_000), dataset=name)
    harmed = before.engine.dataset(HARMED).dataset_id
    before.engine.close()
    (log,) = (tmp_path / "store" / "datasets" / harmed / "logs").glob("*.log")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0x55
    log.write_bytes(content)
    after = opened()
    yield after
    after.engine.close()


def statistics(store: TickStore, call: CallContext) -> wire.GetStatsResponse:
    return wire.GetStatsResponse.FromString(run_action(store, call, "GetStats", b""))


def test_reads_and_writes_of_it_are_refused_by_name(store: TickStore, call: CallContext) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: read(store, call, ReadCommand(dataset=HARMED)),
        lambda: store.follow(call, ReadCommand(dataset=HARMED, follow=True)),
        lambda: put(store, call, trades(1), dataset=HARMED),
        lambda: store.open_producer(call, HARMED, "feed"),
    ]
    for attempt in attempts:
        with pytest.raises(DatasetDamagedError) as refusal:
            attempt()
        assert refusal.value.reason == "DATASET_DAMAGED"
        assert refusal.value.metadata["dataset"] == HARMED


def test_the_others_serve(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3), dataset=SOUND)
    assert read(store, call, ReadCommand(dataset=SOUND)).num_rows == 15


def test_statistics_say_which_one_and_why(store: TickStore, call: CallContext) -> None:
    told = {each.name: each for each in statistics(store, call).datasets}
    assert told[HARMED].damaged
    assert "restore" in told[HARMED].failure
    assert (told[SOUND].damaged, told[SOUND].failure) == (False, "")


def test_statistics_say_which_of_its_rows_are_counted(store: TickStore, call: CallContext) -> None:
    """All its rows lay in the damaged log: 0 is what segments hold, and not what was stored."""
    told = {each.name: each for each in statistics(store, call).datasets}
    assert told[HARMED].row_count == 0
    assert "0 rows that the manifest records in segments" in told[HARMED].failure
    assert "write-ahead log are not counted" in told[HARMED].failure


def test_it_is_listed_and_its_ticket_says_what_is_wrong(
    store: TickStore, call: CallContext
) -> None:
    """Whoever reads every listed dataset is told, instead of missing the rows of one."""
    views = {view.info.name: view for view in store.datasets(call)}
    assert set(views) == {HARMED, SOUND}
    (ticket,) = store.offer_read(call, views[HARMED]).tickets
    with pytest.raises(DatasetDamagedError):
        store.redeem(call, ticket)


def test_statistics_count_commit_groups_since_the_start(
    store: TickStore, call: CallContext
) -> None:
    assert statistics(store, call).commit_groups == 0
    put(store, call, trades(3), dataset=SOUND)
    put(store, call, trades(3), dataset=SOUND)
    assert statistics(store, call).commit_groups == 2
