"""T8: history, then live; no gap, no duplicate; heartbeats, credits, resume."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import InvalidArgumentError
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from tickmesh.ticks import TailBatch, TickClient

pytestmark = pytest.mark.integration


def follow(subject: str) -> flight.FlightDescriptor:
    command = commands_pb2.ReadCommand(dataset=subject, follow=True)
    return flight.FlightDescriptor.for_command(pack(command))


def take(
    ticks: TickClient, subject: str, rows: int, *, after: str | None = None
) -> list[TailBatch]:
    seen: list[TailBatch] = []
    with ticks.tail(subject, after=after) as tail:
        while sum(each.batch.num_rows for each in seen) < rows:
            seen.append(next(tail))
    return seen


def test_history_then_live_without_gap_or_repeat(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(100))
    sent = [trades(7, start_ns=1_000_000 * number) for number in range(1, 41)]

    def write() -> None:
        with ticks.writer(subject) as writer:
            for table in sent:
                writer.put(table)

    thread = threading.Thread(target=write)
    thread.start()
    seen = take(ticks, subject, 100 + 7 * 40)
    thread.join()
    rows = decoded(pa.Table.from_batches([each.batch for each in seen]))
    assert rows.equals(decoded(pa.concat_tables([trades(100), *sent])))
    assert all(one.dataset_revision <= other.dataset_revision for one, other in pairwise(seen))


def test_a_tail_resumes_behind_any_of_its_positions(ticks: TickClient, subject: str) -> None:
    for number in range(5):
        ticks.put(subject, trades(10, start_ns=number * 100_000))
    seen = take(ticks, subject, 50)
    for stop in range(1, len(seen)):
        head = [each.batch for each in seen[:stop]]
        rest = 50 - sum(batch.num_rows for batch in head)
        tail = [each.batch for each in take(ticks, subject, rest, after=seen[stop - 1].position)]
        assert decoded(pa.Table.from_batches(head + tail)).equals(decoded(ticks.read(subject)))


def test_a_tail_of_new_rows_begins_behind_those_there_are(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(100))
    with ticks.tail(subject, begin="newest") as tail:
        ticks.put(subject, trades(7, start_ns=10**9))
        first = next(tail).batch
    assert decoded(pa.Table.from_batches([first])).equals(decoded(trades(7, start_ns=10**9)))
    with pytest.raises(InvalidArgumentError, match="begin"):
        ticks.tail(subject, begin="now")  # type: ignore[arg-type]  # that is the point


def test_a_plain_reader_that_says_nothing_gets_rows_and_heartbeats(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(10))
    _, reader = plain.do_exchange(follow(subject))
    first = reader.read_chunk()
    assert first.data is not None
    assert first.data.num_rows == 10
    beat = reader.read_chunk()
    assert beat.app_metadata is not None
    metadata = commands_pb2.TailMetadata.FromString(beat.app_metadata.to_pybytes())
    assert metadata.heartbeat
    assert metadata.position_token
    reader.cancel()


def test_no_more_batches_come_than_there_are_credits(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(10))
    put_at = time.monotonic()
    writer, reader = plain.do_exchange(follow(subject))

    def grant(count: int) -> None:
        control = commands_pb2.TailControl(credits=count).SerializeToString()
        writer.write_metadata(pa.py_buffer(control))

    def batches_until_none_comes() -> int:
        nonlocal put_at
        batches = beats = stale = 0
        while not batches or beats <= stale:
            chunk = reader.read_chunk()
            if chunk.data is not None and chunk.data.num_rows:
                before, put_at = put_at, time.monotonic()
                ticks.put(subject, trades(3))
                # A beat a second may have been sent since the batch, before these rows were there.
                stale = 1 + int(time.monotonic() - before)
                batches, beats = batches + 1, 0
            else:
                beats += 1
        return batches

    # One for the one credit, and those that were sent before the grant was heard: hardly ever
    # more than one. Then heartbeats alone, although there are rows.
    grant(1)
    assert batches_until_none_comes() >= 1
    grant(2)
    assert batches_until_none_comes() == 2
    reader.cancel()


def test_exchange_without_follow_is_refused(plain: flight.FlightClient, subject: str) -> None:
    command = commands_pb2.ReadCommand(dataset=subject)
    _, reader = plain.do_exchange(flight.FlightDescriptor.for_command(pack(command)))
    with pytest.raises(flight.FlightError, match="follow"):
        reader.read_chunk()
