"""The write-ahead log of one dataset: numbered files of frames, one active."""

from __future__ import annotations

import errno
import io
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.errors import DiskFullError, StoreFailedError
from tickmesh_tickstore.engine.disk.frame import TERMINATOR, FrameKind, encode_frame
from tickmesh_tickstore.engine.disk.segment import SegmentPart
from tickmesh_tickstore.engine.journal import Entry, PartEntry, ProducerEntry, TrimEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.producers import ProducerLedger
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.sealing import Sealer
    from tickmesh_tickstore.engine.dropped import Trim

__all__ = ["DiskJournal"]

_log = logging.getLogger(__name__)
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_OVERGROWN = 4
_GATHERED_BYTES = 65_536


class DiskJournal:
    """See `Journal`. Its state changes only on the dataset's writer thread."""

    def __init__(
        self,
        *,
        directory: DatasetDirectory,
        files: FileSystem,
        sealer: Sealer,
        limits: EngineLimits,
        incarnation: int,
        log_number: int,
        offset: int,
        revision: int,
        trims: Sequence[Trim] = (),
    ) -> None:
        self._directory = directory
        self._files = files
        self._sealer = sealer
        self._limits = limits
        self._incarnation = incarnation
        self._log_number = log_number
        self._offset = offset
        self._written_revision = self._synced_revision = revision
        self._trims = list(trims)
        self._failed = False
        # A log that was read back is memory-mapped by readers: it must not be written over.
        self._recyclable = not directory.log(log_number).exists()
        self._descriptor = self._open_log(log_number)

    @property
    def log_number(self) -> int:
        """See `Journal.log_number`."""
        return self._log_number

    @property
    def log_bytes(self) -> int:
        """Bytes in logs that are not sealed yet."""
        active = self._directory.log(self._log_number)
        waiting = 0
        for number in self._directory.log_numbers():
            path = self._directory.log(number)
            if path != active:
                with suppress(FileNotFoundError):
                    waiting += path.stat().st_size
        return self._offset + waiting

    def write(self, entries: Sequence[Entry]) -> None:
        """See `Journal.write`."""
        if self._offset > _OVERGROWN * self._limits.log_bytes:
            raise DiskFullError(
                "rows arrive faster than they can be moved out of the log: "
                "see that there is disk space, then write again"
            )
        buffers: list[memoryview] = []
        for entry in entries:
            buffers.extend(self._frame(entry))
        size = sum(map(len, buffers))
        buffers.append(TERMINATOR)
        try:
            self._files.write(self._descriptor, buffers, self._offset)
        except OSError as error:
            self._undo_write(error)
            raise DiskFullError(
                "no space left on the store's disk; nothing of this message is stored: "
                "make room, then write again"
            ) from error
        self._offset += size
        self._written_revision = entries[-1].revision
        self._trims.extend(entry.trim for entry in entries if isinstance(entry, TrimEntry))

    def _undo_write(self, error: OSError) -> None:
        if error.errno in _NO_SPACE:
            try:
                self._files.truncate(self._descriptor, self._offset)
            except OSError as again:
                raise self._failure("a log could not be cut back", again) from again
            return
        raise self._failure("a log could not be written", error) from error

    def sync(self) -> None:
        """See `Journal.sync`."""
        # More may be written meanwhile, of which this sync says nothing.
        written = self._written_revision
        try:
            self._files.sync(self._descriptor)
        except OSError as error:
            # The kernel may have dropped the dirty pages: a second fsync would lie.
            raise self._failure("a log could not be synced", error) from error
        self._synced_revision = written

    def is_full(self) -> bool:
        """See `Journal.is_full`."""
        return self._offset >= self._limits.log_bytes and self._sealer.has_room(
            self._directory.dataset_id
        )

    def begin_log(self, *, revision: int, ledger: ProducerLedger) -> None:
        """See `Journal.begin_log`."""
        if self._offset == 0:
            return
        number = self._log_number + 1
        try:
            descriptor = self._open_log(number)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise DiskFullError("no space left for a new log") from error
            raise self._failure("a new log could not be begun", error) from error
        self._files.close(self._descriptor)
        full = self._log_number
        self._descriptor, self._log_number, self._offset = descriptor, number, 0
        self._sealer.submit(
            self._directory.dataset_id,
            log_number=full,
            through_revision=revision,
            producers=ledger.take_changed(),
            trims=self._trims,
            recyclable=self._recyclable,
        )
        self._trims = []
        self._recyclable = True

    def _open_log(self, number: int) -> int:
        path = self._directory.log(number)
        if path.exists():
            return self._files.open(path)
        spare = self._directory.any_spare()
        if spare is not None:
            # Writing over blocks a file already has is several times cheaper to sync.
            self._files.rename(spare, path)
            descriptor = self._files.open(path)
        else:
            descriptor = self._files.create(path)
        self._files.sync_directory(path.parent)
        return descriptor

    def close(self) -> None:
        """See `Journal.close`."""
        self._files.close(self._descriptor)

    def _failure(self, what: str, error: OSError) -> StoreFailedError:
        _log.critical("dataset %s: %s: %s", self._directory.dataset_id, what, error)
        return StoreFailedError(
            f"stable storage failed ({errno.errorcode.get(error.errno or 0, 'unknown')}): "
            "this dataset takes no more writes; what was acknowledged as durable is safe; "
            "mend the disk and restart the store"
        )

    def _frame(self, entry: Entry) -> list[memoryview]:
        if isinstance(entry, ProducerEntry):
            return encode_frame(
                FrameKind.PRODUCER_OPENED,
                incarnation=self._incarnation,
                revision=entry.revision,
                synced_through=self._synced_revision,
                ingest_time_ns=entry.ingest_time_ns,
                names={"producer_id": entry.producer_id, "epoch": entry.epoch},
            )
        if isinstance(entry, TrimEntry):
            return encode_frame(
                FrameKind.TRIM,
                incarnation=self._incarnation,
                revision=entry.revision,
                synced_through=self._synced_revision,
                ingest_time_ns=entry.trim.dropped_at_ns,
                names={"kept_from": entry.trim.kept_from.token()},
            )
        if isinstance(entry, PartEntry):
            part = entry.staged.place(
                revision=entry.revision,
                ingest_time_ns=entry.ingest_time_ns,
                log_number=self._log_number,
            )
            assert isinstance(part, SegmentPart)
            return encode_frame(
                FrameKind.UPLOAD,
                incarnation=self._incarnation,
                revision=entry.revision,
                synced_through=self._synced_revision,
                ingest_time_ns=entry.ingest_time_ns,
                stamp=entry.layout.stamp,
                origin=entry.origin,
                sequences=entry.sequences,
                names=part.record.to_names(),
            )
        return encode_frame(
            FrameKind.ROWS,
            incarnation=self._incarnation,
            revision=entry.revision,
            synced_through=self._synced_revision,
            ingest_time_ns=entry.ingest_time_ns,
            stamp=entry.layout.stamp,
            origin=entry.origin,
            sequences=entry.sequences,
            messages=entry.messages.pack(),
            row_count=entry.batch.num_rows,
            time_span=entry.time_span,
            payload=_ipc_stream(entry.batch),
        )


class _BufferList(io.RawIOBase):
    """A file that keeps what is written to it as it is: large buffers are never copied."""

    def __init__(self) -> None:
        super().__init__()
        self.views: list[memoryview] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        # An Arrow buffer or bytes; `Buffer` has no name before Python 3.12.
        view = memoryview(data).cast("B")
        self.views.append(view)
        return len(view)


def _ipc_stream(batch: pa.RecordBatch) -> list[memoryview]:
    if pa.ipc.get_record_batch_size(batch) < _GATHERED_BYTES:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return [memoryview(sink.getvalue()).cast("B")]
    buffers = _BufferList()
    with pa.ipc.new_stream(pa.PythonFile(buffers, "w"), batch.schema) as writer:
        writer.write_batch(batch)
    return buffers.views
