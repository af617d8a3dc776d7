"""One SQLite database: durable, one writer at a time, readers never blocked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.pool import ConnectionPoolEntry


class Database:
    """The file, its write lock and its migrations.

    One process opens it (the home's lock sees to that), so a lock in memory is enough to give the
    one writer SQLite allows its turn without busy errors.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and migrates it.

        Args:
            path: The database file; its directory exists.
        """
        self._engine = _open_engine(path)
        self._write_lock = threading.Lock()
        with self._engine.connect() as connection:
            migrations = Config()
            migrations.set_main_option(
                "script_location", str(resources.files("tickmesh_cleaner.store") / "migrations")
            )
            migrations.attributes["connection"] = connection
            command.upgrade(migrations, "head")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write; on leaving it is durable, or rolled back."""
        with self._write_lock, self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of what is committed."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()


def _open_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30.0}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # Transactions begin where this module says so, not where the driver guesses.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
