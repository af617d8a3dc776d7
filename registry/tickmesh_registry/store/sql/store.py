"""The SQL engine on SQLite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

from tickmesh.errors import ConfigError
from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store import Committed
from tickmesh_registry.store.write_line import WriteLine
from tickmesh_serving.migration import migrate
from tickmesh_serving.process_lock import ProcessLock
from tickmesh_serving.sqlite import reader_engine, writer_engine

from .commits import compact_log
from .connection import ConnectionThread
from .group import one_by_one, run_group
from .reader import SqlReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.store import Head, LogPage, Result, Transaction
    from tickmesh_registry.store.write_line import Body

    from .group import Outcome

_READERS = 4
_MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_lock(path: Path) -> ProcessLock:
    """What keeps a second process from writing to a store's file."""
    lock = path.with_name(path.name + ".lock")
    return ProcessLock(
        lock,
        held=f"another process holds {lock}; a SQLite registry is served by one process: "
        "stop the other, or name another file",
    )


class SqliteStore:
    """A store in one SQLite file, written by one process.

    Args:
        path: The database file; made when it is missing.
        new_epoch: The store epoch a new database gets.
    """

    def __init__(self, path: Path, *, new_epoch: str) -> None:
        self._path = path
        self._new_epoch = new_epoch
        self._line = WriteLine(partial(one_by_one, commit_together=self._commit_together))
        self._lock = sqlite_lock(path)
        self._writer = ConnectionThread(writer_engine(path), name="registry-writer")
        self._readers = [
            ConnectionThread(reader_engine(path), name="registry-reader") for _ in range(_READERS)
        ]
        self._idle: asyncio.LifoQueue[ConnectionThread] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Take the process lock and run the migrations that are missing."""
        self._lock.acquire()
        try:
            await self._writer.run(self._migrate)
        except DatabaseError as error:
            await self.close()
            raise ConfigError(
                f"{self._path} cannot be opened as a SQLite database: {error.orig}",
                key="registry.store.url",
            ) from error
        except BaseException:
            await self.close()
            raise
        for reader in self._readers:
            self._idle.put_nowait(reader)

    async def head(self) -> Head:
        """Where the database itself stands now."""
        async with self.snapshot() as reader:
            return reader.head

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqlReader]:
        """Read at the last revision."""
        async with self._reading() as thread:
            yield SqlReader(thread, await thread.begin())

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run `body` alone and commit what it staged, whole or not at all."""
        return await self._line.transact(body)

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision, in order, before `transact` returns."""
        self._line.on_commit(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Name who is told where the store stands when it moved without a revision."""
        self._line.on_head(listener)

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first."""
        async with self._reading() as thread:
            queries = await thread.begin()
            return await thread.run(queries.changes_after, revision, limit=limit)

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drop changes up to `revision`, and idempotency records older than an instant."""

        async def work() -> Committed[None]:
            with _unavailable_on_failure():
                head = (await self._writer.begin()).head
                compacted = max(head.compact_revision, min(revision, head.revision))
                head = await self._writer.transact(
                    partial(compact_log, compacted, forget_before_ns)
                )
            return Committed(None, head, None)

        return (await self._line.run(work)).head

    async def close(self) -> None:
        """End the transaction under way and close the file, the readers first."""
        await self._line.close()
        for reader in self._readers:
            await reader.close()
        await self._writer.close()
        self._lock.release()

    async def _commit_together(self, bodies: Sequence[Body]) -> Sequence[Outcome]:
        with _unavailable_on_failure():
            queries = await self._writer.begin()
            try:
                outcomes = await run_group(
                    bodies,
                    head=queries.head,
                    connection=queries.connection,
                    runner=self._writer,
                )
                await self._writer.transact(_nothing_more)
            finally:
                self._writer.end()
        return outcomes

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[ConnectionThread]:
        thread = await self._idle.get()
        try:
            with _unavailable_on_failure():
                yield thread
        finally:
            thread.end()
            self._idle.put_nowait(thread)

    def _migrate(self) -> None:
        engine = writer_engine(self._path)
        try:
            with engine.begin() as connection:
                migrate(connection, scripts=_MIGRATIONS, epoch=self._new_epoch)
        finally:
            engine.dispose()


def _nothing_more(connection: Connection) -> None:
    """Everything was written before; what is left is the commit."""


@contextmanager
def _unavailable_on_failure() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailableError(
            "the store does not answer; nothing is known to be written: retry",
            retry_after_seconds=1.0,
        ) from error
