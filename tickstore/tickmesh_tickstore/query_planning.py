"""Queries beyond a range: pinned when they are planned, run when their ticket is redeemed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.batches import joined, tables
from tickmesh_tickstore.engine.row_stream import RowStream
from tickmesh_tickstore.errors import TicketInvalidError
from tickmesh_tickstore.pinned_reads import Pin, PinnedReads
from tickmesh_tickstore.planned_read import PlannedRead
from tickmesh_tickstore.query_handlers import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from google.protobuf.message import Message

    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.requests import ScanRequest
    from tickmesh_tickstore.engine.interface import TickEngine
    from tickmesh_tickstore.prepared_query import PreparedQuery
    from tickmesh_tickstore.queries.sql import SqlSandbox
    from tickmesh_tickstore.tickets import TicketOffice


class QueryPlanner:
    """Plans queries and runs them, on the very same snapshots."""

    def __init__(
        self,
        *,
        engine: TickEngine,
        scan_request: Callable[[commands_pb2.ReadCommand], ScanRequest],
        tickets: TicketOffice,
        sandbox: SqlSandbox,
    ) -> None:
        self._engine = engine
        self._scan_request = scan_request
        self._tickets = tickets
        self._sandbox = sandbox

    def plan(self, call: CallContext, query: Message) -> PlannedRead:
        """Pins every dataset that a query reads; its one ticket is good for the whole answer."""
        reads = PinnedReads(self._engine, self._scan_request, sandbox=self._sandbox)
        prepared = _prepared(reads, query)
        expires_at_ns = self._tickets.expiry_ns()
        ticket = self._tickets.issue_query(
            query, pins=reads.pins, principal=call.principal.name, expires_at_ns=expires_at_ns
        )
        return PlannedRead(prepared.schema, 0, (ticket,), expires_at_ns, rows=None)

    def answer(self, call: CallContext, payload: commands_pb2.TicketPayload) -> RowStream:
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
            key: Pin(payload.dataset_ids[key], revision, payload.reader_versions.get(key, 0))
            for key, revision in payload.revisions.items()
        }
        reads = PinnedReads(
            self._engine,
            self._scan_request,
            pins=pins,
            sandbox=self._sandbox,
            stopped=lambda: call.draining or getattr(call, "cancelled", False),
        )
        prepared = _prepared(reads, query)
        return RowStream(prepared.schema, _served(prepared, self._engine.limits))


def _prepared(reads: PinnedReads, query: Message) -> PreparedQuery:
    return QUERIES[query.DESCRIPTOR.full_name].prepare(reads, query)


def _served(prepared: PreparedQuery, limits: EngineLimits) -> Iterator[pa.Table]:
    batches = (batch for table in prepared.run() for batch in table.to_batches())
    return tables(
        joined(batches, most_bytes=limits.served_bytes),
        prepared.schema,
        about_bytes=limits.read_ahead_bytes,
    )
