"""Log frames: one entry each, framed by length and CRC32C.

A frame is a fixed header, a JSON object with the entry's names, and a payload (a self-contained
Arrow IPC stream for rows). Every part starts at a multiple of eight bytes. The header has a
checksum of its own, so that a torn length is never believed, and tells up to which revision the
log was known to be on stable storage when the frame was written: a damaged frame followed by a
whole one that was written after its acknowledgement is damage, not a torn tail.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import crc32c
import pyarrow as pa

from tickmesh_tickstore.domain.producers import SequenceRun
from tickmesh_tickstore.domain.stamps import Origin, Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAGIC",
    "TERMINATOR",
    "Frame",
    "FrameKind",
    "encode_frame",
    "read_frame",
    "read_header",
]

MAGIC = b"TKF1"
_HEADER = struct.Struct("<4sIQQQqQIII")
_HEADER_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _HEADER_CHECKSUM.size
_PADDING = bytes(8)
TERMINATOR = memoryview(bytes(8))
"""Behind the last frame; logs are written over old ones, so there may be anything behind it."""


class FrameKind(IntEnum):
    """What a frame holds."""

    ROWS = 1
    PRODUCER_OPENED = 2
    UPLOAD = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame read back.

    Attributes:
        kind: What it holds.
        incarnation: Number of the engine start that wrote it.
        revision: Its dataset revision.
        ingest_time_ns: ns since the epoch.
        schema_version: Schema version of rows or of an upload.
        names: The entry's names as a JSON object.
        payload: A view into the log.
        length: Bytes of the whole frame.
    """

    kind: FrameKind
    incarnation: int
    revision: int
    ingest_time_ns: int
    schema_version: int
    names: dict[str, Any]
    payload: pa.Buffer
    length: int

    @property
    def stamp(self) -> Stamp:
        """The schema version of rows or of an upload."""
        return Stamp(self.names["schema_id"], self.schema_version)

    @property
    def origin(self) -> Origin:
        """Who wrote it."""
        return Origin(**self.names["origin"])

    @property
    def sequences(self) -> tuple[SequenceRun, ...]:
        """The producer sequences in it."""
        return tuple(SequenceRun(*run) for run in self.names["sequences"])

    def batch(self) -> pa.RecordBatch:
        """The rows, pointing into the log without a copy."""
        with pa.ipc.open_stream(self.payload) as reader:
            return reader.read_next_batch()


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
    sequences: tuple[SequenceRun, ...] = (),
    names: dict[str, Any] | None = None,
    payload: Sequence[memoryview] = (),
) -> list[memoryview]:
    """A frame as buffers to write one behind the other; the payload is not copied."""
    named: dict[str, Any] = dict(names or {})
    if stamp is not None:
        named["schema_id"] = stamp.schema_id
        named["sequences"] = [
            (run.producer_id, run.epoch, run.first, run.last) for run in sequences
        ]
    if origin is not None:
        named["origin"] = asdict(origin)
    text = json.dumps(named, separators=(",", ":")).encode()
    text += _PADDING[: _padded(len(text))]
    body = [memoryview(text)]
    checksum = crc32c.crc32c(text)
    payload_length = 0
    for view in payload:
        payload_length += len(view)
        checksum = crc32c.crc32c(view, checksum)
    body.extend(payload)
    if padding := _padded(payload_length):
        body.append(memoryview(_PADDING[:padding]))
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
        checksum,
    )
    return [memoryview(header + _HEADER_CHECKSUM.pack(crc32c.crc32c(header))), *body]


@dataclass(frozen=True, slots=True)
class Header:
    """The fixed part of a frame, believed only with its own checksum."""

    kind: int
    incarnation: int
    revision: int
    synced_through: int
    ingest_time_ns: int
    payload_length: int
    text_length: int
    schema_version: int
    checksum: int


def read_header(log: memoryview, offset: int) -> Header | None:
    """The header at an offset; `None` when there is no whole one."""
    if offset + HEADER_BYTES > len(log):
        return None
    packed = log[offset : offset + _HEADER.size]
    (checksum,) = _HEADER_CHECKSUM.unpack_from(log, offset + _HEADER.size)
    if packed[:4] != MAGIC or crc32c.crc32c(packed) != checksum:
        return None
    return Header(*_HEADER.unpack(packed)[1:])


def read_frame(log: pa.Buffer, offset: int) -> Frame | None:
    """The frame at an offset; `None` when there is no whole one."""
    view = memoryview(log)
    header = read_header(view, offset)
    if header is None:
        return None
    text_start = offset + HEADER_BYTES
    payload_start = text_start + header.text_length
    end = payload_start + header.payload_length
    length = end + _padded(header.payload_length) - offset
    if offset + length > len(view) or crc32c.crc32c(view[text_start:end]) != header.checksum:
        return None
    return Frame(
        FrameKind(header.kind),
        header.incarnation,
        header.revision,
        header.ingest_time_ns,
        header.schema_version,
        json.loads(bytes(view[text_start:payload_start]).rstrip(b"\0")),
        log.slice(payload_start, header.payload_length),
        length,
    )
