"""Delimited text to columns of text: nothing is guessed, nothing is trimmed, 007 stays 007."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
from pyarrow import csv as arrow_csv

from tickmesh.decoding.arrow import int64_array
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position
from tickmesh.decoding.framing import Frame, frames
from tickmesh.decoding.quoting import Marks
from tickmesh.decoding.source_spec import MAX_NAMES, CsvDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_BEGINNING: Final = Position()
_LIKELY_DELIMITERS: Final = (",", ";", "\t", "|")


def marks_of(dialect: CsvDialect) -> Marks:
    """The characters that decide where the records of a dialect end."""
    return Marks(
        quote=dialect.quote.encode(),
        delimiter=dialect.delimiter.encode(),
        escape=dialect.escape.encode(),
        comment=dialect.comment.encode(),
    )


def after_lines(content: Iterator[bytes], count: int) -> Position:
    """The place after some lines of the content, from its beginning.

    Raises:
        DecodeError: EMPTY when there is nothing after them.
    """
    offset = found = 0
    for chunk in content:
        place = 0
        while found < count and (place := chunk.find(b"\n", place) + 1):
            found += 1
            if found == count and place < len(chunk):
                return Position(offset=offset + place, line=count + 1)
        if found == count and chunk and not place:
            return Position(offset=offset, line=count + 1)
        offset += len(chunk)
    raise DecodeError("EMPTY", f"the source has nothing after the {count} lines to be skipped")


def header_frame(
    content: Iterator[bytes], dialect: CsvDialect, *, start: Position = _BEGINNING
) -> Frame:
    """The first record of the content, which names the columns.

    Args:
        content: Unpacked bytes from ``start`` on.
        dialect: How the file is written.
        start: Where the content begins.

    Raises:
        DecodeError: EMPTY when there is no record.
    """
    found = next(
        frames(
            content,
            start=start,
            end=None,
            marks=marks_of(dialect),
            batch_records=1,
        ),
        None,
    )
    if found is None:
        raise DecodeError("EMPTY", "the source is empty: expected a header naming the columns")
    if not len(found):
        reject = found.rejects[0]
        raise DecodeError(
            reject.code, f"the header cannot be read: {reject.message}", offset=reject.offset
        )
    return found


def header_names(frame: Frame, dialect: CsvDialect, *, expected: frozenset[str]) -> tuple[str, ...]:
    """The column names a header gives.

    Args:
        frame: What ``header_frame`` gave.
        dialect: How the file is written.
        expected: Columns the source spec reads; at least one must be there.

    Raises:
        DecodeError: WRONG_DELIMITER, DUPLICATE_COLUMN, MISSING_COLUMN or TOO_MANY_COLUMNS.
    """
    table = _read(frame.data, dialect, names=None)
    names = tuple(
        "" if value is None else str(value)
        for value in (column[0].as_py() for column in table.columns)
    )
    if len(names) > MAX_NAMES:
        raise DecodeError("TOO_MANY_COLUMNS", f"the header names {len(names)} columns")
    if len(names) == 1 and not expected.intersection(names):
        _refuse_delimiter(names[0], dialect, wanted="a header with several columns")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DecodeError(
            "DUPLICATE_COLUMN",
            f"the header names {', '.join(map(repr, repeated))} more than once; give the file's "
            "columns other names with `names` of [csv] and leave out the header",
        )
    missing = sorted(expected.difference(names))
    if missing:
        raise DecodeError(
            "MISSING_COLUMN",
            f"the source spec reads {', '.join(map(repr, missing))}; the header has "
            f"{', '.join(names)}",
        )
    return names


def decode(
    content: Iterator[bytes],
    *,
    dialect: CsvDialect,
    names: tuple[str, ...],
    start: Position,
    end: Position | None,
    batch_records: int,
) -> Iterator[DecodedBatch]:
    """Yield batches of text columns; see ``open_decoder``.

    Args:
        content: Unpacked bytes from ``start`` on; the header already left out.
        dialect: How the file is written.
        names: One name for each column.
        start: Where the content begins.
        end: Where to stop.
        batch_records: Most records of a batch.

    Raises:
        DecodeError: WRONG_DELIMITER or COLUMN_COUNT when no record of the first batch has the
            expected number of columns; whatever the content raises.
    """
    first_records = start.record == 0
    for frame in frames(
        content,
        start=start,
        end=end,
        marks=marks_of(dialect),
        batch_records=batch_records,
    ):
        columns, kept = _columns(frame, dialect, names)
        if first_records and not len(kept) and kept.rejects:
            _refuse_shape(kept, dialect, names)
        first_records = False
        yield DecodedBatch(
            start=kept.start,
            end=kept.end,
            record_count=len(kept) + len(kept.rejects),
            columns=columns,
            offsets=int64_array(kept.offsets),
            lines=int64_array(kept.lines),
            rejects=kept.rejects,
            raw=kept.raw,
        )


def _columns(
    frame: Frame, dialect: CsvDialect, names: tuple[str, ...]
) -> tuple[pa.RecordBatch, Frame]:
    """The columns of the frame's sound records, and the frame without the others."""
    table, ragged = _parse(frame.data, dialect, names, records=len(frame))
    if table is not None and not ragged:
        return table, frame
    if table is None or table.num_rows + len(ragged) != len(frame):
        # Some record is not one row to the reader (a lone carriage return): find out which.
        ragged = [
            (index, *refusal) for index, refusal in _unsound(frame, dialect, names, 0, len(frame))
        ]
        kept = frame.without(ragged)
        table, _ = _parse(kept.data, dialect, names, records=len(kept))
        assert table is not None
        return table, kept
    return table, frame.without(ragged)


