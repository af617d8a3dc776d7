"""The SQL engine on SQLite."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import delete, update
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tickmesh.errors import ConfigError
from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store import Committed, Head, LogPage, Result, Transaction
from tickmesh_registry.store.write_line import WriteLine

from . import tables
from .migrate import migrate
from .reader import SqlReader, read_head
from .sqlite import ProcessLock, reader_engine, writer_engine
from .transaction import SqlTransaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from tickmesh_registry.domain.changes import Revision


class SqliteStore:
    """A store in one SQLite file, written by one process.

    Args:
        path: The database file; made when it is missing.
        new_epoch: The store epoch a new database gets.
    """

    def __init__(self, path: Path, *, new_epoch: str) -> None:
        self._path = path
        self._new_epoch = new_epoch
        self._line = WriteLine()
        self._lock = ProcessLock(path.with_name(path.name + ".lock"))
        self._writer: AsyncEngine = writer_engine(path)
        self._readers: AsyncEngine = reader_engine(path)

    async def open(self) -> None:
        """Takes the process lock and runs the migrations that are missing."""
        self._lock.acquire()
        try:
            async with self._writer.begin() as connection:
                await connection.run_sync(lambda sync: migrate(sync, epoch=self._new_epoch))
        except DatabaseError as error:
            await self.close()
            raise ConfigError(
                f"{self._path} cannot be opened as a SQLite database: {error.orig}"
            ) from error
        except BaseException:
            await self.close()
            raise

    async def head(self) -> Head:
        """Where the database itself stands now."""
        async with self.snapshot() as reader:
            return reader.head

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqlReader]:
        """Reads at the last revision."""
        with _unavailable_on_failure():
            async with self._readers.connect() as connection:
                yield SqlReader(connection, await read_head(connection))

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Runs `body` alone and commits what it staged, whole or not at all."""

        async def work() -> Committed[Result]:
            async with self._write() as (connection, head):
                transaction = SqlTransaction(connection, head)
                result = await body(transaction)
                if transaction.is_empty:
                    return Committed(result, head, None)
                revision = await transaction.write()
            return Committed(result, _head_after(head, revision), revision)

        return await self._line.run(work)

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Names who is given every revision, in order, before `transact` returns."""
        self._line.on_commit(listener)

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first."""
        async with self.snapshot() as reader:
            return await reader.changes_after(revision, limit=limit)

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drops changes up to `revision`, and idempotency records older than an instant."""

        async def work() -> Committed[None]:
            async with self._write() as (connection, head):
                compacted = max(head.compact_revision, min(revision, head.revision))
                for statement in (
                    delete(tables.change_log).where(tables.change_log.c.revision <= compacted),
                    delete(tables.completed_requests).where(
                        tables.completed_requests.c.completed_at_ns < forget_before_ns
                    ),
                    delete(tables.refusals).where(
                        tables.refusals.c.refused_at_ns < forget_before_ns
                    ),
                    update(tables.registry_clock).values(compact_revision=compacted),
                ):
                    await connection.execute(statement)
            head = Head(head.epoch, head.revision, compacted, head.changed_at_ns)
            return Committed(None, head, None)

        return (await self._line.run(work)).head

    async def close(self) -> None:
        """Ends the transaction under way and closes the file, the readers first."""
        await self._line.close()
        await asyncio.shield(self._readers.dispose())
        await asyncio.shield(self._writer.dispose())
        self._lock.release()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[tuple[AsyncConnection, Head]]:
        with _unavailable_on_failure():
            async with self._writer.begin() as connection:
                yield connection, await read_head(connection)


def _head_after(head: Head, revision: Revision | None) -> Head:
    if revision is None:
        return head
    return Head(
        epoch=head.epoch,
        revision=revision.revision,
        compact_revision=head.compact_revision,
        changed_at_ns=revision.changes[-1].changed_at_ns,
    )


@contextlib.contextmanager
def _unavailable_on_failure() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreUnavailableError(
            "the store does not answer; nothing is known to be written: retry",
            retry_after_seconds=1.0,
        ) from error
