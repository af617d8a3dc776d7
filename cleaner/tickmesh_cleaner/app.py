"""Puts the cleaner together: the only place that knows every part."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING

from tickmesh._ticks.connection import TickConnection
from tickmesh._wire.credentials import credentials_of
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.schema.validation import SelfCheck
from tickmesh_cleaner.application import CleanerApplication
from tickmesh_cleaner.auditing import Auditor
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.error_table import error_table
from tickmesh_cleaner.feeds.feeds import Feeds
from tickmesh_cleaner.feeds.hosts import FeedHosts
from tickmesh_cleaner.feeds.loop import FeedLoop
from tickmesh_cleaner.flight_service import CleanerFlights, QuarantineFlights
from tickmesh_cleaner.jobs import JobRunner
from tickmesh_cleaner.judging_application import JudgingApplication
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.permissions import permission_table
from tickmesh_cleaner.puts.desk import PutDesk
from tickmesh_cleaner.puts.putting import PutStreams
from tickmesh_cleaner.quarantine_files import QuarantineFiles
from tickmesh_cleaner.quarantine_reading import QuarantineReader
from tickmesh_cleaner.registry_schemas import RegistrySchemas
from tickmesh_cleaner.retention import Retention, RetentionKeeper
from tickmesh_cleaner.row_flights import RowFlights
from tickmesh_cleaner.service import CleanerService
from tickmesh_cleaner.sinks.configured import ConfiguredSinks
from tickmesh_cleaner.sinks.lake import LakeRoots
from tickmesh_cleaner.sources.queries import Queries
from tickmesh_cleaner.sources.roots import SourceRoots
from tickmesh_cleaner.spool import SpoolSpace
from tickmesh_cleaner.statistics import Statistics
from tickmesh_cleaner.store import CleanerStore
from tickmesh_cleaner.stored_rows import TickStoreRows
from tickmesh_cleaner.uploads import Uploads
from tickmesh_cleaner.work import Workshop
from tickmesh_serving.client_metrics import registry_client_metrics
from tickmesh_serving.clock import Clock, SystemClock
from tickmesh_serving.flight import FlightEndpoint
from tickmesh_serving.identifiers import IdGenerator, RandomIds
from tickmesh_serving.metrics import new_registry
from tickmesh_serving.permissions import Grants, everyone
from tickmesh_serving.server import ServiceProcess
from tickmesh_serving.tickets import TicketSigner, load_or_make_key

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_cleaner.config import CleanerConfig
    from tickmesh_serving.tracing import Tracing

_DAY_NS = 86_400_000_000_000


class _Life:
    """The parts that open and close with the process."""

    def __init__(
        self,
        store: CleanerStore,
        runner: JobRunner,
        feeds: Feeds,
        registry: RegistryClient,
        tick_store: TickConnection,
        self_check: SelfCheck,
        *,
        drain_seconds: float,
    ) -> None:
        self._store = store
        self._runner = runner
        self._feeds = feeds
        self._registry = registry
        self._tick_store = tick_store
        self._self_check = self_check
        self._drain_seconds = drain_seconds

    async def start(self) -> None:
        """Go on with the jobs an earlier process left."""
        await asyncio.to_thread(self._runner.take_up)

    async def drain(self) -> None:
        """Stop jobs at their next step; what is open is taken up after the restart."""
        await asyncio.to_thread(self._runner.stop, timeout_seconds=self._drain_seconds)

    async def stop(self) -> None:
        """Close connections and files."""
        await asyncio.to_thread(self._feeds.close)
        await asyncio.to_thread(self._self_check.close)
        await asyncio.to_thread(self._registry.close)
        self._tick_store.close()
        self._store.close()


def engine_name() -> str:
    """The name and version of this cleaner, as quarantine records carry it."""
    try:
        return f"tickmesh {metadata.version('tickmesh')}"
    except metadata.PackageNotFoundError:
        return "tickmesh (not installed)"


def build_cleaner(
    config: CleanerConfig,
    home: Path,
    *,
    clock: Clock | None = None,
    ids: IdGenerator | None = None,
    grants: Grants = everyone,
    tracing: Tracing | None = None,
) -> ServiceProcess:
    """Put a cleaner process together; nothing listens yet.

    Args:
        config: Its settings.
        home: The mesh's home; the cleaner keeps everything below `cleaner` there.
        clock: The machine's by default.
        ids: Random by default.
        grants: Who holds which permission; everyone every one by default.
        tracing: Where spans go; as configured by default.

    Raises:
        ConfigError: Another cleaner runs on this home.
    """
    clock = clock or SystemClock()
    ids = ids or RandomIds()
    # Jobs wait by themselves and say so: retries below them would only delay that.
    client = replace(load_client_config(home=home), call_attempts=1)
    directory = home / "cleaner"
    store = CleanerStore(directory)
    files = QuarantineFiles(directory / "quarantine")
    registry = RegistryClient(config=client, cache_directory=directory / "schemas")
    tick_store = TickConnection(
        address=client.tickstore,
        flight_address=client.tickstore_flight,
        credentials=credentials_of(client),
        call_attempts=client.call_attempts,
    )
    databases = Connections(config.databases)
    sinks = ConfiguredSinks(
        connection=tick_store,
        lake_roots=LakeRoots(config.sinks.lake_roots),
        databases=databases,
    )
    schemas = RegistrySchemas(registry)
    metrics = new_registry()
    registry_client_metrics(metrics, registry)
    uploads = Uploads(
        store.uploads,
        directory / "uploads",
        max_upload_bytes=config.sources.max_upload_bytes,
        max_spool_bytes=config.sources.max_spool_bytes,
        clock=clock,
        ids=ids,
    )
    feeds = Feeds(
        space=SpoolSpace(
            directory / "feeds",
            max_bytes=config.sources.max_spool_bytes,
            taken_elsewhere=lambda: uploads.size_bytes,
        ),
        hosts=FeedHosts(config.sources.hosts, config.feeds.headers),
        loop=FeedLoop(),
        jobs=store.jobs,
        clock=clock,
        max_answer_bytes=config.feeds.max_answer_bytes,
    )
    statistics = Statistics(clock)
    puts = PutStreams(directory / "puts", store.ledger)
    cleaner_metrics = CleanerMetrics(metrics, observe=statistics.committed)
    self_check = SelfCheck(on_recheck=cleaner_metrics.rechecked)
    workshop = Workshop(
        store=store,
        quarantine=files,
        uploads=uploads,
        feeds=feeds,
        roots=SourceRoots(config.sources.roots),
        queries=Queries(
            databases,
            directory / "queries",
            max_bytes=config.sources.max_spool_bytes,
            taken_elsewhere=lambda: uploads.size_bytes,
        ),
        schemas=schemas,
        sinks=sinks,
        metrics=cleaner_metrics,
        clock=clock,
        engine=engine_name(),
        puts=puts,
        self_check=self_check,
    )
    runner = JobRunner(workshop, owner=ids.new_id(), max_running=config.jobs.max_running)
    application = CleanerApplication(
        workshop,
        runner,
        schemas=schemas,
        auditor=Auditor(store, files, sinks.rows_of),
        ids=ids,
        max_unfinished=config.jobs.max_unfinished,
    )
    judging = JudgingApplication(
        workshop,
        reader=QuarantineReader(store.quarantine, files),
        stored=TickStoreRows(tick_store),
        cache=schemas,
        statistics=statistics,
        self_check=self_check,
        spool_bytes=lambda: uploads.size_bytes + feeds.space.size_bytes + puts.held_bytes(),
    )
    days = config.quarantine.max_age_days
    retention = Retention(
        store,
        files,
        max_bytes=config.quarantine.max_bytes,
        max_age_ns=None if days is None else round(days * _DAY_NS),
        clock=clock,
        metrics=workshop.metrics,
    )
    quarantined = QuarantineFlights(
        store,
        files,
        signer=TicketSigner(load_or_make_key(directory / "ticket.key"), clock=clock),
        clock=clock,
    )
    flights = CleanerFlights(
        quarantined,
        RowFlights(PutDesk(workshop, runner, ids=ids, max_unfinished=config.jobs.max_unfinished)),
    )
    return ServiceProcess(
        "cleaner",
        config.serving,
        grpc_services=[CleanerService(application, judging).grpc_service()],
        errors=error_table(),
        permissions=permission_table(grants=grants),
        flight=FlightEndpoint(
            flights,
            max_streams=config.serving.max_flight_streams,
            max_streams_per_principal=config.serving.max_flight_streams_per_principal,
        ),
        components=[
            _Life(
                store,
                runner,
                feeds,
                registry,
                tick_store,
                self_check,
                drain_seconds=config.serving.drain_seconds,
            ),
            RetentionKeeper(retention),
        ],
        metrics=metrics,
        clock=clock,
        ids=ids,
        tracing=tracing,
    )
