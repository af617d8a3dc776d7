"""Segments as the manifest knows them, and recent ones as they are read and written.

A recent segment is an Arrow IPC file in order of arrival, memory-mapped, never rewritten in place.
Beside each batch stand the stamps of its rows and its least and greatest event time, as the batch's
own metadata: any Arrow reader opens a segment, and a segment explains itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.errors import DatasetDamagedError
from tickmesh_tickstore.engine.chunk import Chunk, Runs, merge_chunks
from tickmesh_tickstore.engine.dictionaries import GrowingDictionaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = [
    "SegmentCache",
    "SegmentPart",
    "SegmentRecord",
    "SegmentWriter",
    "Tier",
    "sealed_groups",
]

_STAMPS_KEY = b"tickmesh.stamps"
_SEGMENT_BATCH_ROWS = 65_536
_SEGMENT_BYTES = 64 << 20
"""A log that grew beyond its size becomes several segments: sealing holds one at a time."""
_WRITEBACK_BYTES = 4 << 20
"""Written back in pieces while it grows: synced all at once, a segment stands before every log."""


class Tier(StrEnum):
    """The form in which a segment's rows are stored."""

    RECENT = "recent"
    SETTLED = "settled"


_SUFFIXES = {Tier.RECENT: ".arrow", Tier.SETTLED: ".parquet"}


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment as the manifest and the log know it.

    Attributes:
        segment_id: Its name within the dataset.
        log_number: The log its rows were first written to, or announced in.
        stamp: The schema version of its rows.
        first_revision: Dataset revision of the first row.
        last_revision: Dataset revision of the last row.
        row_count: Rows.
        byte_count: Bytes of the file.
        time_span: Least and greatest event time in ns, `None` when unknown.
        uploaded_at_ns: Ingest time of an atomic upload, whose rows got their one revision after
            the file was written; `None` for rows that came through the log.
        first_row: Rows of the first revision which lie in segments before this one.
        tier: The form of the file.
    """

    segment_id: str
    log_number: int
    stamp: Stamp
    first_revision: int
    last_revision: int
    row_count: int
    byte_count: int
    time_span: tuple[int, int] | None
    uploaded_at_ns: int | None = None
    first_row: int = 0
    tier: Tier = Tier.RECENT

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.segment_id}{_SUFFIXES[self.tier]}"

    def to_names(self) -> dict[str, Any]:
        """What a log frame has to keep of an upload's segment."""
        return {
            "segment_id": self.segment_id,
            "row_count": self.row_count,
            "byte_count": self.byte_count,
            "time_span": self.time_span,
        }


class SegmentCache:
    """Open segments, the most recently used ones (T11)."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Sequence[StoredRows]] = OrderedDict()

    def rows(
        self, path: Path, open_segment: Callable[[], Sequence[StoredRows]]
    ) -> Sequence[StoredRows]:
        """A segment's rows as `open_segment` finds them, if it is not open already."""
        with self._lock:
            rows = self._open.get(path)
            if rows is not None:
                self._open.move_to_end(path)
                return rows
        rows = open_segment()
        with self._lock:
            self._open[path] = rows
            while len(self._open) > self._limit:
                self._open.popitem(last=False)
        return rows

    def forget(self, path: Path) -> None:
        """A segment's file goes."""
        with self._lock:
            self._open.pop(path, None)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SegmentPart:
    """A segment's rows as a part of a dataset: a recent one's."""

    record: SegmentRecord
    path: Path
    cache: SegmentCache

    @property
    def log_number(self) -> int:
        """See `Part.log_number`."""
        return self.record.log_number

    @property
    def first_revision(self) -> int:
        """See `Part.first_revision`."""
        return self.record.first_revision

    @property
    def last_revision(self) -> int:
        """See `Part.last_revision`."""
        return self.record.last_revision

    @property
    def row_count(self) -> int:
        """See `Part.row_count`."""
        return self.record.row_count

    @property
    def byte_count(self) -> int:
        """See `Part.byte_count`."""
        return self.record.byte_count

    @property
    def time_span(self) -> tuple[int, int] | None:
        """See `Part.time_span`."""
        return self.record.time_span

    def version_rows(self) -> Mapping[int, int]:
        """See `Part.version_rows`."""
        return {self.record.stamp.schema_version: self.record.row_count}

    def chunks(self) -> Sequence[StoredRows]:
        """The rows, memory-mapped."""
        return self.cache.rows(self.path, lambda: _open_segment(self.path, self.record))


