"""Rows to build bars from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.field_metadata import metadata_of
from tickmesh_tickstore.queries.bars import BarRequest, Bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NS = pa.timestamp("ns", "UTC")
SYMBOLS = pa.dictionary(pa.int32(), pa.string())
ROLES = {"ts": "event_time", "symbol": "symbol", "price": "price", "size": "size"}


def with_roles(schema: pa.Schema) -> pa.Schema:
    """The usual columns play the usual roles."""
    return pa.schema(
        [
            field.with_metadata(
                {**metadata_of(field), b"tickmesh.role": ROLES[field.name].encode()}
            )
            if field.name in ROLES
            else field
            for field in schema
        ]
    )


def ticks(
    rows: Sequence[tuple[Any, Any, Any, Any]],
    *,
    time: pa.DataType = NS,
    price: pa.DataType | None = None,
    size: pa.DataType | None = None,
) -> pa.Table:
    """Rows of event time, symbol, price and size."""
    times, symbols, prices, sizes = zip(*rows, strict=True) if rows else ((), (), (), ())
    table = pa.table(
        {
            "ts": pa.array(times, pa.int64()).cast(time),
            "symbol": pa.array(symbols, pa.string()).cast(SYMBOLS),
            "price": pa.array(prices, price or pa.float64()),
            "size": pa.array(sizes, size or pa.int64()),
        }
    )
    return table.cast(with_roles(table.schema))


def bars_of(
    table: pa.Table, *, batches: Iterable[pa.RecordBatch] | None = None, **request: Any
) -> pa.Table:
    """Its bars."""
    bars = Bars(table.schema, BarRequest(**request))
    rows = table.to_batches() if batches is None else batches
    built = list(bars.built_from(batch.select(list(bars.columns)) for batch in rows))
    assert all(batch.schema.equals(bars.schema) for batch in built)
    return pa.Table.from_batches(built, bars.schema)


def times(table: pa.Table) -> list[int]:
    """The labels as integers."""
    values: list[Any] = table.column("ts").cast(pa.int64()).to_pylist()
    return values


def where_symbol(table: pa.Table, symbol: str) -> pa.Table:
    """The bars of one symbol."""
    return table.filter(pc.field("symbol") == symbol)
