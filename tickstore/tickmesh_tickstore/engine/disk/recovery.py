"""Opening a dataset after whatever happened to it (T10)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import DatasetDamagedError
from tickmesh_tickstore.domain.producers import ProducerLedger
from tickmesh_tickstore.engine.chunk import Chunk
from tickmesh_tickstore.engine.disk.frame import (
    MAGIC,
    TERMINATOR,
    Frame,
    FrameKind,
    read_frame,
    read_header,
)
from tickmesh_tickstore.engine.disk.segment import SegmentPart, SegmentRecord
from tickmesh_tickstore.engine.parts import DatasetState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.producers import ProducerRecord
    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.manifest import StoredDataset
    from tickmesh_tickstore.engine.disk.segment import SegmentCache
    from tickmesh_tickstore.engine.parts import Part

__all__ = ["FullLog", "RecoveredDataset", "RecoveryReport", "recover"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What opening a dataset found.

    Attributes:
        dataset: Its name.
        revision: Newest dataset revision after opening.
        frames: Log frames read back.
        rows: Rows read back from logs.
        replayed_bytes: Bytes of those frames.
        torn_bytes: Bytes behind the last whole frame that were cut off. They were never
            acknowledged as durable.
        removed_files: Files that belonged to no committed row.
        dropped_upload_bytes: Bytes of uploads that were never committed, among them.
        seconds: How long it took.
        damage: Why the dataset could not be opened; empty when it was.
    """

    dataset: str
    revision: int
    frames: int = 0
    rows: int = 0
    replayed_bytes: int = 0
    torn_bytes: int = 0
    removed_files: int = 0
    dropped_upload_bytes: int = 0
    seconds: float = 0.0
    damage: str = ""


@dataclass(frozen=True, slots=True)
class FullLog:
    """A log before the active one, still to be sealed."""

    log_number: int
    through_revision: int
    producers: Sequence[tuple[str, ProducerRecord]]


@dataclass(frozen=True, slots=True)
class RecoveredDataset:
    """A dataset ready to go on.

    Attributes:
        state: Everything visible.
        ledger: Its producers.
        log_number: The log to go on with.
        offset: Where to go on in it.
        full_logs: Earlier logs to seal, in order.
        report: What was found.
    """

    state: DatasetState
    ledger: ProducerLedger
    log_number: int
    offset: int
    full_logs: tuple[FullLog, ...]
    report: RecoveryReport


def recover(
    stored: StoredDataset,
    directory: DatasetDirectory,
    *,
    files: FileSystem,
    cache: SegmentCache,
    producer_limit: int,
) -> RecoveredDataset:
    """Read a dataset's logs back, cut a torn tail, and remove what no commit refers to.

    Rows stay in the logs, memory-mapped: memory does not grow with them.

    Raises:
        DatasetDamagedError: A frame or a segment that had been acknowledged is damaged or missing;
            no file was changed.
        OSError: The files cannot be read.
    """
    return _Recovery(stored, directory, files, cache, producer_limit).run()


