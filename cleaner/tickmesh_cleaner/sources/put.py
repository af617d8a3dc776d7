"""Rows that were put as a source: batches of the spool, in the producer's own numbering."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.decoding import tabular
from tickmesh.decoding.decoded import DecodedBatch, DecodeError
from tickmesh_cleaner.domain.errors import SourceUnreadableError
from tickmesh_cleaner.domain.identity import MOST_RECORDS, producer_id
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.puts.position import PutPosition
from tickmesh_cleaner.sources.source import QUIET_SECONDS, Quiet, ReadProgress, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.puts.live_put import LivePut
    from tickmesh_cleaner.puts.spool import PutSpool


class PutRecords:
    """The rows of one producer. Positions are `PutPosition`s."""

    replayable = True

    def __init__(
        self,
        producer_id: str,
        *,
        name: str,
        spec: SourceSpec,
        spool: PutSpool,
        live: LivePut | None,
    ) -> None:
        """Name the producer.

        Args:
            producer_id: As its sender named it, or the stream's own.
            name: What reports call it.
            spec: How its columns are mapped.
            spool: Where its batches lie until they are committed.
            live: Its open stream; None when that broke off with an earlier process.
        """
        self.name = name
        self._producer_id = producer_id
        self._spec = spec
        self._spool = spool
        self._live = live

    def identify(self) -> SourceIdentity:
        """The producer; what it put is its own affair."""
        digest = put_digest(self._producer_id)
        return SourceIdentity(digest=digest, signature="", size_bytes=0)

    def verify(self, identity: SourceIdentity) -> None:
        """Spooled batches are immutable."""

    def progress(self, _position: str) -> ReadProgress:
        """Puts are not counted in bytes, and have no known end."""
        return ReadProgress(0, 0)

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """What the spool holds; see `Source.read`."""
        at = PutPosition.parse(start)
        stop = None if end is None else PutPosition.parse(end)
        while stop is None or at < stop:
            batch = self._spool.read(at.sequence)
            if batch is None:
                if stop is None:
                    return
                raise SourceUnreadableError(
                    self.name, cause=f"batch {at.sequence} is not in the spool", offset=0
                )
            for cut in self._cut(batch, at, stop=stop, batch_records=batch_records):
                yield cut
                at = PutPosition.parse(cut.end)

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        """What the open stream brings; see `LiveSource.follow`."""
        if self._live is None:
            return
        at = PutPosition.parse(start)
        self._live.begin(at)
        while not self._live.has_ended_before(at.sequence):
            batch = self._live.take(at.sequence, timeout_seconds=QUIET_SECONDS)
            if batch is None:
                yield Quiet()
                continue
            for cut in self._cut(batch, at, stop=None, batch_records=MOST_RECORDS):
                yield cut
                at = PutPosition.parse(cut.end)

    def committed(self, position: str) -> None:
        """Acknowledge, and free the spool; see `LiveSource.committed`."""
        reached = PutPosition.parse(position)
        self._spool.keep_between(reached.sequence)
        if self._live is not None:
            self._live.note_committed(reached)

    def _cut(
        self,
        batch: pa.RecordBatch,
        at: PutPosition,
        *,
        stop: PutPosition | None,
        batch_records: int,
    ) -> Iterator[SourceBatch]:
        """The rows of a batch from a position in it on, in parts."""
        before = at.rows_before - at.row
        last = stop.row if stop is not None and stop.sequence == at.sequence else batch.num_rows
        try:
            for decoded in decoded_batches(batch, at.row, last, batch_records=batch_records):
                row, end = decoded.start.record, decoded.end.record
                over = end == batch.num_rows
                yield SourceBatch(
                    start=PutPosition(at.sequence, row, before + row).token(),
                    end=PutPosition(at.sequence + over, 0 if over else end, before + end).token(),
                    decoded=_moved(decoded, before),
                    spec=self._spec,
                    file_name="",
                )
        except DecodeError as error:
            raise SourceUnreadableError(
                self.name, cause=f"{error.code}: {error.message}", offset=before + error.offset
            ) from error


def put_digest(named: str) -> str:
    """What stands for everything a producer ever puts."""
    return hashlib.sha256(f"put {named}".encode()).hexdigest()


def put_producer(digest: str, *, dataset: str) -> str:
    """The producer of puts in the ledger and in the tick store: the same for all its streams."""
    return producer_id(
        content_digest=digest, spec_fingerprint="", file_name="", dataset=dataset, nonce=""
    )


def decoded_batches(
    batch: pa.RecordBatch, start: int, end: int, *, batch_records: int
) -> Iterator[DecodedBatch]:
    """Rows of a batch in memory as a decoder yields them; one part without rows when it has none.

    Raises:
        DecodeError: It holds values that are no valid Arrow data.
    """
    if not batch.num_rows:
        nothing: Any = pa.array([], pa.int64())
        place = tabular.position_of_row(0)
        yield DecodedBatch(place, place, 0, batch, nothing, nothing, (), lambda _rows: [])
        return
    yield from tabular.batches(
        lambda row: iter([batch.slice(row)]),
        start=tabular.position_of_row(start),
        end=tabular.position_of_row(end),
        batch_records=min(batch_records, MOST_RECORDS),
    )


def _moved(decoded: DecodedBatch, rows: int) -> DecodedBatch:
    """The batch with rows numbered as if so many stood before them."""
    if not rows:
        return decoded
    moved: Any = pc  # the stubs know no plain operands
    return replace(
        decoded,
        offsets=moved.add(decoded.offsets, rows),
        lines=moved.add(decoded.lines, rows),
    )
