"""Settling changes where rows live, and nothing that a reader sees (T2, T5 to T8, T10, T11)."""

from __future__ import annotations

import errno
import gc
import random
import threading
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.support.ticks import (
    DATASET,
    NS,
    SCHEMA,
    VERSION_1,
    admit,
    decoded,
    integers,
    put,
    sizes,
    ticks,
)
from tests.unit.tickstore.conftest import segments
from tests.unit.tickstore.watched_files import WatchedFiles
from tickmesh_tickstore.domain.errors import (
    DatasetDamagedError,
    DiskFullError,
    StoreFailedError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn
from tickmesh_tickstore.domain.retention import Retention
from tickmesh_tickstore.domain.stamps import Origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.tickstore.conftest import OpenStore
    from tickmesh_tickstore.engine import DiskEngine

READ = ScanRequest(dataset=DATASET)
ALL_STAMPS = tuple(StampColumn)
BY_HAND = 3_600.0
"""Seconds after which segments settle by themselves: never within a test."""


def small(settled_rows: int) -> EngineLimits:
    return EngineLimits(settled_rows=settled_rows, settle_after_seconds=BY_HAND)


def compact(store: DiskEngine) -> None:
    store.compact(DATASET, timeout_seconds=60)


def late_batch(chance: random.Random, *, first: int, rows: int) -> pa.RecordBatch:
    """Rows counted on by `size`, a fifth of which happened long before they arrived."""
    batch = ticks(rows, first=first, symbols=chance.sample(["A", "B", "C", "D"], k=3))
    times = [
        10 * (number - chance.choice((0, 0, 0, 0, chance.randrange(200))))
        for number in range(first, first + rows)
    ]
    return batch.set_column(0, SCHEMA.field(0), pa.array(times, pa.int64()).cast(NS))


def fill(store: DiskEngine, *, seed: int, appends: int = 30) -> int:
    """Small and large messages of several writers, some sealed at once; returns the rows."""
    chance = random.Random(seed)
    epoch = store.open_producer(DATASET, "a").epoch
    rows = 0
    for number in range(1, appends + 1):
        batch = late_batch(chance, first=rows, rows=chance.choice((1, 3, 10, 80)))
        rows += batch.num_rows
        store.append(
            DATASET,
            batch,
            stamp=VERSION_1,
            judge=admit,
            producer=ProducerSequence("a", epoch, number),
            origin=Origin(chance.choice(("x", "y")), "z"),
        ).result(30)
        if chance.random() < 0.3:
            store.flush(DATASET, timeout_seconds=30)
    with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        for _ in range(3):
            upload.append(late_batch(chance, first=rows, rows=40))
            rows += 40
        upload.commit(batches=3, rows=120).result(30)
    return rows


def requests(rows: int, revision: int) -> list[ScanRequest]:
    """Whatever may be asked: whole, as of, ranges, symbols, cuts, orders, limits."""
    whole = replace(READ, stamps=ALL_STAMPS)
    asked = [replace(whole, as_of_revision=each) for each in range(0, revision + 1, 3)]
    for start, symbols, limit in product((None, 5 * rows), (None, ("A", "D")), (None, 7)):
        chosen = replace(whole, start_ns=start, symbols=symbols, limit=limit)
        asked += [chosen, replace(chosen, order=Order.TIME), replace(chosen, columns=("size",))]
    asked += [
        replace(whole, after=Position(each, row), through=Position(each + 4, 1))
        for each, row in product(range(0, revision, 5), (0, 2))
    ]
    return asked


def answers(store: DiskEngine, asked: list[ScanRequest]) -> list[pa.Table]:
    return [decoded(store.scan(each).read_all()) for each in asked]


def followed(store: DiskEngine, after: Position) -> list[tuple[list[Any], Position]]:
    """Everything behind a position, row by row with the revision it came in."""
    follower = store.follow(DATASET, after=after)
    rows: list[Any] = []
    while (item := follower.wait(0)) is not None:
        rows += item.batch.column("size").to_pylist()
    return [(rows, follower.position)]


@pytest.mark.parametrize("settled_rows", [7, 100, 1_000_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_t7_t5_no_read_is_answered_differently(
    open_store: OpenStore, settled_rows: int, seed: int
) -> None:
    store = open_store(limits=small(settled_rows))
    rows = fill(store, seed=seed)
    asked = requests(rows, store.dataset(DATASET).revision)
    before = answers(store, asked)
    middle = Position(store.dataset(DATASET).revision // 2, 1)
    tails = [followed(store, START), followed(store, middle)]
    compact(store)
    statistics = store.statistics(DATASET)
    assert statistics.settled_rows == statistics.rows == rows
    for _ in range(2):
        for request, expected, found in zip(asked, before, answers(store, asked), strict=True):
            assert found.equals(expected), request
        assert [followed(store, START), followed(store, middle)] == tails
        store = open_store(limits=small(settled_rows))
    revision = store.dataset(DATASET).revision
    pinned = [
        replace(
            each, as_of_revision=revision if each.as_of_revision is None else each.as_of_revision
        )
        for each in asked
    ]
    fill(store, seed=seed + 10)
    compact(store)
    for request, expected, found in zip(pinned, before, answers(store, pinned), strict=True):
        assert found.equals(expected), request


@pytest.mark.parametrize("lateness", [300, 1_000_000], ids=["somewhat-late", "in-no-order"])
def test_t7_late_rows_are_found_through_many_row_groups(
    open_store: OpenStore, tmp_path: Path, lateness: int
) -> None:
    limits = replace(small(1_000_000), served_bytes=30_000)
    store = open_store(limits=limits)
    chance = random.Random(7)
    rows = 9_000
    times = [10 * number - chance.randrange(lateness) for number in range(rows)]
    batch = ticks(rows, symbols=[f"S{number}" for number in range(40)])
    batch = batch.set_column(0, SCHEMA.field(0), pa.array(times, pa.int64()).cast(NS))
    for start in range(0, rows, 900):
        put(store, batch.slice(start, 900))
    asked = [replace(READ, stamps=ALL_STAMPS), replace(READ, symbols=("S3",), stamps=ALL_STAMPS)]
    for start_ns in range(-lateness, 10 * rows, (10 * rows + lateness) // 7):
        chosen = replace(READ, start_ns=start_ns, end_ns=start_ns + 5_000, stamps=ALL_STAMPS)
        asked += [chosen, replace(chosen, order=Order.TIME), replace(chosen, symbols=("S3", "S4"))]
    asked += [
        replace(READ, after=Position(each, 17), through=Position(each + 2, 400), start_ns=20_000)
        for each in range(1, 9)
    ]
    before = answers(store, asked)
    tail = followed(store, Position(3, 100))
    compact(store)
    (path,) = segments(tmp_path)
    assert pq.read_metadata(path).num_row_groups >= 8
    for request, expected, found in zip(asked, before, answers(store, asked), strict=True):
        assert found.equals(expected), request
    assert followed(store, Position(3, 100)) == tail


def test_parts_of_a_read_of_shuffled_rows_decode_no_row_twice(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(limits=small(60_000))
    rows = 240_000
    order = list(range(rows))
    random.Random(3).shuffle(order)
    batch = ticks(rows).take(pa.array(order))
    for start in range(0, rows, 30_000):
        put(store, batch.slice(start, 30_000))
        store.flush(DATASET, timeout_seconds=30)
    compact(store)
    decoded_rows = 0
    read = pq.ParquetFile.read_row_groups

    def counted(file: pq.ParquetFile, *which: Any, **options: Any) -> pa.Table:
        nonlocal decoded_rows
        table = read(file, *which, **options)
        decoded_rows += table.num_rows
        return table

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counted)
    plan = store.plan(READ, max_endpoints=3)
    parts = [store.scan(each.payload).read_all() for each in plan.ranges]
    assert [part.num_rows for part in parts] == [each.rows for each in plan.ranges]
    assert len(parts) == 3
    assert integers(pa.concat_tables(parts), "size") == order
    assert decoded_rows == rows


def test_t6_nulls_of_the_event_time_stay_where_they_are(open_store: OpenStore) -> None:
    schema = pa.schema([SCHEMA.field(0).with_nullable(True), pa.field("size", pa.int64())])
    store = open_store(limits=small(100))
    store.create_dataset("nulls", stamp=VERSION_1, schema=schema)
    times = pa.array([5, None, 3, None, 4], pa.int64()).cast(NS)
    batch = pa.record_batch([times, pa.array([0, 1, 2, 3, 4])], schema=schema)
    for _ in range(3):
        store.append("nulls", batch, stamp=VERSION_1, judge=admit).result(30)
    read = ScanRequest(dataset="nulls")
    before = store.scan(read).read_all().combine_chunks()
    in_time = sizes(store, replace(read, start_ns=4))
    store.compact("nulls", timeout_seconds=30)
    assert store.statistics("nulls").settled_rows == 15
    assert store.scan(read).read_all().combine_chunks().equals(before)
    assert sizes(store, replace(read, start_ns=4)) == in_time == [0, 4] * 3


def test_numbers_that_are_none_are_not_lost_to_statistics(open_store: OpenStore) -> None:
    store = open_store(limits=small(1_000))
    prices = [1.0, float("nan"), -0.0, float("inf")] * 25
    batch = ticks(100)
    put(store, batch.set_column(2, SCHEMA.field("price"), pa.array(prices)))
    compact(store)
    found = store.scan(replace(READ, columns=("price",))).read_all().column("price")
    assert repr(found.to_pylist()) == repr(prices)


def test_a_settled_segment_is_plain_parquet_in_order_of_event_time(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(limits=small(1_000_000))
    rows = fill(store, seed=4)
    compact(store)
    (path,) = segments(tmp_path)
    assert path.suffix == ".parquet"
    table = pq.read_table(path)
    assert table.num_rows == rows
    times = table.column("ts").cast(pa.int64())
    assert pc.all(pc.less_equal(times.slice(0, rows - 1), times.slice(1))).as_py()
    assert sorted(integers(table, "_arrival")) == list(range(rows))
    assert table.schema.field("ts").type == NS


def test_rows_that_arrived_in_order_need_no_column_for_it(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(limits=small(1_000_000))
    put(store, ticks(500))
    compact(store)
    (path,) = segments(tmp_path)
    assert pq.read_schema(path).names == SCHEMA.names


def test_a_thousand_small_appends_become_one_segment(open_store: OpenStore) -> None:
    store = open_store(limits=replace(small(1_000_000), log_bytes=20_000))
    for number in range(1_000):
        put(store, ticks(10, first=10 * number))
    store.flush(DATASET, timeout_seconds=30)
    assert store.statistics(DATASET).segments > 5
    compact(store)
    assert store.statistics(DATASET).segments == 1
    assert len(list(store.scan(READ))) == 1
    assert sizes(store) == list(range(10_000))


def test_segments_settle_and_merge_by_themselves(open_store: OpenStore) -> None:
    """So that flushing after every append never rots reads: segments stay few."""
    limits = EngineLimits(settled_rows=1_000, settle_after_seconds=0.0)
    store = open_store(limits=limits)
    for number in range(300):
        put(store, ticks(10, first=10 * number))
        store.flush(DATASET, timeout_seconds=30)
    # A request that finds nothing to wait for returns once the settler has come by.
    compact(store)
    statistics = store.statistics(DATASET)
    assert statistics.settled_rows == 3_000
    assert statistics.segments <= 5
    assert sizes(store) == list(range(3_000))


def test_a_read_that_began_before_goes_on_and_its_files_go_afterwards(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(limits=replace(small(100), read_ahead_bytes=1))
    for number in range(3):
        put(store, ticks(60, first=60 * number))
        compact(store)
    before = set(segments(tmp_path))
    stream = store.scan(replace(READ, stamps=ALL_STAMPS))
    follower = store.follow(DATASET)
    put(store, ticks(60, first=180))
    compact(store)
    assert stream.read_all().column("size").to_pylist() == list(range(180))
    del stream
    gc.collect()
    assert (item := follower.wait(5)) is not None
    assert item.batch.column("size").to_pylist()[:3] == [0, 1, 2]
    left = set(segments(tmp_path))
    assert len(left) == store.statistics(DATASET).segments
    assert not before & left or store.statistics(DATASET).settled_rows == 240


@pytest.mark.parametrize("call", ["create", "write", "sync", "rename", "sync_directory"])
def test_t2_a_failing_disk_leaves_every_row_where_it_was(
    open_store: OpenStore, tmp_path: Path, call: str
) -> None:
    files = WatchedFiles()
    store = open_store(limits=small(100), files=files)
    for number in range(5):
        put(store, ticks(50, first=50 * number))
        store.flush(DATASET, timeout_seconds=30)
    before = set(segments(tmp_path))
    files.failing[call] = errno.EIO
    with pytest.raises(StoreFailedError):
        compact(store)
    files.failing.clear()
    assert sizes(store) == list(range(250))
    assert set(segments(tmp_path)) == before
    compact(store)
    assert store.statistics(DATASET).settled_rows == 250
    put(store, ticks(1, first=250))
    assert sizes(open_store(limits=small(100))) == list(range(251))


def test_t11_a_full_disk_is_an_error_of_the_compaction_alone(open_store: OpenStore) -> None:
    files = WatchedFiles()
    store = open_store(limits=small(100), files=files)
    put(store, ticks(50))
    store.flush(DATASET, timeout_seconds=30)
    files.failing["create"] = errno.ENOSPC
    with pytest.raises(DiskFullError, match="make room"):
        compact(store)
    put(store, ticks(5, first=50))
    assert sizes(store) == list(range(55))


def test_t10_what_a_crash_left_over_is_removed_at_the_next_start(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(limits=small(100))
    put(store, ticks(50))
    compact(store)
    store.close()
    (path,) = segments(tmp_path)
    path.with_name("settled-left.parquet").write_bytes(path.read_bytes())
    (path.parent.parent / "staging" / "settled-half.parquet").write_bytes(b"PAR1")
    store = open_store(limits=small(100))
    assert segments(tmp_path) == [path]
    assert store.recovery[0].removed_files == 2
    assert sizes(store) == list(range(50))


def test_damage_is_told_and_never_answered_with_other_rows(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(limits=small(1_000_000))
    put(store, ticks(50_000))
    compact(store)
    store.close()
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    for place in range(1_000, len(content) // 2, 1_000):
        content[place] ^= 0x55
    path.write_bytes(content)
    store = open_store(limits=small(1_000_000))
    stream = store.scan(READ)
    with pytest.raises(DatasetDamagedError, match="revisions 1 to 1"):
        stream.read_all()


def test_retention_can_still_cut_between_revisions(open_store: OpenStore) -> None:
    store = open_store(limits=small(100))
    for number in range(8):
        put(store, ticks(45, first=45 * number))
    compact(store)
    held = store.statistics(DATASET)
    assert held.settled_segments == 4
    assert store.trim(DATASET, Retention(max_bytes=held.segment_bytes - 1)) == 90
    assert sizes(store) == list(range(90, 360))


class TellingFiles(WatchedFiles):
    """Tells when the first file was removed: the last step of settling."""

    def __init__(self) -> None:
        super().__init__()
        self.removed = threading.Event()

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.removed.set()


def test_what_was_left_is_settled_after_a_restart(open_store: OpenStore) -> None:
    store = open_store(limits=small(50))
    put(store, ticks(60))
    store.flush(DATASET, timeout_seconds=30)
    store.close()
    files = TellingFiles()
    limits = EngineLimits(settled_rows=50, settle_after_seconds=0.0)
    store = open_store(limits=limits, files=files)
    assert files.removed.wait(30)
    assert store.statistics(DATASET).settled_rows == 60
    assert sizes(store) == list(range(60))
