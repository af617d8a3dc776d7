"""Crashes, restarts and stops of real processes: nothing acknowledged is lost, nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import acknowledgement_of
from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import UnavailableError
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh
from tickmesh_serving.supervision import KILL_AFTER_SECONDS
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"


@pytest.fixture
def own_mesh(tmp_path: Path) -> Iterator[Mesh]:
    """A mesh that a test may hurt, with one subject registered."""
    with Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True) as running:
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        yield running


@pytest.fixture
def own_ticks(own_mesh: Mesh) -> Iterator[TickClient]:
    addresses = own_mesh.addresses["tickstore"]
    with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
        yield client


def kill(mesh: Mesh, service: str) -> None:
    pid = mesh.pid(service)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: mesh.pid(service) not in {pid, None})


def eventually(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


def read_again(ticks: TickClient) -> pa.Table:
    """Reads as soon as the store is back."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return ticks.read(SUBJECT)
        except UnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def read_to_the_end(
    writer: flight.FlightStreamWriter, reader: flight.FlightStreamReader, *, answers: bool
) -> None:
    while True:
        reader.read_chunk()
        if answers:
            writer.write_metadata(pa.py_buffer(commands_pb2.TailControl().SerializeToString()))


def test_t2_what_was_acknowledged_survives_kill_9(own_mesh: Mesh, own_ticks: TickClient) -> None:
    client = flight.connect(f"grpc://{own_mesh.addresses['tickstore']['flight']}")
    writer, reader = client.do_put(flight.FlightDescriptor.for_path(SUBJECT), trades(1).schema)
    acknowledged = 0
    for number in range(50):
        writer.write_table(trades(20, start_ns=number * 1_000_000))
        acknowledged = acknowledgement_of(reader, number + 1).rows
    kill(own_mesh, "tickstore")
    rows = decoded(read_again(own_ticks))
    sent = decoded(
        pa.concat_tables([trades(20, start_ns=number * 1_000_000) for number in range(50)])
    )
    assert rows.num_rows >= acknowledged == 1_000
    assert rows.slice(0, acknowledged).equals(sent)


def test_t4_a_writer_lives_through_kills_of_the_store_exactly_once(
    own_mesh: Mesh, own_ticks: TickClient
) -> None:
    parts = [trades(50, start_ns=number * 1_000_000) for number in range(300)]
    with own_ticks.writer(SUBJECT) as writer:
        for number, part in enumerate(parts):
            writer.put(part)
            if number in {80, 200}:
                kill(own_mesh, "tickstore")
    assert writer.receipt.rows == 300 * 50
    assert decoded(read_again(own_ticks)).equals(decoded(pa.concat_tables(parts)))


