"""Migrating, backing up and restoring a store in PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh.errors import ConfigError
from tickmesh_serving.migration import migrate

from .backup import StoreContent, opened_backup, restore_into, write_backup
from .postgres_cluster import LOCK_FOR_MIGRATION, TRY_LOCK_ALONE
from .postgres_session import SessionPool, open_connection, told_to_operator
from .queries import read_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

_MIGRATIONS = Path(__file__).parent / "migrations"
# Nobody waits for it, so it may take as long as it takes.
_PATIENT = {
    "lock_timeout": "60s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class PostgresMaintenance:
    """The commands on a PostgreSQL database; see `Maintenance`.

    Args:
        url: As libpq takes it.
        new_epoch: Makes the epoch of a store that begins another history.
    """

    def __init__(self, url: str, *, new_epoch: Callable[[], str]) -> None:
        self._url = url
        self._new_epoch = new_epoch

    async def migrate(self) -> int:
        """Bring the tables to this version; several at once wait for each other."""
        async with self._transaction("READ COMMITTED") as session:
            await self._migrate(session)
            head = await session.run_sync(read_head)
            await session.commit()
            return head.revision

    async def backup(self, file: Path) -> StoreContent:
        """Write everything one snapshot sees into a new file; registries go on serving."""
        async with self._transaction("REPEATABLE READ") as session:
            return await session.run_sync(partial(write_backup, file=file))

    async def restore(self, file: Path, *, replace: bool) -> StoreContent:
        """Take the content of a backup, under a new epoch, all or nothing."""
        with opened_backup(file) as backup:
            async with self._transaction("READ COMMITTED") as session:
                await self._migrate(session)
                if not await session.run_sync(_is_alone):
                    raise ConfigError(
                        "a registry serves this store: stop every replica, then restore",
                        key="registry.store.url",
                    )
                content = await session.run_sync(
                    partial(
                        restore_into,
                        backup=backup,
                        new_epoch=self._new_epoch(),
                        replace=replace,
                    )
                )
                await session.commit()
                return content

    async def _migrate(self, session: AsyncConnection) -> None:
        await session.exec_driver_sql(LOCK_FOR_MIGRATION)
        await session.run_sync(partial(migrate, scripts=_MIGRATIONS, epoch=self._new_epoch()))

    @asynccontextmanager
    async def _transaction(self, isolation: str) -> AsyncIterator[AsyncConnection]:
        pool = SessionPool(
            partial(open_connection, self._url, command_seconds=None),
            size=1,
            isolation=isolation,
            settings=_PATIENT,
        )
        try:
            with told_to_operator():
                async with pool.begin(_nothing) as (session, _):
                    yield session
        finally:
            await pool.close()


def _nothing(connection: Connection) -> None:
    """The transaction begins with what its owner does first."""


def _is_alone(connection: Connection) -> bool:
    alone: bool = connection.exec_driver_sql(TRY_LOCK_ALONE).scalar_one()
    return alone
