"""Columns are matched by name; what would lose a value is refused with the line that mends it."""

from __future__ import annotations

import decimal
import re
from typing import Any

import pyarrow as pa
import pytest

from tickmesh_tickstore.columns import match_columns
from tickmesh_tickstore.errors import (
    ColumnsRefusedError,
    InvalidRowsError,
    NaiveTimestampError,
)

UTC_NS = pa.timestamp("ns", "UTC")
DICTIONARY = pa.dictionary(pa.int32(), pa.utf8())


def one(wanted: pa.DataType, *, nullable: bool = False) -> pa.Schema:
    return pa.schema([pa.field("value", wanted, nullable=nullable)])


def converted(array: Any, wanted: pa.DataType, *, naive_time_zone: str = "") -> Any:
    batch = pa.RecordBatch.from_arrays([array], ["value"])
    matching = match_columns(
        batch.schema, one(wanted), label="s version 1", naive_time_zone=naive_time_zone
    )
    out = matching.apply(batch)
    out.validate(full=True)
    assert out.schema.equals(matching.projection) or not matching.changes
    return out.column(0)


LOSSLESS = [
    (pa.array(["a", "b"], pa.large_string()), pa.utf8()),
    (pa.array(["a", "b"], pa.string_view()), pa.utf8()),
    (pa.array(["a", "b"]).dictionary_encode(), pa.utf8()),
    (pa.array(["a", "b"]), DICTIONARY),
    (pa.array(["a", "b"], pa.large_string()), DICTIONARY),
    (pa.array(["a", "b"]).cast(pa.dictionary(pa.int8(), pa.large_string())), DICTIONARY),
    (pa.array([1, 2], pa.int16()), pa.int64()),
    (pa.array([1, 2], pa.int64()), pa.int8()),
    (pa.array([1, 2], pa.uint64()), pa.int64()),
    (pa.array([1, 2], pa.int64()), pa.float64()),
    (pa.array([1.5, 2.0], pa.float32()), pa.float64()),
    (pa.array([decimal.Decimal("1.50")], pa.decimal128(10, 2)), pa.decimal128(18, 4)),
    (pa.array([1, 2], pa.timestamp("us", "UTC")), UTC_NS),
    (pa.array([1, 2], pa.timestamp("ns", "America/New_York")), UTC_NS),
    (pa.array([[1], None], pa.list_(pa.int32())), pa.list_(pa.int64())),
    (pa.nulls(2), pa.utf8()),
]


@pytest.mark.parametrize(
    ("array", "wanted"), LOSSLESS, ids=lambda each: str(getattr(each, "type", each))
)
def test_a_lossless_change_keeps_every_value(array: Any, wanted: pa.DataType) -> None:
    after = converted(array, wanted)
    assert after.type == wanted
    plain = after.dictionary_decode() if pa.types.is_dictionary(wanted) else after
    came = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    assert [
        str(each) for each in plain.cast(pa.utf8() if plain.type == pa.utf8() else plain.type)
    ] == [str(each) for each in came.cast(plain.type)]


LOSSY = [
    (pa.float64(), pa.int64()),
    (pa.float64(), pa.float32()),
    (pa.float64(), pa.decimal128(18, 4)),
    (pa.decimal128(18, 4), pa.decimal128(10, 2)),
    (pa.decimal128(18, 4), pa.float64()),
    (pa.utf8(), pa.int64()),
    (pa.int64(), pa.utf8()),
    (pa.int64(), UTC_NS),
    (pa.date32(), UTC_NS),
]


@pytest.mark.parametrize(("came", "wanted"), LOSSY, ids=str)
def test_a_lossy_type_is_refused_before_any_row(came: pa.DataType, wanted: pa.DataType) -> None:
    with pytest.raises(ColumnsRefusedError, match=f"came as {re.escape(str(came))}"):
        match_columns(one(came), one(wanted), label="s version 1")


