"""Retention, limits, snapshots and deletion against real processes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    TickmeshError,
)
from tickmesh.registry import RegistryClient
from tickmesh.ticks import Limits, Retention, TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"
SETTINGS = {
    "tickstore.maintenance.interval_seconds": "0.1",
    "tickstore.reading.ticket_lifetime_seconds": "0.5",
}


@pytest.fixture
def brisk(tmp_path: Path) -> Iterator[Mesh]:
    """A mesh whose store applies retention ten times a second; its tickets live half of one."""
    services = ("registry", "tickstore")
    with Mesh(tmp_path, services=services, free_ports=True, settings=SETTINGS) as running:
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        yield running


@pytest.fixture
def brisk_ticks(brisk: Mesh) -> Iterator[TickClient]:
    addresses = brisk.addresses["tickstore"]
    with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
        yield client


def eventually(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


def read(ticks: TickClient, **options: Any) -> pa.Table:
    """Reads again where the machine was too busy to redeem a ticket within half a second."""
    while True:
        try:
            return ticks.read(SUBJECT, **options)
        except TickmeshError as error:
            if error.reason != "TICKET_EXPIRED":
                raise


def reason_of(error: flight.FlightError) -> error_details_pb2.ErrorInfo:
    status = status_pb2.Status.FromString(error.extra_info)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info


def is_acknowledged(acknowledgements: Any) -> bool:  # the stubs give do_put another reader
    return acknowledgements.read() is not None


def test_t7_the_store_applies_retention_by_itself_and_keeps_what_a_snapshot_shows(
    brisk: Mesh, brisk_ticks: TickClient
) -> None:
    ticks = brisk_ticks
    ticks.put(SUBJECT, trades(100))
    revision = ticks.dataset(SUBJECT).revision
    with ticks.tail(SUBJECT) as tail:
        position = next(iter(tail)).position
    ticks.create_snapshot("before", datasets=[SUBJECT])
    ticks.put(SUBJECT, trades(10))
    ticks.update_dataset(SUBJECT, retention=Retention(max_age="1h"))
    eventually(lambda: ticks.dataset(SUBJECT).row_count == 0)
    shown = ticks.dataset(SUBJECT)
    assert shown.retained_from_revision > revision
    assert read(ticks).num_rows == 0
    assert decoded(read(ticks, snapshot="before")).equals(decoded(trades(100)))
    with pytest.raises(OutOfRangeError) as expired, ticks.tail(SUBJECT, after=position) as tail:
        next(iter(tail))
    assert expired.value.reason == "POSITION_EXPIRED"
    ticks.delete_snapshot("before")

    def gone() -> bool:
        try:
            read(ticks, as_of=revision)
        except OutOfRangeError as error:
            return error.reason == "REVISION_OUT_OF_RANGE"
        return False

    eventually(gone)
    eventually(lambda: not list(brisk.home.glob("tickstore/datasets/*/segments/*")))
    with ticks.tail(SUBJECT, after=expired.value.metadata["positionToken"]) as tail:
        ticks.put(SUBJECT, trades(5, start_ns=time.time_ns()))
        assert next(iter(tail)).batch.num_rows == 5


def test_t11_a_stream_more_than_a_dataset_takes_is_refused_worth_a_retry(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.create_dataset(subject, limits=Limits(max_put_streams=1))
    path = flight.FlightDescriptor.for_path(subject)
    table = trades(3)
    first, acknowledgements = plain.do_put(path, table.schema)
    first.write_table(table)
    assert is_acknowledged(acknowledgements)
    second, _ = plain.do_put(path, table.schema)
    with pytest.raises(flight.FlightUnavailableError) as refused:
        second.close()
    info = reason_of(refused.value)
    assert info.reason == "LIMIT_EXCEEDED"
    assert info.metadata["what"] == "put_streams"
    first.close()
    # A writer of ours waits for its place.
    holder, held = plain.do_put(path, table.schema)
    holder.write_table(table)
    assert is_acknowledged(held)
    threading.Timer(0.5, holder.close).start()
    with ticks.writer(subject) as writer:
        writer.put(table)
    assert writer.receipt.rows == 3
    assert ticks.read(subject).num_rows == 9


def test_t11_a_dataset_over_its_bytes_takes_no_more_and_keeps_what_it_has(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(1_000))
    ticks.update_dataset(subject, limits=Limits(max_bytes=1))
    path = flight.FlightDescriptor.for_path(subject)
    writer, _ = plain.do_put(path, trades(1).schema)
    with pytest.raises(flight.FlightUnavailableError) as refused:
        writer.close()
    assert reason_of(refused.value).metadata["what"] == "dataset_bytes"
    assert ticks.read(subject).num_rows == 1_000
    ticks.update_dataset(subject, limits=Limits())
    assert ticks.put(subject, trades(1)).rows == 1


def test_settings_survive_a_restart(brisk: Mesh, brisk_ticks: TickClient) -> None:
    ticks = brisk_ticks
    made = ticks.create_dataset(
        SUBJECT,
        naive_time_zone="America/New_York",
        retention=Retention(max_age="10d", max_bytes=10**12),
        limits=Limits(max_bytes=10**12, max_put_streams=5),
    )
    snapshot = ticks.create_snapshot("kept")
    brisk.stop()
    with Mesh(
        brisk.home, services=("registry", "tickstore"), free_ports=True, settings=SETTINGS
    ) as again:
        addresses = again.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
            assert client.dataset(SUBJECT) == made
            assert client.snapshots() == [snapshot]


def test_a_deleted_dataset_ends_its_tails_and_begins_anew(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(10))
    name = f"held-{subject}"
    ticks.create_snapshot(name, datasets=[subject])
    with pytest.raises(FailedPreconditionError) as held:
        ticks.delete_dataset(subject)
    assert held.value.reason == "DATASET_HELD"
    ticks.delete_snapshot(name)
    with ticks.tail(subject) as tail:
        pieces = iter(tail)
        position = next(pieces).position
        assert ticks.delete_dataset(subject) == 10
        with pytest.raises(NotFoundError) as ended:
            next(pieces)
        assert ended.value.reason == "DATASET_NOT_FOUND"
    with pytest.raises(NotFoundError):
        ticks.read(subject)
    ticks.put(subject, trades(2))
    assert ticks.read(subject).num_rows == 2
    with (
        pytest.raises(InvalidArgumentError) as foreign,
        ticks.tail(subject, after=position) as tail,
    ):
        next(iter(tail))
    assert foreign.value.reason == "TOKEN_INVALID"


def test_actions_of_plain_flight_administer_too(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(10))
    request = wire.CompactDatasetRequest(dataset=subject)
    (answer,) = plain.do_action(flight.Action("CompactDataset", request.SerializeToString()))
    compacted = wire.CompactDatasetResponse.FromString(answer.body.to_pybytes()).dataset
    assert {tier.name: tier.row_count for tier in compacted.tiers} == {
        "log": 0,
        "recent": 0,
        "settled": 10,
    }
