"""Chunks cut and merged anywhere keep every row's position and stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.support.ticks import SCHEMA, VERSION_1, integers, ticks
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.stamps import ANONYMOUS, Origin
from tickmesh_tickstore.engine.chunk import Chunk, append_chunk
from tickmesh_tickstore.engine.columns import RowLayout
from tickmesh_tickstore.engine.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.engine.stored_rows import StoredRows

LAYOUT = RowLayout.of(VERSION_1, SCHEMA)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=70)


def arrive(sizes: list[int], *, alternate: bool = False) -> tuple[Chunk, ...]:
    """Chunks of revisions 1, 2, ... with so many rows each."""
    chunks: tuple[Chunk, ...] = ()
    first = 0
    for revision, rows in enumerate(sizes, start=1):
        batch = ticks(rows, first=first)
        chunk = Chunk.arrived(
            batch,
            VERSION_1,
            revision=revision,
            ingest_time_ns=1000 + revision,
            origin=Origin("other") if alternate and revision % 5 == 0 else ANONYMOUS,
            messages=sent_as(message_of(revision), rows),
            time_span=LAYOUT.time_span(batch),
        )
        chunks = append_chunk(chunks, chunk)
        first += rows
    return chunks


def message_of(revision: int) -> ProducerSequence | None:
    """Every third chunk has no producer, the others one of two."""
    if revision % 3 == 0:
        return None
    return ProducerSequence("even" if revision % 2 == 0 else "odd", 1, 100 + revision)


def sent_as(message: ProducerSequence | None, rows: int) -> Messages:
    if message is None:
        return Messages.of([("", (), (rows,))])
    return Messages.of([(message.producer_id, (message.sequence,), (rows,))])


def messages_of(chunks: list[Chunk | None]) -> list[tuple[str, int] | None]:
    """The message of each row."""
    return [
        (messages.producer_ids[place], sequence) if place >= 0 else None
        for chunk in chunks
        if chunk is not None
        for messages in [chunk.messages]
        for start, end, place, sequence in zip(
            [0, *messages.row_ends],
            messages.row_ends,
            messages.producers,
            messages.sequences,
            strict=False,
        )
        for _ in range(start, end)
    ]


def expected_messages(sizes: list[int]) -> list[tuple[str, int] | None]:
    return [
        None
        if (message := message_of(revision)) is None
        else (message.producer_id, message.sequence)
        for revision, rows in enumerate(sizes, start=1)
        for _ in range(rows)
    ]


def rows_of(chunks: Sequence[StoredRows | None]) -> list[int]:
    held = [chunk for chunk in chunks if isinstance(chunk, Chunk)]
    return [row for chunk in held for row in integers(chunk.batch, "size")]


@given(SIZES, st.booleans())
def test_merging_keeps_order_runs_and_spans(sizes: list[int], alternate: bool) -> None:
    chunks = arrive(sizes, alternate=alternate)
    assert rows_of(list(chunks)) == list(range(sum(sizes)))
    runs = [
        (revision, count, ingested)
        for chunk in chunks
        for revision, count, ingested in zip(
            chunk.runs.revisions, chunk.runs.counts(), chunk.runs.ingest_times, strict=True
        )
    ]
    assert runs == [(n, rows, 1000 + n) for n, rows in enumerate(sizes, start=1)]
    assert messages_of(list(chunks)) == expected_messages(sizes)
    for chunk in chunks:
        times = [row * 10 for row in integers(chunk.batch, "size")]
        assert chunk.time_span == (min(times), max(times))


def test_many_small_appends_become_few_chunks() -> None:
    assert len(arrive([1] * 1000)) <= 3 * 16


@given(SIZES, st.data())
def test_a_cut_between_any_two_rows_loses_and_doubles_none(
    sizes: list[int], data: st.DataObject
) -> None:
    chunks = arrive(sizes)
    revision = data.draw(st.integers(0, len(sizes) + 1))
    row = data.draw(st.integers(0, 6))
    cut = Position(revision, row)
    end = Position.after_revision(len(sizes))
    before = rows_of([chunk.between(START, cut) for chunk in chunks])
    after = rows_of([chunk.between(cut, end) for chunk in chunks])
    assert before + after == list(range(sum(sizes)))
    if 1 <= revision <= len(sizes):
        assert len(before) == sum(sizes[: revision - 1]) + min(row, sizes[revision - 1])


@given(SIZES, st.data())
def test_a_slice_knows_its_own_positions(sizes: list[int], data: st.DataObject) -> None:
    chunk = data.draw(st.sampled_from(arrive(sizes)))
    start = data.draw(st.integers(0, chunk.batch.num_rows - 1))
    stop = data.draw(st.integers(start + 1, chunk.batch.num_rows))
    part = chunk.rows(start, stop)
    assert part is not None
    assert part.first_position == chunk.position_at(start)
    for row in range(part.batch.num_rows):
        assert part.position_at(row) == chunk.position_at(start + row)
        assert part.rows_before(part.position_at(row)) == row
    assert part.rows_before(part.end_position()) == part.batch.num_rows
    assert messages_of([part]) == messages_of([chunk])[start:stop]
    again = Chunk.unpack(part.batch, part.stamp, part.pack_stamps())
    assert (again.runs, again.first_row, again.origin, again.time_span) == (
        part.runs, part.first_row, part.origin, part.time_span,
    )  # fmt: skip
    assert messages_of([again]) == messages_of([part])
