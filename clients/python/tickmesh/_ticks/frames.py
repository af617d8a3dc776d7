"""Tables of other libraries as Arrow batches, without a guess about what they mean."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh._ticks.pandas_columns import table_of_pandas
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

    A table without rows is one batch without rows.

    Args:
        data: A table, a batch, a reader, an iterable of batches, or a pandas or polars frame.
        tz: The zone that zone-less timestamp columns are localised in; sent as they are when None.

    Raises:
        InvalidArgumentError: a column mixes types, or a local time does not exist or is ambiguous.
    """
    zone = None if tz is None else _zone_name(time_zone(tz))
    row = 0
    for batch in _batches(data):
        yield from sliced(batch if zone is None else _localised(batch, zone, row=row))
        row += batch.num_rows


def sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch, without copying, to at most `MAX_MESSAGE_ROWS` rows and about 4 MiB."""
    rows = batch.num_rows
    if rows == 0:
        yield batch
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
        yield from _of_table(data)
    elif isinstance(data, pa.RecordBatchReader):
        yield from data
    elif pandas is not None and isinstance(data, pandas.DataFrame):
        yield from _of_table(table_of_pandas(data))
    elif polars is not None and isinstance(data, polars.DataFrame):
        yield from _of_table(_from_polars(data))
    elif hasattr(data, "__arrow_c_stream__"):
        yield from _of_table(pa.table(data))
    else:
        yield from _from_iterable(data)


def _of_table(table: pa.Table) -> Iterator[pa.RecordBatch]:
    # Chunks of one table may carry different dictionaries; a stream takes replacements.
    yield from table.to_batches()
    if not table.num_rows:
        # No rows still have columns, which the store can judge.
        columns = [pa.array([], kind) for kind in table.schema.types]
        yield pa.RecordBatch.from_arrays(columns, schema=table.schema)


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


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise InvalidArgumentError(
                f"column '{name}' holds Python objects; cast it to a polars type first.",
                metadata={"column": name},
            )
    return frame.to_arrow()


def _localised(batch: pa.RecordBatch, zone: str, *, row: int) -> pa.RecordBatch:
    """The batch with its zone-less timestamps read in a zone; `row` is the number of its first."""
    for position, field in enumerate(batch.schema):
        if pt.is_timestamp(field.type) and field.type.tz is None:
            naive: Any = batch.column(position)
            try:
                column = pc.assume_timezone(naive, zone)
            except pa.ArrowInvalid as error:
                raise _not_one_instant(field.name, naive, zone, row=row) from error
            batch = batch.set_column(position, field.with_type(column.type), column)
    return batch


def _not_one_instant(name: str, naive: Any, zone: str, *, row: int) -> InvalidArgumentError:
    """The error for the first local time that its zone had twice, or never."""
    first: Any = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
    last: Any = pc.assume_timezone(naive, zone, ambiguous="latest", nonexistent="latest")
    place = pc.index(pc.not_equal(first, last), pa.scalar(value=True)).as_py()
    shown = naive[place].cast(pa.utf8()).as_py()
    local: Any = pc.local_timestamp(first[place])
    if local.value == naive[place].value:
        what = f"happened twice in {zone}: the clock was put back over it"
    else:
        what = f"does not exist in {zone}: the clock was put forward over it"
    return InvalidArgumentError(
        f"column '{name}', row {row + place}: {shown} {what}. Localise the column "
        f'yourself and say what is meant, as in df["{name}"].dt.tz_localize("{zone}", '
        'ambiguous="infer", nonexistent="shift_forward") of pandas.',
        metadata={"column": name, "row": str(row + place), "timeZone": zone},
    )


def _zone_name(zone: dt.tzinfo | None) -> str:
    """The name by which Arrow knows a zone: IANA's, or an offset."""
    if isinstance(zone, dt.timezone):
        return "UTC" if zone == dt.UTC else str(zone).removeprefix("UTC")
    return str(getattr(zone, "key", None) or getattr(zone, "zone", None) or zone)