def _parse(
    data: bytes, dialect: CsvDialect, names: tuple[str, ...], *, records: int
) -> tuple[pa.RecordBatch | None, list[tuple[int, str, str]]]:
    """Read the bytes as rows of text; also the ragged rows as (index, code, message)."""
    ragged: list[tuple[int, str, str]] = []

    def note(row: arrow_csv.InvalidRow) -> Literal["skip"]:
        number = -1 if row.number is None else row.number - 1
        message = f"expected {row.expected_columns} columns, got {row.actual_columns}"
        ragged.append((number, "RAGGED", message))
        return "skip"

    if not records:
        schema = pa.schema([(name, pa.string()) for name in names])
        return pa.RecordBatch.from_pylist([], schema=schema), ragged
    try:
        table = _read(data, dialect, names=names, note=note)
    except pa.ArrowInvalid:
        return None, []
    batches = table.combine_chunks().to_batches()
    if batches:
        return batches[0], ragged
    return pa.RecordBatch.from_pylist([], schema=table.schema), ragged


def _unsound(
    frame: Frame, dialect: CsvDialect, names: tuple[str, ...], first: int, last: int
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Indices of records that are not exactly one row, with the code and message of each."""
    data = frame.data[frame.bounds[first] : frame.bounds[last]]
    table, ragged = _parse(data, dialect, names, records=last - first)
    if table is not None and table.num_rows == last - first and not ragged:
        return
    if last - first > 1:
        middle = (first + last) // 2
        yield from _unsound(frame, dialect, names, first, middle)
        yield from _unsound(frame, dialect, names, middle, last)
    elif table is not None and len(ragged) == 1 and not table.num_rows:
        yield first, ragged[0][1:]
    else:
        yield first, ("MALFORMED", "a carriage return stands in the middle of the record")


def _read(
    data: bytes,
    dialect: CsvDialect,
    *,
    names: Sequence[str] | None,
    note: Callable[[arrow_csv.InvalidRow], Literal["skip", "error"]] | None = None,
) -> pa.Table:
    source: Any = pa.BufferReader(data)  # the stubs name no stream of Arrow's own
    return arrow_csv.read_csv(
        source,
        read_options=arrow_csv.ReadOptions(
            use_threads=False,
            # One chunk: the reader then numbers rows from the first, and never splits a record.
            block_size=len(data) + 1,
            column_names=None if names is None else list(names),
            autogenerate_column_names=names is None,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=bool(dialect.quote),
            escape_char=dialect.escape or False,
            newlines_in_values=marks_of(dialect).span_lines(data),
            invalid_row_handler=note,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=None if names is None else dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            check_utf8=False,  # frames hold nothing else
        ),
    )


def _refuse_shape(frame: Frame, dialect: CsvDialect, names: tuple[str, ...]) -> None:
    first = frame.rejects[0]
    if first.code != "RAGGED":
        return
    found = first.raw.decode(errors="replace")
    if first.message.endswith("got 1"):
        _refuse_delimiter(found, dialect, wanted=f"{len(names)} columns", offset=first.offset)
    raise DecodeError(
        "COLUMN_COUNT",
        f"no record has the expected columns: {first.message} in {found[:120]!r}; "
        f"expected {', '.join(names)}",
        offset=first.offset,
    )


def _refuse_delimiter(found: str, dialect: CsvDialect, *, wanted: str, offset: int = 0) -> None:
    counts = {mark: found.count(mark) for mark in _LIKELY_DELIMITERS if mark != dialect.delimiter}
    likely = max(counts, key=lambda mark: counts[mark])
    if counts[likely]:
        raise DecodeError(
            "WRONG_DELIMITER",
            f"expected {wanted}, found 1 with the delimiter {dialect.delimiter!r} in "
            f"{found[:120]!r}; set `delimiter = {_toml(likely)}` of [csv]",
            offset=offset,
        )


def _toml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'
