"""Clients of one process beside each other: whose connection they use, and who holds up whom."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import flight

from tests.support.governed_ticks import trades
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_serving.mesh import Mesh

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0
UNREAD = 8
MESSAGES = 50
SHARED = [("grpc.use_local_subchannel_pool", 0)]
"""gRPC's own default, which Arrow's clients do not keep."""
_ESTABLISHED = "01"


def connections_to(address: str) -> set[str]:
    """Connections of this process that are open to an address of this machine, by their inodes.

    Which they are, not how many: clients of earlier tests may still be closing theirs.
    """
    port = f"{int(address.rpartition(':')[2]):04X}"
    found: set[str] = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            columns = line.split()
            if columns[3] == _ESTABLISHED and columns[2].endswith(f":{port}"):
                found.add(columns[9])
    return found & own_sockets()


def own_sockets() -> set[str]:
    """The inodes of this process's sockets: the tables are of the whole machine."""
    found: set[str] = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            name = str(descriptor.readlink())
            found.add(name.removeprefix("socket:[").removesuffix("]"))
    return found


@pytest.fixture
def large(ticks: TickClient, subject: str) -> str:
    """A dataset of far more bytes than any window holds."""
    for number in range(10):
        ticks.put(subject, trades(100_000, start_ns=number * 1_000_000_000))
    return subject


def finished(run: Callable[[], None]) -> bool:
    """Whether something comes to its end in time."""
    done = threading.Event()

    def running() -> None:
        run()
        done.set()

    threading.Thread(target=running, daemon=True).start()
    return done.wait(PATIENCE_SECONDS)


def test_gets_that_nobody_reads_hold_up_no_puts_of_another_client(
    mesh: Mesh, flight_address: str, large: str
) -> None:
    address = mesh.addresses["tickstore"]["grpc"]
    with ExitStack() as stack:
        reader, writer = (
            stack.enter_context(TickClient(address, flight_address=flight_address))
            for _ in range(2)
        )
        unread = [reader.stream(large) for _ in range(UNREAD)]
        begun = [each.read_next_batch().num_rows for each in unread]

        def put() -> None:
            with writer.writer(large) as session:
                for number in range(MESSAGES):
                    session.put(trades(10, start_ns=(100 + number) * 1_000_000_000))
                    session.flush()

        assert finished(put)
        assert writer.dataset(large).row_count == 1_000_000 + 10 * MESSAGES
        # They were not read, and were not cut short either.
        assert begun[0] + sum(batch.num_rows for batch in unread[0]) == 1_000_000
        unread.clear()


def test_each_of_our_clients_has_a_connection_of_its_own(
    mesh: Mesh, flight_address: str, subject: str
) -> None:
    address = mesh.addresses["tickstore"]["grpc"]
    before = connections_to(flight_address)
    with ExitStack() as stack:
        for number in range(3):
            client = stack.enter_context(TickClient(address, flight_address=flight_address))
            client.put(subject, trades(1, start_ns=number * 1_000_000))
        assert len(connections_to(flight_address) - before) == 3
        assert client.read(subject).num_rows == 3


def test_gets_that_nobody_reads_hold_up_no_puts_on_their_own_connection(
    plain: flight.FlightClient, large: str
) -> None:
    info = plain.get_flight_info(flight.FlightDescriptor.for_path(large))
    unread = [plain.do_get(endpoint.ticket) for endpoint in info.endpoints * UNREAD]

    def put() -> None:
        descriptor = flight.FlightDescriptor.for_path(large)
        writer, reader = plain.do_put(descriptor, trades(1).schema)
        acknowledgements: Any = reader  # the stubs take it for a reader of batches
        for number in range(MESSAGES):
            writer.write_table(trades(10, start_ns=(100 + number) * 1_000_000_000))
            acknowledgements.read()
        writer.close()

    assert finished(put)
    for each in unread:
        each.cancel()


@pytest.mark.parametrize(
    ("options", "connections"),
    [(None, 3), ([("grpc.use_local_subchannel_pool", 1)], 3), (SHARED, 1)],
)
def test_plain_clients_have_connections_of_their_own_unless_they_say_otherwise(
    flight_address: str, subject: str, options: list[Any] | None, connections: int
) -> None:
    before = connections_to(flight_address)
    with ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(
                flight.FlightClient(f"grpc://{flight_address}", generic_options=options)
            )
            client.get_schema(flight.FlightDescriptor.for_path(subject))
        assert len(connections_to(flight_address) - before) == connections
