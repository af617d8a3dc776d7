"""Where records of quoted delimited text end: a line end inside quotes does not end a record.

A quote opens a quoted field only as the field's first character (RFC 4180, and what Arrow's CSV
reader does); inside, a doubled quote is one quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def line_ends(data: bytes) -> NDArray[np.int64]:
    """Offsets just after each line end."""
    newlines = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    return np.asarray(newlines + 1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters that decide where records end; empty where there is none.

    Attributes:
        quote: A line end inside quotes does not end a record.
        delimiter: What stands between fields, read only with a quote.
        escape: What makes the next character ordinary, a line end too.
        comment: What begins a line that is no record.
    """

    quote: bytes = b""
    delimiter: bytes = b","
    escape: bytes = b""
    comment: bytes = b""

    def span_lines(self, data: bytes, *, end: int | None = None) -> bool:
        """Whether a record of the data, up to some place in it, may span several lines."""
        return any(mark and data.find(mark, 0, end) >= 0 for mark in (self.quote, self.escape))


def record_ends(
    data: bytes, marks: Marks, *, lines: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Offsets just after each line end that ends a record; ``data`` begins at a record.

    Args:
        data: The bytes.
        marks: The characters that matter.
        lines: What ``line_ends`` gives for the data, where it is known already.
    """
    if lines is None:
        lines = line_ends(data)
    if not marks.span_lines(data):
        return lines
    quote, delimiter = marks.quote, marks.delimiter
    if marks.escape and marks.escape in data:
        return np.asarray(_walk_escapes(data, marks), dtype=np.int64)
    if marks.comment and marks.comment in data:
        return np.asarray(_walk(data, lines - 1, marks), dtype=np.int64)
    octets = np.frombuffer(data, dtype=np.uint8)
    newlines = lines - 1
    quotes = np.flatnonzero(octets == quote[0])
    if _balanced(octets, quotes, delimiter=delimiter[0], quote=quote[0]):
        outside = np.searchsorted(quotes, newlines) % 2 == 0
        return np.asarray(lines[outside], dtype=np.int64)
    return np.asarray(_walk(data, newlines, marks), dtype=np.int64)


def _balanced(
    octets: NDArray[np.uint8], quotes: NDArray[np.int64], *, delimiter: int, quote: int
) -> bool:
    """Whether every quote stands where one may open or close, so that counting them is exact."""
    before = np.where(quotes > 0, octets[quotes - 1], 10)
    after = np.where(quotes + 1 < len(octets), octets[(quotes + 1) % len(octets)], 10)
    opening, closing = before[::2], after[1::2]
    opens = (opening == delimiter) | (opening == 10) | (opening == quote)
    closes = (closing == delimiter) | (closing == 10) | (closing == 13) | (closing == quote)
    if not (bool(opens.all()) and bool(closes.all())):
        return False
    # A quote taken for an opening one after a quote must continue a doubled pair, side by side.
    doubled = np.flatnonzero(opening == quote)
    return bool((doubled > 0).all()) and bool(
        (quotes[2 * doubled] - quotes[2 * doubled - 1] == 1).all()
    )


def _walk(data: bytes, newlines: NDArray[np.int64], marks: Marks) -> list[int]:
    """The same, line by line, for text with stray quotes in fields, or quotes in comments."""
    mark, comma = re.escape(marks.quote), re.escape(marks.delimiter)
    opening = re.compile(b"(?:^|%b)%b" % (comma, mark))
    closing = re.compile(b"(?:[^%b]+|%b%b)*+%b" % (mark, mark, mark, mark))
    ends: list[int] = []
    inside = False
    begin = 0
    for newline in newlines.tolist():
        place: int | None = begin
        if marks.comment and not inside and data.startswith(marks.comment, begin):
            place = None
        while place is not None:
            find = closing.match if inside else opening.search
            found = find(data[begin:newline], place - begin)
            place = begin + found.end() if found else None
            inside = inside != bool(found)
        begin = newline + 1
        if not inside:
            ends.append(begin)
    return ends


def _walk_escapes(data: bytes, marks: Marks) -> list[int]:
    """The same, mark by mark, for text in which characters are escaped."""
    single = b"".join(re.escape(mark) for mark in (marks.quote, marks.delimiter))
    token = re.compile(re.escape(marks.escape) + b".|[" + single + b"\n]", re.DOTALL)
    ends: list[int] = []
    inside = False
    field = place = 0
    comment_end = -1
    for found in token.finditer(data):
        if found.start() < max(place, comment_end):
            continue
        mark = found[0]
        if not inside and marks.comment and data.startswith(marks.comment, ends[-1] if ends else 0):
            comment_end = data.find(b"\n", found.start())
            if comment_end < 0:
                break
            ends.append(comment_end + 1)
            field = comment_end = comment_end + 1
        elif mark == marks.quote:
            if inside and data.startswith(marks.quote, found.end()):
                place = found.end() + 1
            elif inside or found.start() == field:
                inside = not inside
        elif not inside and mark in (marks.delimiter, b"\n"):
            field = found.end()
            if mark == b"\n":
                ends.append(field)
    return ends