def test_t3_a_client_that_dies_in_an_upload_leaves_nothing(
    own_mesh: Mesh, own_ticks: TickClient
) -> None:
    own_ticks.put(SUBJECT, trades(1))
    script = """
import os, signal, sys
from pyarrow import flight
from tests.support.governed_ticks import trades
client = flight.connect("grpc://" + sys.argv[1])
descriptor = flight.FlightDescriptor.for_command(bytes.fromhex(sys.argv[2]))
writer, _ = client.do_put(descriptor, trades(1).schema)
writer.write_table(trades(1_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = pack(commands_pb2.PutCommand(dataset=SUBJECT, atomic=True)).hex()
    died = subprocess.run(
        [sys.executable, "-c", script, own_mesh.addresses["tickstore"]["flight"], command],
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert died.returncode == -signal.SIGKILL
    own_ticks.put(SUBJECT, trades(2))
    assert own_ticks.read(SUBJECT).num_rows == 3


def test_a_tail_goes_on_after_the_store_was_killed(own_mesh: Mesh, own_ticks: TickClient) -> None:
    own_ticks.put(SUBJECT, trades(10))
    with own_ticks.tail(SUBJECT) as tail:
        first = next(tail)
        kill(own_mesh, "tickstore")
        read_again(own_ticks)
        own_ticks.put(SUBJECT, trades(5, start_ns=10**9))
        second = next(tail)
    assert first.batch.num_rows == 10
    assert decoded(pa.Table.from_batches([second.batch])).equals(decoded(trades(5, start_ns=10**9)))


def test_known_versions_go_on_while_the_registry_is_away(tmp_path: Path) -> None:
    with Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            ticks.put(SUBJECT, trades(5))
    alone = {"tickstore.registry": "127.0.0.1:1"}
    with Mesh(tmp_path, services=("tickstore",), free_ports=True, settings=alone) as mesh:
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            ticks.put(SUBJECT, trades(5))
            assert ticks.read(SUBJECT).num_rows == 10
            assert ticks.statistics().registry_stale_since_ns > 0
            with pytest.raises(UnavailableError) as refused:
                ticks.put("ticks.never_seen", trades(5))
            assert refused.value.reason == "REGISTRY_UNAVAILABLE"


def test_a_stop_tells_tails_where_to_resume_and_ends_in_spite_of_idle_puts(
    own_mesh: Mesh, own_ticks: TickClient
) -> None:
    own_ticks.put(SUBJECT, trades(10))
    client = flight.connect(f"grpc://{own_mesh.addresses['tickstore']['flight']}")
    idle, _ = client.do_put(flight.FlightDescriptor.for_path(SUBJECT), trades(1).schema)
    command = commands_pb2.ReadCommand(dataset=SUBJECT, follow=True)
    tails = [
        client.do_exchange(flight.FlightDescriptor.for_command(pack(command))) for _ in range(8)
    ]
    for number, (writer, reader) in enumerate(tails):
        assert reader.read_chunk().data is not None
        if number % 2:
            writer.done_writing()
    stopping = threading.Thread(target=own_mesh.stop)
    started = time.monotonic()
    stopping.start()
    for number, (writer, reader) in enumerate(tails):
        with pytest.raises(flight.FlightUnavailableError) as told:
            read_to_the_end(writer, reader, answers=number % 2 == 0)
        info = error_details_pb2.ErrorInfo()
        status = status_pb2.Status.FromString(told.value.extra_info)
        assert any(detail.Unpack(info) for detail in status.details)
        assert info.reason == "DRAINING"
        assert info.metadata["positionToken"]
    stopping.join()
    assert time.monotonic() - started < 25
    log = (own_mesh.home / "logs" / "tickstore.log").read_text()
    assert "server.stopped" in log
    assert "terminate called" not in log
    del idle


def test_t11_a_stop_does_not_wait_for_puts_that_have_nothing_under_way(tmp_path: Path) -> None:
    """Only their clients could end them; all they sent is stored and acknowledged."""
    settings = {"tickstore.serving.drain_seconds": "60"}
    services = ("registry", "tickstore")
    with Mesh(tmp_path, services=services, free_ports=True, settings=settings) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        addresses = mesh.addresses["tickstore"]
        client = flight.connect(f"grpc://{addresses['flight']}")
        table = trades(10)
        puts = [
            client.do_put(flight.FlightDescriptor.for_path(SUBJECT), table.schema) for _ in range(3)
        ]
        for writer, _ in puts[1:]:
            writer.write_table(table)
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            eventually(lambda: ticks.datasets() != [] and ticks.read(SUBJECT).num_rows == 20)
        started = time.monotonic()
        mesh.stop()
        # Far from drain_seconds; a store that waited for that would have been killed by now.
        assert time.monotonic() - started < KILL_AFTER_SECONDS
        log = (tmp_path / "logs" / "tickstore.log").read_text()
        assert "server.stopped" in log
        assert "terminate called" not in log
        del puts


def test_t8_a_slow_consumer_is_told_and_goes_on_without_a_gap(tmp_path: Path) -> None:
    small = {"tickstore.reading.max_lag_rows": "100"}
    services = ("registry", "tickstore")
    with Mesh(tmp_path, services=services, free_ports=True, settings=small) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            ticks.put(SUBJECT, trades(10))
            client = flight.connect(f"grpc://{addresses['flight']}")
            command = commands_pb2.ReadCommand(dataset=SUBJECT, follow=True)
            descriptor = flight.FlightDescriptor.for_command(pack(command))
            writer, reader = client.do_exchange(descriptor)
            one = commands_pb2.TailControl(credits=1).SerializeToString()
            writer.write_metadata(pa.py_buffer(one))
            put, seen = [trades(10)], []

            def read_and_put_more() -> None:
                # What is sent before the one credit is heard costs none: each batch that comes is
                # followed by more rows than a reader may be behind.
                while True:
                    data = reader.read_chunk().data
                    if data is not None and data.num_rows:
                        seen.append(data)
                        put.append(trades(500, start_ns=len(put) * 10**9))
                        ticks.put(SUBJECT, put[-1])
                    writer.write_metadata(
                        pa.py_buffer(commands_pb2.TailControl().SerializeToString())
                    )

            with pytest.raises(flight.FlightUnavailableError) as told:
                read_and_put_more()
            info = error_details_pb2.ErrorInfo()
            status = status_pb2.Status.FromString(told.value.extra_info)
            assert any(detail.Unpack(info) for detail in status.details)
            assert info.reason == "SLOW_CONSUMER"
            with ticks.tail(SUBJECT, after=info.metadata["positionToken"]) as tail:
                rest = next(tail).batch
    assert decoded(pa.Table.from_batches([*seen, rest])).equals(decoded(pa.concat_tables(put)))
