"""One SQLite database: durable, one writer at a time, readers never blocked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_serving.migration import migrate
from tickmesh_serving.sqlite import reader_engine, writer_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


class Database:
    """The file, its write lock and its migrations.

    One process opens it (the home's lock sees to that), so a lock in memory is enough to give the
    one writer SQLite allows its turn without busy errors.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file and migrate it.

        Args:
            path: The database file; its directory exists.

        Raises:
            ConfigError: The database was written by a newer version.
        """
        self._writer = writer_engine(path)
        self._readers = reader_engine(path)
        self._write_lock = threading.Lock()
        with self.write() as connection:
            migrate(connection, scripts=Path(__file__).parent / "migrations")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write; on leaving it is durable, or rolled back."""
        with self._write_lock, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of what is committed."""
        with self._readers.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._readers.dispose()
        self._writer.dispose()
