"""The process in which statements of SQL run: DuckDB with every door shut, and a bound on memory.

DuckDB's own memory limit does not see every allocation (one string may have gigabytes), and it runs
in C++: so it gets a process of its own, which the store may end at any time, and which the kernel
gives no more memory than it is allowed. It has no files but the sockets it is started with; rows
come from the store when a statement asks for them.

Run by `sql.py` as `python -m tickmesh_tickstore.queries.sql_worker <descriptor>`.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from tickmesh_tickstore.domain.filters import filter_to_json
from tickmesh_tickstore.queries.sql_channel import (
    Channel,
    readable,
    schema_from_text,
    schema_to_text,
)
from tickmesh_tickstore.queries.sql_conditions import wanted_rows
from tickmesh_tickstore.queries.sql_statement import StatementRefusedError, named_tables
from tickmesh_tickstore.queries.sql_time_range import wanted_times

if TYPE_CHECKING:
    from collections.abc import Callable

_RESULT_ROWS = 16_384
_PARENT_SECONDS = 1.0
_INSTANT_TYPE = "TIMESTAMPTZ_NS"
_INSTANT_HINT = (
    "Give date_trunc, time_bucket, extract, intervals and differences the instant cut to "
    "microseconds, as in floor_us(ts) (a cast would round it); cast what it is compared with, as "
    "in now()::TIMESTAMPTZ_NS."
)
_FLOOR_US = """
    CREATE MACRO floor_us(instant) AS
    make_timestamptz((epoch_ns(instant) - (epoch_ns(instant) % 1000 + 1000) % 1000) // 1000)
"""
"""DuckDB's functions of time know microseconds alone, and its casts round: into the next second."""
_NICENESS = 5
_QUERY_ERRORS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConstraintException,
    duckdb.ConversionException,
    duckdb.DataError,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
    duckdb.TypeMismatchException,
)
_QUERY_ERROR_KINDS = frozenset(
    {
        "Binder Error",
        "Constraint Error",
        "Conversion Error",
        "Invalid Input Error",
        "Invalid type Error",
        "Mismatch Type Error",
        "Not implemented Error",
        "Out of Range Error",
        "Permission Error",
    }
)
_SETTINGS = (
    "temp_directory = ''",
    "max_temp_directory_size = '0KB'",
    "TimeZone = 'UTC'",
    # How many rows a table has is not known, and DuckDB takes that for one: no loops over few rows.
    "asof_loop_join_threshold = 0",
    "nested_loop_join_threshold = 0",
    "python_enable_replacements = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "allow_community_extensions = false",
    # Behind the ones about files, which it lets nobody change any more.
    "enable_external_access = false",
    "lock_configuration = true",
)
"""In this order: given all at once, DuckDB takes them in an order of its own."""


class StoreTable(ds.Dataset):
    """A table whose rows the store sends, each time it is scanned: only the columns asked for.

    DuckDB asks datasets for a scanner with columns and a filter, which it then takes as applied.
    """

    def __init__(
        self,
        name: str,
        schema: pa.Schema,
        ask: Callable[[str, list[str]], pa.RecordBatchReader] | None,
    ) -> None:
        """Takes what asks the store for rows; without, there are none."""
        self._name = name
        self._schema = schema
        self._ask = ask

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._schema

    def scanner(  # type: ignore[override]  # what DuckDB calls
        self,
        columns: list[str] | None = None,
        filter: Any = None,  # noqa: A002 - DuckDB names it
        **_options: Any,
    ) -> ds.Scanner:
        """A reader of some columns and rows."""
        names = self._schema.names if columns is None else columns
        if self._ask is None:
            reader = self._schema.empty_table().to_reader()
        else:
            # The text of an expression holds the name of every column it reads.
            text = "" if filter is None else str(filter)
            needed = [name for name in self._schema.names if name in names or name in text]
            reader = self._ask(self._name, needed or self._schema.names[:1])
        return ds.Scanner.from_batches(reader, columns=names, filter=filter, use_threads=False)


