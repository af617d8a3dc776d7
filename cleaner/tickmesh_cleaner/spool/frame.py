"""One entry of a spool: a header with a checksum of its own, the entry's origin, its payload.

The header tells up to which offset the spool was known to be on stable storage when the entry was
written. A damaged entry that is followed by a whole one written after it was synchronised is
damage; otherwise it is the torn tail of a write that nobody was promised.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import crc32c

__all__ = ["HEADER_BYTES", "Header", "body_is_whole", "encode_frame", "find_header", "read_header"]

MAGIC = b"TKS1"
_FIELDS = struct.Struct("<4sIIqQI")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size


class Header(NamedTuple):
    """The fixed part of an entry.

    Attributes:
        magic: `MAGIC`.
        origin_bytes: Length of the origin.
        payload_bytes: Length of the payload.
        received_at_ns: When it was received, ns since the epoch.
        synced_through: The offset up to which the spool was on stable storage.
        checksum: CRC32C of origin and payload.
    """

    magic: bytes
    origin_bytes: int
    payload_bytes: int
    received_at_ns: int
    synced_through: int
    checksum: int

    @property
    def body_bytes(self) -> int:
        """Length of what follows the header."""
        return self.origin_bytes + self.payload_bytes


def encode_frame(
    payload: bytes, *, origin: bytes, received_at_ns: int, synced_through: int
) -> list[bytes]:
    """An entry as buffers to write one behind the other; the payload is not copied."""
    fields = _FIELDS.pack(
        MAGIC,
        len(origin),
        len(payload),
        received_at_ns,
        synced_through,
        crc32c.crc32c(payload, crc32c.crc32c(origin)),
    )
    return [fields + _CHECKSUM.pack(crc32c.crc32c(fields)) + origin, payload]


def read_header(data: bytes) -> Header | None:
    """The header that `data` begins with; None when there is no whole one."""
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return None
    if _CHECKSUM.unpack_from(data, _FIELDS.size)[0] != crc32c.crc32c(data[: _FIELDS.size]):
        return None
    return Header._make(_FIELDS.unpack_from(data))


def body_is_whole(header: Header, body: bytes) -> bool:
    """Whether the bytes behind a header are the ones it was written with."""
    return len(body) == header.body_bytes and crc32c.crc32c(body) == header.checksum


def find_header(data: bytes, *, start: int) -> tuple[int, Header] | None:
    """The first whole header at or behind a place, and where it stands."""
    place = data.find(MAGIC, start)
    while place >= 0:
        header = read_header(data[place : place + HEADER_BYTES])
        if header is not None:
            return place, header
        place = data.find(MAGIC, place + 1)
    return None
