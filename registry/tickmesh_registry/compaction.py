"""Keeps the change log within its bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock

    from .config import LogConfig
    from .store import SchemaStore

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_REMEMBER_REQUESTS_NS = 24 * 3_600 * 1_000_000_000


class Compactor:
    """Drops revisions beyond the bound, and idempotency records older than a day.

    Every replica has one: what another has dropped already is dropped once.
    """

    def __init__(self, store: SchemaStore, config: LogConfig, clock: Clock) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Compact once, then now and then."""
        await self.compact()
        self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Begin no further compaction."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Wait for the one under way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def compact(self) -> None:
        """Compact now."""
        head = await self._store.head()
        await self._store.compact(
            max(0, head.revision - self._config.keep_revisions),
            forget_before_ns=self._clock.now_ns() - _REMEMBER_REQUESTS_NS,
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._config.compact_every_seconds)
            try:
                await self.compact()
            except Exception:  # noqa: BLE001 - the next round tries again
                _log.exception("registry.compaction.failed")
