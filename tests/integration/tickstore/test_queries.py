"""Queries through plain pyarrow: ask get_flight_info, follow the endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import get, put, status_of
from tests.support.governed_ticks import decoded, trades
from tickmesh.api.tickstore.v1 import commands_pb2, queries_pb2
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from google.protobuf.message import Message

pytestmark = pytest.mark.integration


def descriptor(query: Message) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(pack(query))


def latest(subject: str, **read: object) -> queries_pb2.LatestCommand:
    return queries_pb2.LatestCommand(
        read=commands_pb2.ReadCommand(dataset=subject, **read)  # type: ignore[arg-type]  # by name
    )


def test_the_latest_rows_with_dictionary_columns(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(1_000))
    query = descriptor(latest(subject, end_ns=500_000))
    told: Any = plain.get_schema(query)  # the stubs say Schema
    assert told.schema.equals(plain.get_flight_info(query).schema)
    rows = get(plain, query).sort_by("ts")
    assert decoded(rows).equals(decoded(trades(500).slice(497)))


def test_a_refused_query_says_which_field(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(1))
    with pytest.raises(flight.FlightError) as refused:
        plain.get_flight_info(descriptor(latest(subject, limit=1)))
    status, info = status_of(refused.value)
    assert (info.reason, info.metadata["fields"]) == ("INVALID_ARGUMENT", "read.limit")
    assert "limit" in status.message
