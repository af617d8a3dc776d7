"""Retention (T7, T8): the oldest rows go, and who asks for them is told: never fewer in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, integers, put, sizes, ticks
from tickmesh_tickstore.domain.errors import PositionExpiredError, SnapshotGoneError
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.domain.retention import KEEP_EVERYTHING, Retention

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import TickEngine

NEWEST = ScanRequest(dataset=DATASET)
ROWS = 64
"""Rows of a segment: as many as the engine that settles everything wants in one."""


@dataclass
class HandClock:
    """A clock that stands still until it is set."""

    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> HandClock:
    return HandClock(now_ns=10_000)


@pytest.fixture
def engine(make_engine: MakeEngine, clock: HandClock) -> TickEngine:
    # Settled segments of ten rows too: what is dropped is whole segments.
    engine = make_engine(EngineLimits(settled_rows=10), now_ns=clock)
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    return engine


def fill(engine: TickEngine, segments: int = 4) -> None:
    """Segments of `ROWS` rows, one revision each."""
    for number in range(segments):
        put_segment(engine, number)


def put_segment(engine: TickEngine, number: int) -> None:
    put(engine, ticks(ROWS, first=ROWS * number))
    engine.flush(DATASET, timeout_seconds=30)


def rows_of(first: int, behind: int) -> list[int]:
    """The rows of some segments."""
    return list(range(ROWS * first, ROWS * behind))


def as_of(revision: int) -> ScanRequest:
    return ScanRequest(dataset=DATASET, as_of_revision=revision)


def from_segment(number: int, clock: HandClock) -> Retention:
    """Keeps the segments from one on: its first row is as old as may be."""
    return Retention(max_age_ns=clock.now_ns - 10 * ROWS * number)


def test_rows_past_their_age_are_dropped_segment_by_segment(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    assert engine.trim(DATASET, from_segment(2, clock)) == 2 * ROWS
    assert sizes(engine) == rows_of(2, 4)
    statistics = engine.statistics(DATASET)
    assert (statistics.rows, statistics.min_time_ns) == (2 * ROWS, 10 * 2 * ROWS)
    assert engine.dataset(DATASET).revision == 5
    assert statistics.retained_from_revision == 3


def test_a_segment_is_kept_while_one_row_of_it_is_young_enough(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    newest_of_second = 10 * (2 * ROWS - 1)
    assert engine.trim(DATASET, Retention(max_age_ns=clock.now_ns - newest_of_second)) == ROWS
    assert sizes(engine) == rows_of(1, 4)


def test_what_is_kept_costs_no_revision(engine: TickEngine, clock: HandClock) -> None:
    fill(engine)
    for retention in (KEEP_EVERYTHING, from_segment(0, clock), Retention(max_bytes=1 << 40)):
        assert engine.trim(DATASET, retention) == 0
    assert engine.dataset(DATASET).revision == 4
    assert engine.statistics(DATASET).retained_from_revision == 0


def test_only_the_oldest_rows_in_order_of_arrival_are_dropped(
    engine: TickEngine, clock: HandClock
) -> None:
    """Late data behind younger rows stays until those go: a tail never meets a hole."""
    for number in (5, 0, 6):
        put_segment(engine, number)
    assert engine.trim(DATASET, from_segment(4, clock)) == 0
    assert engine.trim(DATASET, from_segment(6, clock)) == 2 * ROWS
    assert sizes(engine) == rows_of(6, 7)


def test_a_tick_from_the_future_is_as_old_as_its_ingest(
    engine: TickEngine, clock: HandClock
) -> None:
    put(engine, ticks(1, first=10**15))
    engine.flush(DATASET, timeout_seconds=30)
    clock.now_ns += 1_000
    assert engine.trim(DATASET, Retention(max_age_ns=1_000)) == 0
    assert engine.trim(DATASET, Retention(max_age_ns=999)) == 1


def test_without_an_event_time_the_ingest_time_decides(
    engine: TickEngine, clock: HandClock
) -> None:
    schema = pa.schema([pa.field("n", pa.int64())])
    engine.create_dataset("plain", stamp=VERSION_1, schema=schema)
    for number in range(3):
        clock.now_ns = 1_000 + 100 * number
        batch = pa.record_batch([pa.array([number])], schema=schema)
        engine.append("plain", batch, stamp=VERSION_1, judge=lambda _: None).result(30)
        engine.flush("plain", timeout_seconds=30)
    clock.now_ns = 2_000
    assert engine.trim("plain", Retention(max_age_ns=850)) == 2
    left = engine.scan(ScanRequest(dataset="plain")).read_all()
    assert integers(left, "n") == [2]


def test_rows_in_the_log_alone_are_dropped_too_when_all_are_past_their_age(
    engine: TickEngine, clock: HandClock
) -> None:
    put(engine, ticks(ROWS))
    assert engine.trim(DATASET, from_segment(1, clock)) == ROWS
    assert sizes(engine) == []
    put(engine, ticks(1, first=7))
    assert sizes(engine) == [7]


def test_the_oldest_segments_are_dropped_while_there_are_more_bytes(engine: TickEngine) -> None:
    fill(engine)
    held = engine.statistics(DATASET).segment_bytes
    assert engine.trim(DATASET, Retention(max_bytes=held)) == 0
    assert engine.trim(DATASET, Retention(max_bytes=held - 1)) == ROWS
    assert engine.trim(DATASET, Retention(max_bytes=1)) == 3 * ROWS
    assert sizes(engine) == []


def test_t7_reads_as_of_older_revisions_still_see_what_was_dropped(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    before = {revision: sizes(engine, as_of(revision)) for revision in range(1, 5)}
    (planned,) = engine.plan(NEWEST).ranges
    engine.trim(DATASET, from_segment(1, clock))
    engine.trim(DATASET, from_segment(3, clock))
    assert {revision: sizes(engine, as_of(revision)) for revision in range(1, 5)} == before
    assert sizes(engine, as_of(5)) == rows_of(1, 4)
    assert sizes(engine, as_of(6)) == sizes(engine) == rows_of(3, 4)
    # A ticket given out before pins what it showed.
    assert integers(engine.scan(planned.payload).read_all(), "size") == rows_of(0, 4)


def test_t7_once_files_are_gone_a_read_that_needs_them_is_refused_never_fewer_rows(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    engine.trim(DATASET, from_segment(2, clock))
    assert engine.reclaim(DATASET, dropped_before_ns=clock.now_ns - 1) == 0
    assert engine.reclaim(DATASET, dropped_before_ns=clock.now_ns) > 0
    assert engine.reclaim(DATASET, dropped_before_ns=clock.now_ns) == 0
    for revision in range(1, 5):
        with pytest.raises(SnapshotGoneError) as caught:
            engine.scan(as_of(revision))
        assert caught.value.metadata == {"asked": str(revision), "oldest": "5"}
    assert sizes(engine, as_of(5)) == rows_of(2, 4)
    assert engine.statistics(DATASET).dropped_bytes == 0


def test_t7_a_named_snapshot_repeats_its_read_after_retention(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine, segments=2)
    pinned = engine.create_snapshot("friday").revisions[DATASET]
    before = engine.scan(as_of(pinned)).read_all()
    put_segment(engine, 2)
    engine.trim(DATASET, from_segment(9, clock))
    engine.reclaim(DATASET, dropped_before_ns=clock.now_ns)
    assert sizes(engine) == []
    assert engine.scan(as_of(pinned)).read_all().equals(before)
    # What came after the snapshot was not kept for it.
    with pytest.raises(SnapshotGoneError):
        engine.scan(as_of(pinned + 1))
    engine.delete_snapshot("friday")
    assert sizes(engine, as_of(pinned)) == rows_of(0, 2)
    assert engine.reclaim(DATASET, dropped_before_ns=clock.now_ns) > 0
    with pytest.raises(SnapshotGoneError):
        engine.scan(as_of(pinned))


def test_t7_a_read_under_way_goes_on_when_its_rows_are_dropped(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    reader = engine.scan(NEWEST)
    engine.trim(DATASET, Retention(max_bytes=1))
    engine.reclaim(DATASET, dropped_before_ns=clock.now_ns)
    assert integers(reader.read_all(), "size") == rows_of(0, 4)


def test_t8_a_tail_resuming_before_the_rows_kept_is_told_where_they_begin(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    engine.trim(DATASET, from_segment(2, clock))
    token = ""
    for expired in (Position(1, 0), Position(1, ROWS), Position(2, ROWS - 1)):
        with pytest.raises(PositionExpiredError) as caught:
            engine.follow(DATASET, after=expired)
        token = caught.value.metadata["positionToken"]
    dataset_id, _, place = token.rpartition(":")
    assert dataset_id == engine.dataset(DATASET).dataset_id
    for after in (Position.parse(place), Position(2, ROWS), Position(3, 0), START):
        follower = engine.follow(DATASET, after=after)
        followed = follower.wait(30)
        assert followed is not None
        assert integers(followed.batch, "size")[0] == 2 * ROWS
        follower.close()


def test_t8_a_tail_that_lags_while_its_rows_are_dropped_is_told(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    follower = engine.follow(DATASET, after=Position(1, ROWS))
    engine.trim(DATASET, from_segment(3, clock))
    with pytest.raises(PositionExpiredError):
        follower.wait(30)


def test_t8_a_read_behind_a_position_that_expired_is_refused(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    behind = ScanRequest(dataset=DATASET, after=Position(1, 5))
    before = ScanRequest(dataset=DATASET, after=Position(1, 5), as_of_revision=4)
    engine.trim(DATASET, from_segment(2, clock))
    with pytest.raises(PositionExpiredError):
        engine.scan(behind)
    assert sizes(engine, before) == list(range(5, 4 * ROWS))


def test_rows_go_on_arriving_while_others_are_dropped_and_settled(
    engine: TickEngine, clock: HandClock
) -> None:
    fill(engine)
    for number in range(4, 12):
        engine.trim(DATASET, from_segment(number - 2, clock))
        put_segment(engine, number)
        engine.reclaim(DATASET, dropped_before_ns=clock.now_ns)
        engine.compact(DATASET, timeout_seconds=30)
        kept = sizes(engine)
        assert len(kept) >= 3 * ROWS  # as whole segments go, more may stay for a while
        assert kept == rows_of(0, number + 1)[-len(kept) :]