class Worker:
    """Answers one request after the other until the store hangs up."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._asking = threading.Lock()
        self._times: tuple[int | None, int | None] = (None, None)
        self._filters: dict[str, list[Any]] = {}

    def serve(self) -> None:
        """Answer requests."""
        self._channel.send({"ready": True})
        while True:
            request, stream = self._channel.receive()
            if request is None:
                return
            try:
                answer = self._answer(request, stream)
            except StatementRefusedError as error:
                answer = {"refused": str(error)}
            except _QUERY_ERRORS as error:
                answer = {"refused": _told(error)}
            except (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError):
                answer = {"memory": True}
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                answer = _failure(error)
            finally:
                # Refused before its first row, an answer ends all the same.
                if stream is not None:
                    stream.close()
            self._channel.send(answer)

    def _answer(self, request: dict[str, Any], stream: socket.socket | None) -> dict[str, Any]:
        if "named" in request:
            return {"tables": self._named_tables(request["named"])}
        connection = _connect(
            f"memory_limit = '{request['memory_bytes']}B'", f"threads = {request['threads']}"
        )
        try:
            ask = self._ask if stream is not None else None
            for name, table in request["tables"].items():
                schema = schema_from_text(table["schema"])
                connection.register(name, StoreTable(name, schema, ask))
            values = [_value(*each) for each in request["parameters"]]
            relation = connection.sql(request["query"], params=values or None)
            schema = _schema_of(relation)
            if stream is not None:
                self._times = _wanted_times(connection, request, values)
                self._filters = _wanted_rows(connection, request)
                _send_rows(relation, schema, stream)
            return {"schema": schema_to_text(schema)}
        finally:
            connection.close()

    @staticmethod
    def _named_tables(query: str) -> list[str]:
        with _connect() as connection:
            return list(named_tables(_parsed(connection, query)))

    def _ask(self, name: str, columns: list[str]) -> pa.RecordBatchReader:
        """Rows of the store; DuckDB asks from any of its threads."""
        with self._asking:
            self._channel.send(
                {
                    "scan": name,
                    "columns": columns,
                    "times": self._times,
                    "filter": self._filters.get(name),
                }
            )
            _, stream = self._channel.receive()
        if stream is None:
            raise OSError("the store sends no rows")
        return pa.ipc.open_stream(readable(stream))


def _connect(*settings: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(_FLOOR_US)
    for setting in (*settings, *_SETTINGS):
        connection.execute(f"SET {setting}")
    return connection


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    rows = connection.sql(
        "SELECT json_serialize_sql($1, skip_empty := true, skip_null := true)", params=[query]
    ).fetchall()
    return str(rows[0][0])


def _wanted_times(
    connection: duckdb.DuckDBPyConnection, request: dict[str, Any], values: list[duckdb.Value]
) -> tuple[int | None, int | None]:
    """What the only table's event times are within; nothing is known of several tables."""
    event_times = [table["event_time"] for table in request["tables"].values()]
    if len(event_times) != 1 or event_times[0] is None:
        return None, None
    try:
        explained = connection.sql(
            f"EXPLAIN (FORMAT json) {request['query']}", params=values or None
        )
        plan = explained.fetchall()[0][1]
    except duckdb.Error:
        # Not everything that can be run can be explained.
        return None, None
    return wanted_times(
        plan, event_time=event_times[0], parse=lambda query: _parsed(connection, query)
    )


def _wanted_rows(
    connection: duckdb.DuckDBPyConnection, request: dict[str, Any]
) -> dict[str, list[Any]]:
    """Conditions on the rows of tables, for the tables where there are any."""
    parsed = _parsed(connection, request["query"])
    found = {}
    for name, table in request["tables"].items():
        schema = schema_from_text(table["schema"])
        wanted = wanted_rows(
            parsed,
            table=name,
            columns={column: schema.field(column).type for column in table["choosable"]},
            parameters=request["parameters"],
        )
        if wanted is not None:
            found[name] = filter_to_json(wanted)
    return found


def _schema_of(relation: duckdb.DuckDBPyRelation) -> pa.Schema:
    """The schema of the answer; names that are given twice stay as they are."""
    schema = relation.limit(0).to_arrow_table().schema
    return pa.schema(
        [field.with_name(name) for field, name in zip(schema, relation.columns, strict=True)]
    )


def _send_rows(relation: duckdb.DuckDBPyRelation, schema: pa.Schema, stream: socket.socket) -> None:
    with stream, stream.makefile("wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in relation.to_arrow_reader(_RESULT_ROWS):
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def _value(kind: str, text: Any) -> duckdb.Value:
    """A parameter, as exactly as it was sent."""
    if kind == "BLOB":
        return duckdb.Value(bytes.fromhex(text), duckdb.sqltype(kind))
    if kind == "DECIMAL":
        number = Decimal(text)
        _, digits, exponent = number.as_tuple()
        scale = max(0, -int(exponent))
        precision = max(len(digits) + max(0, int(exponent)), scale, 1)
        return duckdb.Value(text, duckdb.decimal_type(precision, scale))
    return duckdb.Value(text, duckdb.sqltype(kind))


def _failure(error: Exception) -> dict[str, Any]:
    """What an error in mid-stream means: Arrow hands on its text, not its class."""
    kind = str(error).partition(":")[0]
    if kind == "Out of Memory Error":
        return {"memory": True}
    if kind in _QUERY_ERROR_KINDS:
        return {"refused": _told(error)}
    return {"failed": f"{type(error).__name__}: {error}"}


def _told(error: Exception) -> str:
    """The first paragraph of what DuckDB says: what follows repeats the statement."""
    text = str(error).partition("\nLINE")[0].partition('Use "SET')[0]
    if _INSTANT_TYPE in text:
        text = f"{text.partition('You might need')[0]} {_INSTANT_HINT}"
    return " ".join(text.split())[:500]


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    os._exit(1)


def main(descriptor: int, memory_bytes: int) -> None:
    """Serve the store at the other end of a socket."""
    parent = os.getppid()
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()
    # Acknowledgements are not to wait for questions.
    os.nice(_NICENESS)
    data_bytes = resource.getpagesize() * int(_statm()[5])
    most = data_bytes + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Worker(Channel(socket.socket(fileno=descriptor))).serve()


def _statm() -> list[str]:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path of a user
        return file.read().split()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    # What DuckDB leaves behind at the end of the interpreter is of no use to anyone.
    os._exit(0)
