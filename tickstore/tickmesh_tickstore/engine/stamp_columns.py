"""Stamps as columns (T5): spread from runs of rows when a read asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.requests import StampColumn

if TYPE_CHECKING:
    from array import array

    from tickmesh_tickstore.engine.messages import Messages
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["STAMP_TYPES", "stamp_column"]

STAMP_TYPES: dict[StampColumn, pa.DataType] = {
    StampColumn.SCHEMA_VERSION: pa.int32(),
    StampColumn.INGEST_TIME: pa.timestamp("ns", "UTC"),
    StampColumn.DATASET_REVISION: pa.int64(),
    StampColumn.PRODUCER_ID: pa.dictionary(pa.int32(), pa.string()),
    StampColumn.SEQUENCE: pa.int64(),
}


def stamp_column(
    stored: StoredRows, name: StampColumn, places: pa.Array[Any] | None
) -> pa.Array[Any]:
    """A stamp of stored rows.

    Args:
        stored: The rows.
        name: Which stamp.
        places: Which of the rows; `None` for all.
    """
    if name is StampColumn.SCHEMA_VERSION:
        value = pa.scalar(stored.stamp.schema_version, pa.int32())
        return pa.repeat(value, stored.row_count if places is None else len(places))
    column = _whole_column(stored, name)
    return column if places is None else column.take(places)


def _whole_column(stored: StoredRows, name: StampColumn) -> pa.Array[Any]:
    runs = stored.runs
    if name in {StampColumn.PRODUCER_ID, StampColumn.SEQUENCE}:
        return _message_column(stored.messages, name)
    values = runs.ingest_times if name is StampColumn.INGEST_TIME else runs.revisions
    return _spread(runs.row_ends, pa.array(values, pa.int64())).cast(STAMP_TYPES[name])


def _message_column(messages: Messages, name: StampColumn) -> pa.Array[Any]:
    """Null where no producer was named."""
    places = pa.array(messages.producers, pa.int32())
    known = pc.greater_equal(places, pa.scalar(0, pa.int32()))
    if name is StampColumn.SEQUENCE:
        sequences = pa.array(messages.sequences, pa.int64())
        return _spread(messages.row_ends, pc.if_else(known, sequences, None))
    codes = _spread(messages.row_ends, pc.if_else(known, places, None))
    return pa.DictionaryArray.from_arrays(codes, pa.array(messages.producer_ids, pa.string()))


def _spread(row_ends: array[int], values: pa.Array[Any]) -> pa.Array[Any]:
    """One value a row of one value a run."""
    encoded: pa.Array[Any] = pa.RunEndEncodedArray.from_arrays(
        pa.array(row_ends, pa.int64()), values
    )
    decoded: pa.Array[Any] = pc.call_function("run_end_decode", [encoded])
    return decoded
