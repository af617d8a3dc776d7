"""Encodings are chosen by type and by how often values repeat, for every kind of column."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.ticks import NS
from tickmesh_tickstore.engine.disk.settled_encoding import choose_encodings

ROWS = 20_000


def test_times_are_deltas_and_what_repeats_has_a_dictionary() -> None:
    table = pa.table(
        {
            "ts": pa.array(range(ROWS), pa.int64()).cast(NS),
            "price": pa.array([float(number % 100) for number in range(ROWS)]),
            "id": pa.array(range(ROWS)),
            "noise": pa.array([number / 7 for number in range(ROWS)]),
            "side": pa.array([number % 3 for number in range(ROWS)], pa.int8()),
        }
    )
    chosen = choose_encodings(table)
    assert set(chosen.dictionaries) == {"price", "side"}
    assert chosen.encodings == {
        "ts": "DELTA_BINARY_PACKED",
        "id": "DELTA_BINARY_PACKED",
        "noise": "BYTE_STREAM_SPLIT",
    }
    assert chosen.compressions["price"] == "lz4"
    assert chosen.compressions["ts"] == "zstd"


INNER = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])
NESTED = [
    pa.array([[1.0, 2.0], [], None] * 10, pa.list_(pa.float64())),
    pa.array([{"a": 1, "b": ["x"]}, None] * 10, INNER),
    pa.array([[("k", 1)], []] * 10, pa.map_(pa.string(), pa.int64())),
    pa.array([[[1], [2, 3]]] * 10, pa.list_(pa.list_(pa.int64()))),
    pa.nulls(10),
]


@pytest.mark.parametrize("column", NESTED, ids=lambda column: str(column.type))
def test_every_leaf_of_a_nested_column_is_named_as_parquet_names_it(
    column: pa.Array[object],
) -> None:
    table = pa.table({"c": column})
    chosen = choose_encodings(table)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, use_compliant_nested_type=False) as writer:
        writer.write_table(table)
    named = pq.ParquetFile(sink.getvalue()).metadata.row_group(0)
    paths = {named.column(index).path_in_schema for index in range(named.num_columns)}
    assert set(chosen.compressions) == paths
