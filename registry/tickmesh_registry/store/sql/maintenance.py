"""What is done to a store while, or instead of, serving it: migrate, back up, restore."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import DatabaseError

from tickmesh.errors import ConfigError
from tickmesh_serving.migration import migrate
from tickmesh_serving.sqlite import read_only_engine, writer_engine

from .backup import StoreContent, opened_backup, restore_into, write_backup
from .queries import read_head
from .store import sqlite_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

_MIGRATIONS = Path(__file__).parent / "migrations"


class Maintenance(Protocol):
    """Commands of an operator on one store; nothing of it is open between them."""

    async def migrate(self) -> int:
        """Bring the tables to this version; the revision the store stands at.

        Raises:
            ConfigError: The store cannot be reached, or a newer version wrote it.
        """

    async def backup(self, file: Path) -> StoreContent:
        """Write everything one snapshot sees into a new file; registries go on serving.

        Raises:
            ConfigError: The store or the file cannot be used.
        """

    async def restore(self, file: Path, *, replace: bool) -> StoreContent:
        """Take the content of a backup, under a new epoch, all or nothing.

        Args:
            file: A backup of any engine.
            replace: Whether a store that holds anything is replaced, or refused.

        Raises:
            ConfigError: A registry serves the store, it is not empty, or the file is no backup.
        """


class SqliteMaintenance:
    """The commands on a SQLite file.

    Args:
        path: The database.
        new_epoch: Makes the epoch of a store that begins another history.
    """

    def __init__(self, path: Path, *, new_epoch: Callable[[], str]) -> None:
        self._path = path
        self._new_epoch = new_epoch

    async def migrate(self) -> int:
        """Bring the tables to this version; no registry may serve the file."""
        return await asyncio.to_thread(self._migrate)

    async def backup(self, file: Path) -> StoreContent:
        """Write everything one snapshot sees into a new file."""
        return await asyncio.to_thread(self._backup, file)

    async def restore(self, file: Path, *, replace: bool) -> StoreContent:
        """Take the content of a backup, under a new epoch, all or nothing."""
        return await asyncio.to_thread(self._restore, file, replace=replace)

    def _migrate(self) -> int:
        with self._alone() as connection:
            return read_head(connection).revision

    def _backup(self, file: Path) -> StoreContent:
        if not self._path.exists():
            raise ConfigError(f"there is no store at {self._path}", key="registry.store.url")
        with self._connected(read_only_engine(self._path)) as connection:
            return write_backup(connection, file)

    def _restore(self, file: Path, *, replace: bool) -> StoreContent:
        with opened_backup(file) as backup, self._alone() as target:
            return restore_into(target, backup, new_epoch=self._new_epoch(), replace=replace)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        lock = sqlite_lock(self._path)
        lock.acquire()
        try:
            with self._connected(writer_engine(self._path)) as connection:
                migrate(connection, scripts=_MIGRATIONS, epoch=self._new_epoch())
                yield connection
        finally:
            lock.release()

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise ConfigError(
                f"{self._path} cannot be opened as a SQLite database: {error.orig}",
                key="registry.store.url",
            ) from error
        finally:
            engine.dispose()
