"""Rows of a log that was read back: counted at once, decoded when somebody reads them (T10)."""

from __future__ import annotations

import json
import threading
from array import array
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from tickmesh_tickstore.domain.stamps import Origin, Stamp
from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.chunk import FULL_LEVEL, Chunk, Runs, join_spans
from tickmesh_tickstore.engine.disk.frame import Header, read_header, read_names
from tickmesh_tickstore.engine.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tickmesh_tickstore.engine.chunk import TimeSpan

__all__ = ["DecodedLogs", "LoggedPart", "LoggedRows", "NamesReader", "Writing"]

_PART_BYTES = 4 << 20
"""Log bytes that are decoded together when some of their rows are read."""
_JOINED_ROWS = 65_536
_SMALL_BYTES = 262_144
"""Smaller payloads are copied together and decoded as one stream; larger ones are not copied."""
_REMEMBERED_NAMES = 1024
_END_OF_STREAM = b"\xff" * 4 + bytes(4)


class Writing(NamedTuple):
    """What the frames of one stream have in common.

    Attributes:
        stamp: Their schema version.
        origin: Who wrote them.
        producers: The producers their sequences refer to.
    """

    stamp: Stamp
    origin: Origin
    producers: tuple[str, ...]


class NamesReader:
    """Reads names of frames; those of one stream are the same bytes and read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], Writing] = {}

    def writing(self, log: memoryview, offset: int, header: Header) -> Writing:
        """What a frame of rows or of an upload says of its writer."""
        text = read_names(log, offset, header)
        known = self._known.get((text, header.schema_version))
        if known is None:
            names = json.loads(text.rstrip(b"\0"))
            known = Writing(
                Stamp(names["schema_id"], header.schema_version),
                Origin(*names["origin"]),
                tuple(names["producers"]),
            )
            if len(self._known) >= _REMEMBERED_NAMES:
                self._known.clear()
            self._known[text, header.schema_version] = known
        return known


class DecodedLogs:
    """Rows of logs that were decoded lately, within a bound (T11)."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Path, int], tuple[tuple[Chunk, ...], int]] = OrderedDict()
        self._bytes = 0

    def chunks(self, part: LoggedPart) -> tuple[Chunk, ...]:
        """The rows of a part."""
        key = (part.path, part.offsets[0])
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
                return held[0]
        chunks = tuple(part.decode())
        size = part.byte_count
        with self._lock:
            if key not in self._held:
                self._held[key] = (chunks, size)
                self._bytes += size
            while self._bytes > self._limit_bytes and len(self._held) > 1:
                _, (_, gone) = self._held.popitem(last=False)
                self._bytes -= gone
        return chunks

    def forget(self, path: Path) -> None:
        """A log is sealed: its rows are read elsewhere now."""
        with self._lock:
            for key in [key for key in self._held if key[0] == path]:
                self._bytes -= self._held.pop(key)[1]


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPart:
    """Some consecutive frames of rows in a log, as a part of a dataset.

    Attributes:
        path: The log.
        log: Its content, memory-mapped.
        log_number: See `Part.log_number`.
        offsets: Where the frames begin; none is empty.
        byte_count: Bytes of all of them.
        first_revision: See `Part.first_revision`.
        last_revision: See `Part.last_revision`.
        row_count: See `Part.row_count`.
        time_span: See `Part.time_span`.
        rows_by_version: See `Part.version_rows`.
        decoded: Where decoded rows are kept for a while.
    """

    path: Path
    log: pa.Buffer
    log_number: int
    offsets: array[int]
    byte_count: int
    first_revision: int
    last_revision: int
    row_count: int
    time_span: TimeSpan | None
    rows_by_version: Mapping[int, int]
    decoded: DecodedLogs

    def version_rows(self) -> Mapping[int, int]:
        """See `Part.version_rows`."""
        return self.rows_by_version

    def chunks(self) -> Sequence[Chunk]:
        """The rows; large batches stay in the memory-mapped log."""
        return self.decoded.chunks(self)

    def decode(self) -> Iterator[Chunk]:
        """Decode all frames, small neighbours of one version and writer as one chunk each."""
        view = memoryview(self.log)
        names = NamesReader()
        small: list[_Frame] = []
        rows = 0
        for offset in self.offsets:
            header = read_header(view, offset)
            assert header is not None, "it was whole when the log was read back"
            frame = _Frame(offset, header, names.writing(view, offset, header))
            joins = (
                bool(small)
                and header.payload_length <= _SMALL_BYTES
                and small[-1].header.payload_length <= _SMALL_BYTES
                and frame.writing[:2] == small[0].writing[:2]
                and rows + header.row_count <= _JOINED_ROWS
            )
            if small and not joins:
                yield self._joined(view, small)
                small, rows = [], 0
            small.append(frame)
            rows += header.row_count
        if small:
            yield self._joined(view, small)

    def _joined(self, view: memoryview, frames: Sequence[_Frame]) -> Chunk:
        headers = [frame.header for frame in frames]
        stamp, origin, _ = frames[0].writing
        messages = [
            Messages.unpack(
                view[offset + header.messages_start : offset + header.messages_end],
                rows=header.row_count,
            )
            for offset, header, _ in frames
        ]
        row_ends = array("q")
        rows = 0
        for header in headers:
            rows += header.row_count
            row_ends.append(rows)
        return Chunk(
            self._batch(view, frames),
            stamp,
            origin,
            Runs(
                array("q", [header.revision for header in headers]),
                row_ends,
                array("q", [header.ingest_time_ns for header in headers]),
            ),
            Messages.joined(messages),
            first_row=0,
            time_span=join_spans(header.time_span for header in headers),
            level=FULL_LEVEL,
        )

    def _batch(self, view: memoryview, frames: Sequence[_Frame]) -> pa.RecordBatch:
        if len(frames) == 1:
            offset, header, _ = frames[0]
            payload = self.log.slice(offset + header.payload_start, header.payload_length)
            with pa.ipc.open_stream(payload) as reader:
                return reader.read_next_batch()
        # One stream of all: its schema once, then the batches of each. A stream's own dictionaries
        # are replaced by the next one's.
        pieces: list[memoryview | bytes] = []
        for offset, header, _ in frames:
            start = offset + header.payload_start
            behind_schema = start + 8 + int.from_bytes(view[start + 4 : start + 8], "little")
            end = start + header.payload_length - len(_END_OF_STREAM)
            pieces.append(view[behind_schema if pieces else start : end])
        pieces.append(_END_OF_STREAM)
        with pa.ipc.open_stream(pa.py_buffer(b"".join(pieces))) as reader:
            return join_batches(list(reader))


