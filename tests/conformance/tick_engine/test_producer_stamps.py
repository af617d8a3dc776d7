"""T5: every row knows which producer sent it, and in which of its messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tests.conformance.tick_engine.test_appending import HeldJudge
from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, integers, put, ticks
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn

if TYPE_CHECKING:
    from tests.conformance.tick_engine.conftest import MakeEngine
    from tickmesh_tickstore.engine import TickEngine

READ = ScanRequest(
    dataset=DATASET,
    columns=("size",),
    stamps=(StampColumn.PRODUCER_ID, StampColumn.SEQUENCE),
)
SENT: list[tuple[str | None, int]] = [
    *(("a", 2), (None, 1), ("b", 3), ("a", 0), ("a", 1)),
    *((None, 2), (None, 0), (None, 1), ("b", 1), ("a", 4)),
]
"""Messages in order: their producer and rows."""


def senders(table: pa.Table) -> list[tuple[str | None, int | None]]:
    names = table.column("_producer_id").cast(pa.string()).to_pylist()
    return list(zip(names, table.column("_sequence").to_pylist(), strict=True))


def send(engine: TickEngine) -> list[tuple[str | None, int | None]]:
    """Send all messages so that they share one commit group; what each row should say."""
    epochs = {name: engine.open_producer(DATASET, name).epoch for name in ("a", "b")}
    held = HeldJudge()
    futures = [engine.append(DATASET, ticks(0), stamp=VERSION_1, judge=held)]
    assert held.entered.wait(30)
    counted: Counter[str] = Counter()
    expected: list[tuple[str | None, int | None]] = []
    for name, rows in SENT:
        producer = None
        if name is not None:
            counted[name] += 1
            producer = ProducerSequence(name, epochs[name], counted[name])
        batch = ticks(rows, first=len(expected))
        futures.append(
            engine.append(DATASET, batch, stamp=VERSION_1, judge=admit, producer=producer)
        )
        expected += [(name, counted[name] if name else None)] * rows
    held.release.set()
    for future in futures:
        future.result(30)
    return expected


def test_t5_rows_of_one_group_know_their_own_producer_and_message(engine: TickEngine) -> None:
    expected = send(engine)
    for _ in range(2):
        assert senders(engine.scan(READ).read_all()) == expected
        engine.flush(DATASET, timeout_seconds=30)


def test_t5_filtered_ordered_and_partial_reads_say_the_same(engine: TickEngine) -> None:
    expected = send(engine)
    for request in (
        replace(READ, symbols=("MSFT", "IBM")),
        replace(READ, order=Order.TIME, start_ns=30),
        replace(READ, limit=7),
    ):
        table = engine.scan(request).read_all()
        assert table.num_rows
        assert senders(table) == [expected[size] for size in integers(table, "size")]


def test_t5_rows_of_an_upload_know_its_producer(engine: TickEngine) -> None:
    bulk = ProducerSequence("bulk", engine.open_producer(DATASET, "bulk").epoch, 1)
    with engine.begin_upload(DATASET, stamp=VERSION_1, judge=admit, producer=bulk) as upload:
        upload.append(ticks(3))
        upload.append(ticks(2, first=3))
        upload.commit(batches=2, rows=5).result(30)
    put(engine, ticks(1, first=5))
    assert senders(engine.scan(READ).read_all()) == [("bulk", 1)] * 5 + [(None, None)]


def test_t11_stamped_rows_stream_however_many_there_are(make_engine: MakeEngine) -> None:
    """So that whoever accounts for a dataset of any size needs no more memory than for a batch."""
    engine = make_engine(EngineLimits(materialised_rows=10, served_bytes=100_000))
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    for number in range(3):
        put(engine, ticks(9_000, first=9_000 * number))
    batches = list(engine.scan(READ))
    assert max(batch.nbytes for batch in batches) <= 100_000
    assert integers(pa.Table.from_batches(batches), "size") == list(range(27_000))
