"""Queries beyond a range: pinned when they are planned, run when their ticket is redeemed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.engine.batches import sliced_to
from tickmesh_tickstore.errors import TicketInvalidError
from tickmesh_tickstore.pinned_reads import Pin, PinnedReads
from tickmesh_tickstore.planned_read import PlannedRead
from tickmesh_tickstore.query_handlers import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.domain.requests import ScanRequest
    from tickmesh_tickstore.engine.interface import TickEngine
    from tickmesh_tickstore.query_handlers import PreparedQuery
    from tickmesh_tickstore.tickets import TicketOffice


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The rows of a query, made as they are taken.

    Attributes:
        schema: Their schema.
        tables: Tables of it, none larger than a batch may be that is served.
    """

    schema: pa.Schema
    tables: Iterator[pa.Table]


class QueryPlanner:
    """Plans queries and runs them, on the very same snapshots."""

    def __init__(
        self,
        *,
        engine: TickEngine,
        scan_request: Callable[[commands_pb2.ReadCommand], ScanRequest],
        tickets: TicketOffice,
    ) -> None:
        self._engine = engine
        self._scan_request = scan_request
        self._tickets = tickets

    def plan(self, call: CallContext, query: Message) -> PlannedRead:
        """Pins every dataset that a query reads; its one ticket is good for the whole answer."""
        reads = PinnedReads(self._engine, self._scan_request)
        prepared = _prepared(reads, query)
        expires_at_ns = self._tickets.expiry_ns()
        ticket = self._tickets.issue_query(
            query, pins=reads.pins, principal=call.principal.name, expires_at_ns=expires_at_ns
        )
        return PlannedRead(prepared.schema, 0, (ticket,), expires_at_ns, rows=None)

    def answer(self, payload: commands_pb2.TicketPayload) -> QueryAnswer:
        """Runs the query of a ticket that has been checked.

        Raises:
            TicketInvalidError: it holds a query that this server does not know.
        """
        handler = QUERIES.get(payload.query.TypeName())
        query = None if handler is None else handler.command()
        if query is None or not payload.query.Unpack(query):
            raise TicketInvalidError(
                "The ticket is for a query this server does not know; ask get_flight_info for one."
            )
        pins = {
            key: Pin(payload.dataset_ids[key], revision)
            for key, revision in payload.revisions.items()
        }
        prepared = _prepared(PinnedReads(self._engine, self._scan_request, pins=pins), query)
        most_bytes = self._engine.limits.served_bytes
        return QueryAnswer(prepared.schema, _served(prepared, most_bytes))


def _prepared(reads: PinnedReads, query: Message) -> PreparedQuery:
    return QUERIES[query.DESCRIPTOR.full_name].prepare(reads, query)


def _served(prepared: PreparedQuery, most_bytes: int) -> Iterator[pa.Table]:
    for table in prepared.run():
        for batch in table.to_batches():
            for part in sliced_to(batch, most_bytes):
                if part.num_rows:
                    yield pa.Table.from_batches([part], prepared.schema)
