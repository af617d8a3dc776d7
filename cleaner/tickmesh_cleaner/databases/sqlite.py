"""SQLite by SQLAlchemy. Its driver gives cells, not columns; what it holds has few types."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tickmesh_cleaner.databases.column_types import (
    is_bytes,
    is_text,
    plain_columns,
    plain_type,
    unheld,
)
from tickmesh_cleaner.databases.engine import (
    DatabaseAwayError,
    DatabaseRefusedError,
    TableName,
    UnheldTypeError,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Engine

    from tickmesh_cleaner.config import DatabaseConfig

_BATCH_ROWS: Final = 8192
_PASSING: Final = frozenset(
    {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL"}
)
_INTEGERS: Final = frozenset(
    {pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()}
)
_FLOATS: Final = frozenset({pa.float16(), pa.float32(), pa.float64()})

# The stubs know neither plain Python operands nor some kernels, so kernels are called untyped.
pc: Any = pyarrow.compute


class SqliteTypes:
    """How SQLite holds Arrow columns: decimals and times as texts, which keep every digit."""

    def columns(self, schema: pa.Schema) -> Mapping[str, str]:
        """See `TableTypes.columns`."""
        columns: dict[str, str] = {}
        for field in schema:
            kind = plain_type(field.type)
            if field.name.lower() in {name.lower() for name in columns}:
                raise UnheldTypeError(
                    f"SQLite takes {field.name!r} and another column as the same name",
                    column=field.name,
                )
            if kind in _INTEGERS or kind == pa.bool_():
                columns[field.name] = "INTEGER"
            elif kind in _FLOATS:
                columns[field.name] = "REAL"
            elif is_bytes(kind):
                columns[field.name] = "BLOB"
            elif is_text(kind) or pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
                columns[field.name] = "TEXT"
            if field.name not in columns or pa.types.is_duration(kind) or _is_interval(kind):
                raise unheld(
                    field,
                    "SQLite",
                    "send such rows to PostgreSQL, a Parquet dataset or the tick store",
                )
        return columns

    def encode(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """See `TableTypes.encode`."""
        columns: dict[str, Any] = {}
        for field, column in plain_columns(rows):
            kind = field.type
            if kind in _FLOATS:
                values = column.cast(pa.float64())
                if pc.any(pc.is_nan(values), min_count=0).as_py():
                    raise UnheldTypeError(
                        f"column {field.name!r} has a NaN, which SQLite would keep as null; send "
                        "such rows elsewhere or let the schema refuse them",
                        column=field.name,
                    )
                columns[field.name] = values
            elif kind in _INTEGERS or kind == pa.bool_():
                columns[field.name] = column.cast(pa.int64())
            elif is_bytes(kind):
                columns[field.name] = column
            elif pa.types.is_timestamp(kind):
                columns[field.name] = _instants(column)
            else:
                columns[field.name] = column.cast(pa.string())
        return pa.RecordBatch.from_pydict(columns)

    def alike(self, there: str, wanted: str) -> bool:
        """See `TableTypes.alike`."""
        return there.upper() == wanted


class SqliteDatabase:
    """A configured SQLite file."""

    types = SqliteTypes()
    identity_column = "INTEGER PRIMARY KEY"
    row_lock = ""

    def __init__(self, name: str, config: DatabaseConfig) -> None:
        """Name the database; nothing is opened yet.

        Args:
            name: Its name in the configuration.
            config: Its address and limits.
        """
        self.name = name
        url = make_url(config.url.reveal()).set(drivername="sqlite")
        self._engine: Engine = create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "timeout": config.statement_timeout_seconds,
                "check_same_thread": False,
                "isolation_level": None,
            },
        )

        @event.listens_for(self._engine, "connect")
        def configure(connection: Any, _record: object) -> None:
            # What was answered as stored stays, also when the machine's power goes.
            connection.execute("PRAGMA synchronous=FULL")

    def literal(self, _field: pa.Field[Any], value: pa.Scalar[Any], n: int) -> tuple[str, object]:
        """See `Database.literal`."""
        return f"?{n}", value.as_py()

    def connect(self) -> SqliteSession:
        """See `Database.connect`."""
        with _reported():
            return SqliteSession(self._engine.raw_connection())


class SqliteSession:
    """One connection; see `DatabaseSession`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """See `DatabaseSession.execute`."""
        with _reported():
            self._begin("BEGIN IMMEDIATE")
            self._cursor().execute(statement, tuple(parameters))

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See `DatabaseSession.query`."""
        with _reported():
            self._begin("BEGIN IMMEDIATE")
            rows: list[tuple[Any, ...]] = (
                self._cursor().execute(statement, tuple(parameters)).fetchall()
            )
            return rows

    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """See `DatabaseSession.stream`."""
        with _reported():
            self._begin("BEGIN")
            cursor = self._cursor().execute(statement, tuple(parameters))
            names = [column[0] for column in cursor.description or ()]
            yield pa.RecordBatch.from_arrays([pa.nulls(0) for _ in names], names=names)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield pa.RecordBatch.from_arrays(
                    [
                        _column(name, values)
                        for name, values in zip(names, zip(*rows, strict=True), strict=True)
                    ],
                    names=names,
                )

    def insert(self, table: TableName, rows: pa.RecordBatch) -> None:
        """See `DatabaseSession.insert`."""
        names = ", ".join(quoted(name) for name in rows.schema.names)
        marks = ", ".join("?" for _ in rows.schema.names)
        cells = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        with _reported():
            self._begin("BEGIN IMMEDIATE")
            self._cursor().executemany(
                f"INSERT INTO {table.sql()} ({names}) VALUES ({marks})",  # noqa: S608 - quoted names
                cells,
            )

    def columns(self, table: TableName) -> dict[str, str]:
        """See `DatabaseSession.columns`."""
        found = self.query("SELECT name, type FROM pragma_table_info(?)", (table.name,))
        return dict(found)

    def hold(self, name: str) -> None:
        """Writers are alone from the first statement on: nothing is left to hold."""

    def begin_reading(self) -> None:
        """See `DatabaseSession.begin_reading`."""
        with _reported():
            self._cursor().execute("PRAGMA query_only=ON")
            self._begin("BEGIN")

    def commit(self) -> None:
        """See `DatabaseSession.commit`."""
        with _reported():
            if self._connection.driver_connection.in_transaction:
                self._cursor().execute("COMMIT")

    def rollback(self) -> None:
        """See `DatabaseSession.rollback`."""
        with suppress(Exception):
            if self._connection.driver_connection.in_transaction:
                self._cursor().execute("ROLLBACK")

    def close(self) -> None:
        """See `DatabaseSession.close`."""
        with suppress(Exception):
            self._connection.close()

    def _begin(self, how: str) -> None:
        if not self._connection.driver_connection.in_transaction:
            self._cursor().execute(how)

    def _cursor(self) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self._connection.driver_connection.cursor()
        return cursor


def _is_interval(kind: pa.DataType) -> bool:
    return bool(pa.types.is_interval(kind))


def _instants(column: Any) -> Any:
    """Instants as texts that sort like them: ISO 8601 with every digit, Z where they are in UTC."""
    kind = column.type
    in_utc = kind.tz is not None
    texts = column.cast(pa.timestamp(kind.unit)).cast(pa.string())
    texts = pc.replace_substring(texts, " ", "T")
    return pc.binary_join_element_wise(texts, "Z", "") if in_utc else texts


def _column(name: str, values: Sequence[object]) -> Any:
    """Cells of one storage class as a column of its type; nothing is turned into anything else."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1:
        raise DatabaseRefusedError(
            f"column {name!r} of the answer mixes {', '.join(sorted(k.__name__ for k in kinds))}; "
            "cast it in the query, such as CAST(x AS TEXT)"
        )
    return pa.array(values)


@contextmanager
def _reported() -> Iterator[None]:
    """Tell what will pass from what will not. Statements and values stay out of messages."""
    try:
        yield
    except DBAPIError as error:
        raise _failure(error.orig) from error
    except sqlite3.Error as error:
        raise _failure(error) from error


def _failure(error: BaseException | None) -> DatabaseAwayError | DatabaseRefusedError:
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith("SQLITE_IOERR") or code in _PASSING:
        return DatabaseAwayError(code)
    return DatabaseRefusedError(str(error).splitlines()[0][:300] if error else "", code=code)
