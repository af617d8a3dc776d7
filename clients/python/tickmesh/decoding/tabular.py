"""Batches of typed columns, cut by row number the same way every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, pc
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position
from tickmesh.decoding.framing import BATCH_BYTES
from tickmesh.decoding.source_spec import MAX_NAMES
from tickmesh.decoding.typed_rows import rows_as_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh.decoding.arrow import Array

MAX_DEPTH: Final = 32
MAX_PARTS: Final = 16_384
_PLAIN: Final = {
    pa.string_view(): pa.string(),
    pa.binary_view(): pa.binary(),
}


def check_schema(schema: pa.Schema) -> None:
    """Refuse columns that are too many, nested too deeply, or named alike.

    Raises:
        DecodeError: TOO_MANY_COLUMNS, TOO_DEEP or DUPLICATE_COLUMN.
    """
    if len(schema) > MAX_NAMES:
        raise DecodeError(
            "TOO_MANY_COLUMNS", f"the source has {len(schema)} columns; {MAX_NAMES} are read"
        )
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise DecodeError(
            "DUPLICATE_COLUMN", f"the source names {', '.join(map(repr, repeated))} more than once"
        )
    leaves = 0
    for field in schema:
        waiting: list[tuple[Any, int]] = [(field.type, 1)]
        while waiting:
            kind, depth = waiting.pop()
            leaves += 1
            if depth > MAX_DEPTH:
                raise DecodeError(
                    "TOO_DEEP", f"{field.name!r} is nested in more than {MAX_DEPTH} levels"
                )
            if leaves > MAX_PARTS:
                raise DecodeError(
                    "TOO_MANY_COLUMNS", f"the columns have more than {MAX_PARTS} parts"
                )
            waiting += [(kind.field(place).type, depth + 1) for place in range(kind.num_fields)]


def position_of_row(row: int) -> Position:
    """The place before a row, counted from 0."""
    return Position(offset=row, line=row + 1, record=row)


def batches(
    read: Callable[[int], Iterator[pa.RecordBatch]],
    *,
    start: Position,
    end: Position | None,
    batch_records: int,
) -> Iterator[DecodedBatch]:
    """Yield decoded batches of exactly ``batch_records`` rows, fewer where rows are large.

    Args:
        read: Yields the source's batches from a row on.
        start: The first row.
        end: The row to stop before.
        batch_records: Most rows of a batch.

    Raises:
        DecodeError: CORRUPT with the row number when the source cannot be read on or holds values
            that are no valid Arrow data; SOURCE_CHANGED when it ends before ``end``.
    """
    row = start.record
    stop = None if end is None else end.record
    waiting: list[pa.RecordBatch] = []
    count = 0
    source = read(row)
    while True:
        wanted = batch_records if stop is None else min(batch_records, stop - row)
        failure: DecodeError | None = None
        ended = False
        while count < wanted and not ended:
            try:
                batch = next(source, None)
            except (pa.ArrowException, OSError) as error:
                failure = _corrupt(error, row=row + count)
                batch = None
            if batch is None:
                ended = True
            else:
                waiting.append(batch)
                count += batch.num_rows
        taken = min(count, wanted)
        if taken:
            whole = _joined(waiting)
            recoded = frozenset(field.name for field in whole.schema if _is_recoded(field.type))
            sound = _sound(whole.slice(0, taken), row=row)
            yield from _bounded(sound, row=row, recoded=recoded)
            waiting, count = [whole.slice(taken)], count - taken
            row += taken
        if failure is not None:
            raise failure
        if stop is not None and row >= stop:
            return
        if ended and not count:
            if stop is not None:
                raise DecodeError(
                    "SOURCE_CHANGED",
                    f"the source ends at row {row}, before row {stop} that was read from it",
                    offset=row,
                )
            return


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _sound(batch: pa.RecordBatch, *, row: int) -> pa.RecordBatch:
    """The batch after a full check of buffers from outside, in types that kernels can work on."""
    try:
        batch.validate(full=True)
        columns = [_plain(column) for column in batch.columns]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _corrupt(error, row=row) from None
    fields = [
        field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _plain(column: Array) -> Array:
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column.cast(_PLAIN[column.type]) if column.type in _PLAIN else column


def _is_recoded(kind: pa.DataType) -> bool:
    return (
        kind in _PLAIN
        or pa.types.is_run_end_encoded(kind)
        or pa.types.is_dictionary(kind)
        or pa.types.is_float16(kind)
    )


def _bounded(batch: pa.RecordBatch, *, row: int, recoded: frozenset[str]) -> Iterator[DecodedBatch]:
    """Halve the batch until each part is within the bound on bytes; parts halve no further."""
    if batch.num_rows > 1 and batch.nbytes > BATCH_BYTES:
        middle = batch.num_rows // 2
        yield from _bounded(batch.slice(0, middle), row=row, recoded=recoded)
        yield from _bounded(batch.slice(middle), row=row + middle, recoded=recoded)
        return
    rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
    yield DecodedBatch(
        start=position_of_row(row),
        end=position_of_row(row + batch.num_rows),
        record_count=batch.num_rows,
        columns=batch,
        offsets=int64_array(rows),
        lines=int64_array(rows + 1),
        rejects=(),
        raw=lambda indices: rows_as_lines(batch, indices),
        recoded=recoded,
    )


def _corrupt(error: Exception, *, row: int) -> DecodeError:
    detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return DecodeError(
        "CORRUPT", f"the source cannot be read on after row {row}: {detail}", offset=row
    )
