"""The SQL engine on PostgreSQL: one store, served by any number of replicas.

The very functions that SQLite runs in a thread run here on the event loop, in SQLAlchemy's
greenlet. A write holds the counter row from its first statement to its commit, so every check
inside it is made against what no other replica can change meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy import cast, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Text

from tickmesh.errors import ConfigError
from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store import Committed, Head, LogPage
from tickmesh_registry.store.following import LogFollower
from tickmesh_registry.store.write_line import WriteLine
from tickmesh_serving.migration import TableState, table_state

from . import tables
from .commits import compact_log
from .group import one_by_one, run_group
from .postgres_cluster import adopt_cluster, read_cluster, renew_epoch
from .postgres_listener import CommitListener
from .postgres_session import (
    GreenletRunner,
    SessionPool,
    is_lock_timeout,
    is_lost,
    is_session_ended,
    open_connection,
    patiently,
    unavailable_on_failure,
)
from .postgres_stalled_holder import StalledHolder
from .queries import Queries
from .reader import SqlReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    import asyncpg
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.store import Result, Transaction
    from tickmesh_registry.store.write_line import Body

    from .group import Outcome

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOG_PAGE_CHANGES = 512
_COMPACTED_AT_ONCE = 10_000
_SETTLE_SECONDS = 10.0
_SETTLE_EVERY_SECONDS = 0.25
_UNKNOWN_OUTCOME = (
    "the connection to the store was lost while it committed, and whether it did is not known: "
    "retry with the same request id, or read first"
)

_LOCK_CLOCK = select(
    tables.registry_clock,
    cast(func.pg_current_xact_id(), Text).label("transaction_id"),
    func.pg_backend_pid().label("server_process"),
).with_for_update()
_OUTCOME = "SELECT pg_xact_status($1::text::xid8)"


class _Locked(NamedTuple):
    """The counter row, held until the transaction ends."""

    head: Head
    transaction_id: str
    server_process: int


class PostgresStore:
    """A store in a PostgreSQL database.

    Args:
        url: As libpq takes it: `postgresql://user:password@host/database`.
        new_epoch: Makes the epoch of a store that begins another history.
        sessions: How many transactions read at a time; one more writes, one more listens.
        start_patience_seconds: How long `open` waits for a database that does not answer.
    """

    def __init__(
        self,
        url: str,
        *,
        new_epoch: Callable[[], str],
        sessions: int = 8,
        start_patience_seconds: float = 30.0,
    ) -> None:
        self._url = url
        self._new_epoch = new_epoch
        self._cluster: str | None = None
        self._line = WriteLine(partial(one_by_one, commit_together=self._commit_together))
        self._writer = SessionPool(self._connect, size=1, isolation="READ COMMITTED", settings={})
        self._readers = SessionPool(
            self._connect,
            size=sessions,
            isolation="REPEATABLE READ",
            settings={"default_transaction_read_only": "on"},
        )
        self._follower = LogFollower(self._read_log, renew=self._renew)
        self._listener = CommitListener(
            partial(self._connect, {}), heard=self._heard, connected=self._follower.hurry
        )
        self._holder = StalledHolder(partial(open_connection, url, {}))
        self._own_server_process = 0
        self._start_patience_seconds = start_patience_seconds

    async def open(self) -> None:
        """Make sure that the tables are this version's, and follow the log.

        PostgreSQL may start at the same time, or cut a session off: it is waited for.

        Raises:
            ConfigError: The settings are wrong, or the tables are not this version's.
            UnavailableError: The database did not answer in time.
        """
        give_up_at = time.monotonic() + self._start_patience_seconds
        try:
            self._follower.start(await patiently(self._look_around, give_up_at=give_up_at))
            await patiently(self._listener.start, give_up_at=give_up_at)
        except BaseException:
            await self.close()
            raise

    async def head(self) -> Head:
        """Where the database itself stands now."""
        async with self.snapshot() as reader:
            return reader.head

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqlReader]:
        """Read at the last revision."""
        with unavailable_on_failure():
            async with self._readers.begin(Queries) as (session, queries):
                yield SqlReader(GreenletRunner(session), queries)

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run `body` alone and commit what it staged, whole or not at all."""
        return await self._line.transact(body)

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision of every process, in order."""
        self._follower.on_commit(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Name who is told where the store stands when it moved without a revision."""
        self._follower.on_head(listener)

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first."""
        with unavailable_on_failure():
            async with self._readers.begin(
                lambda connection: Queries(connection).changes_after(revision, limit=limit)
            ) as (_, page):
                return page

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drop changes up to `revision`, and idempotency records older than an instant.

        Writers wait for each part of it only, and several replicas may compact at once.
        """
        while True:
            head, done = await self._compact_some(revision, forget_before_ns)
            if done:
                await self._follower.catch_up()
                return head

    async def close(self) -> None:
        """End the transaction under way and close every connection."""
        await self._line.close()
        await self._holder.settle()
        await self._listener.close()
        await self._follower.close()
        await self._writer.close()
        await self._readers.close()

    async def _commit_together(self, bodies: Sequence[Body]) -> Sequence[Outcome]:
        """Commit what bodies stage, all or nothing.

        A session with which this process stood still was ended by the server, and what was staged
        in it is gone, as after a commit that is known to have failed: the bodies run once more.
        """
        with unavailable_on_failure():
            try:
                outcomes = await self._commit_at_once(bodies)
            except DBAPIError as error:
                if not is_session_ended(error):
                    raise
                _log.warning("registry.store.session.ended", writes=len(bodies))
                outcomes = await self._commit_at_once(bodies)
        for outcome in outcomes:
            if isinstance(outcome, Committed) and outcome.revision is not None:
                self._follower.tell(outcome.revision, outcome.head)
        return outcomes

    async def _commit_at_once(self, bodies: Sequence[Body]) -> Sequence[Outcome]:
        async with self._writing() as (session, locked):
            outcomes = await run_group(
                bodies,
                head=locked.head,
                connection=_sync(session),
                runner=GreenletRunner(session),
            )
            await self._commit(session, locked)
        return outcomes

    async def _compact_some(self, revision: int, forget_before_ns: int) -> tuple[Head, bool]:
        async def work() -> Committed[bool]:
            with unavailable_on_failure():
                async with self._writing() as (session, locked):
                    head = locked.head
                    target = max(head.compact_revision, min(revision, head.revision))
                    step = min(target, head.compact_revision + _COMPACTED_AT_ONCE)
                    head = await session.run_sync(partial(compact_log, step, forget_before_ns))
                    await self._commit(session, locked)
            return Committed(step == target, head, None)

        committed = await self._line.run(work)
        return committed.head, committed.result

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[tuple[AsyncConnection, _Locked]]:
        """A transaction that holds the counter row, of a store this process knows to its head."""
        async with AsyncExitStack() as session_end:
            session, locked = await self._hold_in_turn(session_end)
            self._own_server_process = locked.server_process
            await self._know(locked.head, session)
            yield session, locked

    async def _hold_in_turn(self, session_end: AsyncExitStack) -> tuple[AsyncConnection, _Locked]:
        """The counter row in a transaction of its own, which ends with `session_end`.

        A look at a stalled holder that came late, because this process stood still itself, may
        make way only when the wait is over: then another one succeeds.
        """
        ended_before = self._holder.ended
        try:
            return await session_end.enter_async_context(self._writer.begin(self._hold_clock))
        except DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            await self._holder.settle()
            if self._holder.ended == ended_before:
                raise
        return await session_end.enter_async_context(self._writer.begin(self._hold_clock))

    def _hold_clock(self, connection: Connection) -> _Locked:
        with self._holder.ended_while_waiting():
            return _lock_clock(connection)

    async def _know(self, head: Head, session: AsyncConnection) -> None:
        """Tell what others committed before a write is added to it.

        The row is held, so what is missing is all there; afterwards the write is the next one.
        """
        told = self._follower.told
        if (head.epoch, head.revision) == (told.epoch, told.revision):
            return
        await self._follower.catch_up(lambda after: session.run_sync(partial(_read_after, after)))
        if head.epoch != told.epoch:
            raise StoreUnavailableError(
                "the store was restored, or taken over by a standby: read again and retry",
                retry_after_seconds=1.0,
            )

    async def _commit(self, session: AsyncConnection, locked: _Locked) -> None:
        try:
            await session.commit()
        except TimeoutError as error:  # it may have been committed here and not on a standby
            raise StoreUnavailableError(_UNKNOWN_OUTCOME, retry_after_seconds=1.0) from error
        except Exception as error:
            if not is_lost(error):
                raise
            _log.warning("registry.store.commit.unanswered", transaction=locked.transaction_id)
            if not await self._was_committed(locked.transaction_id):
                raise

    def _heard(self, server_process: int, epoch: str, revision: int) -> None:
        """Read the log when others committed; what this process commits it tells by itself."""
        if server_process != self._own_server_process:
            self._follower.hint(epoch, revision)

    async def _was_committed(self, transaction_id: str) -> bool:
        """What became of a commit whose answer was lost: PostgreSQL remembers.

        Raises:
            StoreUnavailableError: It cannot be asked in time, or the cluster is another one.
        """
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                while True:
                    status = await self._status_of(transaction_id)
                    if status in ("committed", "aborted"):
                        _log.warning("registry.store.commit.settled", status=status)
                        return status == "committed"
                    await asyncio.sleep(_SETTLE_EVERY_SECONDS)
        except TimeoutError:
            raise StoreUnavailableError(_UNKNOWN_OUTCOME, retry_after_seconds=1.0) from None

    async def _status_of(self, transaction_id: str) -> str | None:
        try:
            with unavailable_on_failure():
                connection = await open_connection(self._url, {})
                try:
                    if await read_cluster(connection) != self._cluster:
                        return None
                    status: str | None = await connection.fetchval(_OUTCOME, transaction_id)
                    return status
                finally:
                    connection.terminate()
        except StoreUnavailableError:
            return None

    async def _connect(self, settings: dict[str, str]) -> asyncpg.Connection:
        """Open a connection, to no other cluster and timeline than the store is known to be in."""
        connection = await open_connection(self._url, settings)
        try:
            if await read_cluster(connection) != self._cluster:
                await self._adopt_cluster()
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _adopt_cluster(self) -> None:
        connection = await open_connection(self._url, {})
        try:
            with self._holder.ended_while_waiting():
                self._cluster = await adopt_cluster(connection, new_epoch=self._new_epoch())
        finally:
            connection.terminate()

    async def _renew(self) -> None:
        with unavailable_on_failure():
            connection = await open_connection(self._url, {})
            try:
                await renew_epoch(
                    connection, behind=self._follower.told.revision, new_epoch=self._new_epoch()
                )
            finally:
                connection.terminate()

    async def _read_log(self, after: int) -> LogPage:
        with unavailable_on_failure():
            async with self._readers.begin(partial(_read_after, after)) as (_, page):
                return page

    async def _look_around(self) -> Head:
        """Know the database before anything is read or written; where it stands."""
        await self._require_tables()
        await self._adopt_cluster()
        return await self.head()

    async def _require_tables(self) -> None:
        asking = SessionPool(
            partial(open_connection, self._url), size=1, isolation="READ COMMITTED", settings={}
        )
        try:
            async with asking.begin(partial(table_state, scripts=_MIGRATIONS)) as (_, state):
                pass
        finally:
            await asking.close()
        if state is TableState.NEWER:
            raise ConfigError(
                "the database was written by a newer version of tickmesh; upgrade tickmesh",
                key="registry.store.url",
            )
        if state is not TableState.CURRENT:
            raise ConfigError(
                f"the registry's tables are {state.value} in the database: run "
                "`tickmesh registry migrate`, then start the registry again",
                key="registry.store.url",
            )


def _sync(session: AsyncConnection) -> Connection:
    assert session.sync_connection is not None
    return session.sync_connection


def _lock_clock(connection: Connection) -> _Locked:
    row = connection.execute(_LOCK_CLOCK).mappings().one()
    head = Head(
        epoch=row["epoch"],
        revision=row["revision"],
        compact_revision=row["compact_revision"],
        changed_at_ns=row["changed_at_ns"],
    )
    return _Locked(head, row["transaction_id"], row["server_process"])


def _read_after(revision: int, connection: Connection) -> LogPage:
    queries = Queries(connection)
    if queries.head.revision == revision:
        return LogPage(queries.head, ())
    return queries.changes_after(revision, limit=_LOG_PAGE_CHANGES)
