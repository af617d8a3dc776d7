"""Atomic uploads staged as segment files: committing one moves a file, no row is written twice."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import DiskFullError, StoreFailedError, TickStoreError
from tickmesh_tickstore.engine.chunk import join_spans
from tickmesh_tickstore.engine.disk.segment import (
    SegmentCache,
    SegmentPart,
    SegmentRecord,
    SegmentWriter,
)

if TYPE_CHECKING:
    from tickmesh_tickstore.engine.chunk import Chunk
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem

__all__ = ["DiskStaging"]


class DiskStaging:
    """See `Staging`."""

    def __init__(
        self,
        *,
        upload_id: str,
        layout: RowLayout,
        directory: DatasetDirectory,
        files: FileSystem,
        cache: SegmentCache,
    ) -> None:
        self._upload_id = upload_id
        self._layout = layout
        self._directory = directory
        self._files = files
        self._cache = cache
        self._path = directory.staged(upload_id)
        self._rows = 0
        self._span: tuple[int, int] | None = None
        try:
            self._writer = SegmentWriter(self._path, layout.schema, files)
        except OSError as error:
            raise _storage_error(error) from error

    def add(self, chunk: Chunk) -> None:
        """See `Staging.add`."""
        try:
            self._writer.write([chunk])
        except OSError as error:
            raise _storage_error(error) from error
        self._rows += chunk.batch.num_rows
        self._span = join_spans((self._span, chunk.time_span))

    def complete(self) -> StagedSegment:
        """See `Staging.complete`."""
        directory, files = self._directory, self._files
        segment_id = f"upload-{self._upload_id}"
        try:
            size = self._writer.close()
            files.rename(self._path, directory.segment(segment_id))
            files.sync_directory(directory.segments)
        except OSError as error:
            raise _storage_error(error) from error
        record = SegmentRecord(
            segment_id, 0, self._layout.stamp, 0, 0, self._rows, size, self._span, 0
        )
        return StagedSegment(record, directory, files, self._cache)

    def discard(self) -> None:
        """See `Staging.discard`."""
        self._writer.abandon()
        self._files.remove(self._path)


@dataclass(frozen=True, slots=True)
class StagedSegment:
    """See `StagedPart`."""

    record: SegmentRecord
    directory: DatasetDirectory
    files: FileSystem
    cache: SegmentCache

    @property
    def row_count(self) -> int:
        """See `StagedPart.row_count`."""
        return self.record.row_count

    def place(self, *, revision: int, ingest_time_ns: int, log_number: int) -> SegmentPart:
        """See `StagedPart.place`."""
        record = self.record
        placed = SegmentRecord(
            record.segment_id,
            log_number,
            record.stamp,
            revision,
            revision,
            record.row_count,
            record.byte_count,
            record.time_span,
            ingest_time_ns,
        )
        return SegmentPart(placed, self.directory.segment(record.segment_id), self.cache)

    def discard(self) -> None:
        """See `StagedPart.discard`."""
        self.files.remove(self.directory.segment(self.record.segment_id))


def _storage_error(error: OSError) -> TickStoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(
            "no space left on the store's disk; nothing of this upload is stored: "
            "make room, then send it again"
        )
    return StoreFailedError(
        "the upload could not be staged; nothing of it is stored: see the store's log"
    )
