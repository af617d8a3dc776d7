"""A table as a sink: the rows of batch n and its number are one transaction.

Each row says under which schema version, by which producer and in which batch it was written.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import structlog

from tickmesh_cleaner.databases.engine import (
    DatabaseAwayError,
    DatabaseRefusedError,
    TableName,
    UnheldTypeError,
    quoted,
)
from tickmesh_cleaner.domain.errors import (
    DatabaseUnavailableError,
    FencedError,
    InvalidSinkError,
)
from tickmesh_cleaner.sinks import stamps
from tickmesh_cleaner.sinks.ordered_writes import OrderedWrites
from tickmesh_cleaner.sinks.sink import OpenedProducer, Written
from tickmesh_cleaner.sinks.table_ledger import (
    BATCHES,
    PRODUCER_KEY,
    PRODUCERS,
    ProducerLine,
    TableLedger,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.databases.engine import Database, DatabaseSession

_ADDED: Final = {
    stamps.SCHEMA_VERSION: pa.int32(),
    PRODUCER_KEY: pa.int64(),
    stamps.SEQUENCE: pa.int64(),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.databases")


def table_name(text: str) -> TableName:
    """Read the name of a table, with or without a schema.

    Raises:
        InvalidSinkError: It is no plain name, or one of the sink's own.
    """
    parts = text.split(".")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise InvalidSinkError(
            f"expected a table's name of letters, digits and _, or SCHEMA.TABLE; was {text[:80]!r}",
            table=text[:80],
        )
    if parts[-1] in {PRODUCERS, BATCHES}:
        raise InvalidSinkError(
            f"the table {parts[-1]!r} is the sink's own; name another", table=parts[-1]
        )
    return TableName(parts[-1], schema=parts[0] if len(parts) == 2 else "")


class DatabaseSink:
    """Writes one job's good rows to a table."""

    def __init__(self, database: Database, table: TableName) -> None:
        """Name the table; nothing is connected yet."""
        self._database = database
        self._table = table
        self._ledger = TableLedger(database, table)
        self._writes = OrderedWrites(stopped=DatabaseUnavailableError(database.name))
        self._session: DatabaseSession | None = None
        self._producer_id = ""
        self._epoch = 0
        self._known_versions: set[int] = set()

    def open(self, producer_id: str) -> OpenedProducer:
        """Open a new epoch; see `Sink.open`.

        Raises:
            InvalidSinkError: The database does not let the cleaner make its tables.
        """
        self.close()
        with reported(self._database.name):
            self._session = session = self._database.connect()
            self._ledger.make(session)
            opened = self._ledger.open_epoch(session, producer_id)
            session.commit()
        self._producer_id = producer_id
        self._epoch = opened.epoch
        self._known_versions.clear()
        self._writes.start()
        return OpenedProducer(epoch=opened.epoch, last_n=opened.last_n)

    def write(
        self, n: int, batch: pa.RecordBatch, *, schema: RegisteredSchema, start: str, end: str
    ) -> Future[Written]:
        """Write batch n; see `Sink.write`."""
        return self._writes.submit(lambda: self._write(n, batch, schema, start, end))

    def close(self) -> None:
        """Take no more; the transaction that is being carried out is finished."""
        self._writes.stop()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _write(
        self, n: int, batch: pa.RecordBatch, schema: RegisteredSchema, start: str, end: str
    ) -> Written:
        session = self._session
        assert session is not None
        try:
            with reported(self._database.name):
                self._transact(session, n, batch, schema, start, end)
        except BaseException:
            session.rollback()
            raise
        return Written(dataset_revision=0)

    def _transact(
        self,
        session: DatabaseSession,
        n: int,
        batch: pa.RecordBatch,
        schema: RegisteredSchema,
        start: str,
        end: str,
    ) -> None:
        producer = self._ledger.hold(session, self._producer_id)
        if producer.epoch != self._epoch:
            raise FencedError(epoch=self._epoch, current=producer.epoch)
        if n <= producer.last_n:
            session.rollback()
            return
        if n != producer.last_n + 1:
            raise InvalidSinkError(
                f"batch {n} came after batch {producer.last_n} of its producer",
                expected=str(producer.last_n + 1),
                sequence=str(n),
            )
        rows = _stamped(batch.cast(schema.arrow_schema), producer, n=n, version=schema.version)
        if schema.version not in self._known_versions:
            self._take_up_schema(session, rows.schema, version=schema.version)
        if rows.num_rows:
            session.insert(self._table, self._database.types.encode(rows))
        self._ledger.record(
            session,
            producer,
            n=n,
            schema_version=schema.version,
            row_count=rows.num_rows,
            start=start,
            end=end,
        )
        session.commit()
        self._known_versions.add(schema.version)

    def _take_up_schema(self, session: DatabaseSession, schema: pa.Schema, *, version: int) -> None:
        """Make the table, or add the columns a version brought."""
        wanted = self._database.types.columns(schema)
        session.hold(f"tickmesh {self._table.sql()}")
        there = session.columns(self._table)
        if not there:
            columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in wanted.items())
            session.execute(f"CREATE TABLE {self._table.sql()} ({columns})")
            return
        for name, kind in wanted.items():
            if name not in there:
                session.execute(f"ALTER TABLE {self._table.sql()} ADD COLUMN {quoted(name)} {kind}")
            elif not self._database.types.alike(there[name], kind):
                raise InvalidSinkError(
                    f"column {name!r} of table {self._table.name!r} is {there[name]}, rows of "
                    f"version {version} need {kind}; use another table",
                    column=name,
                    table=self._table.name,
                    there=there[name],
                    needed=kind,
                )


def check_columns(database: Database, schema: pa.Schema) -> None:
    """Refuse a schema whose rows the database cannot hold.

    Raises:
        InvalidSinkError: It cannot; the column is named.
    """
    with reported(database.name):
        database.types.columns(_stamped(_no_rows(schema), ProducerLine(0, 0, 0)).schema)


def rows_by_sequence(database: Database, table: TableName, producer_id: str) -> Counter[int]:
    """A producer's rows in a table by the batch they came in, counted there and now.

    Raises:
        DatabaseUnavailableError: The database does not answer.
    """
    with reported(database.name):
        session = database.connect()
        try:
            return TableLedger(database, table).rows_by_sequence(session, producer_id)
        finally:
            session.close()


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _stamped(
    rows: pa.RecordBatch, producer: ProducerLine, *, n: int = 0, version: int = 0
) -> pa.RecordBatch:
    stamps.check_names(rows.schema.names, added=tuple(_ADDED))
    for (name, kind), value in zip(_ADDED.items(), (version, producer.key, n), strict=True):
        rows = rows.append_column(name, stamps.constant(value, kind, rows.num_rows))
    return rows


@contextmanager
def reported(connection: str) -> Iterator[None]:
    """A database's failures as the cleaner's: worth another try, or the sink's refusal."""
    try:
        yield
    except DatabaseAwayError as error:
        _log.warning("database.away", connection=connection, cause=str(error))
        raise DatabaseUnavailableError(connection) from error
    except DatabaseRefusedError as error:
        raise InvalidSinkError(
            f"the database {connection!r} refuses: {error.message}",
            connection=connection,
            code=error.code,
        ) from error
    except UnheldTypeError as error:
        raise InvalidSinkError(error.message, column=error.column) from error
