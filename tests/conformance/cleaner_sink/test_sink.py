"""Promises of `Sink`: batch n of a producer has its effect once, however often it is written."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.unit.cleaner.parts import MemorySink, MemoryTickStore, schema_version
from tickmesh._ticks.connection import TickConnection
from tickmesh._ticks.put_stream import PutStream
from tickmesh._wire.credentials import ClientCredentials
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_cleaner.sinks import tick_store
from tickmesh_cleaner.sinks.tick_store import TickStoreSink
from tickmesh_cleaner.traces import JobTrace
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

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


@pytest.fixture(params=["memory", pytest.param("stored", marks=pytest.mark.integration)])
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
    assert new.dataset_revision > second.dataset_revision
    assert store.rows() == [1, 2, 3]


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
