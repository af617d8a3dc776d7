"""A spool: an append-only log of one job, durable in groups, read by offset.

Offsets count the bytes of all entries ever appended, also of those that were dropped since: they
are positions, and never used twice. One thread appends, any thread synchronises, any number reads;
readers see what is on stable storage and nothing else.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tickmesh_cleaner.durable_files import synchronise
from tickmesh_cleaner.spool.frame import HEADER_BYTES, body_is_whole, encode_frame, read_header
from tickmesh_cleaner.spool.segment import (
    SpoolDamagedError,
    scan,
    segment_begins,
    segment_path,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["SEGMENT_BYTES", "Spool", "SpoolDamagedError", "SpoolRecord"]

SEGMENT_BYTES = 32 << 20
"""Length from which on a segment takes no further entry."""

_READ_BYTES = 1 << 20
_BUFFERS_A_WRITE = 1_024


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """One entry.

    Attributes:
        offset: Where it begins.
        end: Where it ends: the offset of the next one.
        received_at_ns: When it was received.
        origin: What its source noted with it.
        payload: What was received.
    """

    offset: int
    end: int
    received_at_ns: int
    origin: bytes
    payload: bytes


class Spool:
    """The log of one job."""

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open or create it; what a crash tore off at its end is cut.

        Args:
            directory: Where its segments lie; created when missing.
            segment_bytes: Length from which on a segment takes no further entry.

        Raises:
            SpoolDamagedError: Entries that were on stable storage are damaged.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._pending: list[tuple[int, list[bytes]]] = []
        self._file: int | None = None
        self._begins, self._durable, self._last = self._recover()
        self._end = self._durable
        self._released = 0

    @property
    def spent(self) -> bool:
        """Whether all that is durable was released: nothing here waits for anybody."""
        with self._changed:
            return self._released >= self._durable

    @property
    def begin(self) -> int:
        """The offset of the first entry that is still there."""
        with self._changed:
            return self._begins[0] if self._begins else self._durable

    @property
    def end(self) -> int:
        """Where the next entry will begin."""
        with self._changed:
            return self._end

    @property
    def durable(self) -> int:
        """Everything before this offset is on stable storage."""
        with self._changed:
            return self._durable

    @property
    def last_segment(self) -> int:
        """Where the segment with the last entry begins."""
        with self._changed:
            return self._begins[-1] if self._begins else self._durable

    @property
    def size_bytes(self) -> int:
        """Bytes that are held, appended ones included."""
        with self._changed:
            return self._end - (self._begins[0] if self._begins else self._durable)

    def append(self, payload: bytes, *, received_at_ns: int, origin: bytes = b"") -> int:
        """Put an entry behind the others, in memory: `sync` makes it durable.

        Args:
            payload: What was received, below 4 GiB.
            received_at_ns: When.
            origin: What to note with it.

        Returns:
            Its end. It is durable, and seen by readers, once `durable` reaches it.
        """
        with self._changed:
            frame = encode_frame(
                payload,
                origin=origin,
                received_at_ns=received_at_ns,
                synced_through=self._durable,
            )
            self._pending.append((self._end, frame))
            self._end += sum(map(len, frame))
            return self._end

    def sync(self) -> int:
        """Write what was appended and wait until it is on stable storage.

        Returns:
            The new durable offset.

        Raises:
            OSError: It cannot be written now. Nothing is lost: the next call tries again.
        """
        with self._writing:
            with self._changed:
                group = list(self._pending)
            if not group:
                return self.durable
            begin = self._open_for(group[0][0])
            try:
                self._write(group)
            except OSError:
                self._close_file()
                raise
            with self._changed:
                del self._pending[: len(group)]
                if not self._begins or self._begins[-1] != begin:
                    self._begins.append(begin)
                self._last = group[-1][0]
                self._durable = self._last + sum(map(len, group[-1][1]))
                self._changed.notify_all()
                return self._durable

    def wait_beyond(self, offset: int, *, timeout_seconds: float) -> bool:
        """Wait until something behind an offset is durable, or somebody wakes the readers."""
        with self._changed:
            if self._durable <= offset:
                self._changed.wait(timeout_seconds)
            return self._durable > offset

    def wake(self) -> None:
        """Let waiting readers look again."""
        with self._changed:
            self._changed.notify_all()

    def last(self) -> SpoolRecord | None:
        """The last durable entry; None when there never was one."""
        with self._changed:
            place = self._last
        return None if place is None else next(self.read(place))

    def read(self, start: int, end: int | None = None) -> Generator[SpoolRecord, None, None]:
        """Durable entries from an offset on.

        Args:
            start: Where to begin: the offset or the end of an entry.
            end: Where to stop; what is durable now when None.

        Raises:
            SpoolDamagedError: An entry is not what was written, or not there any more.
        """
        with self._changed:
            begins = list(self._begins)
            stop = self._durable if end is None else min(end, self._durable)
        while start < stop:
            index = bisect_right(begins, start) - 1
            if index < 0:
                raise SpoolDamagedError(start)
            upto = min(stop, begins[index + 1]) if index + 1 < len(begins) else stop
            for record in self._read_segment(begins[index], start, upto):
                yield record
                start = record.end

    def release(self, offset: int) -> None:
        """Note that what lies before an offset is taken care of; nothing is dropped yet."""
        with self._changed:
            self._released = max(self._released, offset)

    def drop_before(self, offset: int) -> None:
        """Free the segments that end at or before an offset; the last entry always stays."""
        self.release(offset)
        with self._changed:
            while len(self._begins) > 1 and self._begins[1] <= offset:
                segment_path(self._directory, self._begins.pop(0)).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what was appended and not synchronised is forgotten."""
        with self._writing:
            self._close_file()

    def _recover(self) -> tuple[list[int], int, int | None]:
        begins = segment_begins(self._directory)
        while begins:
            begin = begins[-1]
            path = segment_path(self._directory, begin)
            found = scan(path, begin=begin)
            if found.last is not None:
                if path.stat().st_size != found.whole_bytes:
                    with path.open("r+b") as file:
                        file.truncate(found.whole_bytes)
                        os.fsync(file.fileno())
                return begins, begin + found.whole_bytes, begin + found.last
            if len(begins) == 1:
                path.unlink()
                return [], begin, None
            path.unlink()
            begins.pop()
        return [], 0, None

    def _open_for(self, offset: int) -> int:
        """Make the segment that takes the next entry writable; answers where it begins."""
        with self._changed:
            begin = self._begins[-1] if self._begins else None
        if begin is None or offset - begin >= self._segment_bytes:
            self._close_file()
            begin = offset
        if self._file is None:
            path = segment_path(self._directory, begin)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            # A write that failed half-way may have left something behind the durable end.
            os.ftruncate(self._file, offset - begin)
            os.lseek(self._file, offset - begin, os.SEEK_SET)
            synchronise(self._directory)
        return begin

    def _write(self, group: list[tuple[int, list[bytes]]]) -> None:
        assert self._file is not None
        buffers = deque(memoryview(part) for _, frame in group for part in frame if part)
        while buffers:
            written = os.writev(self._file, list(islice(buffers, _BUFFERS_A_WRITE)))
            while buffers and written >= len(buffers[0]):
                written -= len(buffers.popleft())
            if written:
                buffers[0] = buffers[0][written:]
        os.fdatasync(self._file)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read_segment(
        self, begin: int, start: int, stop: int
    ) -> Generator[SpoolRecord, None, None]:
        try:
            file = segment_path(self._directory, begin).open("rb", buffering=_READ_BYTES)
        except FileNotFoundError:
            raise SpoolDamagedError(start) from None
        with file:
            file.seek(start - begin)
            while start < stop:
                header = read_header(file.read(HEADER_BYTES))
                body = file.read(header.body_bytes) if header else b""
                if header is None or not body_is_whole(header, body):
                    raise SpoolDamagedError(start)
                end = start + HEADER_BYTES + header.body_bytes
                yield SpoolRecord(
                    offset=start,
                    end=end,
                    received_at_ns=header.received_at_ns,
                    origin=body[: header.origin_bytes],
                    payload=body[header.origin_bytes :],
                )
                start = end
