"""`LatestCommand`: the newest rows of each symbol."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.columns import time_unit_ns
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.prepared_query import PreparedQuery
from tickmesh_tickstore.queries.latest import LatestRows, UnreadRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tickmesh.api.tickstore.v1 import queries_pb2
    from tickmesh_tickstore.domain.requests import PlannedRange
    from tickmesh_tickstore.engine.row_stream import RowStream
    from tickmesh_tickstore.pinned_reads import PinnedRead, PinnedReads

__all__ = ["prepare_latest"]

_MOST_ROWS_PER_SYMBOL = 10_000
_MOST_RANGES = 64


def prepare_latest(reads: PinnedReads, command: queries_pb2.LatestCommand) -> PreparedQuery:
    """Checks the command.

    Raises:
        InvalidRequestError: a number or the read is out of bounds.
        NoEventTimeError, NoSymbolError: the dataset has not the columns it takes.
    """
    if not 0 <= command.rows_per_symbol <= _MOST_ROWS_PER_SYMBOL:
        raise InvalidRequestError(
            f"rows_per_symbol is 1 to {_MOST_ROWS_PER_SYMBOL}, or 0 for 1; it was "
            f"{command.rows_per_symbol}.",
            metadata={"rowsPerSymbol": str(command.rows_per_symbol)},
            violations=[("rows_per_symbol", f"expected 0 to {_MOST_ROWS_PER_SYMBOL}")],
        )
    read = reads.open(command.read, field="read")
    event_time = read.require_event_time("the latest rows of each symbol")
    symbol = read.require_symbol("the latest rows of each symbol")
    request = read.with_columns(event_time, symbol)

    def run() -> Iterator[pa.Table]:
        ranges = read.ranges(request, most=_MOST_RANGES)
        latest = LatestRows(
            read.engine.plan(request).schema,
            event_time=event_time,
            symbol=symbol,
            rows_per_symbol=command.rows_per_symbol or 1,
            most_rows=reads.limits.materialised_rows,
        )
        latest.search(
            [UnreadRows(each.newest_time_ns, partial(_read, read, each)) for each in ranges],
            unit_ns=time_unit_ns(read.all_columns.field(event_time).type),
            symbols=request.symbols,
        )
        yield latest.rows().select(read.schema.names)

    return PreparedQuery(read.schema, run)


def _read(read: PinnedRead, planned: PlannedRange) -> RowStream:
    return read.engine.scan(planned.payload)
