"""Rows of several schema versions, read under the newest (the part of T9 that holds today)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    VERSION_1,
    VERSION_2,
    admit,
    put,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import GenerationNotReadableError
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn

if TYPE_CHECKING:
    from tickmesh_tickstore.engine import TickEngine

READ = ScanRequest(dataset=DATASET)
VENUE = pa.field("venue", pa.string(), nullable=False)


def interleave(engine: TickEngine) -> None:
    """Versions 1 and 2 side by side; 2 adds `venue` and puts the columns in another order."""
    newer = pa.schema([VENUE, *reversed(list(SCHEMA))])
    put(engine, ticks(2))
    engine.add_version(DATASET, stamp=VERSION_2, schema=newer)
    batch = ticks(2, first=2)
    columns = [pa.array(["X", "Y"]), *reversed(batch.columns)]
    put(engine, pa.record_batch(columns, schema=newer), stamp=VERSION_2)
    put(engine, ticks(2, first=4))


def test_t9_columns_are_matched_by_name_and_missing_ones_are_null(engine: TickEngine) -> None:
    interleave(engine)
    table = engine.scan(replace(READ, stamps=(StampColumn.SCHEMA_VERSION,))).read_all()
    assert table.schema.names == ["venue", "size", "price", "symbol", "ts", "_schema_version"]
    assert table.column("venue").to_pylist() == [None, None, "X", "Y", None, None]
    assert table.column("size").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert table.column("_schema_version").to_pylist() == [1, 1, 2, 2, 1, 1]
    assert table.schema.field("venue").nullable


def test_t9_ranges_symbols_and_orders_reach_every_version(engine: TickEngine) -> None:
    interleave(engine)
    assert sizes(engine, replace(READ, start_ns=10, end_ns=50)) == [1, 2, 3, 4]
    assert sizes(engine, replace(READ, symbols=("AAPL",))) == [0, 3]
    assert sizes(engine, replace(READ, order=Order.TIME, limit=5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("old", "new", "values"),
    [
        (pa.int32(), pa.int64(), [-(2**31), None, 2**31 - 1]),
        (pa.uint32(), pa.int64(), [0, None, 2**32 - 1]),
        (pa.int32(), pa.float64(), [-(2**31), None, 2**31 - 1]),
        (pa.float32(), pa.float64(), [0.5, None, -1.25]),
        (pa.int8(), pa.decimal128(5, 2), [-128, None, 127]),
        (pa.decimal128(5, 2), pa.decimal128(8, 4), ["1.25", None, "-999.99"]),
        (pa.string(), pa.dictionary(pa.int32(), pa.string()), ["a", None, "b"]),
        (pa.dictionary(pa.int32(), pa.string()), pa.large_string(), ["a", None, "b"]),
        (pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC"), [1, None, -1]),
    ],
)
def test_t9_lossless_casts_are_made(
    engine: TickEngine, old: pa.DataType, new: pa.DataType, values: list[Any]
) -> None:
    table = read_after_change(engine, old, new, values)
    written = column_of(values, old)
    if isinstance(written, pa.DictionaryArray):
        written = written.dictionary_decode()
    wanted = new.value_type if pa.types.is_dictionary(new) else new
    assert table.schema.field("value").type.equals(new)
    assert (
        table.column("value")
        .cast(wanted)
        .combine_chunks()
        .equals(pa.chunked_array([written.cast(wanted)]).combine_chunks())
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pa.int64(), pa.int32()),
        (pa.int64(), pa.float64()),
        (pa.int64(), pa.uint64()),
        (pa.uint64(), pa.int64()),
        (pa.float64(), pa.float32()),
        (pa.timestamp("ns", "UTC"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.decimal128(8, 4), pa.decimal128(8, 2)),
        (pa.int64(), pa.string()),
    ],
)
def test_t9_a_lossy_cast_is_refused_and_nothing_is_left_out(
    engine: TickEngine, old: pa.DataType, new: pa.DataType
) -> None:
    with pytest.raises(GenerationNotReadableError) as caught:
        read_after_change(engine, old, new, [None])
    assert caught.value.metadata["column"] == "value"
    table = engine.scan(ScanRequest(dataset="changing", columns=("size",))).read_all()
    assert table.num_rows == 1


def test_t9_a_value_outside_the_new_unit_is_refused(engine: TickEngine) -> None:
    with pytest.raises(GenerationNotReadableError):
        read_after_change(engine, pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC"), [2**40])


def column_of(values: list[Any], data_type: pa.DataType) -> pa.Array[Any]:
    column: pa.Array[Any]
    if pa.types.is_dictionary(data_type):
        column = pa.array(values).dictionary_encode().cast(data_type)
    elif pa.types.is_timestamp(data_type):
        column = pa.array(values, pa.int64()).cast(data_type)
    elif pa.types.is_decimal(data_type):
        column = pa.array(values, pa.string()).cast(data_type)
    else:
        column = pa.array(values, data_type)
    return column


def read_after_change(
    engine: TickEngine, old: pa.DataType, new: pa.DataType, values: list[Any]
) -> pa.Table:
    """Store values under one type and read them under a version with another."""
    size = pa.field("size", pa.int64())
    before = pa.schema([pa.field("value", old), size])
    engine.create_dataset("changing", stamp=VERSION_1, schema=before)
    batch = pa.record_batch(
        [column_of(values, old), pa.array(range(len(values)), pa.int64())], schema=before
    )
    engine.append("changing", batch, stamp=VERSION_1, judge=admit).result(30)
    after = pa.schema([pa.field("value", new), size])
    engine.add_version("changing", stamp=VERSION_2, schema=after)
    return engine.scan(ScanRequest(dataset="changing")).read_all()
