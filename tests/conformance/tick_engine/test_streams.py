"""Streams of messages: order, T1 without holes, T4 in runs, what each stream is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    VERSION_1,
    admit,
    put,
    refuse_negative_size,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    LimitExceededError,
    ProducerFencedError,
    RowsRefusedError,
    SequenceGapError,
    WrongColumnsError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.engine import StreamProgress, TickEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import AppendStream


class HeldWriter:
    """Keeps the dataset's writer busy, so that what is sent meanwhile shares one group."""

    def __init__(self, engine: TickEngine) -> None:
        self._entered, self._release = threading.Event(), threading.Event()
        self._held = engine.append(DATASET, ticks(0), stamp=VERSION_1, judge=self._judge)
        assert self._entered.wait(30)

    def _judge(self, batch: pa.RecordBatch) -> object | None:
        self._entered.set()
        assert self._release.wait(30)
        return None

    def release(self) -> None:
        self._release.set()
        self._held.result(30)


def open_stream(
    engine: TickEngine,
    *,
    judge: Callable[[pa.RecordBatch], object | None] = admit,
    producer_id: str = "",
    epoch: int = 0,
) -> AppendStream:
    return engine.open_stream(
        DATASET, stamp=VERSION_1, judge=judge, producer_id=producer_id, epoch=epoch
    )


def test_messages_are_stored_in_order_and_counted_once_durable(engine: TickEngine) -> None:
    stream = open_stream(engine)
    for number in range(100):
        stream.send(ticks(2, first=2 * number))
    stream.wait_until_decided()
    assert (stream.durable.messages, stream.durable.rows) == (100, 200)
    assert stream.received == stream.durable
    assert sizes(engine) == list(range(200))


def test_t1_messages_that_wait_are_judged_together(engine: TickEngine) -> None:
    seen: list[int] = []

    def judge(batch: pa.RecordBatch) -> object | None:
        seen.append(batch.num_rows)
        return None

    held = HeldWriter(engine)
    streams = [open_stream(engine, judge=judge) for _ in range(3)]
    for stream in streams:
        stream.send(ticks(2))
        stream.send(ticks(3))
    held.release()
    for stream in streams:
        stream.wait_until_decided()
    assert seen == [15]
    assert len({stream.durable.dataset_revision for stream in streams}) == 1


def test_t1_a_stream_ends_at_its_refused_message_and_no_other_does(engine: TickEngine) -> None:
    held = HeldWriter(engine)
    bad = open_stream(engine, judge=refuse_negative_size)
    good = open_stream(engine, judge=refuse_negative_size)
    for first in (0, 1, -5, 2, 3):
        bad.send(ticks(1, first=first))
        good.send(ticks(1, first=abs(first) + 100))
    held.release()
    for stream in (bad, good):
        stream.wait_until_decided()
    assert (bad.durable.messages, bad.durable.rows) == (2, 2)
    assert isinstance(bad.error, RowsRefusedError)
    assert (good.durable.messages, good.error) == (5, None)
    with pytest.raises(RowsRefusedError):
        bad.send(ticks(1))
    assert sorted(sizes(engine)) == [0, 1, 100, 101, 102, 103, 105]


@pytest.mark.parametrize("bad", [(0,), (63,), (17, 18, 40), tuple(range(64))])
def test_t1_every_bad_message_among_many_is_found(engine: TickEngine, bad: tuple[int, ...]) -> None:
    held = HeldWriter(engine)
    futures = [
        engine.append(
            DATASET,
            ticks(3, first=-100 if number in bad else 3 * number),
            stamp=VERSION_1,
            judge=refuse_negative_size,
        )
        for number in range(64)
    ]
    held.release()
    refused = [number for number, future in enumerate(futures) if _is_refused(future.result)]
    assert refused == list(bad)
    stored = [3 * number + row for number in range(64) if number not in bad for row in range(3)]
    assert sizes(engine) == stored


def _is_refused(result: Callable[[float], object]) -> bool:
    try:
        result(30)
    except RowsRefusedError:
        return True
    return False


def test_a_stream_prepares_its_rows_and_only_its_own(engine: TickEngine) -> None:
    def widen(batch: pa.RecordBatch) -> pa.RecordBatch:
        place = SCHEMA.get_field_index("size")
        column = batch.column(place).cast(pa.int64())
        return pa.RecordBatch.from_arrays(
            [*batch.columns[:place], column, *batch.columns[place + 1 :]], schema=SCHEMA
        )

    def narrow(rows: pa.RecordBatch) -> pa.RecordBatch:
        place = SCHEMA.get_field_index("size")
        field = SCHEMA.field(place).with_type(pa.int32())
        return rows.set_column(place, field, rows.column(place).cast(pa.int32()))

    held = HeldWriter(engine)
    converted = engine.open_stream(DATASET, stamp=VERSION_1, judge=admit, prepare=widen)
    plain = open_stream(engine)
    converted.send(narrow(ticks(2)))
    converted.send(narrow(ticks(2, first=2)))
    plain.send(ticks(1, first=4))
    held.release()
    for stream in (converted, plain):
        stream.wait_until_decided()
        assert stream.error is None
    assert sizes(engine) == [0, 1, 2, 3, 4]


