"""A clock that is passed in decides every stored instant; tickets outlive a restart and expire."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.support.governed_ticks import trades, trades_schema
from tests.support.services import WITH_FLIGHT, serving
from tickmesh._wire.status import error_from_flight
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"
NOW = 1_700_000_000_123_456_789
PATHS = {"tickstore": SUBJECT, "cleaner": "quarantine"}


@dataclass
class SetClock:
    """Wall time as a test sets it; durations are real."""

    now: int = NOW

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def register_and_put(registry: str, addresses: dict[str, str]) -> None:
    with (
        RegistryClient(registry) as schemas,
        TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks,
    ):
        assert schemas.register(SUBJECT, trades_schema()).schema.registered_at_ns == NOW
        ticks.put(SUBJECT, trades(3))
        stamped = ticks.read(SUBJECT, stamps=True)
    assert stamped.column("_ingest_time").cast(pa.int64()).to_pylist() == [NOW] * 3


def ticket_of(address: str, path: str) -> flight.Ticket:
    with flight.connect(f"grpc://{address}") as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_path(path))
        return info.endpoints[0].ticket


def redeem(address: str, ticket: flight.Ticket) -> int:
    with flight.connect(f"grpc://{address}") as client:
        return client.do_get(ticket).read_all().num_rows


def refusal(address: str, ticket: flight.Ticket) -> str:
    with pytest.raises(flight.FlightError) as refused:
        redeem(address, ticket)
    return error_from_flight(refused.value).reason


@pytest.mark.parametrize("name", WITH_FLIGHT)
async def test_instants_are_the_clocks_and_tickets_outlive_a_restart_until_they_expire(
    name: str, tmp_path: Path
) -> None:
    clock = SetClock()
    async with serving("registry", tmp_path, clock=clock) as registry:
        address = registry.addresses["grpc"]
        async with serving(name, tmp_path, registry=address, clock=clock) as service:
            if name == "tickstore":
                await asyncio.to_thread(register_and_put, address, service.addresses)
            ticket = await asyncio.to_thread(ticket_of, service.addresses["flight"], PATHS[name])
        async with serving(name, tmp_path, registry=address, clock=clock) as service:
            again = service.addresses["flight"]
            rows = await asyncio.to_thread(redeem, again, ticket)
            assert rows == (3 if name == "tickstore" else 0)
            forged = flight.Ticket(ticket.ticket[:-1] + bytes([ticket.ticket[-1] ^ 1]))
            assert await asyncio.to_thread(refusal, again, forged) == "TICKET_INVALID"
            clock.now += 3_600_000_000_000
            assert await asyncio.to_thread(refusal, again, ticket) == "TICKET_EXPIRED"
