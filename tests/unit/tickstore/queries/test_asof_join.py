"""The as-of join against a row-wise oracle: ties, strictness, tolerance, direction, nulls."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_tickstore.domain.errors import InvalidArgumentError
from tickmesh_tickstore.queries.asof_join import (
    Direction,
    ExactMatches,
    JoinKeys,
    Matching,
    RightRows,
    asof_join,
    common_unit_ns,
)

Row = tuple[int | None, str | None]
BY_SYMBOL = JoinKeys(event_time="ts", symbol="symbol")
BY_NOTHING = JoinKeys(event_time="ts", symbol=None)
UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 1_000, "ns": 1}


def batch_of(rows: list[Row], *, unit: Any = "ns", encoded: bool = True) -> pa.RecordBatch:
    symbols: pa.Array[Any] = pa.array([symbol for _, symbol in rows], pa.string())
    times = pa.array([time for time, _ in rows], pa.int64())
    return pa.record_batch(
        {
            "ts": times.cast(pa.timestamp(unit, "UTC")),
            "symbol": coded(symbols) if encoded else symbols,
        }
    )


def coded(symbols: pa.Array[Any]) -> pa.Array[Any]:
    """The symbols by a dictionary that also has some which no row has."""
    more = pa.array(["unused", "c", "b", "a"])
    values = pc.unique(pa.concat_arrays([more, symbols.drop_null()]))
    return pa.DictionaryArray.from_arrays(pc.index_in(symbols, value_set=values), values)


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[0] is None, row[0] or 0))


def joined(
    left: list[list[Row]],
    right: list[Row],
    matching: Matching,
    *,
    keys: JoinKeys = BY_SYMBOL,
    left_unit: str = "ns",
    right_unit: str = "ns",
) -> list[int | None]:
    lefts = [batch_of(rows, unit=left_unit, encoded=bool(at % 2)) for at, rows in enumerate(left)]
    table = pa.Table.from_batches([batch_of(right, unit=right_unit)])
    unit_ns = common_unit_ns(pa.timestamp(left_unit, "UTC"), table.schema.field("ts").type)
    ready = RightRows(table, matching, keys=keys, unit_ns=unit_ns)
    found: list[int | None] = []
    for batch, places in asof_join(lefts, ready, keys=keys):
        assert len(places) == batch.num_rows
        found += places.to_pylist()
    return found


def oracle(left: Row, right: list[Row], matching: Matching, *, by_symbol: bool) -> int | None:
    """One left row: the number of its right row."""
    best: tuple[int, int, int] | None = None
    found = None
    for place, (time, symbol) in enumerate(right):
        if left[0] is None or time is None:
            continue
        if by_symbol and (left[1] is None or symbol != left[1]):
            continue
        gap = time - left[0]
        if gap == 0 and matching.exact is ExactMatches.EXCLUDED:
            continue
        if gap > 0 and matching.direction is Direction.BACKWARD:
            continue
        if gap < 0 and matching.direction is Direction.FORWARD:
            continue
        if matching.tolerance_ns is not None and abs(gap) > matching.tolerance_ns:
            continue
        # The nearest; of two as near the one before; of one instant the last.
        rank = (-abs(gap), -gap, place)
        if best is None or rank > best:
            best, found = rank, place
    return found


times = st.none() | st.integers(-6, 6)
rows = st.lists(st.tuples(times, st.none() | st.sampled_from(["a", "b", "c"])), max_size=15)
matchings = st.builds(
    Matching,
    direction=st.sampled_from(Direction),
    exact=st.sampled_from(ExactMatches),
    tolerance_ns=st.none() | st.integers(0, 5),
)


@given(left=st.lists(rows, max_size=3), right=rows, matching=matchings, by_symbol=st.booleans())
def test_every_left_row_gets_the_right_row_the_oracle_says(
    left: list[list[Row]], right: list[Row], matching: Matching, *, by_symbol: bool
) -> None:
    right = in_order(right)
    expected = [oracle(row, right, matching, by_symbol=by_symbol) for part in left for row in part]
    keys = BY_SYMBOL if by_symbol else BY_NOTHING
    assert joined(left, right, matching, keys=keys) == expected


@given(
    left=rows,
    right=rows,
    matching=matchings,
    units=st.sampled_from([("us", "ns"), ("ns", "us"), ("s", "ms"), ("ms", "ms")]),
)
def test_different_units_are_compared_exactly(
    left: list[Row], right: list[Row], matching: Matching, units: tuple[str, str]
) -> None:
    right = in_order(right)
    left_ns, right_ns = (
        [(None if time is None else time * UNIT_NS[unit], symbol) for time, symbol in side]
        for side, unit in ((left, units[0]), (right, units[1]))
    )
    expected = [oracle(row, right_ns, matching, by_symbol=True) for row in left_ns]
    found = joined([left], right, matching, left_unit=units[0], right_unit=units[1])
    assert found == expected


def test_the_whole_range_of_instants_can_be_compared() -> None:
    low, high = -(2**63), 2**63 - 1
    nearest = Matching(direction=Direction.NEAREST)
    assert joined([[(high, "a")]], [(low, "a")], nearest) == [0]
    assert joined([[(0, "a")]], [(low, "a"), (high, "a")], nearest) == [1]
    close = Matching(direction=Direction.NEAREST, tolerance_ns=2**63 - 1)
    assert joined([[(high, "a")]], [(low, "a")], close) == [None]
    assert joined([[(high, "a")]], [(0, "a")], close) == [0]


def test_an_instant_beyond_the_finer_unit_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="beyond"):
        joined([[(2**62, "a")]], [(0, "a")], Matching(), left_unit="us")
    with pytest.raises(InvalidArgumentError, match="beyond"):
        joined([[(0, "a")]], [(2**62, "a")], Matching(), right_unit="s")


def test_times_with_and_without_a_zone_are_not_compared() -> None:
    with pytest.raises(InvalidArgumentError, match="time zone"):
        common_unit_ns(pa.timestamp("ns", "UTC"), pa.timestamp("ns"))


def test_dictionaries_of_different_contents_agree_by_value() -> None:
    right = pa.Table.from_batches(
        [batch_of([(1, "b"), (2, "a")]), batch_of([(3, "c"), (4, "b")]), batch_of([(5, "z")])]
    )
    ready = RightRows(right, Matching(), keys=BY_SYMBOL, unit_ns=1)
    left = [batch_of([(9, "c"), (9, "b")]), batch_of([(9, "y"), (9, "a")])]
    found = [places.to_pylist() for _, places in asof_join(left, ready, keys=BY_SYMBOL)]
    assert found == [[2, 3], [None, 1]]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("tolerance_ns", [None, 5])
def test_a_dictionary_may_hold_symbols_without_rows(
    direction: Direction, tolerance_ns: int | None
) -> None:
    symbols = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int32()), pa.array(["a", "b"]))
    times = pa.array([3, 4], pa.int64()).cast(pa.timestamp("ns", "UTC"))
    right = pa.table({"ts": times, "symbol": symbols})
    matching = Matching(direction=direction, tolerance_ns=tolerance_ns)
    ready = RightRows(right, matching, keys=BY_SYMBOL, unit_ns=1)
    left = [batch_of([(3, "a"), (3, "b")])]
    ((_, places),) = asof_join(left, ready, keys=BY_SYMBOL)
    assert places.to_pylist() == [None, 0]


def test_more_symbols_than_sixteen_bits_hold() -> None:
    count = 70_000
    right = in_order([(at % 7, f"s{at}") for at in range(count)])
    expected = {symbol: place for place, (_, symbol) in enumerate(right)}
    left: list[Row] = [(9, f"s{at}") for at in range(0, count, 11)]
    assert joined([left], right, Matching()) == [expected[symbol or ""] for _, symbol in left]
