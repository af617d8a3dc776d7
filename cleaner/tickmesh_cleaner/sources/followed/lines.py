"""Cutting a growing file into whole records: one that is half there is waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tickmesh.decoding import csv, jsonl
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position
from tickmesh.decoding.framing import BATCH_BYTES, MAX_RECORD_BYTES
from tickmesh.decoding.quoting import Marks, record_ends
from tickmesh.decoding.source_spec import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.sources.followed.generation import Generation

BEGINNING = Position(record=1)
"""Where a file begins. Counted as if a header had been read: that no record of the first batch has
the right shape is no sign of a wrong spec where a batch may be a single line."""


class LineFormat:
    """How the lines of a followed file become records."""

    def __init__(self, spec: SourceSpec, *, names: tuple[str, ...]) -> None:
        """Name the format.

        Args:
            spec: A spec of CSV or JSON lines.
            names: The columns of CSV, whether a header or the spec names them.
        """
        self._spec = spec
        self._names = names
        self._has_header = spec.format is Format.CSV and not spec.csv.names
        is_csv = spec.format is Format.CSV
        self._marks = csv.marks_of(spec.csv) if is_csv else Marks()
        self._skip_lines = spec.csv.skip_lines if is_csv else 0

    def whole_bytes(self, data: bytes) -> int:
        """How many of the bytes, which begin at a record, are whole records."""
        ends = record_ends(data, self._marks)
        if len(ends):
            return int(ends[-1])
        # Longer than a record may be, with a quote that is not closed: no use to wait for it.
        return data.rfind(b"\n") + 1 if len(data) > MAX_RECORD_BYTES else 0

    def first_record(self, head: bytes, *, is_whole: bool) -> Position | None:
        """Where the first record of a file begins: behind its header, if it has the known one.

        A file that was cut to nothing and is appended to has none.

        Args:
            head: The first bytes of the file.
            is_whole: Whether nothing will be appended to them.

        Returns:
            None when the first line is not complete.
        """
        begin = BEGINNING
        if self._skip_lines:
            try:
                skipped = csv.after_lines(iter([head]), self._skip_lines)
            except DecodeError:
                return BEGINNING if is_whole else None
            begin = replace(BEGINNING, offset=skipped.offset, line=skipped.line)
        if not self._has_header:
            return begin
        head = head[begin.offset :]
        whole = len(head) if is_whole else self.whole_bytes(head)
        if not whole:
            return None
        try:
            header = csv.header_frame(iter([head[:whole]]), self._spec.csv, start=begin)
            names = csv.header_names(header, self._spec.csv, expected=frozenset())
        except DecodeError:
            return BEGINNING
        if names != self._names:
            return BEGINNING
        return replace(BEGINNING, offset=header.end.offset, line=header.end.line)

    def decode(
        self,
        content: Iterator[bytes],
        *,
        start: Position,
        end: int | None,
        batch_records: int,
    ) -> Iterator[DecodedBatch]:
        """The records of some content.

        Args:
            content: The bytes from `start` on.
            start: Where they begin.
            end: The offset to stop at; their end when None.
            batch_records: Most records of a batch.

        Raises:
            DecodeError: SOURCE_CHANGED when the content ends before `end`; what packing raises.
        """
        stop = None if end is None else Position(offset=end)
        if self._spec.format is Format.CSV:
            return csv.decode(
                content,
                dialect=self._spec.csv,
                names=self._names,
                start=start,
                end=stop,
                batch_records=batch_records,
            )
        return jsonl.decode(
            content,
            prefix=self._spec.prefix,
            start=start,
            end=stop,
            batch_records=batch_records,
        )


def line_end_before(generation: Generation, offset: int) -> Position:
    """Where the line begins that an offset lies in."""
    begin, lines, at = 0, 1, 0
    for chunk in generation.content(0):
        within = chunk[: offset - at]
        place = within.rfind(b"\n")
        if place >= 0:
            begin = at + place + 1
            lines += within.count(b"\n")
        at += len(chunk)
        if at >= offset:
            break
    return Position(offset=begin, line=lines, record=BEGINNING.record)


def window(generation: Generation, position: Position) -> bytes:
    """What stands behind a position, as much as one batch may hold."""
    return generation.read(position.offset, BATCH_BYTES)


def long_line_end(generation: Generation, offset: int) -> int:
    """Where a line ends that is longer than a window; 0 while it does not."""
    for chunk in generation.content(offset):
        place = chunk.find(b"\n")
        if place >= 0:
            return offset + place + 1
        offset += len(chunk)
    return 0
