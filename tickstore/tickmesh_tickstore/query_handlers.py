"""The queries that are served: a table of commands, each with what prepares it.

Preparing a query checks it and opens the snapshots it reads; it is done once to plan the query and
once more, on the pinned snapshots, to run it. To add a query: its work in `queries/`, a module here
that reads its command, and an entry in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh_tickstore.asof_command import prepare_asof_join
from tickmesh_tickstore.bars_command import prepare_bars
from tickmesh_tickstore.latest_command import prepare_latest
from tickmesh_tickstore.prepared_query import PreparedQuery, QueryHandler
from tickmesh_tickstore.sql_command import prepare_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["QUERIES", "PreparedQuery", "QueryHandler"]

_HANDLERS = (
    QueryHandler(queries_pb2.LatestCommand, prepare_latest),
    QueryHandler(queries_pb2.AsOfJoinCommand, prepare_asof_join),
    QueryHandler(queries_pb2.BarsCommand, prepare_bars),
    QueryHandler(queries_pb2.SqlCommand, prepare_sql),
)

QUERIES: Mapping[str, QueryHandler] = {
    handler.command.DESCRIPTOR.full_name: handler for handler in _HANDLERS
}
"""What is served, by the full name of the command's message."""