def unreadable(record: SegmentRecord, error: Exception) -> DatasetDamagedError:
    """What is said of a segment whose file cannot be read, or holds what was not written."""
    seems = "cannot be read from the disk" if isinstance(error, OSError) else "is damaged"
    return DatasetDamagedError(
        f"the segment of revisions {record.first_revision} to {record.last_revision} {seems}: stop "
        "the store, look at its disk, restore the dataset from a copy if need be, start it again",
        metadata={
            "first_revision": str(record.first_revision),
            "last_revision": str(record.last_revision),
        },
    )


def _open_segment(path: Path, record: SegmentRecord) -> tuple[Chunk, ...]:
    try:
        return tuple(_read_segment(path, record))
    except (OSError, pa.ArrowException) as error:
        raise unreadable(record, error) from error


def _read_segment(path: Path, record: SegmentRecord) -> Iterator[Chunk]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for index in range(reader.num_record_batches):
        batch, metadata = reader.get_batch_with_custom_metadata(index)
        chunk = Chunk.unpack(batch, record.stamp, metadata[_STAMPS_KEY])
        if record.uploaded_at_ns is not None:
            runs = Runs.single(
                revision=record.first_revision,
                rows=batch.num_rows,
                ingest_time_ns=record.uploaded_at_ns,
            )
            chunk = replace(chunk, runs=runs)
        yield chunk


class SegmentWriter:
    """Writes chunks of one schema version into a segment file."""

    def __init__(self, path: Path, schema: pa.Schema, files: FileSystem) -> None:
        """Begin the file.

        Raises:
            OSError: It cannot be made.
        """
        self._files = files
        self._path = path
        self._sink = pa.OSFile(str(path), "wb")
        # The file format knows one dictionary a column, which may only grow.
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        self._writer = pa.ipc.new_file(self._sink, schema, options=options)
        self._dictionaries = GrowingDictionaries()
        self._writing_back = 0

    def write(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks.

        Raises:
            OSError: The file cannot be written.
        """
        for chunk in chunks:
            self._writer.write_batch(
                self._dictionaries.recode(chunk.batch),
                custom_metadata={_STAMPS_KEY: chunk.pack_stamps()},
            )
            self._begin_writeback()

    def _begin_writeback(self) -> None:
        written = int(self._sink.tell())
        length = written - self._writing_back
        if length >= _WRITEBACK_BYTES:
            self._files.begin_writeback(self._sink.fileno(), self._writing_back, length)
            self._writing_back = written

    def close(self) -> int:
        """Finish the file and bring it onto stable storage; its bytes.

        Raises:
            OSError: The file cannot be written.
        """
        self._writer.close()
        size = int(self._sink.tell())
        self._sink.close()
        descriptor = self._files.open(self._path)
        try:
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        return size

    def abandon(self) -> None:
        """Close the file without finishing it."""
        if not self._sink.closed:
            self._sink.close()


def sealed_groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Split a log's rows into segments (one schema version each), small neighbours merged."""
    group: list[Chunk] = []
    small: list[Chunk] = []
    small_rows = size = 0

    def settle() -> None:
        nonlocal small_rows
        if small:
            group.append(merge_chunks(small) if len(small) > 1 else small[0])
            small.clear()
            small_rows = 0

    for chunk in chunks:
        before = small[-1] if small else (group[-1] if group else None)
        if before is not None and (before.stamp != chunk.stamp or size > _SEGMENT_BYTES):
            settle()
            yield group
            group = []
            size = 0
        size += chunk.batch.nbytes
        rows = chunk.batch.num_rows
        if small and (small[0].origin != chunk.origin or small_rows + rows > _SEGMENT_BATCH_ROWS):
            settle()
        small.append(chunk)
        small_rows += rows
    settle()
    if group:
        yield group
