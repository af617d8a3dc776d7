"""T10: logs are read back without decoding rows; what is decoded later is what was written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
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
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import Position
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest, StampColumn
from tickmesh_tickstore.domain.stamps import Origin
from tickmesh_tickstore.engine.disk import logged

if TYPE_CHECKING:
    from tests.unit.tickstore.conftest import OpenStore
    from tickmesh_tickstore.engine import DiskEngine

READ = ScanRequest(dataset=DATASET, stamps=tuple(StampColumn))


def fill(store: DiskEngine) -> None:
    """Tiny and large messages of several versions, writers, producers and dictionaries."""
    store.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA.remove(2))
    epoch = store.open_producer(DATASET, "feed").epoch
    first = 0
    for number in range(60):
        rows = (1, 3, 0, 7, 20_000)[number % 5] if number < 20 else 1 + number % 4
        batch = ticks(rows, first=first, symbols=(f"S{number % 7}", "T", f"U{number}"))
        stamp = VERSION_1
        if number % 11 > 7:
            batch, stamp = batch.drop_columns(["price"]), VERSION_2
        store.append(
            DATASET,
            batch,
            stamp=stamp,
            judge=admit,
            producer=ProducerSequence("feed", epoch, 1 + number // 2) if number % 2 else None,
            origin=Origin("alice" if number % 13 > 9 else "bob"),
        ).result(30)
        first += rows
        if number == 30:
            with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
                upload.append(ticks(5, first=first))
                upload.commit(batches=1, rows=5).result(30)
            first += 5


@pytest.mark.parametrize("part_bytes", [1, 5_000, 4 << 20])
@pytest.mark.parametrize("limits", [EngineLimits(), EngineLimits(decoded_log_bytes=1)])
def test_t10_rows_stamps_and_positions_are_as_they_were(
    open_store: OpenStore,
    monkeypatch: pytest.MonkeyPatch,
    part_bytes: int,
    limits: EngineLimits,
) -> None:
    store = open_store()
    fill(store)
    before = decoded(store.scan(READ).read_all())
    statistics = store.statistics(DATASET)
    monkeypatch.setattr(logged, "_PART_BYTES", part_bytes)

    store = open_store(limits=limits)
    after = store.statistics(DATASET)
    assert (after.rows, after.unsealed_rows) == (statistics.rows, statistics.unsealed_rows)
    assert (after.min_time_ns, after.max_time_ns) == (
        statistics.min_time_ns,
        statistics.max_time_ns,
    )
    assert decoded(store.scan(READ).read_all()).equals(before)
    numbers = before.column("size").to_pylist()
    revisions = integers(before, "_dataset_revision")
    for place in (0, 1, 5, 20_011, 40_022, len(numbers) - 3):
        follower = store.follow(DATASET, after=Position(revisions[place]))
        followed = follower.wait(10)
        assert followed is not None
        assert (
            followed.batch.column("size")[0].as_py() == numbers[revisions.index(revisions[place])]
        )
        follower.close()

    put(store, ticks(1, first=len(numbers)))
    store.flush(DATASET, timeout_seconds=60)
    assert store.statistics(DATASET).unsealed_rows == 0
    assert decoded(store.scan(READ).read_all().slice(0, len(numbers))).equals(before)
    assert sizes(open_store()) == [*numbers, len(numbers)]


def test_t10_opening_decodes_no_rows(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    for number in range(50):
        put(store, ticks(3, first=3 * number))
    store.close()
    opened: list[Any] = []
    open_stream = pa.ipc.open_stream

    def counted(log: pa.Buffer) -> pa.RecordBatchReader:
        opened.append(log)
        return open_stream(log)

    monkeypatch.setattr(pa.ipc, "open_stream", counted)
    store = open_store()
    assert store.recovery[0].rows == 150
    assert opened == []
    assert sizes(store) == list(range(150))
    # Neighbours are decoded together.
    assert len(opened) < 5


def test_t10_a_log_of_tiny_frames_is_read_back_in_seconds_a_gigabyte(
    open_store: OpenStore,
) -> None:
    """Two seconds a GB is the aim; the bound leaves room for a busy machine, not for decoding."""
    limits = EngineLimits(log_bytes=1 << 30)
    store = open_store(limits=limits)
    epoch = store.open_producer(DATASET, "feed").epoch
    rows = ticks(64)
    # Messages with different judges do not share a frame.
    judges = [admit, lambda _: None]
    for number in range(1, 10_001):
        last = store.append(
            DATASET,
            rows,
            stamp=VERSION_1,
            judge=judges[number % 2],
            producer=ProducerSequence("feed", epoch, number),
        )
    last.result(60)
    size = store.statistics(DATASET).log_bytes
    spent: list[float] = []
    # The best of some: a collection of the whole test process's garbage takes longer than all this.
    for _ in range(5):
        store.close()
        began = time.process_time()
        store = open_store(limits=limits)
        spent.append(time.process_time() - began)
        assert store.recovery[0].frames == 10_001
    assert min(spent) / (size / 1e9) < 7
