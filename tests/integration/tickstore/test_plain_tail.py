"""T8 for clients that have only `do_get`: no gap, no duplicate, a place to resume in a column."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh
from tickmesh_tickstore.commands import pack

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


def tail(
    client: flight.FlightClient, subject: str, **more: Any
) -> Generator[pa.RecordBatch, None, None]:
    """The batches of a plain tail, empty ones too."""
    command = commands_pb2.ReadCommand(dataset=subject, follow=True, **more)
    info = client.get_flight_info(flight.FlightDescriptor.for_command(pack(command)))
    (endpoint,) = info.endpoints
    reader = client.do_get(endpoint.ticket)
    assert reader.schema.equals(info.schema)
    try:
        for chunk in reader:
            if chunk.data is not None:
                yield chunk.data
    finally:
        reader.cancel()


def take(batches: Iterator[pa.RecordBatch], rows: int) -> pa.Table:
    seen: list[pa.RecordBatch] = []
    while sum(batch.num_rows for batch in seen) < rows:
        seen.append(next(batches))
    return pa.Table.from_batches([batch for batch in seen if batch.num_rows])


def test_history_then_live_without_gap_or_repeat(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(100))
    sent = [trades(7, start_ns=1_000_000 * number) for number in range(1, 21)]

    def write() -> None:
        with ticks.writer(subject) as writer:
            for table in sent:
                writer.put(table)

    batches = tail(plain, subject)
    first = take(batches, 100)
    thread = threading.Thread(target=write)
    thread.start()
    rest = take(batches, 7 * 20)
    thread.join()
    rows = pa.concat_tables([first, rest]).drop_columns(["_position"])
    assert rows.schema.field("symbol").type == pa.string()
    assert decoded(rows).equals(decoded(pa.concat_tables([trades(100), *sent])))


def test_it_resumes_behind_any_position_it_gave_out(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    for number in range(4):
        ticks.put(subject, trades(10, start_ns=number * 100_000))
    seen = take(tail(plain, subject), 40)
    expected = decoded(ticks.read(subject))
    positions: list[str | None] = seen.column("_position").to_pylist()
    places = [place for place, token in enumerate(positions) if token is not None]
    assert places[-1] == 39
    for place in places[:-1]:
        more = take(tail(plain, subject, resume_token=positions[place]), 39 - place)
        assert decoded(more.drop_columns(["_position"])).equals(expected.slice(place + 1))


def test_symbols_and_columns_are_chosen(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    ticks.put(subject, trades(9))
    seen = take(tail(plain, subject, symbols=["IBM"], columns=["size"]), 3)
    assert seen.column_names == ["size", "_position"]
    assert seen.column("size").to_pylist() == [1, 4, 7]


def test_an_idle_tail_beats_and_a_reader_that_leaves_gives_its_place_back(
    tmp_path: Path,
) -> None:
    few = {"tickstore.serving.max_flight_streams": "3"}
    with Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True, settings=few) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register("ticks.trades", trades_schema())
        addresses = mesh.addresses["tickstore"]
        with (
            TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks,
            flight.connect(f"grpc://{addresses['flight']}") as plain,
        ):
            ticks.put("ticks.trades", trades(3))
            for _ in range(8):
                batches = opened(plain, "ticks.trades")
                assert next(batches).num_rows == 0
                batches.close()


def opened(client: flight.FlightClient, subject: str) -> Generator[pa.RecordBatch, None, None]:
    """A tail that gave its history, once there is a place for it."""
    deadline = time.monotonic() + 60
    while True:
        batches = tail(client, subject)
        try:
            take(batches, 3)
        except flight.FlightUnavailableError:
            # The store hears that a reader has left with the next beat it sends to it.
            assert time.monotonic() < deadline
        else:
            return batches


def test_a_stop_tells_where_to_resume(tmp_path: Path) -> None:
    with Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register("ticks.trades", trades_schema())
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            ticks.put("ticks.trades", trades(3))
        client = flight.connect(f"grpc://{addresses['flight']}")
        batches = tail(client, "ticks.trades")
        last = str(take(batches, 3).column("_position").to_pylist()[-1])
        stopping = threading.Thread(target=mesh.stop)
        stopping.start()
        with pytest.raises(flight.FlightError) as told:
            for _ in batches:
                pass
        stopping.join()
        status = status_pb2.Status.FromString(told.value.extra_info)
        info = error_details_pb2.ErrorInfo()
        assert any(detail.Unpack(info) for detail in status.details)
        assert info.reason == "DRAINING"
        # Behind the last row, said in another way.
        assert info.metadata["positionToken"].partition(":")[0] == last.partition(":")[0]
        assert "Traceback" not in str(told.value)
