"""Messages in a spool as batches of records: each message one record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tickmesh.decoding.arrow import int64_array
from tickmesh.decoding.framing import BATCH_BYTES, MAX_RECORD_BYTES
from tickmesh.decoding.source_spec import Compression, Format
from tickmesh_cleaner.sources.single_records import decode_together, places_of, rejected
from tickmesh_cleaner.sources.source import SourceBatch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from tickmesh.decoding.decoded import DecodedBatch
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.spool import Spool, SpoolRecord

_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


class MessageCutter:
    """Cuts messages into batches. Positions are offsets of the spool.

    A message that holds several records, a line each, makes as many; one JSON value written over
    several lines is one record, with spaces in place of the line breaks.
    """

    def __init__(self, spec: SourceSpec, *, file_name: str) -> None:
        """Say how messages are decoded.

        Args:
            spec: JSON, or CSV with names.
            file_name: The file name constants are taken from.
        """
        self._spec = spec
        self._plain = replace(spec, compression=Compression.NONE)
        self._file_name = file_name

    def offset_of(self, position: str) -> int:
        """See `Cutter.offset_of`."""
        return int(position)

    def cut(
        self, spool: Spool, *, start: str | None, end: str | None, batch_records: int
    ) -> Generator[SourceBatch, None, None]:
        """See `Cutter.cut`."""
        group: list[SpoolRecord] = []
        size_bytes = 0
        begin = spool.begin if start is None else int(start)
        for record in spool.read(begin, None if end is None else int(end)):
            more = min(len(record.payload), MAX_RECORD_BYTES) + 1
            if group and (len(group) >= batch_records or size_bytes + more > BATCH_BYTES):
                yield from self._batches(group)
                group, size_bytes = [], 0
            group.append(record)
            size_bytes += more
        if group:
            yield from self._batches(group)

    def _batches(self, group: Sequence[SpoolRecord]) -> Iterator[SourceBatch]:
        """One batch, unless some messages disturb the others: then they are halved."""
        decoded = self._decode(group)
        if decoded is None:
            middle = len(group) // 2
            yield from self._batches(group[:middle])
            yield from self._batches(group[middle:])
            return
        yield SourceBatch(
            start=str(group[0].offset),
            end=str(group[-1].end),
            decoded=decoded,
            spec=self._spec,
            file_name=self._file_name,
        )

    def _decode(self, group: Sequence[SpoolRecord]) -> DecodedBatch | None:
        payloads = [record.payload for record in group]
        longest = max(map(len, payloads))
        if longest > MAX_RECORD_BYTES and len(group) > 1:
            return None
        if longest > MAX_RECORD_BYTES:
            message = f"expected a message of at most {MAX_RECORD_BYTES} bytes, it had {longest}"
            decoded = rejected(payloads[0][:MAX_RECORD_BYTES], "RECORD_TOO_LONG", message)
            return _placed(decoded, [0], group)
        if self._spec.format is Format.JSONL:
            payloads = [_one_line(payload) for payload in payloads]
        found = decode_together(payloads, self._plain)
        return None if found is None else _placed(found, places_of(payloads), group)


def _one_line(payload: bytes) -> bytes:
    """A JSON value without line breaks, which can only be white space in it."""
    if b"\n" not in payload and b"\r" not in payload:
        return payload
    try:
        json.loads(payload.decode())
    except (ValueError, RecursionError):
        return payload
    return payload.translate(_LINE_BREAKS)


def _placed(
    decoded: DecodedBatch, places: Sequence[int], group: Sequence[SpoolRecord]
) -> DecodedBatch:
    """The batch with its records placed in the spool instead of in the file it was read as."""
    starts = np.asarray(places)
    shifts = np.asarray([record.offset for record in group]) - starts
    offsets = decoded.offsets.to_numpy(zero_copy_only=False)
    message = np.searchsorted(starts, offsets, side="right") - 1

    def shift(offset: int) -> int:
        return offset + int(shifts[np.searchsorted(starts, offset, side="right") - 1])

    return replace(
        decoded,
        offsets=int64_array(offsets + shifts[message]),
        lines=int64_array(np.zeros(len(offsets), dtype=np.int64)),
        rejects=tuple(
            replace(reject, offset=shift(reject.offset), line=0) for reject in decoded.rejects
        ),
    )
