"""Opening a dataset after whatever happened to it (T10)."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import DatasetDamagedError
from tickmesh_tickstore.domain.positions import Position
from tickmesh_tickstore.domain.producers import ProducerLedger
from tickmesh_tickstore.engine.disk.frame import (
    MAGIC,
    TERMINATOR,
    FrameKind,
    Header,
    read_header,
    read_names,
    read_runs,
    read_whole_header,
)
from tickmesh_tickstore.engine.disk.logged import LoggedRows, NamesReader
from tickmesh_tickstore.engine.disk.segment import SegmentPart, SegmentRecord
from tickmesh_tickstore.engine.dropped import DroppedPart, DroppedRows, Trim
from tickmesh_tickstore.engine.parts import DatasetState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.producers import ProducerRecord
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.logged import DecodedLogs, Writing
    from tickmesh_tickstore.engine.disk.manifest import StoredDataset
    from tickmesh_tickstore.engine.disk.segment import SegmentCache
    from tickmesh_tickstore.engine.parts import Part

__all__ = ["FullLog", "RecoveredDataset", "RecoveryReport", "recover"]

_log = logging.getLogger(__name__)
_WINDOW_BYTES = 1 << 20


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
    trims: Sequence[Trim]


@dataclass(frozen=True, slots=True)
class RecoveredDataset:
    """A dataset ready to go on.

    Attributes:
        state: Everything visible.
        ledger: Its producers.
        log_number: The log to go on with.
        offset: Where to go on in it.
        full_logs: Earlier logs to seal, in order.
        trims: What retention dropped according to the log to go on with.
        report: What was found.
    """

    state: DatasetState
    ledger: ProducerLedger
    log_number: int
    offset: int
    full_logs: tuple[FullLog, ...]
    trims: tuple[Trim, ...]
    report: RecoveryReport


def recover(
    stored: StoredDataset,
    directory: DatasetDirectory,
    *,
    files: FileSystem,
    cache: SegmentCache,
    decoded: DecodedLogs,
    producer_limit: int,
) -> RecoveredDataset:
    """Read a dataset's logs back, cut a torn tail, and remove what no commit refers to.

    Rows stay in the logs, memory-mapped, and are decoded when they are read: neither memory nor
    time grows with more than the number of frames.

    Raises:
        DatasetDamagedError: A frame or a segment that had been acknowledged is damaged or missing;
            no file was changed.
        OSError: The files cannot be read.
    """
    return _Recovery(stored, directory, files, cache, decoded, producer_limit).run()


class _Recovery:
    def __init__(
        self,
        stored: StoredDataset,
        directory: DatasetDirectory,
        files: FileSystem,
        cache: SegmentCache,
        decoded: DecodedLogs,
        producer_limit: int,
    ) -> None:
        self._stored = stored
        self._directory = directory
        self._files = files
        self._cache = cache
        self._decoded = decoded
        self._names = NamesReader()
        self._ledger = ProducerLedger(limit=producer_limit)
        for name, record in stored.producers:
            self._ledger.restore(name, record)
        self._sealed = tuple(self._part(record) for record in stored.segments)
        dropped = tuple(
            DroppedPart(self._part(each.record), each.dropped_at_revision, each.dropped_at_ns)
            for each in stored.dropped
        )
        self._dropped = DroppedRows(dropped, stored.gone, stored.kept_from)
        self._trims: list[Trim] = []
        self._recent: list[Part] = []
        self._revision = stored.sealed_revision
        self._frames = self._rows = self._replayed_bytes = self._torn_bytes = 0
        self._incarnation = 0

    def run(self) -> RecoveredDataset:
        began = time.monotonic()
        self._require_segments(self._sealed)
        self._require_segments([each.part for each in self._dropped.parts])
        removed = self._remove_sealed_logs()
        numbers = self._directory.log_numbers()
        full: list[FullLog] = []
        trims: list[Trim] = []
        offset = 0
        for number in numbers:
            self._trims = []
            offset, torn = self._read_log(number)
            trims += self._trims
            if number != numbers[-1]:
                changed = self._ledger.take_changed()
                full.append(FullLog(number, self._revision, changed, self._trims))
        self._require_segments(self._recent)
        if numbers and torn:
            self._cut(numbers[-1], offset, torn)
        orphans = self._remove_orphans()
        report = RecoveryReport(
            self._stored.name,
            self._revision,
            frames=self._frames,
            rows=self._rows,
            replayed_bytes=self._replayed_bytes,
            torn_bytes=self._torn_bytes,
            removed_files=removed + len(orphans),
            dropped_upload_bytes=sum(orphans),
            seconds=time.monotonic() - began,
        )
        number = numbers[-1] if numbers else self._stored.sealed_log + 1
        rows = sum(part.row_count for part in (*self._sealed, *self._recent))
        recent = tuple(self._recent)
        state = DatasetState(self._revision, self._sealed, recent, rows, self._dropped)
        for trim in trims:
            state = state.trimmed(trim)
        return RecoveredDataset(
            state, self._ledger, number, offset, tuple(full), tuple(self._trims), report
        )

    def _remove_sealed_logs(self) -> int:
        sealed = [
            number for number in self._directory.log_numbers() if number <= self._stored.sealed_log
        ]
        for number in sealed:
            self._files.remove(self._directory.log(number))
        return len(sealed)

    def _read_log(self, number: int) -> tuple[int, int]:
        """Read a log back; where it ends, and how many torn bytes are behind its end."""
        path = self._directory.log(number)
        if path.stat().st_size == 0:
            return 0, 0
        log = pa.memory_map(str(path)).read_buffer()
        view = memoryview(log).cast("B")
        rows = LoggedRows(path, log, log_number=number, decoded=self._decoded)
        offset = 0
        while (header := read_whole_header(view, offset)) is not None and self._follows(header):
            length = header.length
            if header.kind == FrameKind.ROWS:
                if header.run_count:
                    self._take_sequences(view, offset, header)
                part = rows.add(offset, header, length) if header.row_count else None
                self._rows += header.row_count
            else:
                part = rows.take()
            if part is not None:
                self._recent.append(part)
            if header.kind == FrameKind.UPLOAD:
                self._take_upload(view, offset, header, number)
            elif header.kind == FrameKind.PRODUCER_OPENED:
                names = json.loads(read_names(view, offset, header).rstrip(b"\0"))
                self._ledger.record_opened(names["producer_id"], names["epoch"])
            elif header.kind == FrameKind.TRIM:
                names = json.loads(read_names(view, offset, header).rstrip(b"\0"))
                kept_from = Position.parse(names["kept_from"])
                self._trims.append(Trim(header.revision, header.ingest_time_ns, kept_from))
            self._frames += 1
            self._revision = header.revision
            offset += length
        part = rows.take()
        if part is not None:
            self._recent.append(part)
        self._replayed_bytes += offset
        self._require_nothing_acknowledged(view, offset)
        return offset, log.size - offset if self._is_torn(view, offset) else 0

    def _follows(self, header: Header) -> bool:
        # Logs are written over older ones: what is left of those has lower numbers.
        if header.incarnation < self._incarnation or header.revision != self._revision + 1:
            return False
        self._incarnation = header.incarnation
        return True

    def _is_torn(self, log: memoryview, offset: int) -> bool:
        header = read_header(log, offset)
        if header is not None and header.revision <= self._revision:
            return False
        return bytes(log[offset : offset + len(TERMINATOR)]).strip(b"\0") != b""

    def _require_nothing_acknowledged(self, log: memoryview, offset: int) -> None:
        """A frame written after the acknowledgement of a missing one proves damage."""
        expected = self._revision + 1
        # In windows, to hold little: frames begin at multiples of eight bytes, so none is missed.
        for start in range(offset, len(log), _WINDOW_BYTES):
            content = bytes(log[start : start + _WINDOW_BYTES])
            at = content.find(MAGIC)
            while at >= 0:
                header = read_header(log, start + at) if at % 8 == 0 else None
                if header is not None and header.synced_through >= expected:
                    raise self._damage(
                        f"revision {expected} was acknowledged but is damaged on disk"
                    )
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

    def _cut(self, number: int, offset: int, torn: int) -> None:
        _log.warning(
            "dataset %s: cut %d torn bytes behind revision %d; none was acknowledged as durable",
            self._stored.name,
            torn,
            self._revision,
        )
        self._torn_bytes = torn
        descriptor = self._files.open(self._directory.log(number))
        try:
            self._files.truncate(descriptor, offset)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)

    def _take_sequences(self, log: memoryview, offset: int, header: Header) -> Writing:
        writing = self._names.writing(log, offset, header)
        runs = read_runs(log, offset, header, writing.producers)
        self._ledger.record_stored(runs, revision=header.revision)
        return writing

    def _take_upload(self, log: memoryview, offset: int, header: Header, log_number: int) -> None:
        stamp = self._take_sequences(log, offset, header).stamp
        names = json.loads(read_names(log, offset, header).rstrip(b"\0"))
        span = names["time_span"]
        part = self._part(
            SegmentRecord(
                names["segment_id"],
                log_number,
                stamp,
                header.revision,
                header.revision,
                names["row_count"],
                names["byte_count"],
                None if span is None else (span[0], span[1]),
                header.ingest_time_ns,
            )
        )
        if part.row_count:
            self._recent.append(part)

    def _part(self, record: SegmentRecord) -> SegmentPart:
        schema = next(
            layout.schema for layout in self._stored.layouts if layout.stamp == record.stamp
        )
        return self._directory.part(record, schema, self._cache)

    def _remove_orphans(self) -> list[int]:
        """Remove what no commit refers to, and return the bytes of each file."""
        dropped = (each.part for each in self._dropped.parts)
        known = {
            part.path
            for part in (*dropped, *self._sealed, *self._recent)
            if isinstance(part, SegmentPart)
        }
        orphans = [path for path in self._directory.segments.iterdir() if path not in known]
        orphans += self._directory.staging.iterdir()
        sizes = [path.stat().st_size for path in orphans]
        for path in orphans:
            self._files.remove(path)
        return sizes