class _Frame(NamedTuple):
    offset: int
    header: Header
    writing: Writing


class LoggedRows:
    """Collects the frames of one log into parts while it is read back."""

    def __init__(
        self, path: Path, log: pa.Buffer, *, log_number: int, decoded: DecodedLogs
    ) -> None:
        self._path = path
        self._log = log
        self._log_number = log_number
        self._decoded = decoded
        self._offsets = array("q")
        self._begin()

    def _begin(self) -> None:
        self._offsets = array("q")
        self._bytes = self._rows = self._first_revision = self._last_revision = 0
        self._low: int | None = None
        self._high = 0
        self._versions: Counter[int] = Counter()

    def add(self, offset: int, header: Header, length: int) -> LoggedPart | None:
        """Add a frame that holds rows; the part it completes, if it does."""
        if not self._offsets:
            self._first_revision = header.revision
        self._offsets.append(offset)
        self._bytes += length
        self._rows += header.row_count
        self._versions[header.schema_version] += header.row_count
        self._last_revision = header.revision
        span = header.time_span
        if span is not None:
            if self._low is None:
                self._low, self._high = span
            else:
                self._low, self._high = min(self._low, span[0]), max(self._high, span[1])
        return self.take() if self._bytes >= _PART_BYTES else None

    def take(self) -> LoggedPart | None:
        """What was added since the last part; `None` when that is nothing."""
        if not self._offsets:
            return None
        part = LoggedPart(
            self._path,
            self._log,
            self._log_number,
            self._offsets,
            self._bytes,
            self._first_revision,
            self._last_revision,
            self._rows,
            None if self._low is None else (self._low, self._high),
            self._versions,
            self._decoded,
        )
        self._begin()
        return part
