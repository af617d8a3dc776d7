"""The live tail: T8 gapless."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    VERSION_1,
    VERSION_2,
    admit,
    integers,
    put,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    InvalidArgumentError,
    StoreClosedError,
    VersionNotReadableError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import START, Position

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import Follower, TickEngine


def drain(follower: Follower) -> list[int]:
    rows: list[int] = []
    while follower.lag_rows():
        if (followed := follower.wait(0)) is not None:
            rows.extend(integers(followed.batch, "size"))
    return rows


def test_t8_history_then_live_without_gap_or_duplicate(engine: TickEngine) -> None:
    put(engine, ticks(5))
    follower = engine.follow(DATASET)
    assert drain(follower) == [0, 1, 2, 3, 4]
    put(engine, ticks(2, first=5))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(2, first=7))
        upload.append(ticks(2, first=9))
        upload.commit(batches=2, rows=4).result(30)
    put(engine, ticks(1, first=11))
    assert follower.lag_rows() == 7
    assert drain(follower) == [5, 6, 7, 8, 9, 10, 11]
    assert follower.lag_rows() == 0


def test_t8_a_tail_resumes_from_any_token(engine: TickEngine) -> None:
    for number in range(30):
        put(engine, ticks(3, first=3 * number))
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        for number in range(30, 35):
            upload.append(ticks(3, first=3 * number))
        upload.commit(batches=5, rows=15).result(30)
    follower = engine.follow(DATASET)
    seen: list[int] = []
    while (followed := follower.wait(0)) is not None:
        seen.extend(integers(followed.batch, "size"))
        resumed = engine.follow(DATASET, after=Position.parse(followed.position.token()))
        assert seen + drain(resumed) == list(range(105))


def test_t8_a_tail_can_start_within_a_revision(engine: TickEngine) -> None:
    put(engine, ticks(10))
    put(engine, ticks(10, first=10))
    for row in range(11):
        assert drain(engine.follow(DATASET, after=Position(2, row))) == list(range(10 + row, 20))
    assert drain(engine.follow(DATASET, after=Position.after_revision(2))) == []


def test_t8_a_waiting_tail_is_woken_by_the_next_commit(engine: TickEngine) -> None:
    follower = engine.follow(DATASET)
    got: list[int] = []

    def wait() -> None:
        followed = follower.wait(30)
        assert followed is not None
        got.extend(integers(followed.batch, "size"))

    thread = threading.Thread(target=wait)
    thread.start()
    put(engine, ticks(2))
    thread.join(30)
    assert got == [0, 1]


def test_t8_a_tail_keeps_up_with_many_writers(engine: TickEngine) -> None:
    writers, messages = 4, 60

    def write(index: int) -> None:
        for number in range(messages):
            put(engine, ticks(2, first=index * 1000 + 2 * number))

    threads = [threading.Thread(target=write, args=(index,)) for index in range(writers)]
    follower = engine.follow(DATASET)
    for thread in threads:
        thread.start()
    seen: list[int] = []
    positions: list[Position] = []
    while len(seen) < writers * messages * 2:
        followed = follower.wait(30)
        assert followed is not None
        seen.extend(integers(followed.batch, "size"))
        positions.append(followed.position)
    for thread in threads:
        thread.join(30)
    assert len(set(seen)) == len(seen)
    assert positions == sorted(set(positions))
    assert drain(engine.follow(DATASET)) == seen


def test_a_tail_chooses_symbols_and_columns(engine: TickEngine) -> None:
    put(engine, ticks(4, symbols=("A", "B")))
    put(engine, ticks(4, first=4, symbols=("B",)))
    put(engine, ticks(2, first=8, symbols=("A",)))
    follower = engine.follow(DATASET, symbols=("A",), columns=("size",))
    assert follower.schema.names == ["size"]
    assert drain(follower) == [0, 2, 8, 9]
    with pytest.raises(InvalidArgumentError):
        engine.follow(DATASET, columns=("volume",))


def test_t9_a_tail_keeps_its_schema_when_a_version_is_added(engine: TickEngine) -> None:
    follower = engine.follow(DATASET)
    put(engine, ticks(1))
    newer = SCHEMA.append(pa.field("venue", pa.string()))
    engine.add_version(DATASET, stamp=VERSION_2, schema=newer)
    batch = pa.record_batch([*ticks(1, first=1).columns, pa.array(["X"])], schema=newer)
    put(engine, batch, stamp=VERSION_2)
    assert (first := follower.wait(5)) is not None
    assert (second := follower.wait(5)) is not None
    assert second.stamp == VERSION_2
    assert first.batch.schema.equals(SCHEMA)
    assert second.batch.schema.equals(SCHEMA)
    assert second.batch.to_pylist()[0]["size"] == 1


def test_t9_a_tail_refuses_rows_without_what_its_version_requires(engine: TickEngine) -> None:
    """And stays in front of them, so that it goes on under another version where it ended."""
    whole, some = engine.follow(DATASET), engine.follow(DATASET, columns=("size",))
    put(engine, ticks(1))
    engine.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA.remove(2))
    put(engine, ticks(1, first=1).drop_columns(["price"]), stamp=VERSION_2)
    assert (first := whole.wait(5)) is not None
    for _ in range(2):
        with pytest.raises(VersionNotReadableError, match="price"):
            whole.wait(5)
    assert whole.position == first.position
    assert drain(some) == [0, 1]
    after = engine.follow(DATASET, after=whole.position, reader_version=2)
    assert drain(after) == [1]


def test_followed_batches_are_bounded(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(served_bytes=2000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(engine, ticks(1000))
    follower = engine.follow(DATASET)
    assert (first := follower.wait(5)) is not None
    assert 0 < first.batch.num_rows < 100
    assert drain(follower) == list(range(first.batch.num_rows, 1000))


def test_nothing_new_is_none_and_an_end_is_an_error(engine: TickEngine) -> None:
    follower = engine.follow(DATASET)
    assert follower.wait(0) is None
    follower.close()
    with pytest.raises(StoreClosedError):
        follower.wait(1)
    waiting = engine.follow(DATASET)
    failed = threading.Event()

    def wait() -> None:
        with pytest.raises(StoreClosedError):
            waiting.wait(30)
        failed.set()

    thread = threading.Thread(target=wait)
    thread.start()
    engine.close()
    assert failed.wait(30)
    thread.join(30)


@pytest.mark.parametrize("token", ["", "x", "1", "-1.0", "1.0 ", "1.0.0", "9" * 30 + ".0"])
def test_a_token_from_elsewhere_is_refused(engine: TickEngine, token: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Position.parse(token)


def test_a_position_behind_the_end_is_refused(engine: TickEngine) -> None:
    engine.follow(DATASET, after=START)
    with pytest.raises(InvalidArgumentError):
        engine.follow(DATASET, after=Position(2, 0))
