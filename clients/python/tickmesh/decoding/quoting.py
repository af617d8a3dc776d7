"""Where records of quoted delimited text end: a line end inside quotes does not end a record.

A quote opens a quoted field only as the field's first character (RFC 4180, and what Arrow's CSV
reader does); inside, a doubled quote is one quote.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def line_ends(data: bytes) -> NDArray[np.int64]:
    """Offsets just after each line end."""
    newlines = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    return np.asarray(newlines + 1, dtype=np.int64)


def record_ends(
    data: bytes, *, quote: bytes, delimiter: bytes, lines: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Offsets just after each line end that ends a record; ``data`` begins at a record.

    Args:
        data: The bytes.
        quote: Quote character; empty for none.
        delimiter: Character between fields.
        lines: What ``line_ends`` gives for the data, where it is known already.
    """
    if lines is None:
        lines = line_ends(data)
    if not quote or quote not in data:
        return lines
    octets = np.frombuffer(data, dtype=np.uint8)
    newlines = lines - 1
    quotes = np.flatnonzero(octets == quote[0])
    if _balanced(octets, quotes, delimiter=delimiter[0], quote=quote[0]):
        outside = np.searchsorted(quotes, newlines) % 2 == 0
        return np.asarray(lines[outside], dtype=np.int64)
    return np.asarray(_walk(data, newlines, quote=quote, delimiter=delimiter), dtype=np.int64)


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


def _walk(data: bytes, newlines: NDArray[np.int64], *, quote: bytes, delimiter: bytes) -> list[int]:
    """The same, line by line, for text with stray quotes in the middle of fields."""
    mark, comma = re.escape(quote), re.escape(delimiter)
    opening = re.compile(b"(?:^|%b)%b" % (comma, mark))
    closing = re.compile(b"(?:[^%b]+|%b%b)*+%b" % (mark, mark, mark, mark))
    ends: list[int] = []
    inside = False
    begin = 0
    for newline in newlines.tolist():
        place: int | None = begin
        while place is not None:
            find = closing.match if inside else opening.search
            found = find(data[begin:newline], place - begin)
            place = begin + found.end() if found else None
            inside = inside != bool(found)
        begin = newline + 1
        if not inside:
            ends.append(begin)
    return ends
