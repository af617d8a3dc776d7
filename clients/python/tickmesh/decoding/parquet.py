"""Parquet files to batches of their own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from tickmesh.decoding import tabular
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position

if TYPE_CHECKING:
    from collections.abc import Iterator


def decode(
    stream: BinaryIO, *, start: Position, end: Position | None, batch_records: int
) -> Iterator[DecodedBatch]:
    """Yield batches of the file's columns; see ``open_decoder``.

    Row groups before ``start`` are not read.

    Raises:
        DecodeError: CORRUPT when it is no whole Parquet file.
    """
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(stream, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise DecodeError(
            "CORRUPT", f"not a whole Parquet file: {str(error).splitlines()[0][:200]}"
        ) from None

    tabular.check_schema(file.schema_arrow)

    def read(row: int) -> Iterator[pa.RecordBatch]:
        skip = row
        groups: list[int] = []
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if not groups and skip >= rows:
                skip -= rows
            else:
                groups.append(group)
        for batch in file.iter_batches(
            batch_size=batch_records, row_groups=groups, use_threads=False
        ):
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    yield from tabular.batches(read, start=start, end=end, batch_records=batch_records)
