"""The queries that are served: a table of commands, each with what prepares it.

Preparing a query checks it and opens the snapshots it reads; it is done once to plan the query and
once more, on the pinned snapshots, to run it. To add a query: its work in `queries/`, a function
here that reads its command, and an entry in `QUERIES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.queries.latest import latest_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa
    from google.protobuf.message import Message

    from tickmesh_tickstore.pinned_reads import PinnedReads

__all__ = ["QUERIES", "PreparedQuery", "QueryHandler"]

_MOST_ROWS_PER_SYMBOL = 10_000


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query that was checked and knows its snapshots.

    Attributes:
        schema: The schema of its rows.
        run: Begins it; the tables it gives are made as they are taken, and may be of any size.
    """

    schema: pa.Schema
    run: Callable[[], Iterator[pa.Table]]


@dataclass(frozen=True, slots=True)
class QueryHandler:
    """One kind of query.

    Attributes:
        command: The message that asks for it.
        prepare: Checks such a message and opens what it reads; raises what is wrong with it.
    """

    command: type[Message]
    prepare: Callable[[PinnedReads, Any], PreparedQuery]


def _prepare_latest(reads: PinnedReads, command: queries_pb2.LatestCommand) -> PreparedQuery:
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
        rows = read.scan(request)
        table = latest_rows(
            rows,
            schema=rows.schema,
            event_time=event_time,
            symbol=symbol,
            rows_per_symbol=command.rows_per_symbol or 1,
            most_rows=reads.limits.materialised_rows,
        )
        yield table.select(read.schema.names)

    return PreparedQuery(read.schema, run)


_HANDLERS = (QueryHandler(queries_pb2.LatestCommand, _prepare_latest),)

QUERIES: Mapping[str, QueryHandler] = {
    handler.command.DESCRIPTOR.full_name: handler for handler in _HANDLERS
}
"""What is served, by the full name of the command's message."""
