"""SqlCommand, read strictly and prepared: its tables are datasets, pinned as they are named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_tickstore.domain.errors import DatasetNotFoundError, QueryInvalidError
from tickmesh_tickstore.domain.filters import AllOf
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.prepared_query import PreparedQuery
from tickmesh_tickstore.queries.sql import SqlTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickmesh.api.tickstore.v1 import expression_pb2, queries_pb2
    from tickmesh_tickstore.pinned_reads import PinnedRead, PinnedReads
    from tickmesh_tickstore.queries.sql import SqlParameter, SqlScan

__all__ = ["prepare_sql"]

_MOST_PARAMETERS = 1_000
_MOST_TABLES = 100
_DECIMAL128_DIGITS = 38


def prepare_sql(reads: PinnedReads, command: queries_pb2.SqlCommand) -> PreparedQuery:
    """Checks a statement and pins the datasets it names.

    Raises:
        QueryInvalidError: it is not one statement that only reads, or names what there is not.
        InvalidRequestError: a table has no name or the name of another, or a value is none.
    """
    chosen = _chosen_tables(command)
    parameters = [
        _parameter(value, field=f"parameters[{place}]")
        for place, value in enumerate(command.parameters)
    ]
    names = reads.sandbox.named_tables(command.query)
    tables = {name: _table(reads, name, chosen) for name in _distinct(names)}
    schema = reads.sandbox.schema(command.query, tables, parameters)

    def run() -> Iterator[pa.Table]:
        answer = reads.sandbox.run(command.query, tables, parameters, stopped=reads.stopped)
        for batch in answer:
            yield pa.Table.from_batches([batch])

    return PreparedQuery(schema, run)


def _chosen_tables(command: queries_pb2.SqlCommand) -> dict[str, tuple[int, Any]]:
    if len(command.tables) > _MOST_TABLES or len(command.parameters) > _MOST_PARAMETERS:
        raise InvalidRequestError(
            f"A statement has at most {_MOST_TABLES} tables and {_MOST_PARAMETERS} parameters.",
            violations=[("tables", f"expected at most {_MOST_TABLES}")],
        )
    chosen: dict[str, tuple[int, Any]] = {}
    for place, table in enumerate(command.tables):
        if not table.name or table.name in chosen:
            raise InvalidRequestError(
                "Each table of a statement has a name of its own.",
                violations=[(f"tables[{place}].name", "expected a name no other table has")],
            )
        chosen[table.name] = (place, table.read)
    return chosen


def _distinct(names: Sequence[str]) -> Sequence[str]:
    """The names; SQL does not tell capital letters from small ones."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise QueryInvalidError(
                f'tables "{other}" and "{name}" are one name in SQL: give one of them another in '
                "the command's tables",
                metadata={"tables": f"{other},{name}"},
            )
    return names


def _table(reads: PinnedReads, name: str, chosen: dict[str, tuple[int, Any]]) -> SqlTable:
    place, read = chosen.get(name, (None, None))
    field = name if place is None else f"tables[{place}].read"
    try:
        opened = reads.open(
            commands_pb2.ReadCommand(dataset=name) if read is None else read, field=field
        )
    except DatasetNotFoundError:
        if read is not None:
            raise
        raise QueryInvalidError(
            f'no table "{name}": there is no dataset of that name, nor is it among the command\'s '
            "tables",
            metadata={"table": name},
        ) from None
    shown = pa.schema(map(_shown, opened.schema))
    stored = opened.all_columns
    return SqlTable(
        shown,
        lambda scan: _rows(opened, scan),
        event_time=opened.event_time,
        choosable=frozenset(
            column.name
            for column in shown
            if column.name in stored.names and stored.field(column.name).type == column.type
        ),
    )


def _rows(read: PinnedRead, scan: SqlScan) -> Iterator[pa.RecordBatch]:
    asked = read.request
    stamps = [stamp for stamp in asked.stamps if stamp.value in scan.columns]
    filters = [each for each in (asked.filter, scan.filter) if each is not None]
    request = replace(
        asked,
        columns=tuple(name for name in scan.columns if name not in set(stamps)),
        stamps=tuple(stamps),
        start_ns=max(_given(asked.start_ns, scan.start_ns), default=None),
        end_ns=min(_given(asked.end_ns, scan.end_ns), default=None),
        filter=AllOf(tuple(filters)) if filters else None,
    )
    shown = pa.schema([_shown(read.schema.field(name)) for name in scan.columns])
    for batch in read.scan(request):
        yield pa.record_batch(
            [batch.column(field.name).cast(field.type) for field in shown], schema=shown
        )


def _given(*bounds: int | None) -> list[int]:
    return [bound for bound in bounds if bound is not None]


def _shown(field: pa.Field[Any]) -> pa.Field[Any]:
    """A column as SQL sees it: the engine knows no decimals of more than 38 digits."""
    kind: Any = field.type
    if pt.is_decimal256(kind):
        fits = kind.precision <= _DECIMAL128_DIGITS
        kind = pa.decimal128(kind.precision, kind.scale) if fits else pa.string()
    return pa.field(field.name, kind)


def _parameter(value: expression_pb2.Value, *, field: str) -> SqlParameter:
    kind = value.WhichOneof("kind")
    if kind is None:
        raise InvalidRequestError(
            f"{field} has no value.", violations=[(field, "expected a value of some kind")]
        )
    raw = getattr(value, kind)
    if kind == "binary":
        return "BLOB", raw.hex()
    if kind == "instant_ns":
        return "TIMESTAMPTZ_NS", f"{pa.scalar(raw, pa.timestamp('ns')).cast(pa.string())}+00"
    if kind == "decimal":
        return "DECIMAL", _decimal(raw, field=field)
    return _TYPES[kind], raw


_TYPES = {
    "integer": "BIGINT",
    "unsigned_integer": "UBIGINT",
    "number": "DOUBLE",
    "text": "VARCHAR",
    "truth": "BOOLEAN",
}


def _decimal(text: str, *, field: str) -> str:
    try:
        number = Decimal(text)
        fits = number.is_finite() and abs(number.adjusted()) <= _DECIMAL128_DIGITS
        plain = f"{number:f}" if fits else ""
    except InvalidOperation:
        plain = ""
    if not 0 < sum(character.isdigit() for character in plain) <= _DECIMAL128_DIGITS:
        raise InvalidRequestError(
            f"{field} must be a decimal number of at most {_DECIMAL128_DIGITS} digits as text.",
            violations=[(field, "expected a decimal number")],
        )
    return plain
