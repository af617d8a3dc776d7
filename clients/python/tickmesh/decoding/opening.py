"""One way to decode any source: ``open_decoder``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tickmesh.decoding import arrow_ipc, csv, jsonl, parquet, typed_rows
from tickmesh.decoding.compression import chunks
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position
from tickmesh.decoding.framing import BATCH_RECORDS
from tickmesh.decoding.source_spec import Format, SourceSpec

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_decoder(
    source: str | Path | BinaryIO,
    spec: SourceSpec,
    *,
    start: Position | None = None,
    end: Position | None = None,
    batch_records: int = BATCH_RECORDS,
) -> Iterator[DecodedBatch]:
    """Decode a source in batches, in bounded memory whatever its size.

    Batches depend on nothing but the bytes from ``start`` on and ``batch_records``, so decoding
    [from, to) again yields byte-identical batches.

    Args:
        source: A file's path, or a binary stream at its beginning (seekable for Parquet and Arrow
            files, and to begin in the middle of a CSV file with a header). A stream is not closed.
        spec: Format, packing and dialect of the source, and the columns its header must have.
        start: Where to begin; a batch's ``start`` or ``end``. None means at the beginning.
        end: Where to stop; a batch's ``end``. None means at the end.
        batch_records: Most records of a batch.

    Yields:
        Batches of at most ``batch_records`` records and 8 MiB of content.

    Raises:
        DecodeError: The source as a whole cannot be read on: EMPTY, TRUNCATED, CORRUPT, ENCODING,
            WRONG_DELIMITER, COLUMN_COUNT, MISSING_COLUMN, DUPLICATE_COLUMN, SOURCE_CHANGED …;
            raised after every batch that was whole.
        OSError: The path cannot be read.
    """
    with contextlib.ExitStack() as stack:
        stream = (
            stack.enter_context(Path(source).open("rb"))
            if isinstance(source, str | Path)
            else source
        )
        begin = start or Position()
        match spec.format:
            case Format.CSV:
                yield from _csv(stream, spec, start=begin, end=end, batch_records=batch_records)
            case Format.JSONL:
                content = _refuse_empty(
                    chunks(stream, spec.compression, skip_bytes=begin.offset), begin
                )
                yield from jsonl.decode(
                    content, prefix=spec.prefix, start=begin, end=end, batch_records=batch_records
                )
            case Format.TYPED_ROWS:
                content = _refuse_empty(
                    chunks(stream, spec.compression, skip_bytes=begin.offset), begin
                )
                yield from typed_rows.decode(
                    content, start=begin, end=end, batch_records=batch_records
                )
            case Format.PARQUET | Format.ARROW:
                form = parquet if spec.format is Format.PARQUET else arrow_ipc
                wanted = expected_columns(spec)
                for batch in form.decode(stream, start=begin, end=end, batch_records=batch_records):
                    _refuse_missing(batch.columns.schema.names, wanted)
                    yield batch


def expected_columns(spec: SourceSpec) -> frozenset[str]:
    """The raw columns that a spec reads."""
    leaves = [leaf for kind in spec.records for leaf in kind.leaves]
    names = {leaf.path for leaf in leaves} | {leaf.day_path for leaf in leaves}
    names |= {condition.path for condition in spec.conditions if condition is not None}
    return frozenset(name for name in names if name is not None)


def _csv(
    stream: BinaryIO,
    spec: SourceSpec,
    *,
    start: Position,
    end: Position | None,
    batch_records: int,
) -> Iterator[DecodedBatch]:
    dialect = spec.csv
    names = dialect.names
    if not names or dialect.skip_lines:
        if not stream.seekable():
            raise DecodeError(
                "NOT_SEEKABLE", "a CSV source with a header or lines to skip must be seekable"
            )
        home = stream.tell()
        begin = Position()
        if dialect.skip_lines:
            begin = csv.after_lines(chunks(stream, spec.compression), dialect.skip_lines)
            stream.seek(home)
        if not names:
            head = chunks(stream, spec.compression, skip_bytes=begin.offset)
            header = csv.header_frame(head, dialect, start=begin)
            names = csv.header_names(header, dialect, expected=expected_columns(spec))
            begin = Position(offset=header.end.offset, line=header.end.line)
            stream.seek(home)
        start = max(start, begin)
    content = chunks(stream, spec.compression, skip_bytes=start.offset)
    if dialect.names:
        content = _refuse_empty(content, start)
    yield from csv.decode(
        content, dialect=dialect, names=names, start=start, end=end, batch_records=batch_records
    )


def _refuse_missing(names: list[str], wanted: frozenset[str]) -> None:
    missing = sorted(wanted.difference(names))
    if missing:
        raise DecodeError(
            "MISSING_COLUMN",
            f"the source spec reads {', '.join(map(repr, missing))}; the file has "
            f"{', '.join(names)}",
        )


def _refuse_empty(content: Iterator[bytes], start: Position) -> Iterator[bytes]:
    empty = True
    for chunk in content:
        empty = False
        yield chunk
    if empty and start == Position():
        raise DecodeError("EMPTY", "the source is empty: expected at least one record")
