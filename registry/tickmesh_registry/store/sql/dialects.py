"""What the SQL engines spell differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Table

Insert = sqlite.Insert | postgresql.Insert

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

_INSERTS: dict[str, Callable[[Table], Insert]] = {
    SQLITE: sqlite.insert,
    POSTGRESQL: postgresql.insert,
}


def insert_of(connection: Connection) -> Callable[[Table], Insert]:
    """How the connection's engine spells an insert that says what to do on a conflict."""
    return _INSERTS[connection.dialect.name]


def every_insert(table: Table) -> Iterator[tuple[str, Insert]]:
    """Such an insert by engine, for statements that are built once."""
    for dialect, insert in _INSERTS.items():
        yield dialect, insert(table)
