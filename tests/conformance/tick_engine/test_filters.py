"""Filters in reads and tails, together with everything else a read can ask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_2, integers, put, sizes, ticks
from tickmesh_tickstore.domain.filters import (
    AllOf,
    AnyOf,
    Comparison,
    FilterInvalidError,
    Instant,
    IsNull,
    Membership,
    Not,
    Operator,
)
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn

if TYPE_CHECKING:
    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.engine import TickEngine

READ = ScanRequest(dataset=DATASET)
LARGE = Comparison("size", Operator.GREATER_OR_EQUAL, 70)


def fill(engine: TickEngine) -> None:
    for number in range(10):
        put(engine, ticks(10, first=number * 10))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (LARGE, range(70, 100)),
        (Not(LARGE), range(70)),
        (Comparison("price", Operator.LESS, 1.5), range(3)),
        (Comparison("ts", Operator.EQUAL, Instant(420)), [42]),
        (Comparison("symbol", Operator.EQUAL, "MSFT"), range(1, 100, 3)),
        (Not(Membership("symbol", ("MSFT", "IBM"))), range(0, 100, 3)),
        (AllOf((LARGE, Membership("size", (3, 71, 99)))), [71, 99]),
        (AnyOf((Comparison("size", Operator.LESS, 2), LARGE)), [0, 1, *range(70, 100)]),
        (IsNull("price"), []),
        (Not(Membership("size", ())), range(100)),
    ],
)
def test_a_filter_chooses_rows(
    engine: TickEngine, condition: Filter, expected: range | list[int]
) -> None:
    fill(engine)
    request = replace(READ, filter=condition)
    assert sizes(engine, request) == list(expected)
    assert sizes(engine, replace(request, limit=2)) == list(expected)[:2]
    payload = engine.plan(request).ranges[0].payload
    assert integers(engine.scan(payload).read_all(), "size") == list(expected)


def test_a_filter_goes_with_everything_else_a_read_asks(engine: TickEngine) -> None:
    fill(engine)
    request = replace(READ, filter=LARGE)
    assert sizes(engine, replace(request, start_ns=850, end_ns=900)) == [85, 86, 87, 88, 89]
    assert sizes(engine, replace(request, symbols=("AAPL",), limit=2)) == [72, 75]
    assert sizes(engine, replace(request, as_of_revision=8)) == list(range(70, 80))
    assert sizes(engine, replace(request, as_of_revision=7)) == []
    columns = engine.scan(replace(request, columns=("price",), end_ns=710)).read_all()
    assert columns.to_pydict() == {"price": [35.0]}
    stamped = replace(request, stamps=(StampColumn.DATASET_REVISION,), columns=("size",))
    rows = engine.scan(stamped).read_all()
    assert rows.column("_dataset_revision").to_pylist() == [8] * 10 + [9] * 10 + [10] * 10


def test_a_filter_goes_with_the_order_of_time(engine: TickEngine) -> None:
    for first in (50, 10, 90, 30):
        put(engine, ticks(5, first=first))
    condition = Not(Comparison("size", Operator.EQUAL, 31))
    request = replace(READ, filter=condition, order=Order.TIME, start_ns=130, end_ns=520)
    assert sizes(engine, request) == [13, 14, 30, 32, 33, 34, 50, 51]


def test_t8_a_tail_gives_the_rows_a_filter_wants(engine: TickEngine) -> None:
    fill(engine)
    follower = engine.follow(DATASET, wanted=LARGE, columns=("size",))
    found: list[int] = []
    for _ in range(20):
        followed = follower.wait(0)
        if followed is not None:
            found += integers(followed.batch, "size")
    assert found == list(range(70, 100))
    put(engine, ticks(5, first=68))
    followed = follower.wait(10)
    while followed is None:
        followed = follower.wait(10)
    assert integers(followed.batch, "size") == [70, 71, 72]
    follower.close()


def test_t9_a_column_that_a_version_lacks_is_null_to_a_filter(engine: TickEngine) -> None:
    fill(engine)
    schema = SCHEMA.append(pa.field("venue", pa.string()))
    engine.add_version(DATASET, stamp=VERSION_2, schema=schema)
    venues = pa.array(["N", "Q", None] * 2)
    columns = [*ticks(6, first=100).columns, venues]
    put(engine, pa.record_batch(columns, schema=schema), stamp=VERSION_2)
    named = Comparison("venue", Operator.NOT_EQUAL, "N")
    assert sizes(engine, replace(READ, filter=named)) == [101, 104]
    assert sizes(engine, replace(READ, filter=Not(named))) == [100, 103]
    assert sizes(engine, replace(READ, filter=IsNull("venue"))) == [*range(100), 102, 105]


def test_a_filter_that_does_not_fit_the_columns_is_refused_when_planned(
    engine: TickEngine,
) -> None:
    fill(engine)
    for condition in (IsNull("volume"), Comparison("size", Operator.LESS, 0.5)):
        request = replace(READ, filter=condition)
        for ask in (engine.plan, engine.scan):
            with pytest.raises(FilterInvalidError):
                ask(request)
        with pytest.raises(FilterInvalidError):
            engine.follow(DATASET, wanted=condition)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (Comparison("ts", Operator.GREATER, Instant(700_000)), 70_000),
        (AllOf((LARGE, Comparison("ts", Operator.LESS_OR_EQUAL, Instant(699_990)))), 70_000),
        (Comparison("ts", Operator.EQUAL, Instant(700_010)), 70_000),
        (AnyOf((Comparison("ts", Operator.EQUAL, Instant(700_010)), LARGE)), 140_000),
        (Not(Comparison("ts", Operator.GREATER, Instant(700_000))), 140_000),
        (Comparison("ts", Operator.GREATER, Instant((1 << 63) - 1)), 140_000),
    ],
)
def test_a_filter_on_the_event_time_prunes_like_a_range(
    engine: TickEngine, condition: Filter, rows: int
) -> None:
    for first in (0, 70_000):
        put(engine, ticks(70_000, first=first))
    planned = engine.plan(replace(READ, filter=condition))
    assert sum(each.rows for each in planned.ranges) <= rows
    expected = [at for at in range(140_000) if _is_true(condition, at)]
    assert sizes(engine, replace(READ, filter=condition)) == expected


def _is_true(condition: Filter, number: int) -> bool:
    match condition:
        case AllOf(operands):
            return all(_is_true(each, number) for each in operands)
        case AnyOf(operands):
            return any(_is_true(each, number) for each in operands)
        case Not(operand):
            return not _is_true(operand, number)
        case Comparison("ts", operator, Instant(ns)):
            value, bound = number * 10, ns
        case Comparison(_, operator, int(bound)):
            value = number
    compare = {"==": int.__eq__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}
    return bool(compare[operator](value, bound))


def test_a_filter_on_the_symbol_narrows_the_symbols_asked_for(engine: TickEngine) -> None:
    fill(engine)
    for condition, expected in (
        (Comparison("symbol", Operator.EQUAL, "MSFT"), [1, 4]),
        (Membership("symbol", ("MSFT", "IBM")), [1, 4]),
        (Comparison("symbol", Operator.EQUAL, "IBM"), []),
        (Comparison("symbol", Operator.NOT_EQUAL, "IBM"), [0, 1]),
    ):
        request = replace(READ, filter=condition, symbols=("MSFT", "AAPL"), limit=2)
        assert sizes(engine, request) == expected
