"""What the store does by itself from time to time: drops what retention does not keep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter

from tickmesh_tickstore.domain.errors import DatasetNotFoundError, TickStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_serving.clock import Clock
    from tickmesh_tickstore.dataset_settings import SettingsDirectory
    from tickmesh_tickstore.engine.interface import TickEngine

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.tickstore")


class Retainer:
    """Applies the retention of every dataset."""

    def __init__(
        self,
        *,
        engine: TickEngine,
        settings: SettingsDirectory,
        clock: Clock,
        ticket_lifetime_seconds: float,
        metrics: CollectorRegistry | None = None,
    ) -> None:
        """Registers its counters with `metrics`, or with a registry nobody scrapes.

        Args:
            engine: Where rows are kept.
            settings: What is kept of each dataset.
            clock: The engine's clock.
            ticket_lifetime_seconds: Files of dropped rows stay so long: tickets may need them.
            metrics: Where counters are registered.
        """
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._lifetime_ns = round(ticket_lifetime_seconds * 1e9)
        registry = metrics if metrics is not None else CollectorRegistry()

        def counter(name: str, text: str) -> Counter:
            return Counter(f"tickmesh_tickstore_retention_{name}", text, registry=registry)

        self._rows = counter("dropped_rows", "Rows that retention dropped")
        self._bytes = counter("freed_bytes", "Bytes of files that went after retention")
        self._failures = counter("failures", "Datasets whose retention could not be applied")

    def apply(self) -> None:
        """Goes once over all datasets; one that fails does not keep the others from it."""
        for info in self._engine.datasets():
            if info.damage:
                continue
            try:
                self._apply_to(info.name)
            except DatasetNotFoundError:
                # Deleted meanwhile.
                continue
            except (TickStoreError, TimeoutError, OSError) as error:
                self._failures.inc()
                _log.warning("tickstore.retention.failed", dataset=info.name, error=str(error))

    def _apply_to(self, name: str) -> None:
        retention = self._settings.get(name).retention
        if not retention.keeps_everything:
            rows = self._engine.trim(name, retention)
            if rows:
                self._rows.inc(rows)
                _log.info("tickstore.retention.dropped", dataset=name, rows=rows)
        freed = self._engine.reclaim(
            name, dropped_before_ns=self._clock.now_ns() - self._lifetime_ns
        )
        if freed:
            self._bytes.inc(freed)
            _log.info("tickstore.retention.freed", dataset=name, bytes=freed)


class Maintenance:
    """A component of the process: runs work in a thread, again and again, until it drains."""

    def __init__(self, work: Callable[[], None], *, interval_seconds: float) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins; the work runs for the first time after one interval."""
        self._task = asyncio.create_task(self._run(), name="tickstore-maintenance")

    async def drain(self) -> None:
        """Begins no further round."""
        self._ending.set()

    async def stop(self) -> None:
        """Waits for the round at hand."""
        self._ending.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                async with asyncio.timeout(self._interval_seconds):
                    await self._ending.wait()
            except TimeoutError:
                await self._round()

    async def _round(self) -> None:
        try:
            await asyncio.to_thread(self._work)
        except Exception:  # noqa: BLE001 — the next round may do better, and the store serves on
            _log.exception("tickstore.maintenance.failed")