@pytest.mark.parametrize(
    ("array", "wanted", "rows"),
    [
        (pa.array([1, 300, -200]), pa.int8(), 2),
        (pa.array([1, 2**60 + 1]), pa.float64(), 1),
        (pa.array([1, 2**64 - 1], pa.uint64()), pa.int64(), 1),
        (pa.array([0, 2**62], pa.timestamp("us", "UTC")), UTC_NS, 1),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_is_counted_not_bent(
    array: Any, wanted: pa.DataType, rows: int
) -> None:
    with pytest.raises(InvalidRowsError) as refused:
        converted(array, wanted)
    assert refused.value.metadata["rows"] == str(rows)
    assert refused.value.metadata["column"] == "value"


def test_columns_are_put_in_the_order_of_the_version() -> None:
    batch = pa.RecordBatch.from_pydict({"b": [1], "a": ["x"]})
    types: dict[str, pa.DataType] = {"a": pa.utf8(), "b": pa.int64()}
    wanted = pa.schema(types)
    matching = match_columns(batch.schema, wanted, label="s version 1")
    assert matching.apply(batch).to_pydict() == {"a": ["x"], "b": [1]}
    assert {change.change for change in matching.changes} == {"reordered"}


def test_equal_columns_pass_without_a_copy() -> None:
    batch = pa.RecordBatch.from_pydict({"value": [1, 2]})
    matching = match_columns(batch.schema, one(pa.int64(), nullable=True), label="s version 1")
    assert matching.changes == ()
    assert matching.apply(batch) is batch


def test_nullability_alone_is_no_change_of_values() -> None:
    batch = pa.RecordBatch.from_pydict({"value": [1, 2]})
    matching = match_columns(batch.schema, one(pa.int64()), label="s version 1")
    assert matching.changes == ()
    assert matching.apply(batch).schema == one(pa.int64())


def test_a_missing_required_column_is_refused_and_named() -> None:
    with pytest.raises(ColumnsRefusedError, match=r"'value'.*required.*missing"):
        match_columns(pa.schema([]), one(pa.int64()), label="s version 1")


def test_a_missing_optional_column_becomes_nulls_so_older_producers_go_on() -> None:
    wanted = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", DICTIONARY)])
    batch = pa.RecordBatch.from_pydict({"a": [1, 2]})
    matching = match_columns(batch.schema, wanted, label="s version 2")
    assert matching.apply(batch).to_pydict() == {"a": [1, 2], "b": [None, None]}
    assert [(each.column, each.change) for each in matching.changes] == [("b", "absent → null")]


def test_an_unknown_column_is_refused_with_the_line_that_drops_it() -> None:
    types: dict[str, pa.DataType] = {"value": pa.int64(), "prise": pa.float64()}
    incoming = pa.schema(types)
    with pytest.raises(ColumnsRefusedError, match=r"table\.drop_columns\(\['prise'\]\)"):
        match_columns(incoming, one(pa.int64()), label="s version 1")


def test_a_pandas_index_is_told_from_data() -> None:
    incoming = pa.schema([("value", pa.int64()), ("__index_level_0__", pa.int64())])
    with pytest.raises(ColumnsRefusedError, match="preserve_index=False"):
        match_columns(incoming, one(pa.int64()), label="s version 1")


def test_a_column_that_is_there_twice_is_refused() -> None:
    incoming = pa.schema([("value", pa.int64()), ("value", pa.int64())])
    with pytest.raises(ColumnsRefusedError, match="there twice"):
        match_columns(incoming, one(pa.int64()), label="s version 1")


def test_a_zone_less_timestamp_is_refused_with_the_line_that_mends_it() -> None:
    with pytest.raises(NaiveTimestampError, match=r'dt\.tz_localize\("UTC"\)'):
        match_columns(one(pa.timestamp("ns")), one(UTC_NS), label="s version 1")


def test_a_zone_less_timestamp_is_read_in_the_datasets_zone() -> None:
    noon = pa.array([43_200_000_000], pa.timestamp("us"))
    after = converted(noon, UTC_NS, naive_time_zone="America/New_York")
    assert after.cast(pa.int64()).to_pylist() == [(12 + 5) * 3_600_000_000_000]


def test_structs_are_matched_by_name_inside_too() -> None:
    wanted = pa.struct([("a", pa.int64()), ("b", pa.utf8()), ("c", pa.int64())])
    array = pa.array(
        [{"b": "x", "a": 1}, None], pa.struct([("b", pa.large_string()), ("a", pa.int32())])
    )
    assert converted(array, wanted).to_pylist() == [{"a": 1, "b": "x", "c": None}, None]


def test_every_fault_is_told_at_once() -> None:
    incoming = pa.schema([("value", pa.utf8()), ("more", pa.utf8())])
    with pytest.raises(ColumnsRefusedError) as refused:
        match_columns(incoming, one(pa.int64()), label="s version 1")
    assert [name for name, _ in refused.value.violations] == ["more", "value"]
