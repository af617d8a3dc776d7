"""Puts without a network: spooled before anything else, numbered, and nothing of them lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.unit.cleaner.parts import SUBJECT
from tests.unit.cleaner.test_replaying import Cleaner, replay_job
from tickmesh_cleaner.domain.errors import ProducerFencedError
from tickmesh_cleaner.domain.intent import Intent
from tickmesh_cleaner.domain.job_source import PutSource
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.puts.live_put import MOST_WAITING_BATCHES, LivePut
from tickmesh_cleaner.puts.position import PutPosition
from tickmesh_cleaner.puts.putting import PutStreams
from tickmesh_cleaner.sources.put import put_digest, put_producer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRODUCER = put_producer(put_digest("feed"), dataset=SUBJECT)


def batch(first: int, *prices: float) -> pa.RecordBatch:
    rows = range(first, first + len(prices))
    return pa.RecordBatch.from_pydict(
        {"ts": pa.array(rows, pa.int64()), "price": pa.array(prices, pa.float64())}
    )


class PuttingCleaner(Cleaner):
    """A cleaner that takes puts."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.streams = PutStreams(home / "puts", self.store.ledger)
        object.__setattr__(self.workshop, "puts", self.streams)

    def put(self, job_id: str, *batches: pa.RecordBatch, first: int = 1) -> LivePut:
        """A stream that has ended before its job begins."""
        live = self.streams.open(job_id=job_id, producer=PRODUCER, producer_id="feed")
        self.store.jobs.create(replay_job(job_id, PutSource("feed")))
        job = self.store.jobs.get(job_id)
        for sequence, one in enumerate(batches, start=first):
            live.add(sequence, one)
        live.end()
        # What the job's beginning drops was spooled by nobody: the batches above come after it.
        live._begun = PutPosition.parse(self.store.ledger.state(PRODUCER).end)
        self.run(job)
        return live

    def spooled(self) -> list[int]:
        return [int(path.stem) for path in sorted((self.home / "puts").glob("*/*.arrow"))]


@pytest.fixture
def cleaner(tmp_path: Path) -> Iterator[PuttingCleaner]:
    one = PuttingCleaner(tmp_path)
    yield one
    one.store.close()


def offsets(cleaner: Cleaner) -> list[int]:
    entries = cleaner.store.quarantine.page(QuarantineFilter(), after_id=0, limit=99)
    return [row.record.offset for row in cleaner.files.read(entries)]


def test_rows_are_stored_or_quarantined_and_the_spool_is_free_again(
    cleaner: PuttingCleaner,
) -> None:
    live = cleaner.put("put-1", batch(1, 1.5, -1.0), batch(3, -2.0, 2.5))
    assert cleaner.prices() == [1.5, 2.5]
    assert offsets(cleaner) == [1, 2]
    reached = live.await_news(None, timeout_seconds=0.0)
    assert reached is not None
    assert (reached.through_sequence, reached.rows_before) == (2, 4)
    assert cleaner.spooled() == []


def test_the_next_stream_goes_on_where_the_one_before_ended(cleaner: PuttingCleaner) -> None:
    cleaner.put("put-1", batch(1, 1.5, -1.0))
    cleaner.put("put-2", batch(3, -2.0, 2.5), first=2)
    assert cleaner.prices() == [1.5, 2.5]
    assert offsets(cleaner) == [1, 2]
    balance = cleaner.store.jobs.get("put-2").balance
    assert (balance.rows_in, balance.stored, balance.duplicates) == (2, 1, 0)


def test_a_batch_without_rows_is_accounted_for(cleaner: PuttingCleaner) -> None:
    live = cleaner.put("put-1", batch(1), batch(1, 1.5), batch(1))
    reached = live.await_news(None, timeout_seconds=0.0)
    assert reached is not None
    assert reached.through_sequence == 3
    assert cleaner.prices() == [1.5]


def test_after_a_crash_what_an_intent_names_is_kept_and_the_rest_is_dropped(
    cleaner: PuttingCleaner,
) -> None:
    """Two batches were intended, the third was spooled when the process died."""
    spool = cleaner.streams.spool(PRODUCER)
    for sequence in (1, 2, 3):
        spool.write(sequence, batch(sequence, 1.5 * sequence))
    cleaner.store.jobs.create(replay_job("put-1", PutSource("feed")))
    job = cleaner.store.jobs.take_over("put-1", "owner", now_ns=1, until_ns=2)
    job = cleaner.workshop.identify(job)
    intent = Intent(
        job_id=job.id,
        producer_id=PRODUCER,
        n=1,
        epoch=1,
        start=PutPosition().token(),
        end=PutPosition(3, 0, 2).token(),
        schema_id=101,
        schema_version=1,
        rule_set_fingerprint="",
    )
    cleaner.store.ledger.advance(job.id, owner="owner", now_ns=1, intents=[intent])

    after = PutStreams(cleaner.home / "puts", cleaner.store.ledger)
    object.__setattr__(cleaner.workshop, "puts", after)
    assert cleaner.spooled() == [1, 2]
    cleaner.run(job)
    assert cleaner.prices() == [1.5, 3.0]
    assert cleaner.spooled() == []


def test_a_sender_that_is_too_fast_waits_until_something_is_committed(tmp_path: Path) -> None:
    live = PutStreams(tmp_path, no_ledger()).open(job_id="j", producer="p", producer_id="feed")
    for sequence in range(1, MOST_WAITING_BATCHES + 1):
        live.add(sequence, batch(sequence, 1.0))
    added = threading.Event()

    def add_one_more() -> None:
        live.add(MOST_WAITING_BATCHES + 1, batch(1, 1.0))
        added.set()

    thread = threading.Thread(target=add_one_more)
    thread.start()
    assert not added.wait(0.05)
    live.note_committed(PutPosition(2, 0, 1))
    assert added.wait(60.0)
    thread.join()


def test_a_newer_stream_of_a_producer_ends_the_older_one(tmp_path: Path) -> None:
    streams = PutStreams(tmp_path, no_ledger())
    older = streams.open(job_id="j1", producer="p", producer_id="feed")
    streams.open(job_id="j2", producer="p", producer_id="feed")
    with pytest.raises(ProducerFencedError):
        older.add(1, batch(1, 1.0))
    assert older.has_ended_before(1)


def no_ledger() -> Any:
    """Nothing was spooled before, so nobody asks."""
    return None
