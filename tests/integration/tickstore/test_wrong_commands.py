"""What is wrong with a command is said in words of the contract, and the store goes on."""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest
from google.protobuf import any_pb2
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import get, put, status_of
from tests.support.governed_ticks import trades
from tickmesh.api.tickstore.v1 import commands_pb2, expression_pb2, queries_pb2
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from google.protobuf.message import Message

pytestmark = pytest.mark.integration

_INSIDE = re.compile(
    r"Traceback|File \"|/site-packages/|/tickstore/|\bSELECT .* FROM segments", re.DOTALL
)
_SEED = 20_261
_MUTATIONS = 150


def read(subject: str, **values: object) -> commands_pb2.ReadCommand:
    return commands_pb2.ReadCommand(dataset=subject, **values)  # type: ignore[arg-type]  # by name


def deep(levels: int) -> expression_pb2.Expression:
    inner = expression_pb2.Expression(is_null=expression_pb2.NullTest(column="price"))
    for _ in range(levels):
        inner = expression_pb2.Expression(negation=inner)
    return inner


def wrong_commands(subject: str) -> list[tuple[str, Message]]:
    bars, latest = queries_pb2.BarsCommand, queries_pb2.LatestCommand
    join, sql = queries_pb2.AsOfJoinCommand, queries_pb2.SqlCommand
    whole = read(subject)
    quoted = f'select * from "{subject}"'
    return [
        ("DATASET_NOT_FOUND", latest(read=read("no.such.dataset"))),
        ("INVALID_ARGUMENT", latest()),
        ("INVALID_ARGUMENT", latest(read=whole, rows_per_symbol=-1)),
        ("INVALID_ARGUMENT", latest(read=read(subject, follow=True))),
        ("INVALID_ARGUMENT", latest(read=read(subject, columns=["nothing"]))),
        ("REVISION_OUT_OF_RANGE", latest(read=read(subject, as_of_revision=1 << 40))),
        ("SNAPSHOT_NOT_FOUND", latest(read=read(subject, snapshot="none"))),
        ("VERSION_NOT_FOUND", latest(read=read(subject, reader_version=99))),
        ("INVALID_ARGUMENT", read(subject, filter=deep(40))),
        ("INVALID_ARGUMENT", read(subject, filter=expression_pb2.Expression())),
        ("INVALID_ARGUMENT", join(left=whole)),
        ("INVALID_ARGUMENT", join(left=whole, right=whole, tolerance_ns=-1)),
        ("INVALID_ARGUMENT", join(left=whole, right=whole, direction=77)),  # type: ignore[arg-type]  # unknown on purpose
        ("INVALID_ARGUMENT", bars(read=whole)),
        ("INVALID_ARGUMENT", bars(read=whole, time_ns=0)),
        ("INVALID_ARGUMENT", bars(read=whole, ticks=-5)),
        ("INVALID_ARGUMENT", bars(read=whole, volume=float("nan"))),
        ("INVALID_ARGUMENT", bars(read=whole, time_ns=1, price_column="nothing")),
        (
            "INVALID_ARGUMENT",
            bars(read=whole, ticks=5, session=queries_pb2.TradingSession(time_zone="Mars/Base")),
        ),
        ("QUERY_INVALID", sql(query="")),
        ("QUERY_INVALID", sql(query=f"{quoted}; {quoted}")),
        ("QUERY_INVALID", sql(query='select * from "no.such.dataset"')),
        ("QUERY_INVALID", sql(query=f"copy ({quoted}) to 'stolen.parquet'")),
    ]


def test_every_wrong_command_is_refused_by_its_reason(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(10))
    for reason, command in wrong_commands(subject):
        with pytest.raises(flight.FlightError) as refused:
            plain.get_flight_info(flight.FlightDescriptor.for_command(pack(command)))
        status, info = status_of(refused.value)
        assert info.reason == reason, (command, status.message)
        assert not _INSIDE.search(str(refused.value)), command
    assert get(plain, flight.FlightDescriptor.for_path(subject)).num_rows == 10


def test_commands_with_bytes_changed_are_answered_or_refused_and_nothing_else(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(10))
    chance = random.Random(_SEED)
    whole = read(subject, symbols=["AAPL"], start_ns=1, filter=deep(2))
    commands = [
        pack(command)
        for command in (
            whole,
            queries_pb2.LatestCommand(read=whole),
            queries_pb2.AsOfJoinCommand(left=whole, right=whole, tolerance_ns=5),
            queries_pb2.BarsCommand(read=whole, time_ns=1_000),
            commands_pb2.PutCommand(dataset=subject, producer_id="p", producer_epoch=1),
        )
    ]
    refusals: list[tuple[bytes, flight.FlightError]] = []
    for _ in range(_MUTATIONS):
        mutated = bytearray(chance.choice(commands))
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        cut = bytes(mutated[: chance.choice((len(mutated), chance.randrange(len(mutated))))])
        try:
            plain.get_flight_info(flight.FlightDescriptor.for_command(cut))
        except flight.FlightError as error:
            refusals.append((cut, error))
    assert len(refusals) > _MUTATIONS // 2
    for cut, refused in refusals:
        assert status_of(refused)[1].reason not in {"", "INTERNAL"}, cut
        assert not _INSIDE.search(str(refused)), cut
    assert get(plain, flight.FlightDescriptor.for_path(subject)).num_rows == 10


@pytest.mark.parametrize("place", ["payload", "signature", "key_id"])
def test_a_ticket_of_a_query_is_good_as_it_was_signed_only(
    plain: flight.FlightClient, subject: str, place: str
) -> None:
    put(plain, subject, trades(10))
    query = pack(queries_pb2.LatestCommand(read=read(subject)))
    (endpoint,) = plain.get_flight_info(flight.FlightDescriptor.for_command(query)).endpoints
    assert plain.do_get(endpoint.ticket).read_all().num_rows
    signed = commands_pb2.SignedTicket()
    assert any_pb2.Any.FromString(endpoint.ticket.ticket).Unpack(signed)
    if place == "key_id":
        signed.key_id += "x"
    elif place == "signature":
        signed.signature = bytes([signed.signature[0] ^ 1]) + signed.signature[1:]
    else:
        signed.payload += b"\x00"
    forged = flight.Ticket(pack(signed))
    with pytest.raises(flight.FlightError) as refused:
        plain.do_get(forged).read_all()
    _, info = status_of(refused.value)
    assert info.reason == "TICKET_INVALID"


def test_unsorted_late_and_future_ticks_are_stored_as_they_are(
    plain: flight.FlightClient, subject: str
) -> None:
    ahead = time.time_ns() + 10**18
    put(plain, subject, trades(3, start_ns=ahead), trades(3, start_ns=1), trades(3, start_ns=ahead))
    by_time = pack(read(subject, order=commands_pb2.READ_ORDER_TIME))
    rows = get(plain, flight.FlightDescriptor.for_command(by_time))
    assert pc.sort_indices(rows.column("ts")).to_pylist() == list(range(9))
