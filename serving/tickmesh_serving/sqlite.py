"""SQLite connections: one that writes and checkpoints, others that only read.

SQLite before 3.51.3 can corrupt a database when two connections write or checkpoint at once (the
WAL-reset bug). So one connection writes and is the only one that ever checkpoints, one process
holds a `ProcessLock`, and the readers are closed before the writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_TIMEOUT_MILLISECONDS = 5_000
_COMMON_PRAGMAS = (
    f"busy_timeout={_BUSY_TIMEOUT_MILLISECONDS}",
    "foreign_keys=ON",
    "mmap_size=0",
)
# In WAL mode only FULL syncs on commit: with NORMAL what was committed could be lost.
_WRITER_PRAGMAS = (*_COMMON_PRAGMAS, "journal_mode=WAL", "synchronous=FULL")
_READER_PRAGMAS = (*_COMMON_PRAGMAS, "wal_autocheckpoint=0", "query_only=ON")
_READ_ONLY = {"mode": "ro", "uri": "true"}


def _url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


def writer_engine(path: Path) -> Engine:
    """An engine whose transactions hold the write lock from the start.

    Its owner lets one transaction run at a time, so it never has more than one connection.
    """
    return _engine(_url(path), pragmas=_WRITER_PRAGMAS, begin="BEGIN IMMEDIATE")


def reader_engine(path: Path) -> Engine:
    """An engine whose transactions are snapshots."""
    return _engine(_url(path), pragmas=_READER_PRAGMAS, begin="BEGIN")


def read_only_engine(path: Path) -> Engine:
    """An engine for a file that another process may be writing: it never checkpoints."""
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=_READ_ONLY)
    return _engine(url, pragmas=_READER_PRAGMAS, begin="BEGIN")


def _engine(url: URL, *, pragmas: tuple[str, ...], begin: str) -> Engine:
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin by the statement below
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
