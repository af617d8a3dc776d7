"""Tickets are signed and expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand, SignedTicket
from tickmesh.api.tickstore.v1.queries_pb2 import LatestCommand
from tickmesh_serving.tickets import KEY_BYTES
from tickmesh_tickstore.commands import pack, unpack
from tickmesh_tickstore.errors import TicketExpiredError, TicketInvalidError
from tickmesh_tickstore.pinned_reads import Pin
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class HandClock:
    """A clock that stands still until told."""

    now: int = 1_000

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def office(clock: HandClock) -> TicketOffice:
    return TicketOffice(bytes(KEY_BYTES), clock=clock, lifetime_seconds=10)


def issued(office: TicketOffice) -> bytes:
    return office.issue(
        ReadCommand(dataset="d"), b"range", principal="me", expires_at_ns=office.expiry_ns()
    )


def test_a_ticket_gives_back_what_it_was_made_for(office: TicketOffice) -> None:
    payload = office.open(issued(office), principal="me")
    assert (payload.range, payload.read.dataset) == (b"range", "d")


def asked(office: TicketOffice) -> bytes:
    """The ticket of a query."""
    return office.issue_query(
        LatestCommand(read=ReadCommand(dataset="range")),
        pins={"range": Pin("id", 0)},
        principal="me",
        expires_at_ns=office.expiry_ns(),
    )


def test_a_ticket_of_a_query_gives_back_the_query_and_its_pins(office: TicketOffice) -> None:
    payload = office.open(asked(office), principal="me")
    query = LatestCommand()
    assert payload.query.Unpack(query)
    assert query.read.dataset == "range"
    # Revision 0 is a snapshot too: that of a dataset without rows.
    assert dict(payload.revisions) == {"range": 0}
    assert dict(payload.dataset_ids) == {"range": "id"}


KINDS = pytest.mark.parametrize("issue", [issued, asked], ids=["read", "query"])


@KINDS
def test_a_ticket_expires(
    office: TicketOffice, clock: HandClock, issue: Callable[[TicketOffice], bytes]
) -> None:
    ticket = issue(office)
    clock.now += 10_000_000_000
    with pytest.raises(TicketExpiredError, match="get_flight_info"):
        office.open(ticket, principal="me")


@KINDS
def test_a_ticket_is_good_for_its_principal_alone(
    office: TicketOffice, issue: Callable[[TicketOffice], bytes]
) -> None:
    with pytest.raises(TicketInvalidError, match="another principal"):
        office.open(issue(office), principal="somebody")


@KINDS
def test_a_changed_ticket_is_refused(
    office: TicketOffice, issue: Callable[[TicketOffice], bytes]
) -> None:
    signed = unpack(issue(office), SignedTicket)
    signed.payload = signed.payload.replace(b"range", b"other")
    with pytest.raises(TicketInvalidError):
        office.open(pack(signed), principal="me")


@pytest.mark.parametrize("ticket", [b"", b"\xff\xff", b"ticks.trades"])
def test_what_is_no_ticket_is_refused(office: TicketOffice, ticket: bytes) -> None:
    with pytest.raises(TicketInvalidError):
        office.open(ticket, principal="me")


def test_a_ticket_of_another_key_is_refused(office: TicketOffice, clock: HandClock) -> None:
    other = TicketOffice(b"k" * KEY_BYTES, clock=clock, lifetime_seconds=10)
    with pytest.raises(TicketInvalidError):
        office.open(issued(other), principal="me")
