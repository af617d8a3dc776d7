"""Promises of `Sink`: batch n of a producer has its effect once, however often it is written."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.cleaner.parts import MemorySink, MemoryTickStore, schema_version
from tickmesh._ticks.connection import TickConnection
from tickmesh._ticks.put_stream import PutStream
from tickmesh._wire.credentials import ClientCredentials
from tickmesh.registry import RegistryClient
from tickmesh.settings import SecretUrl
from tickmesh.ticks import TickClient
from tickmesh_cleaner.config import DatabaseConfig
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.sinks import tick_store
from tickmesh_cleaner.sinks.database import DatabaseSink, table_name
from tickmesh_cleaner.sinks.lake import LakeRoots
from tickmesh_cleaner.sinks.parquet import ParquetSink
from tickmesh_cleaner.sinks.partitioning import Partitioning
from tickmesh_cleaner.sinks.tick_store import TickStoreSink
from tickmesh_cleaner.traces import JobTrace
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.support.postgres import PostgresCluster
    from tickmesh.api.tickstore.v1.commands_pb2 import PutMetadata
    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.sinks.sink import Sink, Written

SCHEMA = '{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}'
PRODUCER = "producer"
TRACE = JobTrace("job-1")


@dataclass(frozen=True)
class Store:
    """Something rows go to: how to make a sink over it, and the rows it holds."""

    sink: Callable[[], Sink]
    rows: Callable[[], list[object]]
    schema: RegisteredSchema

    def write(self, sink: Sink, n: int, *values: int) -> Future[Written]:
        batch = pa.RecordBatch.from_pydict({"x": pa.array(values, pa.int64())})
        return sink.write(n, batch, schema=self.schema, start=f"from {n}", end=f"to {n}")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("mesh")
    with Mesh(home, services=("registry", "tickstore"), free_ports=True) as running:
        yield running


@pytest.fixture
def memory() -> Store:
    held = MemoryTickStore()
    return Store(
        lambda: MemorySink(held),
        lambda: [row["x"] for row in held.rows],
        schema_version(SCHEMA, 1),
    )


@pytest.fixture
def stored(mesh: Mesh) -> Iterator[Store]:
    subject = f"numbers.n{uuid.uuid4().hex[:8]}"
    control, data = (mesh.addresses["tickstore"][kind] for kind in ("grpc", "flight"))
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
        registry.register(subject, SCHEMA)
        schema = registry.latest(subject)
    connection = TickConnection(
        address=control, flight_address=data, credentials=ClientCredentials(), call_attempts=1
    )
    with TickClient(control, flight_address=data) as client:
        yield Store(
            lambda: TickStoreSink(
                connection,
                dataset=subject,
                source="digest",
                on_behalf_of="tester",
                trace=TRACE,
            ),
            lambda: client.read(subject).column("x").to_pylist(),
            schema,
        )
    connection.close()


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    roots = LakeRoots([tmp_path])

    def rows() -> list[object]:
        files = sorted((tmp_path / "numbers").rglob("*.parquet"), key=lambda path: path.name)
        return [x for file in files for x in pq.ParquetFile(file).read()["x"].to_pylist()]

    return Store(
        lambda: ParquetSink(
            roots.place("numbers"),
            partitioning=Partitioning(()),
            subject="numbers",
            source="digest",
        ),
        rows,
        schema_version(SCHEMA, 1),
    )


def database_store(url: str) -> Store:
    database = Connections({"sea": DatabaseConfig(SecretUrl(url))}).database("sea")

    def rows() -> list[object]:
        session = database.connect()
        found = session.query("SELECT x FROM numbers ORDER BY _sequence, _producer_key, x")
        session.close()
        return [x for (x,) in found]

    return Store(
        lambda: DatabaseSink(database, table_name("numbers")), rows, schema_version(SCHEMA, 1)
    )


@pytest.fixture
def sqlite(tmp_path: Path) -> Store:
    return database_store(f"sqlite:///{tmp_path / 'sea.db'}")


@pytest.fixture
async def postgresql(postgres: PostgresCluster) -> AsyncIterator[Store]:
    name = await postgres.create_database()
    yield database_store(postgres.url(name))
    await postgres.drop_database(name)


@pytest.fixture(
    params=[
        "memory",
        "lake",
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.integration),
        pytest.param("stored", marks=pytest.mark.integration),
    ]
)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


def test_rows_are_stored_in_the_order_of_their_batches(store: Store) -> None:
    sink = store.sink()
    assert sink.open(PRODUCER).last_n == 0
    answers = [store.write(sink, n, n, 10 * n) for n in (1, 2, 3)]
    revisions = [answer.result(30).dataset_revision for answer in answers]
    assert revisions == sorted(revisions)
    sink.close()
    assert store.rows() == [1, 10, 2, 20, 3, 30]


def test_a_batch_written_again_has_no_effect_and_the_first_answer(store: Store) -> None:
    sink = store.sink()
    sink.open(PRODUCER)
    first = store.write(sink, 1, 7).result(30)
    again = store.write(sink, 1, 7).result(30)
    sink.close()
    assert again.dataset_revision == first.dataset_revision
    assert store.rows() == [7]


def test_a_new_epoch_knows_the_last_batch_and_takes_repeats_as_duplicates(store: Store) -> None:
    sink = store.sink()
    epoch = sink.open(PRODUCER).epoch
    for n in (1, 2):
        second = store.write(sink, n, n).result(30)
    sink.close()
    successor = store.sink()
    opened = successor.open(PRODUCER)
    assert opened.last_n == 2
    assert opened.epoch > epoch
    repeated, new = (store.write(successor, n, n).result(30) for n in (2, 3))
    successor.close()
    assert repeated.dataset_revision == second.dataset_revision
    assert new.dataset_revision > second.dataset_revision or new.dataset_revision == 0
    assert store.rows() == [1, 2, 3]


def test_a_batch_without_rows_counts_as_written(store: Store) -> None:
    sink = store.sink()
    sink.open(PRODUCER)
    for n, values in ((1, (1,)), (2, ()), (3, ())):
        store.write(sink, n, *values).result(30)
    sink.close()
    successor = store.sink()
    assert successor.open(PRODUCER).last_n == 3
    successor.close()
    assert store.rows() == [1]


def test_a_batch_out_of_turn_is_refused(store: Store) -> None:
    sink = store.sink()
    sink.open(PRODUCER)
    store.write(sink, 1, 1).result(30)
    with pytest.raises(Exception, match=r"(?i)expected|after batch"):
        store.write(sink, 3, 3).result(30)
    sink.close()
    assert store.rows() == [1]


def test_producers_do_not_know_each_other(store: Store) -> None:
    for producer in (PRODUCER, "other"):
        sink = store.sink()
        assert sink.open(producer).last_n == 0
        store.write(sink, 1, 5).result(30)
        sink.close()
    assert store.rows() == [5, 5]


def test_a_fenced_predecessor_stores_nothing_more(store: Store) -> None:
    old, new = store.sink(), store.sink()
    old.open(PRODUCER)
    store.write(old, 1, 1).result(30)
    new.open(PRODUCER)
    late = store.write(old, 2, 2)
    with pytest.raises(Exception, match=r"epoch|fenced"):
        late.result(30)
    old.close()
    store.write(new, 2, 22).result(30)
    new.close()
    assert store.rows() == [1, 22]


@pytest.mark.integration
def test_the_cleaner_sends_source_range_and_trace_beside_each_batch(
    stored: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[PutMetadata] = []

    class Overheard(PutStream):
        def write(self, batch: pa.RecordBatch, metadata: PutMetadata) -> None:
            sent.append(metadata)
            super().write(batch, metadata)

    monkeypatch.setattr(tick_store, "PutStream", Overheard)
    sink = stored.sink()
    sink.open(PRODUCER)
    stored.write(sink, 1, 7).result(30)
    sink.close()
    (metadata,) = sent
    came = metadata.source_range
    assert (came.source, came.start, came.end) == ("digest", "from 1", "to 1")
    assert metadata.traceparent == TRACE.of_batch(1)