class _Recovery:
    def __init__(
        self,
        stored: StoredDataset,
        directory: DatasetDirectory,
        files: FileSystem,
        cache: SegmentCache,
        producer_limit: int,
    ) -> None:
        self._stored = stored
        self._directory = directory
        self._files = files
        self._cache = cache
        self._layouts: dict[Stamp, RowLayout] = {each.stamp: each for each in stored.layouts}
        self._ledger = ProducerLedger(limit=producer_limit)
        for name, record in stored.producers:
            self._ledger.restore(name, record)
        sealed = tuple(self._part(record) for record in stored.segments)
        rows = sum(part.row_count for part in sealed)
        self._state = DatasetState(stored.sealed_revision, sealed, (), rows)
        self._frames = self._rows = self._replayed_bytes = self._torn_bytes = 0
        self._incarnation = 0

    def run(self) -> RecoveredDataset:
        began = time.monotonic()
        self._require_segments(self._state.sealed)
        removed = self._remove_sealed_logs()
        numbers = self._directory.log_numbers()
        full: list[FullLog] = []
        offset = 0
        for number in numbers:
            offset = self._read_log(number, is_last=number == numbers[-1])
            if number != numbers[-1]:
                full.append(FullLog(number, self._state.revision, self._ledger.take_changed()))
        self._require_segments(self._state.recent)
        orphans = self._remove_orphans()
        report = RecoveryReport(
            self._stored.name,
            self._state.revision,
            frames=self._frames,
            rows=self._rows,
            replayed_bytes=self._replayed_bytes,
            torn_bytes=self._torn_bytes,
            removed_files=removed + len(orphans),
            dropped_upload_bytes=sum(orphans),
            seconds=time.monotonic() - began,
        )
        number = numbers[-1] if numbers else self._stored.sealed_log + 1
        return RecoveredDataset(self._state, self._ledger, number, offset, tuple(full), report)

    def _remove_sealed_logs(self) -> int:
        sealed = [
            number for number in self._directory.log_numbers() if number <= self._stored.sealed_log
        ]
        for number in sealed:
            self._files.remove(self._directory.log(number))
        return len(sealed)

    def _read_log(self, number: int, *, is_last: bool) -> int:
        path = self._directory.log(number)
        if path.stat().st_size == 0:
            return 0
        log = pa.memory_map(str(path)).read_buffer()
        offset = 0
        while (frame := read_frame(log, offset)) is not None and self._follows(frame):
            self._apply(frame, number)
            offset += frame.length
        self._replayed_bytes += offset
        self._require_nothing_acknowledged(memoryview(log), offset)
        if is_last and self._is_torn(memoryview(log), offset):
            self._cut(number, offset, log.size)
        return offset

    def _follows(self, frame: Frame) -> bool:
        # Logs are written over older ones: what is left of those has lower numbers.
        if frame.incarnation < self._incarnation or frame.revision != self._state.revision + 1:
            return False
        self._incarnation = frame.incarnation
        return True

    def _is_torn(self, log: memoryview, offset: int) -> bool:
        header = read_header(log, offset)
        if header is not None and header.revision <= self._state.revision:
            return False
        return bytes(log[offset : offset + len(TERMINATOR)]).strip(b"\0") != b""

    def _require_nothing_acknowledged(self, log: memoryview, offset: int) -> None:
        """A frame written after the acknowledgement of a missing one proves damage."""
        expected = self._state.revision + 1
        content = log[offset:].tobytes()
        at = content.find(MAGIC)
        while at >= 0:
            header = read_header(log, offset + at) if at % 8 == 0 else None
            if header is not None and header.synced_through >= expected:
                raise self._damage(f"revision {expected} was acknowledged but is damaged on disk")
            at = content.find(MAGIC, at + 1)

    def _require_segments(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if not isinstance(part, SegmentPart):
                continue
            try:
                size = part.path.stat().st_size
            except FileNotFoundError:
                size = -1
            if size != part.record.byte_count:
                what = "is missing" if size < 0 else "has another size than was written"
                raise self._damage(
                    f"the segment of revisions {part.first_revision} to {part.last_revision} {what}"
                )

    def _damage(self, what: str) -> DatasetDamagedError:
        return DatasetDamagedError(
            f"dataset {self._stored.name!r}: {what}; nothing was changed: stop the store, restore "
            "the dataset from a copy, and start it again",
            metadata={"dataset": self._stored.name},
        )

    def _cut(self, number: int, offset: int, size: int) -> None:
        _log.warning(
            "dataset %s: cut %d torn bytes behind revision %d; none was acknowledged as durable",
            self._stored.name,
            size - offset,
            self._state.revision,
        )
        self._torn_bytes += size - offset
        descriptor = self._files.open(self._directory.log(number))
        try:
            self._files.truncate(descriptor, offset)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)

    def _apply(self, frame: Frame, log_number: int) -> None:
        self._frames += 1
        if frame.kind is FrameKind.PRODUCER_OPENED:
            self._ledger.record_opened(frame.names["producer_id"], frame.names["epoch"])
            self._state = self._state.at_revision(frame.revision)
            return
        self._ledger.record_stored(frame.sequences, revision=frame.revision)
        if frame.kind is FrameKind.UPLOAD:
            part = self._part(self._uploaded(frame, log_number))
            if part.row_count:
                self._state = self._state.with_part(part)
            else:
                self._state = self._state.at_revision(frame.revision)
            return
        batch = frame.batch()
        if batch.num_rows == 0:
            self._state = self._state.at_revision(frame.revision)
            return
        self._rows += batch.num_rows
        chunk = Chunk.arrived(
            batch,
            self._layouts[frame.stamp],
            revision=frame.revision,
            ingest_time_ns=frame.ingest_time_ns,
            origin=frame.origin,
        )
        self._state = self._state.with_chunk(chunk, log_number=log_number)

    @staticmethod
    def _uploaded(frame: Frame, log_number: int) -> SegmentRecord:
        span = frame.names["time_span"]
        return SegmentRecord(
            frame.names["segment_id"],
            log_number,
            frame.stamp,
            frame.revision,
            frame.revision,
            frame.names["row_count"],
            frame.names["byte_count"],
            None if span is None else (span[0], span[1]),
            frame.ingest_time_ns,
        )

    def _part(self, record: SegmentRecord) -> SegmentPart:
        return SegmentPart(record, self._directory.segment(record.segment_id), self._cache)

    def _remove_orphans(self) -> list[int]:
        """Remove what no commit refers to, and return the bytes of each file."""
        known = {
            part.path
            for part in (*self._state.sealed, *self._state.recent)
            if isinstance(part, SegmentPart)
        }
        orphans = [path for path in self._directory.segments.iterdir() if path not in known]
        orphans += self._directory.staging.iterdir()
        sizes = [path.stat().st_size for path in orphans]
        for path in orphans:
            self._files.remove(path)
        return sizes
