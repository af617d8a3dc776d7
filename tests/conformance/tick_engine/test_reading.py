"""Reading: T7 snapshots, ranges, columns, limits, plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    NS,
    SCHEMA,
    VERSION_1,
    admit,
    put,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    FutureRevisionError,
    InvalidArgumentError,
    LimitExceededError,
    NoEventTimeError,
    NoSymbolError,
    SnapshotGoneError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.requests import Order, RangePayload, ScanRequest, StampColumn

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import TickEngine

READ = ScanRequest(dataset=DATASET)


def fill(engine: TickEngine, *, batches: int = 10, rows: int = 10) -> None:
    for number in range(batches):
        put(engine, ticks(rows, first=number * rows))


def test_t7_a_read_as_of_an_older_revision_is_repeatable(engine: TickEngine) -> None:
    fill(engine, batches=40)
    for revision in (0, 1, 17, 39, 40):
        assert sizes(engine, replace(READ, as_of_revision=revision)) == list(range(revision * 10))


@pytest.mark.parametrize("order", list(Order))
def test_batches_without_a_wanted_symbol_are_passed_over(engine: TickEngine, order: Order) -> None:
    for number, symbol in enumerate(("AAPL", "MSFT", "IBM", "MSFT")):
        put(engine, ticks(10, first=10 * number, symbols=(symbol,)))
    for request in (
        replace(READ, symbols=("MSFT",), order=order),
        replace(READ, symbols=("MSFT",), order=order, columns=("size",)),
        replace(READ, symbols=("MSFT",), order=order, stamps=tuple(StampColumn)),
    ):
        assert sizes(engine, request) == [*range(10, 20), *range(30, 40)]


def test_t7_a_reader_keeps_its_snapshot_while_rows_arrive(engine: TickEngine) -> None:
    fill(engine, batches=2)
    reader = engine.scan(READ)
    payload = engine.plan(READ).ranges[0].payload
    fill(engine, batches=3)
    assert reader.read_all().num_rows == 20
    assert engine.scan(payload).read_all().num_rows == 20


def test_t7_a_future_revision_is_refused(engine: TickEngine) -> None:
    with pytest.raises(FutureRevisionError):
        engine.scan(replace(READ, as_of_revision=1))


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "expected"),
    [
        (None, None, range(100)),
        (200, None, range(20, 100)),
        (None, 200, range(20)),
        (205, 395, range(21, 40)),
        (200, 400, range(20, 40)),
        (200, 200, range(0)),
        (5000, None, range(0)),
        (-(1 << 63), (1 << 63) - 1, range(100)),
    ],
)
def test_time_ranges_are_half_open_in_ns(
    engine: TickEngine, start_ns: int | None, end_ns: int | None, expected: range
) -> None:
    fill(engine)
    request = replace(READ, start_ns=start_ns, end_ns=end_ns)
    assert sizes(engine, request) == list(expected)
    assert sizes(engine, replace(request, limit=7)) == list(expected)[:7]


def test_rows_out_of_time_order_are_found(engine: TickEngine) -> None:
    for first in (50, 10, 90, 30):
        put(engine, ticks(5, first=first))
    request = replace(READ, start_ns=120, end_ns=520)
    assert sizes(engine, request) == [50, 51, 12, 13, 14, 30, 31, 32, 33, 34]
    assert sizes(engine, replace(request, order=Order.TIME)) == [12, 13, 14, *range(30, 35), 50, 51]


def test_symbols_select_rows_whatever_the_dictionary(engine: TickEngine) -> None:
    put(engine, ticks(6, symbols=("A", "B")))
    put(engine, ticks(6, first=6, symbols=("C", "B", "A")))
    put(engine, ticks(3, first=12, symbols=("D",)))
    assert sizes(engine, replace(READ, symbols=("A",))) == [0, 2, 4, 8, 11]
    assert sizes(engine, replace(READ, symbols=("A", "D"), limit=6)) == [0, 2, 4, 8, 11, 12]
    assert sizes(engine, replace(READ, symbols=("A", "B"), start_ns=30, end_ns=90)) == [
        3, 4, 5, 7, 8,
    ]  # fmt: skip
    assert sizes(engine, replace(READ, symbols=("nobody",))) == []
    assert sizes(engine, replace(READ, symbols=())) == []


def test_columns_are_given_in_the_asked_order(engine: TickEngine) -> None:
    fill(engine)
    request = replace(READ, columns=("size", "price"), start_ns=50, end_ns=70, symbols=("IBM",))
    table = engine.scan(request).read_all()
    assert table.schema.names == ["size", "price"]
    assert table.to_pylist() == [{"size": 5, "price": 2.5}]
    with pytest.raises(InvalidArgumentError, match="volume"):
        engine.scan(replace(READ, columns=("volume",)))


@pytest.mark.parametrize("limit", [0, 1, 15, 99, 100, 1000])
def test_a_limit_gives_the_first_rows(engine: TickEngine, limit: int) -> None:
    fill(engine)
    assert sizes(engine, replace(READ, limit=limit)) == list(range(min(limit, 100)))
    assert sizes(engine, replace(READ, limit=limit, order=Order.TIME)) == list(
        range(min(limit, 100))
    )


def test_equal_times_keep_the_order_of_arrival(engine: TickEngine) -> None:
    for first in (3, 1, 2):
        batch = ticks(2, first=first)
        same = pa.array([7, 7], pa.int64()).cast(NS)
        put(engine, batch.set_column(0, SCHEMA.field(0), same))
    assert sizes(engine, replace(READ, order=Order.TIME)) == [3, 4, 1, 2, 2, 3]


def test_a_dataset_without_event_time_or_symbol_can_be_read_whole(engine: TickEngine) -> None:
    schema = pa.schema([pa.field("size", pa.int64())])
    engine.create_dataset("plain", stamp=VERSION_1, schema=schema)
    batch = pa.record_batch({"size": [1, 2]}, schema=schema)
    engine.append("plain", batch, stamp=VERSION_1, judge=admit).result(30)
    plain = ScanRequest(dataset="plain")
    assert sizes(engine, plain) == [1, 2]
    for request in (replace(plain, start_ns=0), replace(plain, order=Order.TIME)):
        with pytest.raises(NoEventTimeError, match="x-tick-role"):
            engine.scan(request)
    with pytest.raises(NoSymbolError, match="x-tick-role"):
        engine.scan(replace(plain, symbols=("A",)))


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_ranges_in_ns_are_exact_on_coarser_event_times(
    engine: TickEngine, unit: Literal["s", "ms", "us"]
) -> None:
    schema = pa.schema(
        [
            pa.field("at", pa.timestamp(unit, "UTC"), metadata={"tickmesh.role": "event_time"}),
            pa.field("size", pa.int64()),
        ]
    )
    unit_ns = {"s": 10**9, "ms": 10**6, "us": 10**3}[unit]
    engine.create_dataset("coarse", stamp=VERSION_1, schema=schema)
    times = pa.array([-1, 0, 1, 2, None], pa.int64()).cast(pa.timestamp(unit, "UTC"))
    batch = pa.record_batch([times, pa.array([0, 1, 2, 3, 4])], schema=schema)
    engine.append("coarse", batch, stamp=VERSION_1, judge=admit).result(30)
    request = ScanRequest(dataset="coarse")
    assert sizes(engine, replace(request, start_ns=1, end_ns=unit_ns + 1)) == [2]
    assert sizes(engine, replace(request, start_ns=-1, end_ns=2 * unit_ns)) == [1, 2]
    assert sizes(engine, request) == [0, 1, 2, 3, 4]


def test_times_outside_64_bits_are_refused(engine: TickEngine) -> None:
    with pytest.raises(InvalidArgumentError):
        engine.scan(replace(READ, end_ns=1 << 63))


@pytest.mark.parametrize("endpoints", [1, 2, 3, 7])
@pytest.mark.parametrize("symbols", [None, ("AAPL",)])
def test_a_plan_splits_a_snapshot_into_disjoint_ranges_in_order(
    engine: TickEngine, endpoints: int, symbols: tuple[str, ...] | None
) -> None:
    rows = 200_000
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(rows - 1000))
        upload.commit(batches=1, rows=rows - 1000).result(30)
    put(engine, ticks(1000, first=rows - 1000))
    request = replace(READ, symbols=symbols, columns=("size",))
    plan = engine.plan(request, max_endpoints=endpoints)
    assert len(plan.ranges) == min(endpoints, 3)
    assert sum(each.rows for each in plan.ranges) == rows
    assert max(each.rows for each in plan.ranges) - min(each.rows for each in plan.ranges) <= 1
    put(engine, ticks(5))
    parts = [engine.scan(each.payload).read_all() for each in plan.ranges]
    assert all(part.schema.equals(plan.schema) for part in parts)
    step = 1 if symbols is None else 3
    assert pa.concat_tables(parts).column("size").to_pylist() == list(range(0, rows, step))


def test_ranges_with_stamps_know_their_revisions(engine: TickEngine) -> None:
    for number in range(3):
        put(engine, ticks(70_000, first=number * 70_000))
    request = replace(READ, columns=("size",), stamps=(StampColumn.DATASET_REVISION,))
    plan = engine.plan(request, max_endpoints=3)
    assert len(plan.ranges) == 3
    table = pa.concat_tables(engine.scan(each.payload).read_all() for each in plan.ranges)
    assert (
        table.column("_dataset_revision").to_pylist() == [1] * 70_000 + [2] * 70_000 + [3] * 70_000
    )


def test_a_range_that_was_not_planned_here_is_refused(engine: TickEngine) -> None:
    with pytest.raises(InvalidArgumentError):
        engine.scan(RangePayload(b"{}"))
    with pytest.raises(InvalidArgumentError):
        engine.scan(RangePayload(b"\xff\x00"))
    with pytest.raises(SnapshotGoneError):
        engine.scan(replace(READ, dataset_id="another"))


def test_served_batches_are_bounded(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(served_bytes=10_000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(engine, ticks(5000))
    for request in (READ, replace(READ, symbols=("AAPL",)), replace(READ, order=Order.TIME)):
        batches = list(engine.scan(request))
        assert len(batches) > 3
        assert max(pa.ipc.get_record_batch_size(batch) for batch in batches) <= 10_000


def test_t11_what_has_to_be_held_at_once_is_bounded(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(materialised_rows=10))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(engine, ticks(11))
    with pytest.raises(LimitExceededError):
        engine.scan(replace(READ, order=Order.TIME))
    assert len(sizes(engine)) == 11
    assert len(sizes(engine, replace(READ, stamps=(StampColumn.INGEST_TIME,)))) == 11


def test_many_small_appends_read_in_few_batches(engine: TickEngine) -> None:
    futures = [
        engine.append(DATASET, ticks(10, first=n * 10), stamp=VERSION_1, judge=admit)
        for n in range(1000)
    ]
    for future in futures:
        future.result(30)
    batches = list(engine.scan(READ))
    assert len(batches) <= 3
    assert [size for batch in batches for size in batch.column("size").to_pylist()] == list(
        range(10_000)
    )
