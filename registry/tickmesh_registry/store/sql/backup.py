"""A whole store in one file, and back: the same file for every engine, so stores can move.

The file is a SQLite database with the registry's own tables, written from one snapshot. Its tables
are brought to this version before they are read, so an older backup restores into a newer registry.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import create_engine, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError

from tickmesh.errors import ConfigError
from tickmesh_serving.migration import TableState, migrate, table_state

from . import tables
from .queries import read_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"
_ROWS_AT_ONCE = 500
# "REGI": tells a backup from any other SQLite file.
_APPLICATION_ID = 0x5245_4749


class StoreContent(NamedTuple):
    """What a backup holds, or a restore brought."""

    epoch: str
    revision: int
    versions: int


def write_backup(source: Connection, file: Path) -> StoreContent:
    """Copy everything that one snapshot of a store sees into a new file, whole or not at all.

    Args:
        source: A connection within a transaction that is a snapshot.
        file: Must not exist.

    Raises:
        ConfigError: The file exists or cannot be written, or the tables are not this version's.
    """
    if file.exists():
        raise ConfigError(f"{file} exists already; name another file")
    if table_state(source, scripts=_MIGRATIONS) is not TableState.CURRENT:
        raise ConfigError(
            "the store's tables are not this version's: run tickmesh registry migrate"
        )
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as directory:
            part = Path(directory) / file.name
            with _opened(part) as target:
                migrate(target, scripts=_MIGRATIONS, epoch="")
                _clear(target)
                _copy(source, target)
                content = _content(target)
            _mark_and_synchronise(part)
            part.rename(file)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from error
    return content


@contextmanager
def opened_backup(file: Path) -> Iterator[Connection]:
    """Open a backup for reading, its tables brought to this version in a copy.

    Raises:
        ConfigError: It is no backup, it is damaged, or a newer version wrote it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="tickmesh-restore-") as directory:
            copy = Path(directory) / "backup.db"
            shutil.copyfile(file, copy)
            with _opened(copy) as connection:
                if connection.exec_driver_sql("PRAGMA application_id").scalar() != _APPLICATION_ID:
                    raise ConfigError(f"{file} is no backup of a registry")
                if connection.exec_driver_sql("PRAGMA quick_check").scalar() != "ok":
                    raise ConfigError(f"{file} is damaged; restore another backup")
                migrate(connection, scripts=_MIGRATIONS, epoch="")
                yield connection
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except DatabaseError as error:
        raise ConfigError(f"{file} is no backup of a registry, or it is damaged") from error


def restore_into(
    target: Connection, backup: Connection, *, new_epoch: str, replace: bool
) -> StoreContent:
    """Put the content of a backup in place of a store's, inside the caller's transaction.

    Args:
        target: A connection to tables of this version, within a transaction nobody else writes in.
        backup: See `opened_backup`.
        new_epoch: The store's epoch from now on: what was seen of another history is worth nothing.
        replace: A store that holds anything is refused, or replaced.

    Raises:
        ConfigError: The store holds something and is not to be replaced.
    """
    held = read_head(target)
    if held.revision > 0 and not replace:
        raise ConfigError(
            f"the store is not empty, it stands at revision {held.revision}: restore into another "
            "one, or replace it with --force"
        )
    cluster = target.scalar(select(tables.registry_clock.c.cluster))
    _clear(target)
    _copy(backup, target)
    target.execute(update(tables.registry_clock).values(epoch=new_epoch, cluster=cluster))
    return _content(target)


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """A transaction on a SQLite file that nobody else knows of; committed at the end."""
    engine = create_engine(URL.create("sqlite", database=str(path)), hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _clear(connection: Connection) -> None:
    for table in reversed(tables.metadata.sorted_tables):
        connection.execute(delete(table))


def _copy(source: Connection, target: Connection) -> None:
    for table in tables.metadata.sorted_tables:
        rows = source.execute(
            select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
        )
        for part in rows.mappings().partitions(_ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])


def _content(connection: Connection) -> StoreContent:
    head = read_head(connection)
    versions = connection.exec_driver_sql("SELECT count(*) FROM versions").scalar_one()
    return StoreContent(head.epoch, head.revision, versions)


def _mark_and_synchronise(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.commit()
    connection.close()
    for name, flags in ((path, os.O_RDWR), (path.parent, os.O_RDONLY)):
        descriptor = os.open(name, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
