"""T9 over the wire: a schema that changes while rows are put, read, and followed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import get, put, status_of
from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.support.ticks import integers
from tickmesh.api.tickstore.v1 import commands_pb2, tick_store_service_pb2
from tickmesh.errors import FailedPreconditionError
from tickmesh.registry import RegistryClient
from tickmesh_serving.clock import SystemClock
from tickmesh_serving.config import ServingConfig
from tickmesh_serving.flight import FlightEndpoint
from tickmesh_serving.identifiers import RandomIds
from tickmesh_serving.mesh import Mesh
from tickmesh_serving.metrics import new_registry
from tickmesh_serving.server import ServiceProcess
from tickmesh_serving.tickets import KEY_BYTES
from tickmesh_tickstore.app import permission_table
from tickmesh_tickstore.application import TickStore
from tickmesh_tickstore.commands import pack
from tickmesh_tickstore.counters import PutCounters
from tickmesh_tickstore.dataset_settings import SettingsDirectory
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.errors import error_table
from tickmesh_tickstore.flight_service import TickStoreFlight
from tickmesh_tickstore.governance import Governance
from tickmesh_tickstore.queries.sql import SqlLimits, SqlSandbox
from tickmesh_tickstore.tickets import TicketOffice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tickmesh.ticks import TickClient

pytestmark = pytest.mark.integration

VENUE = {"type": "string", "default": "XNAS"}
NARROW = {"type": "integer", "minimum": 0, "arrow": "int32"}


def schema_of(**changes: Any) -> str:
    """The schema of trades with other or further fields; None drops one."""
    schema = json.loads(trades_schema())
    for name, field in changes.items():
        if field is None:
            del schema["properties"][name]
        else:
            schema["properties"][name] = field
    schema["required"] = [name for name in schema["required"] if name in schema["properties"]]
    return json.dumps(schema)


def command(dataset: str, **fields: Any) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(
        pack(commands_pb2.ReadCommand(dataset=dataset, **fields))
    )


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


def current_schema(client: flight.FlightClient, dataset: str) -> pa.Schema:
    told: Any = client.get_schema(flight.FlightDescriptor.for_path(dataset))  # the stubs say Schema
    schema: pa.Schema = told.schema
    return schema


def is_current(client: flight.FlightClient, dataset: str, column: str) -> bool:
    return column in current_schema(client, dataset).names


@pytest.fixture
def evolving(registry: RegistryClient, plain: flight.FlightClient) -> str:
    """A dataset with rows of two versions: 2 widens `size`, adds `venue` and drops `note`."""
    name = f"ticks.evolving_{uuid.uuid4().hex[:8]}"
    registry.register(name, schema_of(size=NARROW))
    put(plain, name, trades(3))
    registry.register(name, schema_of(venue=VENUE, note=None))
    eventually(lambda: is_current(plain, name, "venue"))
    newer = trades(2, start_ns=1_000_000).drop_columns(["note"])
    put(plain, name, newer.append_column("venue", pa.array(["ARCX", "XNYS"])))
    return name


def test_t9_rows_of_both_versions_are_read_under_either(
    plain: flight.FlightClient, registry: RegistryClient, evolving: str
) -> None:
    for version in (0, 2):
        table = get(plain, command(evolving, reader_version=version))
        assert table.schema.equals(registry.get(evolving, version=2).arrow_schema)
        assert table.column("venue").to_pylist() == ["XNAS"] * 3 + ["ARCX", "XNYS"]
        assert integers(table, "size") == [0, 1, 2, 0, 1]
    older = get(plain, command(evolving, reader_version=1))
    assert older.schema.equals(registry.get(evolving, version=1).arrow_schema)
    assert older.column("note").to_pylist() == ["n0", None, "n2", None, None]
    stamped = get(plain, command(evolving, stamps=True))
    assert stamped.column("_schema_version").to_pylist() == [1, 1, 1, 2, 2]


def test_t9_a_tail_gives_both_versions_under_its_own(
    plain: flight.FlightClient, ticks: TickClient, registry: RegistryClient, evolving: str
) -> None:
    with ticks.tail(evolving) as tail:
        rows = [next(tail).batch]
        registry.register(evolving, schema_of(venue=VENUE, note=None, more={"type": "integer"}))
        eventually(lambda: is_current(plain, evolving, "more"))
        put(plain, evolving, trades(1, start_ns=2_000_000).drop_columns(["note"]))
        while sum(batch.num_rows for batch in rows) < 6:
            rows.append(next(tail).batch)
    venues = [venue for batch in rows for venue in batch.column("venue").to_pylist()]
    # The last one left it out under a version of its own: the tail's version says what is meant.
    assert venues == ["XNAS"] * 3 + ["ARCX", "XNYS", "XNAS"]
    assert all("more" not in batch.schema.names for batch in rows)


def test_t9_a_breaking_change_opens_a_generation_and_nothing_stops(
    plain: flight.FlightClient, ticks: TickClient, registry: RegistryClient, evolving: str
) -> None:
    broken = schema_of(venue=VENUE, note=None, price={"type": "boolean"})
    registry.register(evolving, broken, allow_breaking=True)
    eventually(lambda: current_schema(plain, evolving).field("price").type == pa.bool_())
    table = trades(4, start_ns=3_000_000).drop_columns(["note"])
    put(plain, evolving, table.set_column(2, "price", pa.array([True] * 4)))
    # The older version goes on, in its own generation.
    ticks.put(evolving, trades(1, start_ns=4_000_000).drop_columns(["note"]), version=2)
    request = tick_store_service_pb2.GetDatasetRequest(dataset=evolving)
    (answer,) = plain.do_action(flight.Action("GetDataset", request.SerializeToString()))
    found = tick_store_service_pb2.GetDatasetResponse.FromString(answer.body.to_pybytes())
    assert [
        (each.number, list(each.schema_versions), each.row_count)
        for each in found.dataset.generations
    ] == [(1, [1, 2], 6), (2, [3], 4)]
    with pytest.raises(flight.FlightError) as refused:
        plain.get_flight_info(command(evolving))
    status, info = status_of(refused.value)
    assert info.reason == "GENERATION_NOT_READABLE"
    assert (info.metadata["generations"], info.metadata["rows"]) == ("1", "6")
    assert info.metadata["readableColumns"] == "ts,symbol,size,venue"
    assert "generation 1, and so on" in status.message
    # The two ways out.
    columns = info.metadata["readableColumns"].split(",")
    assert get(plain, command(evolving, columns=columns)).num_rows == 10
    with pytest.raises(flight.FlightError):
        get(plain, command(evolving, reader_version=2))
    first = get(plain, command(evolving, generation=1))
    assert first.schema.equals(registry.get(evolving, version=2).arrow_schema)
    assert first.num_rows == 6
    assert get(plain, command(evolving, generation=2)).column("price").to_pylist() == [True] * 4
    with pytest.raises(flight.FlightError) as refused:
        get(plain, command(evolving, generation=9))
    assert "it has 1, 2" in status_of(refused.value)[0].message
    with pytest.raises(FailedPreconditionError) as ended, ticks.tail(evolving, version=2) as tail:
        for _ in tail:
            pass
    assert ended.value.reason == "GENERATION_NOT_READABLE"
    after = ended.value.metadata["positionToken"]
    with ticks.tail(evolving, version=3, after=after) as tail:
        assert next(tail).batch.column("price").to_pylist() == [True] * 4
    newest = get(plain, command(evolving, start_ns=3_000_000, end_ns=4_000_000))
    assert newest.column("price").to_pylist() == [True] * 4


def test_t9_a_tail_that_runs_into_a_breaking_change_ends_in_front_of_it_with_its_place(
    plain: flight.FlightClient, ticks: TickClient, registry: RegistryClient, evolving: str
) -> None:
    """It never goes on without the rows it cannot give, and what follows is found behind it."""
    with ticks.tail(evolving) as tail, ticks.tail(evolving, generation=1) as first:
        plain_tail = tailed(plain, command(evolving, follow=True))
        seen = sum(next(tail).batch.num_rows for _ in range(2))
        assert seen == sum(next(first).batch.num_rows for _ in range(2)) == 5
        assert sum(batch.num_rows for batch in (next(plain_tail), next(plain_tail))) == 5
        broken = schema_of(venue=VENUE, note=None, price={"type": "boolean"})
        registry.register(evolving, broken, allow_breaking=True)
        eventually(lambda: current_schema(plain, evolving).field("price").type == pa.bool_())
        table = trades(4, start_ns=3_000_000).drop_columns(["note"])
        put(plain, evolving, table.set_column(2, "price", pa.array([True] * 4)))
        ticks.put(evolving, trades(1, start_ns=4_000_000).drop_columns(["note"]), version=2)
        with pytest.raises(FailedPreconditionError) as ended:
            next(tail)
        with pytest.raises(flight.FlightError) as plainly:
            next(plain_tail)
        # A tail of the old generation goes on with what its writers still put.
        assert next(first).batch.column("ts").cast(pa.int64()).to_pylist() == [4_000_000]
    assert ended.value.reason == "GENERATION_NOT_READABLE"
    assert ended.value.metadata["generations"] == "2"
    after = ended.value.metadata["positionToken"]
    _, told = status_of(plainly.value)
    assert (told.reason, told.metadata["positionToken"]) == ("GENERATION_NOT_READABLE", after)
    with ticks.tail(evolving, generation=2, after=after) as tail:
        assert next(tail).batch.column("price").to_pylist() == [True] * 4
    with ticks.tail(evolving, generation=1, after=after) as tail:
        assert next(tail).batch.column("ts").cast(pa.int64()).to_pylist() == [4_000_000]


def test_t9_a_tail_converts_what_a_breaking_change_leaves_readable(
    plain: flight.FlightClient, ticks: TickClient, registry: RegistryClient, evolving: str
) -> None:
    with ticks.tail(evolving, columns=["size"]) as tail:
        seen = sum(next(tail).batch.num_rows for _ in range(2))
        broken = schema_of(venue=VENUE, note=None, price={"type": "boolean"})
        registry.register(evolving, broken, allow_breaking=True)
        eventually(lambda: current_schema(plain, evolving).field("price").type == pa.bool_())
        table = trades(4, start_ns=3_000_000).drop_columns(["note"])
        put(plain, evolving, table.set_column(2, "price", pa.array([True] * 4)))
        assert (seen, next(tail).batch.num_rows) == (5, 4)


def tailed(
    client: flight.FlightClient, descriptor: flight.FlightDescriptor
) -> Iterator[pa.RecordBatch]:
    """The batches of a plain tail that have rows."""
    (endpoint,) = client.get_flight_info(descriptor).endpoints
    for chunk in client.do_get(endpoint.ticket):
        if chunk.data is not None and chunk.data.num_rows:
            yield chunk.data


def test_t9_a_value_that_does_not_fit_ends_the_read_with_its_reason(
    plain: flight.FlightClient, registry: RegistryClient, evolving: str
) -> None:
    table = trades(1, start_ns=5_000_000).drop_columns(["note"])
    put(plain, evolving, table.set_column(3, "size", pa.array([2**40])))
    assert integers(get(plain, command(evolving)), "size")[-1] == 2**40
    with pytest.raises(flight.FlightError) as refused:
        get(plain, command(evolving, reader_version=1))
    status, info = status_of(refused.value)
    assert info.reason == "VERSION_NOT_READABLE"
    assert str(2**40) in status.message


def test_streams_keep_their_version_and_a_deprecated_one_opens_no_more(
    plain: flight.FlightClient, ticks: TickClient, registry: RegistryClient, subject: str
) -> None:
    writer, _ = plain.do_put(flight.FlightDescriptor.for_path(subject), trades(1).schema)
    writer.write_table(trades(1))
    eventually(lambda: bool(ticks.datasets(prefix=subject)))
    registry.register(subject, trades_schema(venue=VENUE))
    registry.deprecate(subject, version=1)
    put_command = commands_pb2.PutCommand(dataset=subject, schema_version=1)
    descriptor = flight.FlightDescriptor.for_command(pack(put_command))

    def is_refused() -> bool:
        late, _ = plain.do_put(descriptor, trades(1).schema)
        try:
            late.close()
        except flight.FlightError as error:
            return "deprecated" in status_of(error)[0].message
        return False

    eventually(is_refused)
    writer.write_table(trades(1))
    writer.close()
    put(plain, subject, trades(1))
    table = get(plain, command(subject, stamps=True))
    assert table.column("_schema_version").to_pylist() == [1, 1, 2]


def kill(mesh: Mesh, service: str) -> None:
    pid = mesh.pid(service)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@contextmanager
def nobody_at(address: str) -> Iterator[None]:
    """Whoever else is given this port by chance would answer for the one that is gone."""
    host, _, port = address.rpartition(":")
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, int(port)))  # and does not listen
        yield


def test_with_the_registry_killed_known_versions_go_on_also_after_a_restart(
    tmp_path: Path,
) -> None:
    """New streams get the version in force without a call; what was never seen is UNAVAILABLE."""
    name = "ticks.trades"
    with Mesh(tmp_path / "registry", services=("registry",), free_ports=True) as governing:
        address = governing.addresses["registry"]["grpc"]
        settings = {"tickstore.registry": address}
        storing = Mesh(
            tmp_path / "store", services=("tickstore",), free_ports=True, settings=settings
        )
        with storing, RegistryClient(address) as registry, ExitStack() as until_the_end:
            registry.register(name, trades_schema())
            client = flight.connect(f"grpc://{storing.addresses['tickstore']['flight']}")
            put(client, name, trades(2))
            registry.register(name, trades_schema(venue=VENUE))
            eventually(lambda: is_current(client, name, "venue"))
            # As a crash: the supervisor is stopped before it brings the registry back.
            kill(governing, "registry")
            governing.stop()
            until_the_end.enter_context(nobody_at(address))
            newer = trades(2).append_column("venue", pa.array(["ARCX"] * 2))
            put(client, name, newer)
            check_without_registry(client, name)
            pid = storing.pid("tickstore")
            kill(storing, "tickstore")
            eventually(lambda: storing.pid("tickstore") not in {pid, None})
            client = flight.connect(f"grpc://{storing.addresses['tickstore']['flight']}")
            eventually(lambda: answers(client))
            check_without_registry(client, name)
            put(client, name, newer)
            assert get(client, command(name)).num_rows == 6


def answers(client: flight.FlightClient) -> bool:
    try:
        return bool(list(client.list_actions()))
    except flight.FlightUnavailableError:
        return False


def check_without_registry(client: flight.FlightClient, name: str) -> None:
    for version, venues in ((0, ["XNAS"] * 2 + ["ARCX"] * 2), (1, None)):
        table = get(client, command(name, reader_version=version))
        assert table.num_rows == 4
        found = table.column("venue").to_pylist() if "venue" in table.schema.names else None
        assert found == venues
    for asked in (
        lambda: client.get_flight_info(command(name, reader_version=3)),
        lambda: put(client, "ticks.never_seen", trades(1)),
    ):
        with pytest.raises(flight.FlightUnavailableError) as refused:
            asked()
        assert status_of(refused.value)[1].reason == "REGISTRY_UNAVAILABLE"


@pytest.fixture
def renaming(tmp_path: Path) -> Iterator[tuple[TickStore, MemorySchemas]]:
    """A store whose second version calls `price` `last`, under the field id it had."""
    schemas = MemorySchemas()
    schemas.register("ticks.trades", trades_schema())
    clock = SystemClock()
    engine = MemoryEngine()
    sandbox = SqlSandbox(SqlLimits(memory_bytes=128 << 20, timeout_seconds=20.0))
    yield (
        TickStore(
            engine=engine,
            governance=Governance(schemas),
            settings=SettingsDirectory(tmp_path / "settings"),
            tickets=TicketOffice(bytes(KEY_BYTES), clock=clock, lifetime_seconds=60.0),
            sandbox=sandbox,
            counters=PutCounters(),
            clock=clock,
        ),
        schemas,
    )
    sandbox.close()
    engine.close()


def rename(schemas: MemorySchemas) -> None:
    """A version in which the projection numbers `last` as it numbered `price`."""
    old = schemas.latest("ticks.trades").arrow_schema.field("price")
    text = schema_of(price=None, last={"type": "number"})
    registered = schemas.register("ticks.trades", text)
    columns = registered.arrow_schema
    place = columns.get_field_index("last")
    numbers = cast("dict[bytes | str, bytes | str]", old.metadata)
    renumbered = columns.field(place).with_metadata(numbers)
    schemas.by_subject["ticks.trades"][-1] = replace(
        registered, arrow_schema=columns.set(place, renumbered)
    )


def test_t9_a_renamed_column_is_found_by_its_field_id(
    renaming: tuple[TickStore, MemorySchemas],
) -> None:
    """The registry gives one id to one path for ever; a source that renames keeps ids by column."""
    store, schemas = renaming

    async def serve() -> None:
        ids = RandomIds()
        serving = ServingConfig(drain_seconds=2.0)
        process = ServiceProcess(
            "tickstore",
            serving,
            grpc_services=[],
            flight=FlightEndpoint(
                TickStoreFlight(lambda: store, max_lag_rows=1_000), max_streams=8
            ),
            errors=error_table(ids=ids),
            permissions=permission_table(),
            components=[],
            metrics=new_registry(),
            clock=SystemClock(),
            ids=ids,
        )
        await process.start()
        try:
            await asyncio.to_thread(check, process.addresses["flight"])
        finally:
            await process.stop()

    def check(address: str) -> None:
        with flight.connect(f"grpc://{address}") as client:
            put(client, "ticks.trades", trades(2))
            rename(schemas)
            table = get(client, command("ticks.trades"))
            assert table.column("last").to_pylist() == [1.0, 2.0]
            back = get(client, command("ticks.trades", reader_version=1))
            assert back.column("price").to_pylist() == [1.0, 2.0]

    asyncio.run(serve())
