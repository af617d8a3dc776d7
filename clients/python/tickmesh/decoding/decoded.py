"""What a decoder yields: batches of raw records with their place in the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

_TOKEN: Final = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})(\.inside)?")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two records of a source; decoding can begin again at any of them.

    Attributes:
        offset: Byte offset in the uncompressed content; in Parquet and Arrow files the number of
            the row, from 0.
        line: Number of the line that begins here, from 1; in Parquet and Arrow files that of the
            row, from 1.
        record: Number of records before it.
        inside: Whether it lies within a line that is too long to be read, so that what follows up
            to the line's end belongs to that line.
    """

    offset: int = 0
    line: int = 1
    record: int = 0
    inside: bool = False

    def token(self) -> str:
        """The position as short text, to be kept and given back."""
        return f"{self.offset}.{self.line}.{self.record}" + (".inside" if self.inside else "")

    @classmethod
    def parse(cls, token: str) -> Position:
        """Read what ``token`` wrote.

        Raises:
            ValueError: The text is no position.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"not a source position: {token[:80]!r}")
        offset, line, record = (int(part) for part in match.groups()[:3])
        return cls(offset=offset, line=line, record=record, inside=match[4] is not None)


class DecodeError(Exception):
    """The source as a whole cannot be read on from a place.

    Attributes:
        code: UPPER_SNAKE, such as TRUNCATED, CORRUPT, EMPTY, WRONG_DELIMITER.
        offset: Byte offset in the uncompressed content (row number in Parquet and Arrow files).
        message: What was expected, what came, what to do.
        reason: The same as ``code``.
    """

    def __init__(self, code: str, message: str, *, offset: int = 0) -> None:
        super().__init__(f"{code} at {offset}: {message}")
        self.code = code
        self.offset = offset
        self.message = message

    @property
    def reason(self) -> str:
        """The code, under the name that error tables read."""
        return self.code


@dataclass(frozen=True, slots=True)
class RecordReject:
    """A record that cannot become rows.

    Attributes:
        offset: Byte offset of the record in the uncompressed content.
        line: Number of its first line.
        raw: The record's bytes. A record that is longer than a batch is rejected in several parts,
            which follow one another.
        code: UPPER_SNAKE, such as RAGGED, MALFORMED, DUPLICATE_KEY, BAD_UTF8, LINE_TOO_LONG.
        message: What was expected and what came.
    """

    offset: int
    line: int
    raw: bytes
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Consecutive records of a source; decoding [start, end) again yields the same batch.

    Attributes:
        start: Place of the first record.
        end: Place after the last record.
        record_count: Records cut, rejected ones included.
        columns: One row a record that was not rejected. CSV: every column as text, an unquoted
            empty field as null. JSONL: ``json`` with the JSON text and one column for each part
            of the prefix. Parquet and Arrow: the columns as they are.
        offsets: Byte offset (row number in Parquet and Arrow files) of each row of ``columns``.
        lines: Line number of each row of ``columns``.
        rejects: Records that could not be decoded.
        raw: The raw bytes of rows of ``columns`` by index, without the line's end.
        recoded: Columns of Parquet and Arrow sources that came as views, dictionaries, run ends or
            half floats; their values are the same.
    """

    start: Position
    end: Position
    record_count: int
    columns: pa.RecordBatch
    offsets: pa.Int64Array
    lines: pa.Int64Array
    rejects: tuple[RecordReject, ...]
    raw: Callable[[Sequence[int]], list[bytes]]
    recoded: frozenset[str] = frozenset()
