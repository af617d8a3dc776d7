"""Chunks: batches of one schema version in arrival order, with the stamps of their rows.

Stamps are kept as runs (consecutive rows that share a dataset revision), never per row.
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.stamps import Origin, Stamp
from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.messages import Messages
from tickmesh_tickstore.engine.stored_rows import FoundRows, StoredRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    import pyarrow.compute as pc

__all__ = [
    "FULL_LEVEL",
    "Chunk",
    "Runs",
    "TimeSpan",
    "append_chunk",
    "join_spans",
    "merge_chunks",
]

TimeSpan = tuple[int, int]
"""Least and greatest event time in ns."""

_MERGE_WIDTH = 16
_FULL_ROWS = 32_768
FULL_LEVEL = 99
"""The level of a chunk that is not merged with others any more."""
_HEADER = struct.Struct("<IqqqII")
_NO_TIME = -(1 << 63)


def join_spans(spans: Iterable[TimeSpan | None]) -> TimeSpan | None:
    """The span of several together; `None` says that there are no event times."""
    known = [span for span in spans if span is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


@dataclass(frozen=True, slots=True)
class Runs:
    """Consecutive rows that share a dataset revision and an ingest time.

    Attributes:
        revisions: Dataset revision of each run, ascending.
        row_ends: Rows of the chunk up to the end of each run.
        ingest_times: Ingest time of each run in ns since the epoch.
    """

    revisions: array[int]
    row_ends: array[int]
    ingest_times: array[int]

    @classmethod
    def single(cls, *, revision: int, rows: int, ingest_time_ns: int) -> Runs:
        """The runs of a chunk that arrived at once."""
        return cls(array("q", (revision,)), array("q", (rows,)), array("q", (ingest_time_ns,)))

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """The runs of chunks put behind one another."""
        revisions, row_ends, ingest_times = array("q"), array("q"), array("q")
        rows = 0
        for part in parts:
            if revisions and revisions[-1] == part.revisions[0]:
                # Of one revision, cut into several chunks: one run again.
                for values in (revisions, row_ends, ingest_times):
                    values.pop()
            revisions.extend(part.revisions)
            row_ends.extend(rows + end for end in part.row_ends)
            ingest_times.extend(part.ingest_times)
            rows = row_ends[-1]
        return cls(revisions, row_ends, ingest_times)

    def sliced(self, start: int, stop: int) -> Runs:
        """The runs of rows `start` to `stop`, which hold at least one row."""
        first = bisect_left(self.row_ends, start + 1)
        last = bisect_left(self.row_ends, stop)
        ends = array("q", (min(end, stop) - start for end in self.row_ends[first : last + 1]))
        return Runs(self.revisions[first : last + 1], ends, self.ingest_times[first : last + 1])

    def counts(self) -> list[int]:
        """Rows in each run."""
        return [end - start for start, end in zip((0, *self.row_ends), self.row_ends, strict=False)]


@dataclass(frozen=True, slots=True)
class Chunk(StoredRows):
    """A batch with what is known of its rows. Immutable; readers share it.

    Attributes:
        batch: The rows.
        stamp: The schema version they were judged against.
        origin: Who wrote them.
        runs: Their dataset revisions and ingest times.
        messages: The producer messages they were sent in.
        first_row: Rows of the first run's revision which lie in chunks before this one.
        time_span: Least and greatest event time in ns, `None` when unknown.
        level: How often small chunks were merged into this one.
    """

    batch: pa.RecordBatch
    stamp: Stamp
    origin: Origin
    runs: Runs
    messages: Messages
    first_row: int
    time_span: TimeSpan | None
    level: int = 0

    @property
    def row_count(self) -> int:
        """Its rows."""
        return self.batch.num_rows

    @property
    def byte_count(self) -> int:
        """See `StoredRows.byte_count`."""
        return self.batch.nbytes

    def rows(self, start: int, stop: int) -> Chunk | None:
        """Rows `start` to `stop`, without a copy; `None` when there are none."""
        if start >= stop:
            return None
        if start == 0 and stop == self.batch.num_rows:
            return self
        return replace(
            self,
            batch=self.batch.slice(start, stop - start),
            runs=self.runs.sliced(start, stop),
            messages=self.messages.sliced(start, stop),
            first_row=self.position_at(start).row,
        )

    def read(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: pc.Expression | None = None,  # noqa: ARG002  # nothing is saved by leaving rows out
    ) -> FoundRows:
        """See `StoredRows.read`: no row is copied."""
        batch = self.batch if columns is None else self.batch.select(list(columns))
        return FoundRows(batch, None)

    def origins(self) -> Sequence[tuple[int, Origin]]:
        """See `StoredRows.origins`."""
        return ((self.batch.num_rows, self.origin),)

    def pack_stamps(self) -> bytes:
        """Everything but rows and schema version, for a segment's batch metadata."""
        low, high = self.time_span or (_NO_TIME, _NO_TIME)
        runs = self.runs
        origin = json.dumps([self.origin.principal, self.origin.on_behalf_of]).encode()
        messages = self.messages.pack()
        header = _HEADER.pack(
            len(runs.revisions), self.first_row, low, high, len(origin), len(messages)
        )
        return b"".join(
            (
                header,
                origin,
                runs.revisions.tobytes(),
                runs.row_ends.tobytes(),
                runs.ingest_times.tobytes(),
                messages,
            )
        )

    @classmethod
    def unpack(cls, batch: pa.RecordBatch, stamp: Stamp, packed: bytes) -> Chunk:
        """Undo `pack_stamps`."""
        count, first_row, low, high, origin_length, messages_length = _HEADER.unpack_from(packed)
        at = _HEADER.size
        principal, on_behalf_of = json.loads(packed[at : at + origin_length])
        at += origin_length
        arrays = []
        for _ in range(3):
            values = array("q")
            values.frombytes(packed[at : at + 8 * count])
            arrays.append(values)
            at += 8 * count
        return cls(
            batch,
            stamp,
            Origin(principal, on_behalf_of),
            Runs(*arrays),
            Messages.unpack(packed[at : at + messages_length], rows=batch.num_rows),
            first_row,
            None if low == _NO_TIME else (low, high),
            FULL_LEVEL,
        )

    @classmethod
    def arrived(
        cls,
        batch: pa.RecordBatch,
        stamp: Stamp,
        *,
        revision: int,
        ingest_time_ns: int,
        origin: Origin,
        messages: Messages,
        time_span: TimeSpan | None,
        first_row: int = 0,
    ) -> Chunk:
        """The chunk of rows that were just written under one dataset revision."""
        return cls(
            batch,
            stamp,
            origin,
            Runs.single(revision=revision, rows=batch.num_rows, ingest_time_ns=ingest_time_ns),
            messages,
            first_row,
            time_span,
            FULL_LEVEL if batch.num_rows >= _FULL_ROWS else 0,
        )


