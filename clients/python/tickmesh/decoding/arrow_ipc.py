"""Arrow IPC files and streams to batches of their own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from tickmesh.decoding import tabular
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MAGIC = b"ARROW1"


def decode(
    stream: BinaryIO, *, start: Position, end: Position | None, batch_records: int
) -> Iterator[DecodedBatch]:
    """Yield batches of the source's columns; see ``open_decoder``.

    Raises:
        DecodeError: CORRUPT when it is neither an Arrow file nor an Arrow stream.
    """
    first = stream.read(len(FILE_MAGIC))
    stream.seek(-len(first), 1)
    opened: Any = stream  # any binary file will do; the stubs want the standard library's classes
    try:
        if first == FILE_MAGIC:
            file = pa.ipc.open_file(opened)
            schema = file.schema
            source = (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            batches = pa.ipc.open_stream(opened)
            schema = batches.schema
            source = (batch for batch in batches)
    except (pa.ArrowException, OSError) as error:
        raise DecodeError(
            "CORRUPT",
            f"neither an Arrow file nor an Arrow stream: {str(error).splitlines()[0][:200]}",
        ) from None

    tabular.check_schema(schema)

    def read(row: int) -> Iterator[pa.RecordBatch]:
        skip = row
        for batch in source:
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    yield from tabular.batches(read, start=start, end=end, batch_records=batch_records)
