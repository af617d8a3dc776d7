"""Filters: three-valued logic against a row-wise oracle, exact values, bounds, both forms alike."""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_tickstore.domain.filters import (
    MOST_DEPTH,
    MOST_NODES,
    MOST_VALUES,
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    FilterInvalidError,
    Instant,
    IsNull,
    Membership,
    Not,
    Operator,
    filter_from_json,
    filter_to_json,
    require_bounded,
)
from tickmesh_tickstore.engine.filtering import condition_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_tickstore.domain.filters import Value

NAN = math.nan
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "f64": (pa.float64(), [0.0, -0.0, 1.5, -1.5, NAN, math.inf, -math.inf, 0.1]),
    "f32": (pa.float32(), [0.0, -0.0, 1.5, NAN, math.inf]),
    "i8": (pa.int8(), [-128, -1, 0, 1, 127]),
    "u64": (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    "dec": (pa.decimal128(10, 2), [Decimal("0.00"), Decimal("1.10"), Decimal("-99999999.99")]),
    "word": (pa.dictionary(pa.int32(), pa.string()), ["", "a", "b", "é"]),
    "text": (pa.large_string(), ["", "a", "b", "é"]),
    "flag": (pa.bool_(), [True, False]),
    "raw": (pa.binary(), [b"", b"a", b"\xff"]),
    "us": (pa.timestamp("us", "UTC"), [0, -1, 1, 10**12]),
    "ns": (pa.timestamp("ns", "UTC"), [0, -1, 1, 2**63 - 1, -(2**63)]),
    "day": (pa.date32(), ["1969-12-31", "1970-01-01", "2024-02-29"]),
    "time": (pa.time64("ns"), ["00:00:00", "09:30:00.000000001", "23:59:59.999999999"]),
    "count": (pa.duration("ms"), [0, -5, 5]),
}
SCHEMA = pa.schema([(name, data_type) for name, (data_type, _) in COLUMNS.items()])
COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def value_of(name: str, raw: Any) -> Value:
    """What a filter calls a value of the table above."""
    if name == "us":
        return Instant(raw * 1_000)
    if name == "ns":
        return Instant(raw)
    value: Value = raw
    return value


def array_of(name: str, values: list[Any]) -> pa.Array[Any]:
    data_type = COLUMNS[name][0]
    if name in {"us", "ns", "count"}:
        return pa.array(values, pa.int64()).cast(data_type)
    if name == "day":
        return pa.array(values, pa.string()).cast(data_type)
    if name == "time":
        day = pa.array([None if each is None else f"1970-01-01 {each}" for each in values])
        return day.cast(pa.timestamp("ns")).cast(data_type)
    if name == "word":
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, data_type)


def true_of(condition: Filter, row: dict[str, Any]) -> bool | None:
    """The oracle: one row at a time, `None` for unknown."""
    match condition:
        case Comparison(column, compared, value):
            if row[column] is None:
                return None
            return COMPARE[compared](row[column], raw_of(column, value))
        case Membership(column, values):
            each = [true_of(Comparison(column, Operator.EQUAL, value), row) for value in values]
            return any_of(each)
        case IsNull(column):
            return row[column] is None
        case AllOf(operands):
            negated = any_of([not_of(true_of(operand, row)) for operand in operands])
            return not_of(negated)
        case AnyOf(operands):
            return any_of([true_of(operand, row) for operand in operands])
        case Not(operand):
            return not_of(true_of(operand, row))


def raw_of(column: str, value: Value) -> Any:
    if isinstance(value, Instant):
        return value.ns // (1_000 if column == "us" else 1)
    return value


def not_of(value: bool | None) -> bool | None:
    return None if value is None else not value


