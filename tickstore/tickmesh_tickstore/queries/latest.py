"""The newest rows of each symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.queries.symbol_codes import SymbolCodes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["latest_rows"]


def latest_rows(
    batches: Iterable[pa.RecordBatch],
    *,
    schema: pa.Schema,
    event_time: str,
    symbol: str,
    rows_per_symbol: int,
    most_rows: int,
) -> pa.Table:
    """The newest rows of each symbol: by event time; of one instant those committed last.

    Rows without an event time or without a symbol are no symbol's latest and are left out. Only
    rows that may still be among the newest are held.

    Args:
        batches: Rows in order of arrival.
        schema: Their schema.
        event_time: Name of the event time column.
        symbol: Name of the symbol column.
        rows_per_symbol: How many of each symbol.
        most_rows: How many rows may be held.

    Returns:
        The rows ordered by symbol, then by event time, then as they were committed.

    Raises:
        LimitExceededError: More rows would have to be held.
    """
    codes = SymbolCodes()
    held = schema.empty_table()
    for batch in batches:
        new = _newest_of(pa.Table.from_batches([batch]), codes, event_time, symbol, rows_per_symbol)
        held = _newest_of(pa.concat_tables([held, new]), codes, event_time, symbol, rows_per_symbol)
        if held.num_rows > most_rows:
            raise LimitExceededError(
                f"the newest {rows_per_symbol} rows of {len(codes)} symbols are more than the "
                f"{most_rows} that may be held: name symbols, or ask for fewer rows of each",
                metadata={"symbols": str(len(codes)), "limit": str(most_rows)},
            )
    ranks = np.empty(len(codes), np.int64)
    ranks[pc.sort_indices(codes.symbols).to_numpy()] = np.arange(len(codes))
    places, times = _codes_and_times(held, codes, event_time, symbol)
    return held.take(np.lexsort((times, ranks[places])))


def _newest_of(
    table: pa.Table, codes: SymbolCodes, event_time: str, symbol: str, rows_per_symbol: int
) -> pa.Table:
    """The newest rows of each symbol of a table, in its order."""
    table = table.unify_dictionaries().combine_chunks()
    places, times = _codes_and_times(table, codes, event_time, symbol)
    order = np.lexsort((times, places))
    places = places[order]
    # How many rows of its symbol come behind each one, with it.
    left = np.searchsorted(places, places, side="right") - np.arange(len(places))
    chosen = order[(left <= rows_per_symbol) & (places >= 0)]
    return table.take(np.sort(chosen))


def _codes_and_times(
    table: pa.Table, codes: SymbolCodes, event_time: str, symbol: str
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Of every row its symbol's code, -1 where the row is no symbol's, and its event time."""
    if table.num_rows == 0:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    (batch,) = table.to_batches()
    places = codes.of(batch.column(symbol))
    instants: pa.Array[Any] = batch.column(event_time).cast(pa.int64())
    if instants.null_count:
        places = np.where(instants.is_valid().to_numpy(zero_copy_only=False), places, np.int32(-1))
        instants = instants.fill_null(0)
    times: NDArray[np.int64] = instants.to_numpy()
    return places, times
