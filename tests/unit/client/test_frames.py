"""Frames of other libraries become Arrow batches as they are, or are refused by name and row."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tickmesh._ticks.frames import MAX_MESSAGE_BYTES, MAX_MESSAGE_ROWS, to_batches
from tickmesh.errors import InvalidArgumentError

TABLE = pa.table({"a": [1, 2, 3]})


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(),
        TABLE.to_batches(),
        pd.DataFrame({"a": [1, 2, 3]}),
        pl.DataFrame({"a": [1, 2, 3]}),
    ],
    ids=lambda each: f"{type(each).__module__}.{type(each).__name__}",
)
def test_every_kind_of_table_is_taken(data: object) -> None:
    batches = list(to_batches(data))  # type: ignore[arg-type]  # one list of many types
    assert pa.Table.from_batches(batches).to_pydict() == {"a": [1, 2, 3]}


@pytest.mark.parametrize("data", ["text", {"a": [1]}, 5, [1, 2]], ids=str)
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(InvalidArgumentError):
        list(to_batches(data))  # type: ignore[arg-type]  # that is the point


def test_mixed_types_are_refused_by_column_and_row() -> None:
    frame = pd.DataFrame({"note": ["a", None, 7]})
    with pytest.raises(InvalidArgumentError, match=r"column 'note' mixes types.*row 2") as refused:
        list(to_batches(frame))
    assert refused.value.metadata == {"column": "note", "row": "2"}


def test_pandas_categories_and_object_strings_are_mapped() -> None:
    frame = pd.DataFrame(
        {
            "symbol": pd.Categorical(["A", "B", "A"]),
            "note": pd.Series(["x", None, "z"], dtype=object),
        }
    )
    (batch,) = to_batches(frame)
    assert pa.types.is_dictionary(batch.schema.field("symbol").type)
    assert batch.to_pydict() == {"symbol": ["A", "B", "A"], "note": ["x", None, "z"]}


def test_naive_columns_are_localised_in_tz_and_left_alone_without() -> None:
    frame = pd.DataFrame({"ts": pd.to_datetime(["2024-08-08T09:30"])})
    (naive,) = to_batches(frame)
    assert naive.schema.field("ts").type.tz is None
    (localised,) = to_batches(frame, tz="America/New_York")
    assert localised.schema.field("ts").type.tz == "America/New_York"
    hours = localised.column(0).cast(pa.timestamp("s", "UTC")).cast(pa.int64())[0].as_py() // 3600
    assert hours % 24 == 13


@pytest.mark.parametrize(
    ("moment", "what"),
    [
        ("2024-11-03T01:30", "happened twice in America/New_York"),
        ("2024-03-10T02:30", "does not exist in America/New_York"),
    ],
)
def test_a_local_time_that_is_no_one_instant_is_refused_by_row(moment: str, what: str) -> None:
    good = pd.DataFrame({"ts": pd.to_datetime(["2024-08-08T09:30"] * 7)})
    bad = pd.DataFrame({"ts": pd.to_datetime(pd.Series(["2024-08-08T09:30", None, moment]))})
    batches = [pa.RecordBatch.from_pandas(frame) for frame in (good, bad)]
    with pytest.raises(
        InvalidArgumentError, match=rf"'ts', row 9: {moment[:10]}.*{what}"
    ) as refused:
        list(to_batches(batches, tz="America/New_York"))
    assert refused.value.metadata["row"] == "9"


@pytest.mark.parametrize(
    "zone",
    [
        "America/New_York",
        ZoneInfo("America/New_York"),
        dt.timezone(dt.timedelta(hours=-4)),
    ],
    ids=str,
)
def test_any_form_of_a_zone_is_understood(zone: str | dt.tzinfo) -> None:
    summer = pa.table({"ts": pa.array(["2024-08-08T09:30"]).cast(pa.timestamp("ns"))})
    (batch,) = to_batches(summer, tz=zone)
    instant = batch.column(0).cast(pa.timestamp("ns", "UTC"))
    assert str(instant[0]) == "2024-08-08 13:30:00+00:00"


def test_the_named_index_of_a_frame_is_a_column() -> None:
    times = pd.to_datetime(["2024-08-08T09:30", "2024-08-08T09:31"], utc=True)
    frame = pd.DataFrame({"price": [1.0, 2.0]}, index=times)
    with pytest.raises(InvalidArgumentError, match="the index holds times and has no name"):
        list(to_batches(frame))
    (batch,) = to_batches(frame.rename_axis("ts"))
    assert batch.schema.names == ["ts", "price"]
    # A column of that name is the one that counts; row numbers are none.
    (plain,) = to_batches(pd.DataFrame({"price": [1.0, 2.0, 3.0]}).iloc[1:])
    assert plain.to_pydict() == {"price": [2.0, 3.0]}


def series(values: list[Any], dtype: Any = object) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


AWARE = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
NAIVE = AWARE.replace(tzinfo=None)


@pytest.mark.parametrize(
    "values",
    [
        [AWARE, NAIVE],
        [NAIVE, AWARE],
        [dt.date(2024, 1, 1), AWARE],
        ["a", b"a"],
        [True, 1],
        [1, True],
        [1, "1"],
        [Decimal(1), 1.5],
        [{"a": 1}, "a"],
    ],
    ids=str,
)
def test_no_mixture_of_types_is_bent_into_one(values: list[Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"'x' mixes types: .* in row 1, .* in row 2"):
        list(to_batches(series([None, *values])))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (series([1, None], "Int64"), pa.array([1, None])),
        (series([2**64 - 1, None], "UInt64"), pa.array([2**64 - 1, None], pa.uint64())),
        (series([True, None], "boolean"), pa.array([True, None])),
        (series([1.5, None], "Float64"), pa.array([1.5, None])),
        (series(["a", None], "string"), pa.array(["a", None])),
        (series(["a", None]), pa.array(["a", None])),
        (series([2**64 - 1, 1]), pa.array([2**64 - 1, 1], pa.uint64())),
        (series([1, 2.5]), pa.array([1.0, 2.5])),
        (series([Decimal("1.10"), None]), pa.array([Decimal("1.10"), None])),
        (
            series(["1.5", None], pd.ArrowDtype(pa.decimal128(18, 4))),
            pa.array(["1.5", None]).cast(pa.decimal128(18, 4)),
        ),
        (
            series([pd.Timestamp(1, unit="ns", tz="UTC"), None]),
            pa.array([1, None], pa.timestamp("ns", "UTC")),
        ),
        (series([1, 2], "category"), pa.array([1, 2])),
        (series([0.0, 1.0], pd.SparseDtype(float)), pa.array([0.0, 1.0])),
        (series([b"a", None]), pa.array([b"a", None])),
        (series([[1, 2], None]), pa.array([[1, 2], None])),
    ],
    ids=lambda each: str(each.dtypes.iloc[0]) if isinstance(each, pd.DataFrame) else str(each.type),
)
def test_types_of_pandas_keep_every_value(frame: pd.DataFrame, expected: pa.Array[Any]) -> None:
    (batch,) = to_batches(frame)
    column = batch.column(0)
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.utf8())
    assert column.equals(expected)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (series(list(pd.period_range("2024", periods=2, freq="D")), "period[D]"), "to_timestamp"),
        (series([1 + 2j], complex), "real"),
        (series([2**70]), "cannot become"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns are named 'a'"),
    ],
)
def test_what_arrow_cannot_hold_is_refused_by_name(frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        list(to_batches(frame))


def test_messages_stay_small() -> None:
    wide = pa.table({"text": ["x" * 1_000] * 20_000})
    batches = list(to_batches(wide))
    assert sum(batch.num_rows for batch in batches) == 20_000
    assert all(batch.nbytes <= 1.1 * MAX_MESSAGE_BYTES for batch in batches)
    long = list(to_batches(pa.table({"a": pa.nulls(3 * MAX_MESSAGE_ROWS, pa.int8())})))
    assert {batch.num_rows for batch in long} == {MAX_MESSAGE_ROWS}
