"""BarsCommand, read strictly and prepared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh_tickstore.domain.requests import Order
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.prepared_query import PreparedQuery
from tickmesh_tickstore.queries.bars import BarKind, BarRequest, Bars, EmptyBars
from tickmesh_tickstore.queries.sessions import TradingSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_tickstore.pinned_reads import PinnedReads

__all__ = ["prepare_bars"]

_KINDS = {
    "time_ns": BarKind.TIME,
    "ticks": BarKind.TICKS,
    "volume": BarKind.VOLUME,
    "dollars": BarKind.DOLLARS,
}
_EMPTY = {
    queries_pb2.EMPTY_BARS_UNSPECIFIED: EmptyBars.OMITTED,
    queries_pb2.EMPTY_BARS_OMITTED: EmptyBars.OMITTED,
    queries_pb2.EMPTY_BARS_NULL: EmptyBars.NULL,
    queries_pb2.EMPTY_BARS_PREVIOUS_CLOSE: EmptyBars.PREVIOUS_CLOSE,
}


def prepare_bars(reads: PinnedReads, command: queries_pb2.BarsCommand) -> PreparedQuery:
    """Checks what bars are asked for, and pins the rows they are built from.

    Raises:
        InvalidRequestError: no width, or the read names columns or stamps, which bars have not.
    """
    width = command.WhichOneof("width")
    if width is None:
        raise InvalidRequestError(
            "A bar needs a width: one of time_ns, ticks, volume and dollars.",
            violations=[("width", "expected time_ns, ticks, volume or dollars")],
        )
    empty = _EMPTY.get(command.empty_bars)
    if empty is None:
        raise InvalidRequestError(
            f"empty_bars is no choice this store knows: {command.empty_bars}.",
            metadata={"emptyBars": str(command.empty_bars)},
            violations=[("empty_bars", "expected OMITTED, NULL or PREVIOUS_CLOSE")],
        )
    chosen = [name for name in ("columns", "stamps") if getattr(command.read, name)]
    if chosen:
        raise InvalidRequestError(
            f"Bars have columns of their own: leave out {' and '.join(chosen)}; price_column and "
            "size_column say what they are built from.",
            metadata={"fields": ",".join(f"read.{name}" for name in chosen)},
            violations=[(f"read.{name}", "not part of bars") for name in chosen],
        )
    read = reads.open(command.read, field="read")
    read.require_event_time("a bar")
    bars = Bars(
        read.all_columns,
        BarRequest(
            kind=_KINDS[width],
            width=getattr(command, width),
            price=command.price_column,
            size=command.size_column,
            empty=empty,
            session=_session(command),
            filled_rows=reads.limits.materialised_rows,
        ),
    )
    request = replace(read.request, columns=bars.columns, order=Order.TIME)

    def run() -> Iterator[pa.Table]:
        for batch in bars.built_from(read.scan(request)):
            yield pa.Table.from_batches([batch])

    return PreparedQuery(bars.schema, run)


def _session(command: queries_pb2.BarsCommand) -> TradingSession | None:
    if not command.HasField("session"):
        return None
    asked = command.session
    return TradingSession.of(
        time_zone=asked.time_zone,
        open_ns=asked.open_ns,
        close_ns=asked.close_ns,
        weekdays=asked.weekdays,
        holidays=asked.holidays,
    )
