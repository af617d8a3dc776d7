"""Puts the registry together: the only place that knows every part."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import structlog

from tickmesh.errors import ConfigError
from tickmesh_serving.clock import Clock, SystemClock
from tickmesh_serving.identifiers import IdGenerator, RandomIds
from tickmesh_serving.metrics import new_registry
from tickmesh_serving.permissions import Grants, everyone
from tickmesh_serving.server import ServiceProcess

from .application import RegistryApplication
from .compaction import Compactor
from .config import StoreEngine
from .error_table import error_table
from .feed import Authorizer, may_see_everything
from .metrics import watch_metrics
from .redis_tier import RedisTier, connect
from .service import SchemaRegistryService, permission_table
from .shared_versions import SharedVersions
from .store.memory import MemoryStore
from .store.sql.maintenance import SqliteMaintenance
from .store.sql.store import SqliteStore
from .watch import WatchHub
from .wire import encode_change

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.tracing import Tracing

    from .config import CacheConfig, RegistryConfig
    from .store import SchemaStore
    from .store.sql.maintenance import Maintenance

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_WAL_RESET_FIXED = (3, 51, 3)


class _Life:
    """The parts that open and close with the process, in the order they need each other."""

    def __init__(
        self,
        store: SchemaStore,
        hub: WatchHub,
        application: RegistryApplication,
        shared: SharedVersions | None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._application = application
        self._shared = shared

    async def start(self) -> None:
        await self._store.open()
        self._store.on_commit(self._hub.publish)
        self._store.on_head(self._hub.move_to)
        await self._hub.start()

    async def drain(self) -> None:
        await self._hub.drain()

    async def stop(self) -> None:
        self._application.close()
        if self._shared is not None:
            await self._shared.close()
        await self._store.close()


def open_store(config: RegistryConfig, home: Path, ids: IdGenerator) -> SchemaStore:
    """The store engine that the settings name, not yet open."""
    if config.store.engine is StoreEngine.POSTGRESQL:
        from .store.sql.postgres import PostgresStore

        return PostgresStore(
            config.store.url.reveal(),
            new_epoch=ids.new_id,
            sessions=config.store.postgres_sessions,
        )
    if config.store.engine is StoreEngine.MEMORY:
        return MemoryStore(epoch=ids.new_id())
    if sqlite3.sqlite_version_info < _WAL_RESET_FIXED:
        _log.info(
            "registry.sqlite.old",
            version=sqlite3.sqlite_version,
            consequence="one connection writes and checkpoints (WAL-reset bug before 3.51.3)",
        )
    return SqliteStore(config.store.sqlite_path(home), new_epoch=ids.new_id())


def maintenance_of(config: RegistryConfig, home: Path, ids: IdGenerator) -> Maintenance:
    """What an operator can do to the store that the settings name.

    Raises:
        ConfigError: It lives in memory, or the package that speaks to it is not installed.
    """
    if config.store.engine is StoreEngine.POSTGRESQL:
        from .store.sql.postgres_maintenance import PostgresMaintenance

        return PostgresMaintenance(config.store.url.reveal(), new_epoch=ids.new_id)
    if config.store.engine is StoreEngine.MEMORY:
        raise ConfigError(
            "a store in memory ends with its process: there is nothing to migrate, back up or "
            "restore",
            key="registry.store.url",
        )
    return SqliteMaintenance(config.store.sqlite_path(home), new_epoch=ids.new_id)


def _shared_versions(
    config: CacheConfig, store: SchemaStore, hub: WatchHub, clock: Clock
) -> SharedVersions | None:
    if config.redis_url is None:
        return None
    client = connect(config.redis_url.reveal())
    tier = RedisTier(client, clock=clock, ttl_seconds=config.redis_ttl_seconds)
    return SharedVersions(tier, store, hub)


def build_registry(
    config: RegistryConfig,
    *,
    home: Path,
    clock: Clock | None = None,
    ids: IdGenerator | None = None,
    grants: Grants = everyone,
    may_see: Authorizer = may_see_everything,
    tracing: Tracing | None = None,
) -> ServiceProcess:
    """Put a registry process together; nothing listens yet.

    Args:
        config: Its settings.
        home: Where the embedded store lives.
        clock: The machine's by default.
        ids: Random by default.
        grants: Who holds which permission; everyone every one by default.
        may_see: What a watcher may be told; everything by default.
        tracing: Where spans go; as configured by default.
    """
    clock = clock or SystemClock()
    ids = ids or RandomIds()
    store = open_store(config, home, ids)
    hub = WatchHub(
        store,
        encode=encode_change,
        clock=clock,
        max_watchers=config.watch.max_watchers,
        ring_revisions=config.watch.ring_revisions,
        ring_bytes=config.watch.ring_bytes,
        may_see=may_see,
    )
    shared = _shared_versions(config.cache, store, hub, clock)
    application = RegistryApplication(store, hub, clock=clock, grants=grants, shared=shared)
    service = SchemaRegistryService(
        application, stuck_after_seconds=config.watch.stuck_after_seconds
    )
    metrics = new_registry()
    watch_metrics(metrics, hub, application)
    return ServiceProcess(
        "registry",
        config.serving,
        grpc_services=[service.grpc_service()],
        errors=error_table(),
        permissions=permission_table(grants),
        components=[
            _Life(store, hub, application, shared),
            Compactor(store, config.log, clock),
        ],
        metrics=metrics,
        clock=clock,
        ids=ids,
        tracing=tracing,
    )
