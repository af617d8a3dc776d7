"""The tick store without a log: rows are judged, deduplicated, numbered and visible, never written.

It forgets them where the durable store would move them into segments. What it takes a second is
the share of receiving and governing in what the durable store does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tickmesh.registry import RegistryClient
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.command import service_command
from tickmesh_serving.flight import FlightEndpoint
from tickmesh_serving.identifiers import RandomIds
from tickmesh_serving.metrics import new_registry
from tickmesh_serving.server import ServiceProcess
from tickmesh_serving.tickets import load_or_make_key
from tickmesh_tickstore.app import permission_table
from tickmesh_tickstore.application import TickStore
from tickmesh_tickstore.config import TickStoreConfig
from tickmesh_tickstore.counters import PutCounters
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.domain.producers import ProducerLedger
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.engine.dataset import Dataset
from tickmesh_tickstore.engine.journal import RowsEntry
from tickmesh_tickstore.engine.parts import DatasetState
from tickmesh_tickstore.errors import error_table
from tickmesh_tickstore.flight_service import TickStoreFlight
from tickmesh_tickstore.governance import Governance
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox
from tickmesh_tickstore.service import grpc_service
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.journal import Entry


class _Journal:
    """Counts what a log would hold, and drops the rows when it would be full."""

    def __init__(self, log_bytes: int) -> None:
        self.dataset: Dataset | None = None
        self.log_number = 1
        self._log_bytes = log_bytes
        self._bytes = 0

    def write(self, entries: Sequence[Entry]) -> None:
        self._bytes += sum(entry.batch.nbytes for entry in entries if isinstance(entry, RowsEntry))

    def sync(self) -> None:
        """Nothing outlives the process."""

    def is_full(self) -> bool:
        return self._bytes >= self._log_bytes

    def begin_log(self, *, revision: int, ledger: ProducerLedger) -> None:  # noqa: ARG002  # a log would note them
        assert self.dataset is not None
        self.dataset.replace_log(self.log_number, ())
        self.log_number += 1
        self._bytes = 0

    def close(self) -> None:
        """Nothing is open."""


class _ForgetfulEngine(MemoryEngine):
    def _make_dataset(self, name: str, layout: RowLayout) -> Dataset:
        journal = _Journal(self._limits.log_bytes)
        journal.dataset = Dataset(
            name=name,
            dataset_id=self._new_id(),
            layouts=(layout,),
            state=DatasetState(0),
            ledger=ProducerLedger(limit=self._limits.producers),
            journal=journal,
            limits=self._limits,
            now_ns=self._now_ns,
        )
        return journal.dataset


class _Parts:
    """Closes with the process."""

    def __init__(self, engine: MemoryEngine, registry: RegistryClient) -> None:
        self._engine = engine
        self._registry = registry

    async def start(self) -> None:
        """There is nothing to recover."""

    async def drain(self) -> None:
        """Streams watch the call's own signal."""

    async def stop(self) -> None:
        """Forgets every row."""
        await asyncio.to_thread(self._engine.close)
        self._registry.close()


def _process(config: TickStoreConfig, home: Path) -> ServiceProcess:
    clock, metrics = SystemClock(), new_registry()
    engine = _ForgetfulEngine(now_ns=clock.now_ns)
    registry = RegistryClient(config.registry)
    store = TickStore(
        engine=engine,
        governance=Governance(registry),
        settings=SettingsDirectory(home / "settings"),
        sandbox=SqlSandbox(SqlLimits()),
        tickets=TicketOffice(
            load_or_make_key(home / "ticket.key"), clock=clock, lifetime_seconds=900
        ),
        counters=PutCounters(metrics),
        clock=clock,
    )
    return ServiceProcess(
        "tickstore",
        config.serving,
        grpc_services=[grpc_service(lambda: store)],
        flight=FlightEndpoint(
            TickStoreFlight(lambda: store, max_lag_rows=config.reading.max_lag_rows),
            max_streams=config.serving.max_flight_streams,
        ),
        errors=error_table(ids=RandomIds()),
        permissions=permission_table(),
        components=[_Parts(engine, registry)],
        metrics=metrics,
        clock=clock,
    )


if __name__ == "__main__":
    service_command(
        "tickstore",
        config_class=TickStoreConfig,
        process_factory=_process,
        help="The tick store, without a log.",
    )()
