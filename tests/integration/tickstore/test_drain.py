"""T2, T8, T11 at SIGTERM: it ends within its deadline, whatever its clients do or leave undone."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"
SERVICE = "tickmesh.api.tickstore.v1.TickStoreService"
DRAIN_SECONDS = 4
IDLE_PUTS = 300
CLIENTS = 10


class HealthWatch:
    """Notes when the store stops saying that it serves."""

    def __init__(self, address: str) -> None:
        self.not_serving_at: float | None = None
        self._channel = grpc.insecure_channel(address)
        self._serving = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        assert self._serving.wait(30)

    def _watch(self) -> None:
        watch: grpc.UnaryStreamMultiCallable[
            health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        ] = self._channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            for answer in watch(health_pb2.HealthCheckRequest(service=SERVICE)):
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    self._serving.set()
                elif self._serving.is_set() and self.not_serving_at is None:
                    self.not_serving_at = time.monotonic()
        except grpc.RpcError:
            return

    def join(self) -> None:
        """Wait for the stream's end."""
        self._thread.join(30)
        self._channel.close()


class WorkingPut:
    """Writes one message after another until it is told to stop, counting what is acknowledged."""

    def __init__(self, client: flight.FlightClient) -> None:
        self.rows = 0
        self.told: flight.FlightError | None = None
        self.told_at = 0.0
        self.sent: list[pa.Table] = []
        descriptor = flight.FlightDescriptor.for_path(SUBJECT)
        self._writer, self._reader = client.do_put(descriptor, trades(1).schema)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        try:
            for number in range(1, 1_000_000):
                self.sent.append(trades(5, start_ns=number * 1_000_000))
                self._writer.write_table(self.sent[-1])
                read = self._reader.read()  # type: ignore[attr-defined]  # the stubs take it for a reader of batches
                acknowledged = commands_pb2.PutAcknowledgement.FromString(read.to_pybytes())
                if acknowledged.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE:
                    self.rows = acknowledged.rows
        except (flight.FlightError, pa.ArrowException, AttributeError):
            self.told_at = time.monotonic()
        try:
            self._writer.close()
        except flight.FlightError as error:
            self.told = error

    def join(self) -> None:
        """Wait until it was told."""
        self._thread.join(30)


def reason_of(error: flight.FlightError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(error.extra_info)
    assert any(detail.Unpack(info) for detail in status.details)
    return info


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    settings = {
        "tickstore.serving.drain_seconds": str(DRAIN_SECONDS),
        "tickstore.serving.max_flight_streams": str(2 * IDLE_PUTS),
    }
    return Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True, settings=settings)


def test_t11_three_hundred_idle_puts_do_not_hold_up_a_stop(mesh: Mesh) -> None:
    """Health says so, what works is told, and all that was acknowledged is there again."""
    with ExitStack() as stack:
        stack.enter_context(mesh)
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, trades_schema())
        addresses = mesh.addresses["tickstore"]
        clients = [
            stack.enter_context(flight.connect(f"grpc://{addresses['flight']}"))
            for _ in range(CLIENTS)
        ]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            ticks.put(SUBJECT, trades(100_000))
        working = WorkingPut(clients[0])
        info = clients[1].get_flight_info(flight.FlightDescriptor.for_path(SUBJECT))
        never_read = [clients[1].do_get(info.endpoints[0].ticket) for _ in range(8)]
        descriptor = flight.FlightDescriptor.for_path(SUBJECT)
        idle = [
            clients[number % CLIENTS].do_put(descriptor, trades(1).schema)
            for number in range(IDLE_PUTS)
        ]

        health = HealthWatch(addresses["grpc"])
        before = working.rows
        started = time.monotonic()
        mesh.stop()
        ended = time.monotonic()
        health.join()
        working.join()
        assert ended - started < DRAIN_SECONDS + 5
        assert health.not_serving_at is not None
        # Which of two threads of this process notes first says nothing; the order of telling is
        # held by test_health_says_that_a_server_drains_before_anything_else_is_told.
        assert started <= health.not_serving_at <= ended
        assert started <= working.told_at <= ended
        assert working.rows >= before
        assert working.told is not None
        told = reason_of(working.told)
        assert told.reason == "DRAINING"
        assert int(told.metadata["rowsStored"]) >= working.rows
        del idle, never_read
    log = (mesh.home / "logs" / "tickstore.log").read_text()
    assert "server.stopped" in log
    assert "terminate called" not in log
    with Mesh(mesh.home, services=("tickstore",), free_ports=True) as again:
        addresses = again.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            stored = decoded(ticks.read(SUBJECT))
    assert stored.num_rows == 100_000 + int(told.metadata["rowsStored"])
    sent = decoded(pa.concat_tables([trades(100_000), *working.sent]))
    assert stored.equals(sent.slice(0, stored.num_rows))
