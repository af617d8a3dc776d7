"""Frames of other libraries become Arrow batches as they are, or are refused by name and row."""

from __future__ import annotations

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


def test_an_ambiguous_local_time_is_refused() -> None:
    frame = pd.DataFrame({"ts": pd.to_datetime(["2024-11-03T01:30"])})
    with pytest.raises(InvalidArgumentError, match=r"'ts'.*America/New_York"):
        list(to_batches(frame, tz="America/New_York"))


def test_messages_stay_small() -> None:
    wide = pa.table({"text": ["x" * 1_000] * 20_000})
    batches = list(to_batches(wide))
    assert sum(batch.num_rows for batch in batches) == 20_000
    assert all(batch.nbytes <= 1.1 * MAX_MESSAGE_BYTES for batch in batches)
    long = list(to_batches(pa.table({"a": pa.nulls(3 * MAX_MESSAGE_ROWS, pa.int8())})))
    assert {batch.num_rows for batch in long} == {MAX_MESSAGE_ROWS}
