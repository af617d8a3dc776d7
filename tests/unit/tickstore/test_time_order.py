"""The order of time as a stream: equal to a stable sort of everything, held only where it must."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ticks import NS, VERSION_1, integers
from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.domain.stamps import ANONYMOUS
from tickmesh_tickstore.engine.chunk import Chunk
from tickmesh_tickstore.engine.messages import Messages
from tickmesh_tickstore.engine.time_order import in_time_order, require_streamable

MOST = 1_000_000


def chunk(times: list[int | None], *, first: int, unit: str = "ns") -> Chunk:
    known = [each for each in times if each is not None]
    unit_ns = {"ns": 1, "us": 1_000}[unit]
    batch = pa.record_batch(
        {
            "ts": pa.array(times, pa.int64()).cast(NS if unit == "ns" else pa.timestamp("us")),
            "place": pa.array(range(first, first + len(times)), pa.int64()),
            "symbol": pa.array([f"{first}"] * len(times)).dictionary_encode(),
        }
    )
    return Chunk.arrived(
        batch,
        VERSION_1,
        revision=first + 1,
        ingest_time_ns=0,
        origin=ANONYMOUS,
        messages=Messages.of([("", (), (len(times),))]),
        time_span=(min(known) * unit_ns, max(known) * unit_ns) if known else None,
    )


@dataclass
class Reads:
    """Reads chunks, and says how many were read when."""

    count: int = 0
    rows: list[int] = field(default_factory=list)

    def __call__(self, stored: object) -> pa.RecordBatch:
        assert isinstance(stored, Chunk)
        self.count += 1
        return stored.batch


def chunks_of(times: list[list[int | None]], *, unit: str = "ns") -> list[Chunk]:
    found: list[Chunk] = []
    first = 0
    for each in times:
        found.append(chunk(each, first=first, unit=unit))
        first += len(each)
    return found


def ordered(
    chosen: list[Chunk], *, unit_ns: int = 1, about_rows: int = 1, known: bool = True
) -> list[tuple[int | None, int]]:
    batches = in_time_order(
        chosen,
        Reads(),
        event_time="ts",
        unit_ns=unit_ns,
        spans_known=known,
        most_rows=MOST,
        about_rows=about_rows,
    )
    rows: list[tuple[int | None, int]] = []
    for batch in batches:
        times: list[int | None] = batch.column("ts").cast(pa.int64()).to_pylist()
        rows += zip(times, integers(batch, "place"), strict=True)
    return rows


times_of_a_chunk = st.lists(st.none() | st.integers(-8, 8), min_size=1, max_size=6)


@given(
    times=st.lists(times_of_a_chunk, max_size=8),
    about_rows=st.sampled_from([1, 3, 10, 1_000]),
    known=st.booleans(),
    unit=st.sampled_from(["ns", "us"]),
)
def test_the_stream_is_the_stable_sort_of_everything(
    times: list[list[int | None]], about_rows: int, *, known: bool, unit: str
) -> None:
    flat = [each for part in times for each in part]
    places = sorted(
        range(len(flat)), key=lambda at: (flat[at] is None, flat[at] or 0)
    )  # Python's sort is stable
    chosen = chunks_of(times, unit=unit)
    unit_ns = 1_000 if unit == "us" else 1
    found = ordered(chosen, unit_ns=unit_ns, about_rows=about_rows, known=known)
    assert found == [(flat[place], place) for place in places]


def test_t11_only_what_overlaps_is_read_before_rows_are_given() -> None:
    # Each chunk overlaps the next one, so that all of them together are one cluster.
    chosen = chunks_of([[10 * at, 10 * at + 12, 10 * at + 5] for at in range(50)])
    reads = Reads()
    stream = in_time_order(
        chosen, reads, event_time="ts", unit_ns=1, spans_known=True, most_rows=6, about_rows=1
    )
    given = 0
    for batch in stream:
        given += batch.num_rows
        assert 3 * reads.count - given <= 3
    assert given == 150


def test_t11_rows_that_overlap_beyond_the_limit_are_refused() -> None:
    chosen = chunks_of([[0, 100], [1, 99], [2, 98], [200]])
    with pytest.raises(LimitExceededError, match="overlap in time"):
        require_streamable(chosen, spans_known=True, most_rows=5, limit=None)
    require_streamable(chosen, spans_known=True, most_rows=6, limit=None)
    with pytest.raises(LimitExceededError):
        require_streamable(chosen, spans_known=False, most_rows=6, limit=None)
    stream = in_time_order(
        chosen, Reads(), event_time="ts", unit_ns=1, spans_known=True, most_rows=1, about_rows=1
    )
    with pytest.raises(LimitExceededError, match="overlap in time"):
        list(stream)


def test_a_limit_needs_only_the_beginning() -> None:
    chosen = chunks_of([[0, 1], [2, 3], [10, 20], [11, 21], [12, 22]])
    require_streamable(chosen, spans_known=True, most_rows=4, limit=4)
    with pytest.raises(LimitExceededError):
        require_streamable(chosen, spans_known=True, most_rows=4, limit=5)
