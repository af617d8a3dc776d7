"""The newest rows of each symbol: the oracle's, however the rows are cut, and no more reading."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ticks import NS, integers
from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.queries.latest import LatestRows, UnreadRows

Row = tuple[int | None, str | None]


def batch_of(rows: list[Row], *, first: int) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "ts": pa.array([time for time, _ in rows], pa.int64()).cast(NS),
            "symbol": pa.array([symbol for _, symbol in rows], pa.string()).dictionary_encode(),
            "place": pa.array(range(first, first + len(rows)), pa.int64()),
        }
    )


def batches_of(parts: list[list[Row]]) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = []
    first = 0
    for rows in parts:
        batches.append(batch_of(rows, first=first))
        first += len(rows)
    return batches


def latest(
    parts: list[list[Row]],
    *,
    count: int = 1,
    symbols: list[str] | None = None,
    spans_known: bool = True,
    most_rows: int = 1_000,
    read: list[int] | None = None,
) -> list[int]:
    """The numbers of the rows found; `read` takes the numbers of the parts that were read."""

    def reads(place: int) -> list[pa.RecordBatch]:
        if read is not None:
            read.append(place)
        # Two batches: ties are also told apart within what is read at once.
        half = batches[place].num_rows // 2
        return [batches[place].slice(0, half), batches[place].slice(half)]

    batches = batches_of(parts)
    schema = batch_of([], first=0).schema
    found = LatestRows(
        schema, event_time="ts", symbol="symbol", rows_per_symbol=count, most_rows=most_rows
    )
    unread = [
        UnreadRows(newest_of(rows) if spans_known else None, partial(reads, place))
        for place, rows in enumerate(parts)
    ]
    found.search(unread, unit_ns=1, symbols=symbols)
    return integers(found.rows(), "place")


def newest_of(rows: list[Row]) -> int | None:
    return max((time for time, _ in rows if time is not None), default=None)


def oracle(parts: list[list[Row]], *, count: int) -> list[int]:
    by_symbol: dict[str, list[tuple[int, int]]] = {}
    for place, (time, symbol) in enumerate(row for rows in parts for row in rows):
        if time is not None and symbol is not None:
            by_symbol.setdefault(symbol, []).append((time, place))
    return [
        place for symbol in sorted(by_symbol) for _, place in sorted(by_symbol[symbol])[-count:]
    ]


rows_of_a_part = st.lists(
    st.tuples(st.none() | st.integers(-4, 4), st.none() | st.sampled_from(["b", "a", "c"])),
    min_size=1,
    max_size=8,
)


@given(
    parts=st.lists(rows_of_a_part, max_size=6), count=st.integers(1, 4), spans_known=st.booleans()
)
def test_the_newest_rows_of_each_symbol(
    parts: list[list[Row]], count: int, *, spans_known: bool
) -> None:
    expected = oracle(parts, count=count)
    assert latest(parts, count=count, spans_known=spans_known) == expected
    named = latest(parts, count=count, spans_known=spans_known, symbols=["a", "b", "c"])
    assert named == expected


def test_older_rows_are_not_read_once_every_symbol_is_complete() -> None:
    parts: list[list[Row]] = [
        [(1, "a"), (1, "b")],
        [(9, "a"), (8, "b")],
        [(2, "a"), (3, "b")],
        [(8, "a"), (7, "b")],
    ]
    read: list[int] = []
    assert latest(parts, symbols=["a", "b"], read=read) == [2, 3]
    # The last part might hold a later row of the very instant of b's newest one.
    assert read == [1, 3]
    read.clear()
    assert latest(parts, read=read) == [2, 3]
    assert sorted(read) == [0, 1, 2, 3]
    read.clear()
    assert latest(parts, symbols=["a", "b", "none"], read=read) == [2, 3]
    assert len(read) == 4


def test_t11_what_is_held_is_bounded() -> None:
    parts: list[list[Row]] = [[(1, f"s{at}") for at in range(10)]]
    assert len(latest(parts, most_rows=10)) == 10
    with pytest.raises(LimitExceededError, match="10 symbols"):
        latest(parts, most_rows=9)
