"""Cutting unpacked text into records, in batches that come out the same every time.

A batch is the longest run of records that holds at most ``batch_records`` records and
``batch_bytes`` bytes, counted from the batch's own start. Nothing else decides where it ends (not
how the file was read, not what came before), so a range of positions can be decoded again at any
time to the same batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tickmesh.decoding.decoded import DecodeError, Position, RecordReject
from tickmesh.decoding.quoting import Marks, line_ends, record_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

BATCH_RECORDS: Final = 65_536
BATCH_BYTES: Final = 8 << 20
MAX_RECORD_BYTES: Final = 1 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NEWLINE: Final = 10
_CARRIAGE_RETURN: Final = 13
_NO_MARKS: Final = Marks()


@dataclass(frozen=True, slots=True)
class Frame:
    """Consecutive records as one block of bytes.

    Attributes:
        start: Place of the first record.
        end: Place after the last.
        data: The bytes, line ends included.
        bounds: Where each record begins in ``data``, and after the last where ``data`` ends.
        offsets: Offset of each record in the content.
        lines: Line number of each record.
        rejects: Records left out of ``data``.
    """

    start: Position
    end: Position
    data: bytes
    bounds: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lines: NDArray[np.int64]
    rejects: tuple[RecordReject, ...] = field(default=())

    def __len__(self) -> int:
        """Number of records in ``data``."""
        return len(self.offsets)

    def record(self, index: int) -> bytes:
        """The bytes of one record without its line end."""
        return self.data[self.bounds[index] : self.bounds[index + 1]].rstrip(b"\r\n")

    def raw(self, indices: Sequence[int]) -> list[bytes]:
        """The bytes of some records without their line ends."""
        return [self.record(index) for index in indices]

    def without(self, rejects: Sequence[tuple[int, str, str]]) -> Frame:
        """The frame without some records, given as (index, code, message)."""
        if not rejects:
            return self
        keep = np.ones(len(self), dtype=bool)
        refused = []
        for index, code, message in rejects:
            keep[index] = False
            refused.append(
                RecordReject(
                    offset=int(self.offsets[index]),
                    line=int(self.lines[index]),
                    raw=self.record(index),
                    code=code,
                    message=message,
                )
            )
        lengths = np.diff(self.bounds)[keep]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], keep, [False])).astype(np.int8)))
        data = b"".join(
            self.data[self.bounds[first] : self.bounds[last]]
            for first, last in zip(edges[::2], edges[1::2], strict=True)
        )
        return Frame(
            start=self.start,
            end=self.end,
            data=data,
            bounds=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            offsets=self.offsets[keep],
            lines=self.lines[keep],
            rejects=tuple(sorted((*self.rejects, *refused), key=lambda reject: reject.offset)),
        )


def frames(
    content: Iterator[bytes],
    *,
    start: Position,
    end: Position | None,
    marks: Marks = _NO_MARKS,
    batch_records: int = BATCH_RECORDS,
    batch_bytes: int = BATCH_BYTES,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[Frame]:
    """Cut the content into frames.

    Args:
        content: The unpacked bytes from ``start`` on.
        start: Where the content begins.
        end: Where to stop; None means where the content ends.
        marks: The characters that decide where records end.
        batch_records: Most records of a frame.
        batch_bytes: Most bytes of a frame.
        max_record_bytes: A longer record is rejected as LINE_TOO_LONG.

    Raises:
        DecodeError: Whatever the content raises, after every whole record before it; ENCODING for
            UTF-16; SOURCE_CHANGED when the content ends before ``end``.
    """
    cutter = _Cutter(content, start=start, end=end, batch_bytes=batch_bytes)
    while True:
        frame = cutter.next_frame(
            marks=marks, batch_records=batch_records, max_record_bytes=max_record_bytes
        )
        if frame is None:
            break
        if len(frame) or frame.rejects:
            yield _checked(frame, max_record_bytes=max_record_bytes)
    if cutter.failure is not None:
        raise cutter.failure


class _Cutter:
    """The bytes read and not yet cut."""

    def __init__(
        self, content: Iterator[bytes], *, start: Position, end: Position | None, batch_bytes: int
    ) -> None:
        self._content = content
        self._position = start
        self._remaining = None if end is None else end.offset - start.offset
        self._batch_bytes = batch_bytes
        self._buffer = b""
        self._line_ends = np.zeros(0, dtype=np.int64)
        self._ended = False
        self.failure: DecodeError | None = None
        if start.offset == 0:
            self._leave_out_byte_order_mark()

    def next_frame(
        self, *, marks: Marks, batch_records: int, max_record_bytes: int
    ) -> Frame | None:
        """The next frame, or None at the end of the content."""
        self._read(lines=batch_records, size=self._batch_bytes)
        if self._position.inside:
            return self._cut_line_part(max_record_bytes) if self._buffer else None
        while True:
            if not self._buffer:
                return None
            data, lines = self._buffer, self._line_ends
            limit = min(len(data), self._batch_bytes)
            if limit < len(data):
                lines = lines[: np.searchsorted(lines, limit, side="right")]
            whole = self._ended and limit == len(data)
            spanning = marks.span_lines(data, end=limit)
            ends = record_ends(data[:limit], marks, lines=lines) if spanning else lines
            records = len(ends) - int(np.count_nonzero(_no_record(data, ends, marks)))
            if not (whole or limit == self._batch_bytes or records >= batch_records):
                self._read(size=len(data) + 1)
                continue
            unended = not len(ends) or ends[-1] < limit
            if (
                whole
                and self.failure is None
                and unended
                and not (spanning and _open_at_end(data, ends, marks))
            ):
                ends = np.append(ends, limit)
            frame = self._cut(data, ends, batch_records, max_record_bytes, marks)
            if frame is not None:
                return frame
            if whole and self.failure is not None:
                return None
            return self._cut_first_line(max_record_bytes, unclosed=spanning)

    def _cut(
        self,
        window: bytes,
        ends: NDArray[np.int64],
        batch_records: int,
        max_record_bytes: int,
        marks: Marks,
    ) -> Frame | None:
        """A frame of the records that end at ``ends``; None when there are none to take."""
        starts = np.concatenate(([0], ends[:-1])).astype(np.int64) if len(ends) else ends
        spanning = len(ends) > 0 and marks.span_lines(window, end=int(ends[-1]))
        if spanning:
            long = np.flatnonzero(ends - starts > max_record_bytes)
            for index in long:
                if window.find(b"\n", int(starts[index]), int(ends[index]) - 1) >= 0:
                    # Several lines inside quotes, too many to be meant: give up the quote instead.
                    starts, ends = starts[:index], ends[:index]
                    break
        if not len(ends):
            return None
        unrecorded = _no_record(window, ends, marks)
        records = np.flatnonzero(~unrecorded)
        if len(records) >= batch_records:
            records = records[:batch_records]
            ends = ends[: records[-1] + 1]
        used = int(ends[-1])
        begin = starts[records]
        if len(records) == len(ends) and not spanning:
            line = self._position.line
            lines = np.arange(line, line + len(begin), dtype=np.int64)
        else:
            before = np.searchsorted(self._line_ends, begin, side="right")
            lines = before.astype(np.int64) + self._position.line
        offsets = begin + self._position.offset
        bounds = np.append(begin, used) if len(begin) else np.zeros(1, dtype=np.int64)
        taken = window[:used]
        if marks.comment and len(records) < len(ends):
            taken = b"".join(window[starts[index] : ends[index]] for index in records.tolist())
            lengths = ends[records] - begin
            bounds = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        return self._frame(taken, bounds, offsets, lines, used=used)

    def _frame(
        self,
        data: bytes,
        bounds: NDArray[np.int64],
        offsets: NDArray[np.int64],
        lines: NDArray[np.int64],
        *,
        used: int,
        rejects: tuple[RecordReject, ...] = (),
    ) -> Frame:
        newlines = int(np.searchsorted(self._line_ends, used, side="right"))
        start = self._position
        self._position = Position(
            offset=start.offset + used,
            line=start.line + newlines,
            record=start.record + len(offsets) + len(rejects),
        )
        self._drop(used, newlines)
        return Frame(start, self._position, data, bounds, offsets, lines, rejects)

    def _cut_first_line(self, max_record_bytes: int, *, unclosed: bool) -> Frame:
        """A frame that only rejects the line at the front: too long, or with a quote left open."""
        place = self._buffer.find(b"\n")
        length = place if place >= 0 else len(self._buffer)
        if not (unclosed and length <= max_record_bytes):
            return self._cut_line_part(max_record_bytes)
        message = (
            f"a quote opened on this line is not closed within {max_record_bytes} bytes or "
            "before the end of the source; double it, or set `quote` of [csv]"
        )
        return self._reject(length, code="UNTERMINATED_QUOTE", message=message)

    def _cut_line_part(self, max_record_bytes: int) -> Frame:
        """A frame that only rejects the line at the front, or as much of it as a batch holds."""
        self._read(size=self._batch_bytes + 1)
        place = self._buffer.find(b"\n", 0, self._batch_bytes + 1)
        length = place if place >= 0 else min(len(self._buffer), self._batch_bytes)
        whole = place >= 0 or (self._ended and length == len(self._buffer))
        part = "" if whole and not self._position.inside else "; this is a part of a longer one"
        message = f"expected a record of at most {max_record_bytes} bytes{part}"
        return self._reject(length, code="LINE_TOO_LONG", message=message)

    def _reject(self, length: int, *, code: str, message: str) -> Frame:
        """A frame that only rejects the first bytes: of a line, or of a part of one."""
        start = self._position
        raw = self._buffer[:length]
        line_end = self._buffer[length : length + 1] == b"\n"
        reject = RecordReject(
            offset=start.offset,
            line=start.line,
            raw=raw.rstrip(b"\r") if line_end else raw,
            code=code,
            message=message,
        )
        used = length + line_end
        self._drop(used, int(line_end))
        self._position = Position(
            offset=start.offset + used,
            line=start.line + line_end,
            record=start.record + 1,
            inside=not line_end,
        )
        none = np.zeros(0, dtype=np.int64)
        bounds = np.zeros(1, dtype=np.int64)
        return Frame(start, self._position, b"", bounds, none, none, (reject,))

    def _drop(self, used: int, newlines: int) -> None:
        """Forget the first bytes of the buffer, in which so many lines end."""
        self._buffer = self._buffer[used:]
        self._line_ends = self._line_ends[newlines:] - used

    def _read(self, *, size: int, lines: int | None = None) -> None:
        """Read until the buffer holds so many bytes, or line ends if that is less; or its end."""
        parts, ends = [self._buffer], [self._line_ends]
        held, found = len(self._buffer), len(self._line_ends)
        while not self._ended and held < size and (lines is None or found < lines):
            chunk = self._chunk(held=held)
            parts.append(chunk)
            ends.append(line_ends(chunk) + held)
            held, found = held + len(chunk), found + len(ends[-1])
        if len(parts) > 1:
            self._buffer, self._line_ends = b"".join(parts), np.concatenate(ends)

    def _chunk(self, *, held: int) -> bytes:
        """The next bytes of the content, after those held; none once it has ended or failed."""
        if self._remaining == 0:
            self._ended = True
            return b""
        try:
            chunk = next(self._content, b"")
        except DecodeError as error:
            self.failure = error
            self._ended = True
            return b""
        if not chunk:
            self._ended = True
            if self._remaining:
                self.failure = DecodeError(
                    "SOURCE_CHANGED",
                    f"the source ends {self._remaining} bytes before the range to be read again",
                    offset=self._position.offset + held,
                )
        elif self._remaining is not None:
            chunk = chunk[: self._remaining]
            self._remaining -= len(chunk)
        return chunk

    def _leave_out_byte_order_mark(self) -> None:
        self._read(size=3)
        if self._buffer[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DecodeError(
                "ENCODING", "the text begins with a UTF-16 byte order mark; convert it to UTF-8"
            )
        if self._buffer.startswith(_BYTE_ORDER_MARK):
            self._drop(3, 0)
            self._position = Position(offset=3)


def _no_record(window: bytes, ends: NDArray[np.int64], marks: Marks) -> NDArray[np.bool_]:
    """Which lines are empty but for their line end, or comments."""
    lengths = np.diff(ends, prepend=0)
    data = np.frombuffer(window, dtype=np.uint8)
    blank: NDArray[np.bool_] = lengths <= 2
    if blank.any():
        short = np.flatnonzero(blank)
        first, last = data[ends[short] - lengths[short]], data[ends[short] - 1]
        blank[short] = (first == _NEWLINE) | (
            (lengths[short] == 2) & (first == _CARRIAGE_RETURN) & (last == _NEWLINE)
        )
    if marks.comment and len(ends):
        blank |= data[ends - lengths] == ord(marks.comment)
    return blank


def _open_at_end(window: bytes, ends: NDArray[np.int64], marks: Marks) -> bool:
    """Whether the last, unended line of the window leaves a quote open."""
    tail = window[int(ends[-1]) if len(ends) else 0 :] + b"\n"
    found = record_ends(tail, marks)
    return not len(found) or int(found[-1]) < len(tail)


def _checked(frame: Frame, *, max_record_bytes: int) -> Frame:
    """The frame without records that are too long or not UTF-8."""
    rejects: list[tuple[int, str, str]] = []
    lengths = np.diff(frame.bounds)
    if len(lengths) and int(lengths.max()) > max_record_bytes:
        for index in np.flatnonzero(lengths > max_record_bytes):
            if len(frame.record(int(index))) > max_record_bytes:
                message = f"expected a record of at most {max_record_bytes} bytes"
                rejects.append((int(index), "LINE_TOO_LONG", message))
    if not frame.data.isascii():
        long = {index for index, _, _ in rejects}
        rejects.extend(item for item in _not_utf8(frame) if item[0] not in long)
    return frame.without(rejects)


def _not_utf8(frame: Frame) -> Iterator[tuple[int, str, str]]:
    view = memoryview(frame.data)
    begin = int(frame.bounds[0])
    while begin < len(view):
        try:
            str(view[begin:], "utf-8")
        except UnicodeDecodeError as error:
            place = begin + error.start
            index = int(np.searchsorted(frame.bounds, place, side="right")) - 1
            within = place - int(frame.bounds[index])
            message = f"expected UTF-8, got byte 0x{view[place]:02X} at byte {within} of the record"
            yield index, "BAD_UTF8", message
            begin = int(frame.bounds[index + 1])
        else:
            return
