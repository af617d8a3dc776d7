"""A store that several replicas write: a PostgreSQL cluster of the run's own, and its faults."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from tests.chaos.change_log import CLOCK, COLUMNS, QUERY, StoreState, changes_of
from tests.support.postgres import PostgresCluster
from tests.support.postgres_fixtures import fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_READ_SECONDS = 5.0
_SNAPSHOT = {"default_transaction_isolation": "repeatable read"}
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND usename IS NOT NULL
"""


class PostgresLogReader:
    """Reads the log on one connection of its own, as long as that holds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def read(self, after: int) -> StoreState | None:
        """The store and its log after a revision; None while PostgreSQL does not answer."""
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return await self._read(after)
        except Exception:  # noqa: BLE001 - whatever broke the session, the next read has a new one
            self.close()
            return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _read(self, after: int) -> StoreState:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url, server_settings=_SNAPSHOT)
        async with self._connection.transaction():
            clock = await self._connection.fetchrow(CLOCK)
            rows = await self._connection.fetch(QUERY.replace("?", "$1"), after)
        assert clock is not None
        return StoreState(
            clock[0],
            clock[1],
            clock[2],
            changes_of([[row[index] for index in range(COLUMNS)] for row in rows]),
        )


@dataclass(frozen=True)
class SharedStore:
    """A database that replicas share.

    Attributes:
        url: As the registry's settings take it.
        reader: Reads its log.
    """

    url: str
    reader: PostgresLogReader
    cluster: PostgresCluster

    async def crash(self) -> None:
        """End the database server as a crash would, and start it again."""
        await asyncio.to_thread(self.cluster.stop, immediately=True)
        await asyncio.to_thread(self.cluster.start)

    async def cut_sessions(self) -> None:
        """End every session there is."""
        connection = await self.cluster.connect()
        try:
            await connection.execute(_CUT)
        finally:
            with suppress(OSError):
                connection.terminate()


@asynccontextmanager
async def postgres_store() -> AsyncIterator[SharedStore]:
    """A cluster with one database whose tables are made."""
    cluster = PostgresCluster()
    try:
        await asyncio.to_thread(cluster.create)
        async with fresh_database(cluster) as url:
            reader = PostgresLogReader(url)
            try:
                yield SharedStore(url, reader, cluster)
            finally:
                reader.close()
    finally:
        await asyncio.to_thread(cluster.destroy)
