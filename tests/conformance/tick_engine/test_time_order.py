"""The order of time, and what plans tell of times, over late data in every tier."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    NS,
    SCHEMA,
    VERSION_1,
    VERSION_2,
    admit,
    decoded,
    integers,
    put,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.domain.filters import Comparison, Operator
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import TickEngine

READ = ScanRequest(dataset=DATASET)


def fill(engine: TickEngine, *, messages: int = 40) -> None:
    """Messages about in time order, some of them late, with instants that come again."""
    chance = random.Random(7)  # rows, not secrets
    size = 0
    for number in range(messages):
        rows = chance.randint(1, 60)
        start = 0 if number % 9 == 8 else number * 20
        times = sorted(start + chance.randint(0, 30) for _ in range(rows))
        if number % 4 == 3:
            chance.shuffle(times)
        batch = ticks(rows, first=size)
        put(engine, batch.set_column(0, SCHEMA.field(0), pa.array(times, pa.int64()).cast(NS)))
        size += rows


def sorted_by_time(table: pa.Table) -> pa.Table:
    table = decoded(table)
    times = table.column("ts").cast(pa.int64()).to_pylist()
    order = sorted(range(table.num_rows), key=lambda place: times[place] or 0)
    return table.take(order)


@pytest.mark.parametrize(
    "request_of",
    [
        READ,
        replace(READ, start_ns=100, end_ns=600),
        replace(READ, symbols=("MSFT",)),
        replace(READ, filter=Comparison("price", Operator.GREATER, 50.0)),
        replace(READ, as_of_revision=17),
        replace(READ, stamps=(StampColumn.DATASET_REVISION,)),
    ],
    ids=["whole", "range", "symbols", "filter", "as-of", "stamps"],
)
def test_the_order_of_time_is_the_stable_sort_of_the_order_of_arrival(
    engine: TickEngine, request_of: ScanRequest
) -> None:
    fill(engine)
    expected = sorted_by_time(engine.scan(request_of).read_all())
    found = decoded(engine.scan(replace(request_of, order=Order.TIME)).read_all())
    assert found.num_rows > 100
    assert found.equals(expected)
    for limit in (1, 99, 10_000):
        first = engine.scan(replace(request_of, order=Order.TIME, limit=limit)).read_all()
        assert decoded(first).equals(expected.slice(0, limit))


def test_the_event_time_need_not_be_asked_for(engine: TickEngine) -> None:
    fill(engine)
    expected = sorted_by_time(engine.scan(READ).read_all()).column("size")
    request = replace(READ, order=Order.TIME, columns=("size",))
    assert engine.scan(request).read_all().column("size").to_pylist() == expected.to_pylist()


def test_t9_an_event_time_of_another_unit_is_ordered_too(engine: TickEngine) -> None:
    put(engine, ticks(3, first=100))
    fields = [SCHEMA.field(0).with_type(pa.timestamp("us", "UTC")), *list(SCHEMA)[1:]]
    schema = pa.schema(fields).with_metadata(SCHEMA.metadata)
    engine.create_dataset("coarse", stamp=VERSION_2, schema=schema)
    for first in (7, 3, 5):
        times = pa.array([first, first], pa.int64()).cast(pa.timestamp("us", "UTC"))
        batch = pa.record_batch([times, *ticks(2, first=first).columns[1:]], schema=schema)
        engine.append("coarse", batch, stamp=VERSION_2, judge=admit).result(30)
    request = ScanRequest(dataset="coarse", order=Order.TIME)
    assert sizes(engine, request) == [3, 4, 5, 6, 7, 8]


def test_a_plan_tells_the_newest_time_of_each_range(engine: TickEngine) -> None:
    for first in (140_000, 0, 70_000):
        put(engine, ticks(70_000, first=first))
    timed = replace(READ, columns=("ts",))
    plan = engine.plan(timed, max_endpoints=3)
    assert len(plan.ranges) == 3
    for planned in plan.ranges:
        times = engine.scan(planned.payload).read_all()
        instants = times.set_column(0, "ts", times.column("ts").cast(pa.int64()))
        assert planned.newest_time_ns is not None
        assert planned.newest_time_ns >= max(integers(instants, "ts"))
    assert plan.ranges[1].newest_time_ns is not None
    assert plan.ranges[1].newest_time_ns < 140_000 * 10
    assert engine.plan(replace(READ, columns=("size",))).ranges[0].newest_time_ns is None


def test_t11_a_long_dataset_is_ordered_within_the_limit(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(materialised_rows=50_000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    rows = 33_000
    for first in (2 * rows, 0, 3 * rows, rows):
        put(engine, ticks(rows, first=first))
    request = replace(READ, order=Order.TIME, columns=("size",))
    assert sizes(engine, request) == list(range(4 * rows))
    for _ in range(2):
        same = pa.array([7] * rows, pa.int64()).cast(NS)
        put(engine, ticks(rows).set_column(0, SCHEMA.field(0), same))
    with pytest.raises(LimitExceededError, match="overlap in time"):
        engine.scan(request)
    assert sizes(engine, replace(request, start_ns=2 * rows * 10)) == list(
        range(2 * rows, 4 * rows)
    )
