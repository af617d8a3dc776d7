"""Queries through plain pyarrow: ask get_flight_info, follow the endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from google.rpc import error_details_pb2
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import get, put, status_of
from tests.support.governed_ticks import decoded, trades, trades_schema
from tests.support.ticks import integers
from tickmesh.api.tickstore.v1 import commands_pb2, expression_pb2, queries_pb2
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tickmesh.registry import RegistryClient

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


def above(price: float) -> expression_pb2.Expression:
    return expression_pb2.Expression(
        comparison=expression_pb2.Comparison(
            column="price",
            operator=expression_pb2.COMPARISON_OPERATOR_GREATER,
            value=expression_pb2.Value(number=price),
        )
    )


def test_a_filter_in_a_read_in_time_order(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(500, start_ns=500_000), trades(500))
    query = descriptor(
        commands_pb2.ReadCommand(
            dataset=subject,
            filter=above(400.0),
            order=commands_pb2.READ_ORDER_TIME,
        )
    )
    expected = [*range(400, 500), *range(400, 500)]
    rows = get(plain, query)
    assert rows.column("size").to_pylist() == expected
    times = rows.column("ts").cast(pa.int64()).to_pylist()
    assert times == [1_000 * size for size in range(400, 500)] + [
        500_000 + 1_000 * size for size in range(400, 500)
    ]


def test_a_filter_in_a_tail(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(500))
    command = commands_pb2.ReadCommand(dataset=subject, follow=True, filter=above(498.0))
    (endpoint,) = plain.get_flight_info(descriptor(command)).endpoints
    reader = plain.do_get(endpoint.ticket)
    found: list[int] = []
    for chunk in reader:
        assert chunk.data is not None
        found += integers(chunk.data, "size")
        if len(found) == 2:
            break
    reader.cancel()
    assert found == [498, 499]


def test_a_filter_that_does_not_fit_says_what_would(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(1))
    wrong = above(1.0)
    wrong.comparison.value.text = "1"
    command = commands_pb2.ReadCommand(dataset=subject, filter=wrong)
    with pytest.raises(flight.FlightError) as refused:
        plain.get_flight_info(descriptor(command))
    status, info = status_of(refused.value)
    assert (info.reason, info.metadata["column"]) == ("INVALID_ARGUMENT", "price")
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    (violation,) = bad.field_violations
    assert violation.field == "filter.comparison.value"
    assert "number" in violation.description


def test_an_as_of_join_streams_in_bounded_batches(
    plain: flight.FlightClient, registry: RegistryClient, subject: str
) -> None:
    quotes = f"{subject}_quotes"
    registry.register(quotes, trades_schema())
    put(plain, subject, trades(100_000, start_ns=500))
    put(plain, quotes, trades(100_000))
    query = descriptor(
        queries_pb2.AsOfJoinCommand(
            left=commands_pb2.ReadCommand(dataset=subject),
            right=commands_pb2.ReadCommand(dataset=quotes),
            right_event_time=True,
        )
    )
    info = plain.get_flight_info(query)
    assert len(info.endpoints) == 1
    rows = 0
    for chunk in plain.do_get(info.endpoints[0].ticket):
        batch = chunk.data
        assert batch is not None
        assert pa.ipc.get_record_batch_size(batch) <= 4 << 20
        left, right = (batch.column(name).cast(pa.int64()) for name in ("ts", "ts_right"))
        assert pc.unique(pc.subtract(left, right)).to_pylist() == [500]
        assert batch.column("size").equals(batch.column("size_right"))
        rows += batch.num_rows
    assert rows == 100_000
    unsigned = flight.Ticket(info.endpoints[0].ticket.ticket[:-20] + bytes(20))
    with pytest.raises(flight.FlightError) as refused:
        plain.do_get(unsigned).read_all()
    assert status_of(refused.value)[1].reason == "TICKET_INVALID"
