"""Quarantined rows as a source: their raw records are decoded again.

Positions are places in the selection a replay made when it was created. Records that share a source
spec are decoded together; where some of them break the framing of their neighbours (a quote that is
never closed, say), the group is halved until each such record stands alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from tickmesh.decoding.source_spec import Compression, Format, SourceSpec
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.single_records import decode_together
from tickmesh_cleaner.sources.source import ReadProgress, ReplayedRow, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tickmesh_cleaner.domain.quarantine import QuarantinedRow
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store.quarantine_index import QuarantineIndex

ROWS_A_BATCH = 4_096


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How the records a job held back are decoded when they stand alone."""

    spec: SourceSpec
    file_name: str


def record_format(spec: SourceSpec, *, column_names: Sequence[str], file_name: str) -> RecordFormat:
    """The format of single records of a source.

    Args:
        spec: The source's spec.
        column_names: The names its header gave.
        file_name: Its file name.

    Returns:
        The spec without header and packing; rows of Parquet and Arrow files are kept as typed rows.
    """
    alone = replace(spec, compression=Compression.NONE)
    if spec.format in {Format.PARQUET, Format.ARROW}:
        alone = replace(alone, format=Format.TYPED_ROWS)
    elif spec.format is Format.CSV and not spec.csv.names:
        alone = replace(alone, csv=replace(spec.csv, names=tuple(column_names)))
    return RecordFormat(alone, file_name)


class QuarantinedRecords:
    """The rows a replay holds, in the order it selected them."""

    replayable = True

    def __init__(
        self,
        job_id: str,
        *,
        name: str,
        index: QuarantineIndex,
        files: QuarantineFiles,
        format_of: Callable[[str, int], RecordFormat],
    ) -> None:
        """Name the rows.

        Args:
            job_id: The replay.
            name: What reports call the selection.
            index: Where the rows are listed.
            files: Where they lie.
            format_of: From the id of a job, and which of its files, to how records are decoded.
        """
        self.name = name
        self._job_id = job_id
        self._index = index
        self._files = files
        self._format_of = cache(format_of)

    def identify(self) -> SourceIdentity:
        """The selection is the replay's own and never changes."""
        digest = hashlib.sha256(f"replay {self._job_id}".encode()).hexdigest()
        return SourceIdentity(digest=digest, signature="", size_bytes=0)

    def verify(self, identity: SourceIdentity) -> None:
        """Quarantine files are immutable."""

    def progress(self, _position: str) -> ReadProgress:
        """Rows of a selection are not counted in bytes."""
        return ReadProgress(0, 0)

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = ROWS_A_BATCH
    ) -> Generator[SourceBatch, None, None]:
        """The records of the selection; see `Source.read`."""
        at = int(start or 0)
        stop = None if end is None else int(end)
        limit = min(batch_records, ROWS_A_BATCH)
        while stop is None or at < stop:
            claimed = self._index.claimed(self._job_id, start=at, limit=limit)
            if stop is not None:
                claimed = [(place, entry) for place, entry in claimed if place < stop]
            if not claimed:
                return
            first = claimed[0][1]
            group = [
                (place, entry)
                for place, entry in claimed
                if (entry.job_id, entry.part) == (first.job_id, first.part)
            ]
            rows = self._files.read([entry for _, entry in group])
            places = [place for place, _ in group]
            yield from self._decode(places, rows, self._format_of(first.job_id, first.part))
            at = places[-1] + 1

    def _decode(
        self, places: Sequence[int], rows: Sequence[QuarantinedRow], how: RecordFormat
    ) -> Generator[SourceBatch, None, None]:
        decoded = decode_together([row.record.raw for row in rows], how.spec)
        if decoded is None:
            middle = len(rows) // 2
            yield from self._decode(places[:middle], rows[:middle], how)
            yield from self._decode(places[middle:], rows[middle:], how)
            return
        yield SourceBatch(
            start=str(places[0]),
            end=str(places[-1] + 1),
            decoded=decoded,
            spec=how.spec,
            file_name=how.file_name,
            replayed=tuple(_replayed(row) for row in rows),
        )


def _replayed(row: QuarantinedRow) -> ReplayedRow:
    return ReplayedRow(
        row_id=row.entry.id,
        row_in_record=row.record.row_in_record,
        raw=row.record.raw,
        source=row.record.source,
        offset=row.record.offset,
        line=row.record.line,
        first_seen_ns=row.record.first_seen_ns,
        reasons=row.record.reasons,
    )
