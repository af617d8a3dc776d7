"""Arrow rows become JSON documents exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.schema.validation import NullMeans, row_documents


def test_every_digit_of_an_instant_is_written() -> None:
    instants = [0, 1, -1, 1_700_000_000_123_456_789]
    columns: dict[str, Any] = {"ts": pa.array(instants, pa.timestamp("ns", "America/New_York"))}
    batch = pa.record_batch(columns)
    assert [row["ts"] for row in row_documents(batch)] == [
        "1970-01-01T00:00:00.000000000Z",
        "1970-01-01T00:00:00.000000001Z",
        "1969-12-31T23:59:59.999999999Z",
        "2023-11-14T22:13:20.123456789Z",
    ]


def test_numbers_stay_exact() -> None:
    columns: dict[str, Any] = {
        "big": pa.array([2**64 - 1], pa.uint64()),
        "price": pa.array([Decimal("1.10")], pa.decimal128(20, 2)),
        "double": [0.1],
        "nan": [float("nan")],
        "span": pa.array([5], pa.duration("ns")),
    }
    batch = pa.record_batch(columns)
    assert row_documents(batch) == [
        {"big": 2**64 - 1, "price": Decimal("1.10"), "double": 0.1, "nan": None, "span": 5}
    ]


def test_dates_times_and_bytes_become_text() -> None:
    columns: dict[str, Any] = {
        "day": pa.array([19_000], pa.date32()),
        "time": pa.array([1], pa.time64("ns")),
        "naive": pa.array([0], pa.timestamp("ms")),
        "bytes": pa.array([b"\x00\xff"]),
        "word": pa.array(["A"]).dictionary_encode(),
    }
    batch = pa.record_batch(columns)
    assert row_documents(batch) == [
        {
            "day": "2022-01-08",
            "time": "00:00:00.000000001Z",
            "naive": "1970-01-01T00:00:00.000",
            "bytes": "AP8=",
            "word": "A",
        }
    ]


def test_chosen_rows_come_in_the_order_asked_for() -> None:
    columns: dict[str, Any] = {"x": pa.chunked_array([[1, None], [3]])}
    table = pa.table(columns)
    assert row_documents(table, [2, 0, 1]) == [{"x": 3}, {"x": 1}, {}]
    assert row_documents(table, pa.array([1]), null_means=NullMeans.NULL) == [{"x": None}]
    with pytest.raises(ValueError, match="one reading"):
        row_documents(table, null_means=NullMeans.EITHER)


def test_nested_columns_keep_their_shape() -> None:
    book = pa.struct([("bid", pa.float64()), ("levels", pa.list_(pa.int64()))])
    rows: list[Any] = [{"bid": 1.5, "levels": [1, None]}, None, {"bid": None, "levels": []}]
    columns: dict[str, Any] = {
        "book": pa.array(rows, book),
        "tags": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    }
    batch = pa.record_batch(columns)
    assert row_documents(batch.slice(0, 3)) == [
        {"book": {"bid": 1.5, "levels": [1, None]}, "tags": {"a": 1}},
        {"tags": {}},
        {"book": {"levels": []}},
    ]