def append_chunk(chunks: tuple[Chunk, ...], chunk: Chunk) -> tuple[Chunk, ...]:
    """Put a chunk behind others, merging small ones so that many small appends read like one.

    Sixteen neighbours of one level become one of the next, so a row is copied at most a few times
    and a dataset of n small appends has O(log n) small chunks.
    """
    chunks = (*chunks, chunk)
    while len(chunks) >= _MERGE_WIDTH:
        last = chunks[-_MERGE_WIDTH:]
        first = last[0]
        if first.level == FULL_LEVEL or not all(
            other.level == first.level
            and other.stamp == first.stamp
            and other.origin == first.origin
            for other in last
        ):
            break
        chunks = (*chunks[:-_MERGE_WIDTH], merge_chunks(last))
    return chunks


def merge_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk of neighbours of the same schema version and origin; copies their rows."""
    first = chunks[0]
    batch = join_batches([chunk.batch for chunk in chunks])
    return Chunk(
        batch,
        first.stamp,
        first.origin,
        Runs.joined([chunk.runs for chunk in chunks]),
        Messages.joined([chunk.messages for chunk in chunks]),
        first.first_row,
        join_spans(chunk.time_span for chunk in chunks),
        FULL_LEVEL if batch.num_rows >= _FULL_ROWS else first.level + 1,
    )