def test_rows_of_other_columns_end_their_stream_alone(engine: TickEngine) -> None:
    held = HeldWriter(engine)
    wrong, right = open_stream(engine), open_stream(engine)
    right.send(ticks(1))
    wrong.send(ticks(1).select([0]))
    right.send(ticks(1, first=1))
    held.release()
    for stream in (wrong, right):
        stream.wait_until_decided()
    assert isinstance(wrong.error, WrongColumnsError)
    assert right.error is None
    assert sizes(engine) == [0, 1]


def test_t4_a_run_of_sequences_is_stored_once(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    stream = open_stream(engine, producer_id="feed", epoch=epoch)
    for sequence in (1, 2, 3, 2, 3, 4, 1, 5):
        stream.send(ticks(1, first=sequence), sequence=sequence)
    stream.wait_until_decided()
    assert stream.durable.through_sequence == 5
    assert (stream.durable.rows, stream.durable.duplicates) == (5, 3)
    assert sizes(engine) == [1, 2, 3, 4, 5]


def test_t4_a_duplicate_is_answered_without_being_judged_again(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    put(engine, ticks(1, first=-1), producer=ProducerSequence("feed", epoch, 1))
    stream = open_stream(engine, judge=refuse_negative_size, producer_id="feed", epoch=epoch)
    stream.send(ticks(1, first=-1), sequence=1)
    stream.send(ticks(1, first=2), sequence=2)
    stream.wait_until_decided()
    assert (stream.error, stream.durable.duplicates, stream.durable.rows) == (None, 1, 1)
    assert sizes(engine) == [-1, 2]


def test_t4_a_gap_ends_the_stream_behind_what_came_before_it(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    held = HeldWriter(engine)
    stream = open_stream(engine, producer_id="feed", epoch=epoch)
    for sequence in (1, 2, 4, 3):
        stream.send(ticks(1, first=sequence), sequence=sequence)
    held.release()
    stream.wait_until_decided()
    assert isinstance(stream.error, SequenceGapError)
    assert stream.error.metadata["expected"] == "3"
    assert stream.durable.through_sequence == 2
    assert engine.open_producer(DATASET, "feed").last_sequence == 2
    assert sizes(engine) == [1, 2]


def test_t4_a_stream_of_an_old_epoch_is_fenced_while_it_runs(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    stream = open_stream(engine, producer_id="feed", epoch=epoch)
    stream.send(ticks(1), sequence=1)
    assert engine.open_producer(DATASET, "feed").last_sequence == 1
    stream.send(ticks(1, first=1), sequence=2)
    stream.wait_until_decided()
    assert isinstance(stream.error, ProducerFencedError)
    assert sizes(engine) == [0]


def test_t4_sequences_go_on_while_earlier_ones_are_synced(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    stream = open_stream(engine, producer_id="feed", epoch=epoch)
    for sequence in range(1, 2_001):
        stream.send(ticks(1, first=sequence), sequence=sequence)
    stream.wait_until_decided()
    assert (stream.error, stream.durable.through_sequence) == (None, 2_000)
    assert sizes(engine) == list(range(1, 2_001))


def test_whoever_waits_is_told_of_progress_once_and_of_the_end(engine: TickEngine) -> None:
    stream = open_stream(engine, judge=refuse_negative_size)
    stream.wait(StreamProgress(), 0.01)
    assert stream.durable == StreamProgress()
    stream.send(ticks(3))
    stream.wait(StreamProgress(), 30)
    assert stream.durable.rows == 3
    stream.send(ticks(1, first=-1))
    stream.wait(stream.durable, 30)
    assert stream.error is not None
    assert stream.decided


def test_t11_a_message_of_a_stream_has_a_greatest_size(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(message_bytes=1024))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    stream = open_stream(engine)
    with pytest.raises(LimitExceededError):
        stream.send(ticks(1000))
    stream.send(ticks(1000).slice(0, 3))
    stream.wait_until_decided()
    assert sizes(engine) == [0, 1, 2]


def test_t11_a_stream_waits_when_too_much_is_waiting(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(waiting_bytes=1))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    held = HeldWriter(engine)
    stream = open_stream(engine)
    stream.send(ticks(1))
    sent = threading.Event()

    def second() -> None:
        stream.send(ticks(1, first=1))
        sent.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not sent.wait(0.05)
    held.release()
    thread.join(30)
    stream.wait_until_decided()
    assert sizes(engine) == [0, 1]


def test_t2_closing_finishes_what_streams_have_sent(engine: TickEngine) -> None:
    stream = open_stream(engine)
    for number in range(50):
        stream.send(ticks(1, first=number))
    engine.close()
    assert (stream.decided, stream.durable.messages) == (True, 50)
