"""Log frames: one entry each, framed by length and CRC32C.

A frame is a fixed header, a JSON object with the entry's names, the producer sequences in it, the
messages its rows came in, and a payload (a self-contained Arrow IPC stream for rows). The names of
one stream's frames are the same bytes, and rows and times are counted in the header: reading a log
back needs neither JSON nor Arrow for each frame.

Every frame starts at a multiple of eight bytes, and so does its payload. The header has a checksum
of its own, so that a torn length is never believed, and tells up to which revision the log was
known to be on stable storage when the frame was written: a damaged frame followed by a whole one
that was written after its acknowledgement is damage, not a torn tail.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import crc32c

from tickmesh_tickstore.domain.producers import SequenceRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.stamps import Origin, Stamp
    from tickmesh_tickstore.engine.chunk import TimeSpan

__all__ = [
    "MAGIC",
    "TERMINATOR",
    "FrameKind",
    "Header",
    "encode_frame",
    "read_header",
    "read_runs",
    "read_whole_header",
]

MAGIC = b"TKF2"
_HEADER = struct.Struct("<4sIQQQqQIIIIIIqqI")
_HEADER_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _HEADER_CHECKSUM.size
_RUN = struct.Struct("<qqqq")
_PADDING = bytes(8)
_NO_TIME = -(1 << 63)
TERMINATOR = memoryview(bytes(8))
"""Behind the last frame; logs are written over old ones, so there may be anything behind it."""


class FrameKind(IntEnum):
    """What a frame holds."""

    ROWS = 1
    PRODUCER_OPENED = 2
    UPLOAD = 3
    TRIM = 4


class Header(NamedTuple):
    """The fixed part of a frame, believed only with its own checksum.

    Attributes:
        magic: `MAGIC`.
        kind: A `FrameKind`.
        incarnation: Number of the engine start that wrote it.
        revision: Its dataset revision.
        synced_through: The revision up to which the log was on stable storage.
        ingest_time_ns: ns since the epoch.
        payload_length: Bytes of the payload without padding.
        text_length: Bytes of the names with padding.
        schema_version: Schema version of rows or of an upload.
        row_count: Rows of a frame that holds rows.
        run_count: Producer sequence runs.
        messages_length: Bytes that tell which message each row came in, with padding.
        messages_padding: Bytes of padding among them.
        min_time_ns: Least event time of the rows.
        max_time_ns: Greatest event time of the rows.
        checksum: CRC32C of everything behind the header but the payload's padding.
    """

    magic: bytes
    kind: int
    incarnation: int
    revision: int
    synced_through: int
    ingest_time_ns: int
    payload_length: int
    text_length: int
    schema_version: int
    row_count: int
    run_count: int
    messages_length: int
    messages_padding: int
    min_time_ns: int
    max_time_ns: int
    checksum: int

    @property
    def time_span(self) -> TimeSpan | None:
        """Least and greatest event time of the rows in ns, `None` without any."""
        return None if self.min_time_ns == _NO_TIME else (self.min_time_ns, self.max_time_ns)

    @property
    def runs_start(self) -> int:
        """Where the sequences begin, counted from the frame's start."""
        return HEADER_BYTES + self.text_length

    @property
    def messages_start(self) -> int:
        """Where the messages begin, counted from the frame's start."""
        return self.runs_start + _RUN.size * self.run_count

    @property
    def messages_end(self) -> int:
        """Where the messages end, counted from the frame's start."""
        return self.messages_start + self.messages_length - self.messages_padding

    @property
    def payload_start(self) -> int:
        """Where the payload begins, counted from the frame's start."""
        return HEADER_BYTES + self.text_length + _RUN.size * self.run_count + self.messages_length

    @property
    def length(self) -> int:
        """Bytes of the whole frame."""
        return self.payload_start + (self.payload_length + 7 & ~7)


def _padded(length: int) -> int:
    return -length % 8


def encode_frame(
    kind: FrameKind,
    *,
    incarnation: int,
    revision: int,
    synced_through: int,
    ingest_time_ns: int,
    stamp: Stamp | None = None,
    origin: Origin | None = None,
    sequences: Sequence[SequenceRun] = (),
    names: dict[str, Any] | None = None,
    messages: bytes = b"",
    row_count: int = 0,
    time_span: TimeSpan | None = None,
    payload: Sequence[memoryview] = (),
) -> list[memoryview]:
    """A frame as buffers to write one behind the other; the payload is not copied."""
    named: dict[str, Any] = dict(names or {})
    producers: dict[str, int] = {}
    runs = b"".join(
        _RUN.pack(
            producers.setdefault(run.producer_id, len(producers)), run.epoch, run.first, run.last
        )
        for run in sequences
    )
    if stamp is not None and origin is not None:
        named["schema_id"] = stamp.schema_id
        named["origin"] = (origin.principal, origin.on_behalf_of)
        named["producers"] = tuple(producers)
    text = json.dumps(named, separators=(",", ":")).encode()
    text += _PADDING[: _padded(len(text))]
    messages_padding = _padded(len(messages))
    facts = text + runs + messages + _PADDING[:messages_padding]
    checksum = crc32c.crc32c(facts)
    payload_length = 0
    for view in payload:
        payload_length += len(view)
        checksum = crc32c.crc32c(view, checksum)
    body = [memoryview(facts), *payload]
    if padding := _padded(payload_length):
        body.append(memoryview(_PADDING[:padding]))
    low, high = time_span or (_NO_TIME, _NO_TIME)
    header = _HEADER.pack(
        MAGIC,
        kind,
        incarnation,
        revision,
        synced_through,
        ingest_time_ns,
        payload_length,
        len(text),
        0 if stamp is None else stamp.schema_version,
        row_count,
        len(sequences),
        len(messages) + messages_padding,
        messages_padding,
        low,
        high,
        checksum,
    )
    return [memoryview(header + _HEADER_CHECKSUM.pack(crc32c.crc32c(header))), *body]


def read_header(log: memoryview, offset: int) -> Header | None:
    """The header at an offset; `None` when there is no whole one."""
    end = offset + _HEADER.size
    if end + _HEADER_CHECKSUM.size > len(log):
        return None
    header = Header._make(_HEADER.unpack_from(log, offset))
    if header.magic != MAGIC:
        return None
    if _HEADER_CHECKSUM.unpack_from(log, end)[0] != crc32c.crc32c(log[offset:end]):
        return None
    return header


def read_whole_header(log: memoryview, offset: int) -> Header | None:
    """The header of the frame at an offset; `None` when there is no whole frame."""
    header = read_header(log, offset)
    if header is None:
        return None
    end = offset + header.payload_start + header.payload_length
    if end > len(log) - _padded(header.payload_length):
        return None
    if crc32c.crc32c(log[offset + HEADER_BYTES : end]) != header.checksum:
        return None
    return header


def read_names(log: memoryview, offset: int, header: Header) -> bytes:
    """The names of a frame, a JSON object with padding."""
    return bytes(log[offset + HEADER_BYTES : offset + header.runs_start])


def read_runs(
    log: memoryview, offset: int, header: Header, producers: Sequence[str]
) -> list[SequenceRun]:
    """The producer sequences in a frame."""
    start = offset + header.runs_start
    packed = log[start : start + _RUN.size * header.run_count]
    return [
        SequenceRun(producers[place], epoch, first, last)
        for place, epoch, first, last in _RUN.iter_unpack(packed)
    ]
