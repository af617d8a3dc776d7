"""Appending: T1 governed, T4 once, T5 stamped, T11 bounded."""

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
    integers,
    put,
    refuse_negative_size,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    LimitExceededError,
    ProducerFencedError,
    ProducerNotOpenError,
    RowsRefusedError,
    SequenceGapError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import REMEMBERED_SEQUENCES, ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest, StampColumn
from tickmesh_tickstore.domain.stamps import Origin
from tickmesh_tickstore.engine import Appended, TickEngine

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine


class HeldJudge:
    """Lets everything in once released; whatever is appended meanwhile shares one group."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, batch: pa.RecordBatch) -> object | None:
        self.entered.set()
        assert self.release.wait(30)
        return None


def test_rows_are_visible_once_their_append_is_durable(engine: TickEngine) -> None:
    assert put(engine, ticks(3)) == Appended(1, 0, 3)
    assert put(engine, ticks(2, first=3)) == Appended(2, 0, 2)
    assert sizes(engine) == [0, 1, 2, 3, 4]


def test_an_empty_batch_is_acknowledged(engine: TickEngine) -> None:
    assert put(engine, ticks(0)).rows == 0
    assert sizes(engine) == []


def test_the_received_moment_tells_the_same_place(engine: TickEngine) -> None:
    future = engine.append(DATASET, ticks(2), stamp=VERSION_1, judge=admit)
    assert future.received(30) == future.result(30)
    assert future.done()


def test_t1_a_refused_message_stores_nothing_and_hands_back_the_refusal(engine: TickEngine) -> None:
    future = engine.append(DATASET, ticks(3, first=-1), stamp=VERSION_1, judge=refuse_negative_size)
    with pytest.raises(RowsRefusedError) as caught:
        future.result(30)
    assert caught.value.refusal == "size must be 0 or more, 1 rows are not"
    assert sizes(engine) == []


def _group(engine: TickEngine) -> HeldJudge:
    """Keep the writer busy so that what follows is judged as one group."""
    held = HeldJudge()
    engine.append(DATASET, ticks(0), stamp=VERSION_1, judge=held)
    assert held.entered.wait(30)
    return held


def test_t1_a_group_is_judged_once(engine: TickEngine) -> None:
    held = _group(engine)
    seen: list[int] = []

    def judge(batch: pa.RecordBatch) -> object | None:
        seen.append(batch.num_rows)
        return None

    futures = [
        engine.append(DATASET, ticks(2, first=2 * n), stamp=VERSION_1, judge=judge)
        for n in range(5)
    ]
    held.release.set()
    answers = [future.result(30) for future in futures]
    assert seen == [10]
    assert [answer.first_row for answer in answers] == [0, 2, 4, 6, 8]
    assert len({answer.dataset_revision for answer in answers}) == 1


def test_t1_a_bad_message_does_not_take_its_group_down(engine: TickEngine) -> None:
    held = _group(engine)
    futures = [
        engine.append(DATASET, ticks(1, first=first), stamp=VERSION_1, judge=refuse_negative_size)
        for first in (0, -5, 1, 2)
    ]
    held.release.set()
    assert [future.result(30).rows for future in (futures[0], *futures[2:])] == [1, 1, 1]
    with pytest.raises(RowsRefusedError):
        futures[1].result(30)
    assert sizes(engine) == [0, 1, 2]


def test_a_judge_that_raises_fails_its_message_and_not_the_store(engine: TickEngine) -> None:
    def broken(batch: pa.RecordBatch) -> object | None:
        raise ZeroDivisionError

    future = engine.append(DATASET, ticks(1), stamp=VERSION_1, judge=broken)
    with pytest.raises(ZeroDivisionError):
        future.result(30)
    put(engine, ticks(1))
    assert sizes(engine) == [0]


def test_t4_a_retry_is_answered_with_its_first_revision(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    first = put(engine, ticks(2), producer=ProducerSequence("feed", epoch, 1))
    put(engine, ticks(2, first=2), producer=ProducerSequence("feed", epoch, 2))
    again = put(engine, ticks(2), producer=ProducerSequence("feed", epoch, 1))
    assert again == Appended(first.dataset_revision, 0, 2, duplicate=True)
    assert sizes(engine) == [0, 1, 2, 3]


def test_t4_a_retry_within_its_own_group_is_a_duplicate(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    held = _group(engine)
    futures = [
        engine.append(
            DATASET,
            ticks(1),
            stamp=VERSION_1,
            judge=admit,
            producer=ProducerSequence("feed", epoch, 1),
        )
        for _ in range(3)
    ]
    held.release.set()
    answers = [future.result(30) for future in futures]
    assert [answer.duplicate for answer in answers] == [False, True, True]
    assert len({answer.dataset_revision for answer in answers}) == 1
    assert sizes(engine) == [0]


def test_t4_a_refused_sequence_is_not_taken(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    held = _group(engine)
    futures = [
        engine.append(
            DATASET,
            ticks(1, first=first),
            stamp=VERSION_1,
            judge=refuse_negative_size,
            producer=ProducerSequence("feed", epoch, sequence),
        )
        for sequence, first in ((1, 0), (2, -1), (3, 2))
    ]
    held.release.set()
    assert futures[0].result(30).rows == 1
    with pytest.raises(RowsRefusedError):
        futures[1].result(30)
    with pytest.raises(SequenceGapError):
        futures[2].result(30)
    put(engine, ticks(1, first=1), producer=ProducerSequence("feed", epoch, 2))
    assert sizes(engine) == [0, 1]


def test_t4_a_gap_names_the_expected_sequence(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    with pytest.raises(SequenceGapError) as caught:
        put(engine, ticks(1), producer=ProducerSequence("feed", epoch, 2))
    assert caught.value.metadata["expected"] == "1"
    assert sizes(engine) == []


def test_t4_opening_again_fences_the_old_epoch_and_tells_where_to_go_on(engine: TickEngine) -> None:
    old = engine.open_producer(DATASET, "feed")
    assert (old.epoch, old.last_sequence) == (1, 0)
    put(engine, ticks(1), producer=ProducerSequence("feed", old.epoch, 1))
    new = engine.open_producer(DATASET, "feed")
    assert (new.epoch, new.last_sequence) == (2, 1)
    with pytest.raises(ProducerFencedError):
        put(engine, ticks(1, first=1), producer=ProducerSequence("feed", old.epoch, 2))
    put(engine, ticks(1, first=1), producer=ProducerSequence("feed", new.epoch, 2))
    assert sizes(engine) == [0, 1]


@pytest.mark.parametrize("epoch", [1, 7])
def test_t4_an_epoch_that_was_never_opened_is_refused(engine: TickEngine, epoch: int) -> None:
    with pytest.raises(ProducerNotOpenError):
        put(engine, ticks(1), producer=ProducerSequence("stranger", epoch, 1))


def test_t4_the_last_4096_sequences_are_answered_with_their_revision(engine: TickEngine) -> None:
    epoch = engine.open_producer(DATASET, "feed").epoch
    last = REMEMBERED_SEQUENCES + 10
    futures = [
        engine.append(
            DATASET,
            ticks(1, first=sequence),
            stamp=VERSION_1,
            judge=admit,
            producer=ProducerSequence("feed", epoch, sequence),
        )
        for sequence in range(1, last + 1)
    ]
    revisions = [future.result(60).dataset_revision for future in futures]
    oldest = last - REMEMBERED_SEQUENCES + 1
    for sequence in (oldest, oldest + 1, last):
        again = put(engine, ticks(1), producer=ProducerSequence("feed", epoch, sequence))
        assert again.duplicate
        assert again.dataset_revision == revisions[sequence - 1]
    assert put(engine, ticks(1), producer=ProducerSequence("feed", epoch, 1)).duplicate
    assert len(sizes(engine)) == last


def test_t5_every_row_knows_its_version_ingest_time_and_revision(engine: TickEngine) -> None:
    put(engine, ticks(2))
    put(engine, ticks(1, first=2))
    read = ScanRequest(dataset=DATASET, columns=("size",), stamps=tuple(StampColumn))
    table = engine.scan(read).read_all()
    assert table.column("_dataset_revision").to_pylist() == [1, 1, 2]
    assert table.column("_schema_version").to_pylist() == [1, 1, 1]
    ingested = integers(
        table.set_column(2, "at", table.column("_ingest_time").cast(pa.int64())), "at"
    )
    assert ingested == sorted(ingested)
    assert ingested[0] > 10**18
    assert engine.scan(ScanRequest(dataset=DATASET)).schema.names == SCHEMA.names


def test_origins_do_not_disturb_the_order_of_arrival(engine: TickEngine) -> None:
    held = _group(engine)
    futures = [
        engine.append(
            DATASET,
            ticks(1, first=n),
            stamp=VERSION_1,
            judge=admit,
            origin=Origin("alice" if n % 2 else "bob", "desk \0 7"),
        )
        for n in range(6)
    ]
    held.release.set()
    for future in futures:
        future.result(30)
    assert sizes(engine) == [0, 1, 2, 3, 4, 5]


def test_t11_a_message_has_a_greatest_size(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(message_bytes=1024))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    with pytest.raises(LimitExceededError):
        put(engine, ticks(1000))
    put(engine, ticks(3))
    assert sizes(engine) == [0, 1, 2]


def test_t11_a_dataset_remembers_a_bounded_number_of_producers(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(producers=2))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    engine.open_producer(DATASET, "a")
    engine.open_producer(DATASET, "b")
    with pytest.raises(LimitExceededError):
        engine.open_producer(DATASET, "c")
    assert engine.open_producer(DATASET, "a").epoch == 2


def test_t11_appends_wait_when_too_much_is_waiting(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(waiting_bytes=1))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    held = _group(engine)
    engine.append(DATASET, ticks(1), stamp=VERSION_1, judge=admit)
    handed_in = threading.Event()

    def third() -> None:
        engine.append(DATASET, ticks(1, first=1), stamp=VERSION_1, judge=admit).result(30)
        handed_in.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not handed_in.wait(0.05)
    held.release.set()
    thread.join(30)
    assert sizes(engine) == [0, 1]


def test_many_threads_append_to_one_dataset_without_loss(engine: TickEngine) -> None:
    def write(name: str, first: int) -> None:
        epoch = engine.open_producer(DATASET, name).epoch
        for number in range(50):
            put(
                engine,
                ticks(1, first=first + number),
                producer=ProducerSequence(name, epoch, number + 1),
            )

    threads = [
        threading.Thread(target=write, args=(f"feed-{index}", index * 1000)) for index in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stored = sizes(engine)
    assert sorted(stored) == [index * 1000 + number for index in range(8) for number in range(50)]
    for index in range(8):
        own = [size for size in stored if size // 1000 == index]
        assert own == sorted(own)


def test_t11_a_writer_without_work_ends_and_comes_back(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineLimits(writer_idle_seconds=0.0))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    for number in range(50):
        put(engine, ticks(1, first=number))
    assert sizes(engine) == list(range(50))


def test_t2_closing_finishes_what_was_handed_in(engine: TickEngine) -> None:
    held = _group(engine)
    futures = [
        engine.append(DATASET, ticks(1, first=number), stamp=VERSION_1, judge=admit)
        for number in range(5)
    ]
    closing = threading.Thread(target=engine.close)
    closing.start()
    held.release.set()
    closing.join(30)
    assert [future.result(0).rows for future in futures] == [1] * 5
