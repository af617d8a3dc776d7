"""Puts the tick store together: the only place that knows every part."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh_serving.client_metrics import registry_client_metrics
from tickmesh_serving.clock import Clock, SystemClock
from tickmesh_serving.flight import FlightEndpoint
from tickmesh_serving.identifiers import IdGenerator, RandomIds
from tickmesh_serving.metrics import new_registry
from tickmesh_serving.permissions import Grants, PermissionTable, everyone
from tickmesh_serving.server import ServiceProcess
from tickmesh_serving.tickets import load_or_make_key
from tickmesh_tickstore.actions import HANDLERS, SERVICE_NAME
from tickmesh_tickstore.application import RecoverySummary, TickStore
from tickmesh_tickstore.counters import PutCounters
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.engine import DiskEngine
from tickmesh_tickstore.errors import error_table
from tickmesh_tickstore.flight_service import TickStoreFlight
from tickmesh_tickstore.governance import Governance
from tickmesh_tickstore.maintenance import Maintenance, Retainer
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox
from tickmesh_tickstore.service import grpc_service
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from tickmesh_serving.tracing import Tracing
    from tickmesh_tickstore.config import TickStoreConfig

_FLIGHT_PERMISSIONS = {
    "DoPut": "ticks.write",
    "DoGet": "ticks.read",
    "DoExchange": "ticks.read",
    "GetFlightInfo": "ticks.read",
    "GetSchema": "datasets.read",
    "ListFlights": "datasets.read",
    "ListActions": "datasets.read",
}


def permission_table(grants: Grants = everyone) -> PermissionTable:
    """Which permission each method and action needs; an action needs its method's."""
    methods = {f"/{SERVICE_NAME}/{name}": each.permission for name, each in HANDLERS.items()}
    actions = {name: each.permission for name, each in HANDLERS.items()}
    return PermissionTable(methods | actions | _FLIGHT_PERMISSIONS, grants=grants)


class _Parts:
    """The parts that open and close with the process, in the order they need each other."""

    def __init__(
        self, config: TickStoreConfig, home: Path, *, clock: Clock, metrics: CollectorRegistry
    ) -> None:
        self._config = config
        self._home = home
        self._clock = clock
        self._metrics = metrics
        self._engine: DiskEngine | None = None
        self._registry: RegistryClient | None = None
        self._store: TickStore | None = None
        self._sandbox = SqlSandbox(SqlLimits(**asdict(config.sql)))
        self._retainer: Retainer | None = None

    @property
    def store(self) -> TickStore:
        """The application; there once the process serves."""
        assert self._store is not None, "no call is served before the store is open"
        return self._store

    def retain(self) -> None:
        """Drops what retention does not keep."""
        assert self._retainer is not None, "maintenance starts once the store is open"
        self._retainer.apply()

    async def start(self) -> None:
        """Recovers the store."""
        # Off the loop: recovery may take seconds, and health is to be answered meanwhile.
        await asyncio.to_thread(self._open)

    async def drain(self) -> None:
        """Nothing to tell: streams watch the call's own signal."""

    async def stop(self) -> None:
        """Finishes what was handed in."""
        await asyncio.to_thread(self._close)

    def _open(self) -> None:
        directory = self._config.store.path(self._home)
        started_ns = self._clock.monotonic_ns()
        store = self._config.store
        limits = EngineLimits(
            staged_bytes=store.max_staged_bytes,
            staged_bytes_per_principal=(
                store.max_staged_bytes_per_principal or store.max_staged_bytes
            ),
        )
        self._engine = DiskEngine(directory, limits=limits, now_ns=self._clock.now_ns)
        reports = self._engine.recovery
        # Whoever asks is told at once that the registry is away, and decides how long to wait.
        client = replace(load_client_config(home=self._home), call_attempts=1)
        self._registry = RegistryClient(
            self._config.registry or None, config=client, cache_directory=directory / "schemas"
        )
        registry_client_metrics(self._metrics, self._registry)
        settings = SettingsDirectory(directory / "settings")
        settings.keep_only(info.name for info in self._engine.datasets())
        self._retainer = Retainer(
            engine=self._engine,
            settings=settings,
            clock=self._clock,
            ticket_lifetime_seconds=self._config.reading.ticket_lifetime_seconds,
            metrics=self._metrics,
        )
        self._store = TickStore(
            engine=self._engine,
            governance=Governance(self._registry, stale_since_ns=self._stale_since_ns),
            settings=settings,
            tickets=TicketOffice(
                load_or_make_key(directory / "ticket.key"),
                clock=self._clock,
                lifetime_seconds=self._config.reading.ticket_lifetime_seconds,
            ),
            sandbox=self._sandbox,
            counters=PutCounters(self._metrics),
            clock=self._clock,
            max_endpoints=self._config.reading.endpoints(),
            recovery=RecoverySummary(
                duration_seconds=(self._clock.monotonic_ns() - started_ns) / 1e9,
                replayed_bytes=sum(report.replayed_bytes for report in reports),
                torn_bytes=sum(report.torn_bytes for report in reports),
                dropped_upload_bytes=sum(report.dropped_upload_bytes for report in reports),
            ),
        )

    def _stale_since_ns(self) -> int | None:
        assert self._registry is not None
        return self._registry.cache_statistics().stale_since_ns

    def _close(self) -> None:
        self._sandbox.close()
        if self._engine is not None:
            self._engine.close()
        if self._registry is not None:
            self._registry.close()


def build_tick_store(
    config: TickStoreConfig,
    *,
    home: Path,
    clock: Clock | None = None,
    ids: IdGenerator | None = None,
    grants: Grants = everyone,
    tracing: Tracing | None = None,
) -> ServiceProcess:
    """Puts a tick store process together; nothing listens yet.

    Args:
        config: Its settings.
        home: Where its rows are kept by default.
        clock: The machine's by default.
        ids: Random by default.
        grants: Who holds which permission; everyone every one by default.
        tracing: Where spans go; as configured by default.
    """
    clock = clock or SystemClock()
    ids = ids or RandomIds()
    metrics = new_registry()
    parts = _Parts(config, home, clock=clock, metrics=metrics)
    maintenance = Maintenance(parts.retain, interval_seconds=config.maintenance.interval_seconds)
    handlers = TickStoreFlight(lambda: parts.store, max_lag_rows=config.reading.max_lag_rows)
    return ServiceProcess(
        "tickstore",
        config.serving,
        grpc_services=[grpc_service(lambda: parts.store)],
        flight=FlightEndpoint(
            handlers,
            max_streams=config.serving.max_flight_streams,
            max_streams_per_principal=config.serving.max_flight_streams_per_principal,
        ),
        errors=error_table(ids=ids),
        permissions=permission_table(grants),
        components=[parts, maintenance],
        metrics=metrics,
        clock=clock,
        ids=ids,
        tracing=tracing,
    )
