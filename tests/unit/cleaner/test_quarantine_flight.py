"""The Flight stream of quarantined rows is whole, or fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from pyarrow import flight

from tests.unit.cleaner.test_replaying import CONTENT, Cleaner
from tickmesh.api.cleaner.v1 import flight_pb2, job_pb2
from tickmesh_cleaner.domain.errors import DrainingError, InvalidArgumentError
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.flight_service import QUARANTINE_SCHEMA, QuarantineFlights
from tickmesh_cleaner.messages import filter_of
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.drain_signal import DrainSignal
from tickmesh_serving.flight import FlightCall
from tickmesh_serving.tickets import TicketSigner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALL = FlightCall.internal("reader")


@pytest.fixture
def flights(tmp_path: Path) -> Iterator[QuarantineFlights]:
    cleaner = Cleaner(tmp_path)
    cleaner.clean(CONTENT)
    signer = TicketSigner(b"k" * 32)
    yield QuarantineFlights(cleaner.store, cleaner.files, signer=signer, clock=SystemClock())
    cleaner.store.close()


def command(**values: object) -> flight.FlightDescriptor:
    wrapped = AnyMessage()
    wrapped.Pack(flight_pb2.QuarantineCommand(**values))  # type: ignore[arg-type]  # a test's words
    return flight.FlightDescriptor.for_command(wrapped.SerializeToString())


def ids(flights: QuarantineFlights, descriptor: flight.FlightDescriptor) -> list[int]:
    info = flights.info(CALL, descriptor)
    named = flight_pb2.QuarantineCommand.FromString(
        flights._signer.open(info.endpoints[0].ticket.ticket)
    )
    batches = list(flights._batches(CALL, filter_of(named.filter), named.after_id))
    assert all(batch.schema.equals(QUARANTINE_SCHEMA) for batch in batches)
    return [row for batch in batches for row in batch.column("id").to_numpy().tolist()]


def test_a_stream_cut_short_by_a_drain_fails_and_says_where_to_go_on(
    flights: QuarantineFlights,
) -> None:
    drain = DrainSignal()
    call = replace(CALL, drain=drain)
    drain.give()
    with pytest.raises(DrainingError) as refused:
        list(flights._batches(call, QuarantineFilter(), 0))
    assert refused.value.metadata == {"afterId": "0"}


def test_a_command_selects_by_reason_and_goes_on_after_an_id(flights: QuarantineFlights) -> None:
    assert ids(flights, command()) == [1, 2, 3, 4]
    assert ids(flights, command(after_id=2)) == [3, 4]
    ragged = job_pb2.QuarantineFilter(reason="RAGGED")
    assert ids(flights, command(filter=ragged)) == [2]


def test_another_message_is_refused(flights: QuarantineFlights) -> None:
    wrapped = AnyMessage()
    wrapped.Pack(job_pb2.QuarantineFilter())
    for garbage in (b"\xff\xff", b"", wrapped.SerializeToString()):
        with pytest.raises(InvalidArgumentError, match="QuarantineCommand"):
            flights.info(CALL, flight.FlightDescriptor.for_command(garbage))