def any_of(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


names = st.sampled_from(sorted(COLUMNS))


@st.composite
def comparisons(draw: st.DrawFn) -> Filter:
    name = draw(names)
    value = value_of(name, draw(st.sampled_from(COLUMNS[name][1])))
    allowed = [Operator.EQUAL, Operator.NOT_EQUAL] if name == "flag" else list(Operator)
    return Comparison(name, draw(st.sampled_from(allowed)), value)


@st.composite
def memberships(draw: st.DrawFn) -> Filter:
    name = draw(names)
    values = draw(st.lists(st.sampled_from(COLUMNS[name][1]), max_size=3))
    return Membership(name, tuple(value_of(name, value) for value in values))


def junctions(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.builds(AllOf, several) | st.builds(AnyOf, several) | st.builds(Not, inner)


filters = st.recursive(
    comparisons() | memberships() | st.builds(IsNull, names), junctions, max_leaves=6
)
rows = st.lists(
    st.fixed_dictionaries(
        {name: st.none() | st.sampled_from(values) for name, (_, values) in COLUMNS.items()}
    ),
    max_size=12,
)


@given(condition=filters, rows=rows)
def test_a_filter_is_true_of_the_rows_the_oracle_says(
    condition: Filter, rows: list[dict[str, Any]]
) -> None:
    batch = pa.record_batch(
        [array_of(name, [row[name] for row in rows]) for name in COLUMNS], schema=SCHEMA
    )
    expected = [place for place, row in enumerate(rows) if true_of(condition, row) is True]
    ready = condition_of(condition, SCHEMA)
    numbered = batch.append_column("place", pa.array(range(len(rows)), pa.int64()))
    assert batch.schema.names
    assert ready.columns <= set(batch.schema.names)
    mask = ready.mask(batch)
    assert len(mask) == len(rows)
    assert numbered.filter(mask).column("place").to_pylist() == expected
    pushed = pa.Table.from_batches([numbered]).filter(ready.expression)
    # An expression may let more through where NaN is concerned, never less.
    assert set(expected) <= set(pushed.column("place").to_pylist())


@given(condition=filters)
def test_a_filter_travels_as_json(condition: Filter) -> None:
    assert repr(filter_from_json(filter_to_json(condition))) == repr(condition)


def test_statistics_never_rule_out_rows_of_nan(tmp_path: Any) -> None:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = pa.table({"f64": pa.array([1.0, NAN, 1.0])})
    pq.write_table(table, tmp_path / "rows.parquet")
    for condition in (
        Comparison("f64", Operator.NOT_EQUAL, 1.0),
        Not(Comparison("f64", Operator.LESS, 2.0)),
        Not(Membership("f64", (1.0,))),
    ):
        ready = condition_of(condition, table.schema)
        found = ds.dataset(tmp_path / "rows.parquet").to_table(filter=ready.expression)
        (batch,) = found.to_batches()
        assert batch.filter(ready.mask(batch)).num_rows == 1


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("i8", 128, "-128 to 127"),
        ("i8", 1.5, "whole number"),
        ("i8", "1", "whole number"),
        ("i8", True, "whole number"),
        ("u64", -1, "0 to 18446744073709551615"),
        ("f32", 0.1, "0.10000000149011612"),
        ("f64", 2**53 + 1, "9007199254740992.0"),
        ("f64", "1.5", "float64|double"),
        ("f64", Decimal("0.1"), "0.1"),
        ("dec", Decimal("0.001"), "10 digits, 2 of them"),
        ("dec", 0.1, "decimal text"),
        ("dec", NAN, "decimal text"),
        ("text", 1, "text"),
        ("word", b"a", "text"),
        ("flag", 1, "true or false"),
        ("raw", "a", "bytes"),
        ("us", Instant(1), "multiple of 1000 ns"),
        ("us", 5, "instant_ns"),
        ("day", "2024-02-30", "2024-01-31"),
        ("day", "20240131", "2024-01-31"),
        ("time", "24:00:00", "09:30:00"),
        ("count", 0.5, "whole number"),
    ],
)
def test_a_value_the_column_cannot_hold_exactly_is_refused(
    column: str, value: Value, wanted: str
) -> None:
    condition = AllOf((IsNull("f64"), Not(Comparison(column, Operator.EQUAL, value))))
    with pytest.raises(FilterInvalidError) as refused:
        condition_of(condition, SCHEMA)
    ((field, description),) = refused.value.violations
    assert field == "filter.all_of.operands[1].negation.comparison.value"
    assert any(part in description for part in wanted.split("|"))
    assert refused.value.metadata["column"] == column


def test_an_unknown_column_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(FilterInvalidError, match="f64, f32") as refused:
        condition_of(IsNull("volume"), SCHEMA)
    assert refused.value.violations[0][0] == "filter.is_null.column"


def test_truth_has_no_order() -> None:
    with pytest.raises(FilterInvalidError, match="no order"):
        condition_of(Comparison("flag", Operator.LESS, True), SCHEMA)


def test_nested_columns_can_be_tested_for_null_alone() -> None:
    schema = pa.schema([("levels", pa.list_(pa.int64()))])
    batch = pa.record_batch([pa.array([[1], None], pa.list_(pa.int64()))], schema=schema)
    assert condition_of(IsNull("levels"), schema).mask(batch).to_pylist() == [False, True]
    with pytest.raises(FilterInvalidError, match="tested for null"):
        condition_of(Comparison("levels", Operator.EQUAL, 1), schema)


def test_a_dictionary_larger_than_its_batch_is_not_worked_through() -> None:
    column = pa.DictionaryArray.from_arrays(
        pa.array([3, None, 7], pa.int32()), pa.array([str(each) for each in range(1_000)])
    )
    batch = pa.record_batch([column], names=["word"])
    for condition, expected in (
        (Comparison("word", Operator.GREATER, "3"), [False, None, True]),
        (IsNull("word"), [False, True, False]),
    ):
        assert condition_of(condition, batch.schema).mask(batch).to_pylist() == expected


@pytest.mark.parametrize(
    "condition",
    [
        AllOf((IsNull("f64"),) * MOST_NODES),
        Membership("i8", (1,) * (MOST_VALUES + 1)),
    ],
)
def test_t11_filters_are_bounded(condition: Filter) -> None:
    with pytest.raises(FilterInvalidError, match="at most"):
        require_bounded(condition)


def test_t11_filters_are_bounded_in_depth() -> None:
    condition: Filter = IsNull("f64")
    for _ in range(MOST_DEPTH - 1):
        condition = Not(condition)
    require_bounded(condition)
    with pytest.raises(FilterInvalidError, match="levels"):
        require_bounded(Not(condition))
