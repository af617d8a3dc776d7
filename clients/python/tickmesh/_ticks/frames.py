"""Tables of other libraries as Arrow batches, without a guess about what they mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh._ticks.time_arguments import time_zone
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd
    import polars as pl

    from tickmesh._ticks.time_arguments import TimeZone

    TickData: TypeAlias = (
        pa.Table
        | pa.RecordBatch
        | pa.RecordBatchReader
        | Iterable[pa.RecordBatch]
        | pd.DataFrame
        | pl.DataFrame
    )

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Batches are cut so that a message stays near this: well under the 16 MiB a peer must take."""
MAX_MESSAGE_ROWS = 65_536


def to_batches(data: TickData, *, tz: TimeZone | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of `data` as Arrow batches of one schema, each small enough for one message.

    Args:
        data: A table, a batch, a reader, an iterable of batches, or a pandas or polars frame.
        tz: The zone that zone-less timestamp columns are localised in; sent as they are when None.

    Raises:
        InvalidArgumentError: a column mixes types, or a local time does not exist or is ambiguous.
    """
    for batch in _batches(data):
        yield from sliced(_localised(batch, tz))


def sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch, without copying, to at most `MAX_MESSAGE_ROWS` rows and about 4 MiB."""
    rows = batch.num_rows
    if rows == 0:
        return
    rows_by_bytes = max(1, MAX_MESSAGE_BYTES * rows // max(batch.nbytes, 1))
    step = min(MAX_MESSAGE_ROWS, rows_by_bytes)
    for start in range(0, rows, step):
        yield batch.slice(start, step)


def _batches(data: Any) -> Iterator[pa.RecordBatch]:
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if isinstance(data, pa.RecordBatch):
        yield data
    elif isinstance(data, pa.Table):
        # Chunks of one table may carry different dictionaries; a stream takes replacements.
        yield from data.to_batches()
    elif isinstance(data, pa.RecordBatchReader):
        yield from data
    elif pandas is not None and isinstance(data, pandas.DataFrame):
        yield from _from_pandas(data).to_batches()
    elif polars is not None and isinstance(data, polars.DataFrame):
        yield from _from_polars(data).to_batches()
    elif hasattr(data, "__arrow_c_stream__"):
        yield from pa.table(data).to_batches()
    else:
        yield from _from_iterable(data)


def _from_iterable(data: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__iter__"):
        raise InvalidArgumentError(
            "data must be a pyarrow Table, RecordBatch or RecordBatchReader, an iterable of "
            f"RecordBatches, or a pandas or polars DataFrame; it was {type(data).__name__}."
        )
    for item in data:
        if not isinstance(item, pa.RecordBatch):
            raise InvalidArgumentError(
                f"an iterable of data must hold RecordBatches; it held {type(item).__name__}."
            )
        yield item


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        for name in frame.columns:
            _refuse_mixed(str(name), frame[name])
        raise InvalidArgumentError(f"the frame cannot become Arrow columns: {error}") from error


def _refuse_mixed(name: str, column: pd.Series[Any]) -> None:
    """Raise for the first value whose type differs from the column's first; a slow path."""
    if column.dtype != object:
        return
    first: type | None = None
    for row, value in enumerate(column):
        if value is None or value != value:  # noqa: PLR0124 — the test for NaN
            continue
        if first is None:
            first = type(value)
        elif type(value) is not first:
            raise InvalidArgumentError(
                f"column '{name}' mixes types: {first.__name__} at first, "
                f"{type(value).__name__} ({value!r:.60}) in row {row}. Make it one type: "
                f'df["{name}"] = df["{name}"].astype(...).',
                metadata={"column": name, "row": str(row)},
            )


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise InvalidArgumentError(
                f"column '{name}' holds Python objects; cast it to a polars type first.",
                metadata={"column": name},
            )
    return frame.to_arrow()


def _localised(batch: pa.RecordBatch, tz: TimeZone | None) -> pa.RecordBatch:
    if tz is None:
        return batch
    zone = str(time_zone(tz))
    for position, field in enumerate(batch.schema):
        if pt.is_timestamp(field.type) and field.type.tz is None:
            try:
                naive: Any = batch.column(position)
                column = pc.assume_timezone(naive, zone)
            except pa.ArrowInvalid as error:
                raise InvalidArgumentError(
                    f"column '{field.name}' cannot be read in {zone}: {error}. Localise it "
                    "yourself, saying what ambiguous and missing times mean.",
                    metadata={"column": field.name},
                ) from error
            batch = batch.set_column(position, field.with_type(column.type), column)
    return batch
