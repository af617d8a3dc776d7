"""Which producer sent rows, in which of its messages (T5): kept as runs of rows, never per row."""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Messages"]

_HEADER = struct.Struct("<II")
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Messages:
    """Consecutive rows by the message they were sent in.

    Attributes:
        producer_ids: The producers there are.
        producers: Each message's place in `producer_ids`; -1 where no producer was named.
        sequences: Each message's sequence; 0 where no producer was named.
        row_ends: Rows up to the end of each message, ascending: messages without rows are left out.
    """

    producer_ids: tuple[str, ...]
    producers: array[int]
    sequences: array[int]
    row_ends: array[int]

    @classmethod
    def of(cls, sent: Iterable[tuple[str, Sequence[int], Sequence[int]]]) -> Messages:
        """The messages of several senders, in order.

        Args:
            sent: Of each sender the producer's id, its messages' sequences, and their rows. Without
                a producer the id is empty, there are no sequences, and the rows may be one sum.
        """
        places: dict[str, int] = {}
        producers, sequences, counts = array("i"), array("q"), array("q")
        for producer_id, numbers, rows in sent:
            if not producer_id:
                total = sum(rows)
                if total and producers and producers[-1] == _NOBODY:
                    counts[-1] += total
                elif total:
                    producers.append(_NOBODY)
                    sequences.append(0)
                    counts.append(total)
                continue
            kept = [(number, count) for number, count in zip(numbers, rows, strict=True) if count]
            if kept:
                place = places.setdefault(producer_id, len(places))
                producers.extend((place,) * len(kept))
                sequences.extend(number for number, _ in kept)
                counts.extend(count for _, count in kept)
        return cls(tuple(places), producers, sequences, array("q", accumulate(counts)))

    @classmethod
    def joined(cls, parts: Sequence[Messages]) -> Messages:
        """The messages of rows put behind one another."""
        places: dict[str, int] = {}
        producers, sequences, row_ends = array("i"), array("q"), array("q")
        rows = 0
        for part in parts:
            known = [places.setdefault(name, len(places)) for name in part.producer_ids]
            producers.extend(known[place] if place >= 0 else place for place in part.producers)
            sequences.extend(part.sequences)
            row_ends.extend(rows + end for end in part.row_ends)
            rows = row_ends[-1]
        return cls(tuple(places), producers, sequences, row_ends)

    def sliced(self, start: int, stop: int) -> Messages:
        """The messages of rows `start` to `stop`, which hold at least one row."""
        first = bisect_left(self.row_ends, start + 1)
        last = bisect_left(self.row_ends, stop)
        ends = array("q", (min(end, stop) - start for end in self.row_ends[first : last + 1]))
        return Messages(
            self.producer_ids,
            self.producers[first : last + 1],
            self.sequences[first : last + 1],
            ends,
        )

    def pack(self) -> bytes:
        """As bytes for a file; none where no producer was named."""
        if not self.producer_ids:
            return b""
        names = json.dumps(self.producer_ids, separators=(",", ":")).encode()
        return b"".join(
            (
                _HEADER.pack(len(self.row_ends), len(names)),
                names,
                self.producers.tobytes(),
                self.sequences.tobytes(),
                self.row_ends.tobytes(),
            )
        )

    @classmethod
    def unpack(cls, packed: bytes | memoryview, *, rows: int) -> Messages:
        """Undo `pack`, for so many rows."""
        if not packed:
            return cls((), array("i", (_NOBODY,)), array("q", (0,)), array("q", (rows,)))
        count, length = _HEADER.unpack_from(packed)
        at = _HEADER.size + length
        names = json.loads(bytes(packed[_HEADER.size : at]))
        producers, sequences, row_ends = array("i"), array("q"), array("q")
        for values in (producers, sequences, row_ends):
            size = values.itemsize * count
            values.frombytes(packed[at : at + size])
            at += size
        return cls(tuple(names), producers, sequences, row_ends)
