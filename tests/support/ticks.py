"""Rows, schemas and judges for tests of the tick store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.domain.stamps import Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.producers import ProducerSequence
    from tickmesh_tickstore.engine import Appended, TickEngine

DATASET = "ticks.trades"
VERSION_1 = Stamp("schema-1", 1)
VERSION_2 = Stamp("schema-2", 2)
NS = pa.timestamp("ns", "UTC")
SYMBOLS = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("ts", NS, nullable=False, metadata={"tickmesh.role": "event_time"}),
        pa.field("symbol", SYMBOLS, nullable=False, metadata={"tickmesh.role": "symbol"}),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
    ],
    metadata={"tickmesh.subject": DATASET, "tickmesh.version": "1"},
)


def ticks(
    rows: int, *, first: int = 0, symbols: Sequence[str] = ("AAPL", "MSFT", "IBM")
) -> pa.RecordBatch:
    """Rows whose `size` counts on from `first` and whose event time is ten times that, in ns."""
    numbers = range(first, first + rows)
    return pa.record_batch(
        [
            pa.array([number * 10 for number in numbers], pa.int64()).cast(NS),
            pa.array([symbols[number % len(symbols)] for number in numbers], pa.string())
            .dictionary_encode()
            .cast(SYMBOLS),
            pa.array([number / 2 for number in numbers], pa.float64()),
            pa.array(list(numbers), pa.int64()),
        ],
        schema=SCHEMA,
    )


def admit(batch: pa.RecordBatch) -> object | None:
    """A judge that lets everything in."""
    return None


def refuse_negative_size(batch: pa.RecordBatch) -> object | None:
    """A judge that refuses batches with a negative size."""
    bad = [size for size in integers(batch, "size") if size < 0]
    return f"size must be 0 or more, {len(bad)} rows are not" if bad else None


def put(
    engine: TickEngine,
    batch: pa.RecordBatch,
    *,
    stamp: Stamp = VERSION_1,
    producer: ProducerSequence | None = None,
) -> Appended:
    """Append and wait until durable."""
    return engine.append(DATASET, batch, stamp=stamp, judge=admit, producer=producer).result(30)


def sizes(engine: TickEngine, request: ScanRequest | None = None) -> list[int]:
    """The `size` column of a read: which rows came, in which order."""
    table = engine.scan(request or ScanRequest(dataset=DATASET)).read_all()
    return integers(table, "size")


def integers(rows: pa.Table | pa.RecordBatch, name: str) -> list[int]:
    """A column of integers without nulls."""
    values: list[Any] = rows.column(name).to_pylist()
    return values


def decoded(table: pa.Table) -> pa.Table:
    """The table with one chunk a column and dictionaries as their values."""
    plain = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(plain, names=table.column_names).combine_chunks()
