"""Rows over Arrow Flight with plain pyarrow: put once whatever breaks, or judged and sent back."""

from __future__ import annotations

import json
import signal
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from pyarrow import flight

from tests.support.mesh import kill
from tickmesh._wire.status import error_from_flight
from tickmesh.api.cleaner.v1 import flight_pb2, job_pb2
from tickmesh.api.tickstore.v1 import commands_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

SCHEMA = {
    "type": "object",
    "required": ["ts", "symbol", "price", "size"],
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "size": {"type": "integer", "minimum": 1},
    },
}
ROWS = 1_000
BAD = 10


def trades(number: int, *, rows: int = ROWS) -> pa.RecordBatch:
    """A batch in which every hundredth price is not above 0; sizes number the rows."""
    first = number * rows
    prices = [0.0 if row % 100 == 0 else 1.0 + row for row in range(rows)]
    return pa.RecordBatch.from_pydict(
        {
            "ts": pa.array([1_795_183_200_000_000_000 + first + row for row in range(rows)]).cast(
                pa.timestamp("ns", "UTC")
            ),
            "symbol": pa.array(["AAPL"] * rows),
            "price": pa.array(prices),
            "size": pa.array(range(first + 1, first + rows + 1), pa.int64()),
        }
    )


@pytest.fixture
def subject(services: Services) -> str:
    name = f"ticks.p{uuid.uuid4().hex[:8]}"
    services.registry.register(name, json.dumps(SCHEMA))
    return name


@pytest.fixture
def client(services: Services) -> Iterator[flight.FlightClient]:
    with flight.connect(f"grpc://{services.mesh.addresses['cleaner']['flight']}") as client:
        yield client


def command(**values: object) -> flight.FlightDescriptor:
    wrapped = AnyMessage()
    wrapped.Pack(flight_pb2.CleanCommand(**values))  # type: ignore[arg-type]  # a test's words
    return flight.FlightDescriptor.for_command(wrapped.SerializeToString())


def numbered(sequence: int) -> pa.Buffer:
    return pa.py_buffer(commands_pb2.PutMetadata(sequence=sequence).SerializeToString())


@dataclass
class Sender:
    """A put stream of a producer, as an application would write one in plain pyarrow."""

    client: flight.FlightClient
    subject: str
    producer_id: str
    acknowledged: list[flight_pb2.CleanAcknowledgement] = field(default_factory=list)

    def __post_init__(self) -> None:
        descriptor = command(subject=self.subject, producer_id=self.producer_id)
        schema = trades(0).schema
        self.writer, reader = self.client.do_put(descriptor, schema)
        self._reader: Any = reader

    def read(self) -> flight_pb2.CleanAcknowledgement:
        message = self._reader.read()
        if message is None:
            self.writer.close()  # raises why the cleaner ended the stream
        assert message is not None
        found = flight_pb2.CleanAcknowledgement.FromString(message.to_pybytes())
        self.acknowledged.append(found)
        return found

    def send(self, sequences: Sequence[int]) -> None:
        for sequence in sequences:
            self.writer.write_with_metadata(trades(sequence), numbered(sequence))

    def read_through(self, sequence: int) -> flight_pb2.CleanAcknowledgement:
        while (found := self.read()).through_sequence < sequence:
            pass
        return found

    def close(self) -> flight_pb2.CleanAcknowledgement:
        self.writer.done_writing()
        while (message := self._reader.read()) is not None:
            self.acknowledged.append(
                flight_pb2.CleanAcknowledgement.FromString(message.to_pybytes())
            )
        self.writer.close()
        return self.acknowledged[-1]


def sizes(services: Services, subject: str) -> list[int]:
    return sorted(services.ticks.read(subject)["size"].to_numpy().tolist())


def expected_sizes(batches: Sequence[int]) -> list[int]:
    return [
        size
        for number in batches
        for row, size in enumerate(range(number * ROWS + 1, (number + 1) * ROWS + 1))
        if row % 100
    ]


def ended(services: Services, job_id: str) -> job_pb2.Job:
    for moment in services.cleaner.watch_job(job_id, progress_seconds=0.1):
        job = moment.job
    return job


def test_a_plain_put_is_judged_forwarded_and_accounted_for(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    descriptor = flight.FlightDescriptor.for_path(subject)
    writer, reader = client.do_put(descriptor, trades(0).schema)
    for number in range(3):
        writer.write_batch(trades(number))
    writer.done_writing()
    found = []
    acknowledgements: Any = reader
    while (message := acknowledgements.read()) is not None:
        found.append(flight_pb2.CleanAcknowledgement.FromString(message.to_pybytes()))
    writer.close()

    assert found[0].through_sequence == 0
    last = found[-1]
    assert (last.through_sequence, last.stored, last.quarantined) == (3, 3 * (ROWS - BAD), 3 * BAD)
    assert last.dataset_revision > 0
    assert sizes(services, subject) == expected_sizes(range(3))
    job = ended(services, last.job_id)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED
    assert job.balance.holds
    assert job.source.put.producer_id == job.id
    assert services.cleaner.audit(job.id) == job.balance
    held = services.cleaner.list_quarantine(job_pb2.QuarantineFilter(job_id=job.id))
    assert [row.offset for row in held] == list(range(0, 3 * ROWS, 100))
    assert json.loads(held[0].raw)["size"] == 1


def test_what_a_producer_sends_again_is_stored_once(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    first = Sender(client, subject, "feed-1")
    assert first.read().through_sequence == 0
    first.send([1, 2])
    assert first.read_through(2).stored == 2 * (ROWS - BAD)
    first.close()

    second = Sender(client, subject, "feed-1")
    assert second.read().through_sequence == 2
    second.send([1, 2, 3])
    last = second.close()
    assert (last.through_sequence, last.stored, last.duplicates) == (3, ROWS - BAD, 2 * ROWS)
    assert sizes(services, subject) == expected_sizes([1, 2, 3])
    job = ended(services, last.job_id)
    assert services.cleaner.audit(job.id) == job.balance


def test_a_batch_is_acknowledged_while_the_stream_goes_on(
    client: flight.FlightClient, subject: str
) -> None:
    sender = Sender(client, subject, "feed-1")
    for sequence in (1, 2, 3):
        sender.send([sequence])
        assert sender.read_through(sequence).stored == sequence * (ROWS - BAD)
    sender.close()


def test_a_skipped_sequence_is_refused_and_the_expected_one_named(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    sender = Sender(client, subject, "feed-1")
    sender.send([1, 3])
    with pytest.raises(flight.FlightError) as refused:
        sender.close()
    error = error_from_flight(refused.value)
    assert (error.reason, error.metadata["expected"]) == ("SEQUENCE_GAP", "2")
    assert sizes(services, subject) == expected_sizes([1])


def test_a_newer_stream_of_a_producer_ends_the_older_one(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    older = Sender(client, subject, "feed-1")
    older.send([1])
    older.read_through(1)
    newer = Sender(client, subject, "feed-1")
    assert newer.read().through_sequence == 1
    newer.send([2])
    newer.close()
    while not older.read().ended:
        pass
    with pytest.raises(flight.FlightError) as refused:
        older.close()
    assert error_from_flight(refused.value).reason == "PRODUCER_FENCED"
    assert sizes(services, subject) == expected_sizes([1, 2])


def test_a_put_survives_kill_9_and_stores_every_row_once(services: Services, subject: str) -> None:
    """The sender does what any would: opens anew, hears how far it came, sends the rest."""
    batches, through, kill_at, pids = 40, 0, [15, 30], set()
    while through < batches:
        address = services.mesh.addresses["cleaner"]["flight"]
        try:
            with flight.connect(f"grpc://{address}") as client:
                sender = Sender(client, subject, "feed-1")
                through = sender.read().through_sequence
                for sequence in range(through + 1, batches + 1):
                    sender.send([sequence])
                    if kill_at and sequence >= kill_at[0]:
                        kill_at.pop(0)
                        pids.add(kill(services.mesh, "cleaner"))
                        break
                through = sender.close().through_sequence  # raises after a kill
        except (flight.FlightError, pa.ArrowException):
            time.sleep(0.2)
    assert len(pids) == 2
    assert sizes(services, subject) == expected_sizes(range(1, batches + 1))
    jobs = services.cleaner.list_jobs(subject=subject)
    for job in jobs:
        ended(services, job.id)
    jobs = services.cleaner.list_jobs(subject=subject)
    assert sum(job.balance.stored for job in jobs) == batches * (ROWS - BAD)
    held = services.cleaner.list_quarantine(job_pb2.QuarantineFilter(subject=subject), limit=10_000)
    assert len(held) == batches * BAD


def test_a_put_that_cannot_be_taken_is_refused_with_its_reason(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    def refusal(descriptor: flight.FlightDescriptor, metadata: pa.Buffer | None = None) -> Any:
        writer, reader = client.do_put(descriptor, trades(0).schema)
        with suppress(flight.FlightError):  # closing the stream tells why
            writer.write_with_metadata(trades(0), metadata or pa.py_buffer(b""))
            writer.done_writing()
        acknowledgements: Any = reader
        with suppress(flight.FlightError):
            while acknowledgements.read() is not None:
                pass
        with pytest.raises(flight.FlightError) as refused:
            writer.close()
        return error_from_flight(refused.value)

    assert refusal(flight.FlightDescriptor.for_path("ticks.unknown")).reason == "SUBJECT_NOT_FOUND"
    two = flight.FlightDescriptor.for_path("a", "b")
    assert refusal(two).violations[0].field == "descriptor"
    garbage = flight.FlightDescriptor.for_command(b"\xff\xff")
    assert refusal(garbage).reason == "INVALID_ARGUMENT"
    wrong = command(subject=subject, source_spec='format = "csv"')
    assert refusal(wrong).reason == "INVALID_SOURCE_SPEC"
    unnumbered = command(subject=subject, producer_id="feed-1")
    assert refusal(unnumbered).violations[0].field == "app_metadata.sequence"
    plain = flight.FlightDescriptor.for_path(subject)
    assert refusal(plain, pa.py_buffer(b"\xff\xff\xff")).violations[0].field == "app_metadata"


def test_columns_that_do_not_fit_are_quarantined_whole(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    batch = pa.RecordBatch.from_pydict({"price": ["abc", "1.5"], "other": [1, 2]})
    writer, _ = client.do_put(flight.FlightDescriptor.for_path(subject), batch.schema)
    writer.write_batch(batch)
    writer.write_batch(batch.slice(0, 0))
    writer.close()
    (job,) = services.cleaner.list_jobs(subject=subject)
    job = ended(services, job.id)
    assert (job.balance.rows_in, job.balance.quarantined) == (2, 2)
    (row, _) = services.cleaner.list_quarantine(job_pb2.QuarantineFilter(job_id=job.id))
    assert {reason.code for reason in row.reasons} >= {"REQUIRED"}


def test_rows_put_with_a_spec_are_replayed_from_quarantine(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    spec = """
        format = "arrow"
        [[records]]
        name = "trade"
        [records.fields]
        ts = { from = "t", unit = "ns", zone = "UTC" }
        symbol = { constant = "AAPL" }
        price = { from = "p" }
        size = { constant = "1" }
    """
    batch = pa.RecordBatch.from_pydict({"t": [1_795_183_200_000_000_000, 1], "p": [1.5, -1.5]})
    writer, _ = client.do_put(command(subject=subject, source_spec=spec), batch.schema)
    writer.write_batch(batch)
    writer.close()
    (job,) = services.cleaner.list_jobs(subject=subject)
    job = ended(services, job.id)
    assert (job.balance.stored, job.balance.quarantined) == (1, 1), job.message
    looser = {**SCHEMA, "properties": {**SCHEMA["properties"], "price": {"type": "number"}}}  # type: ignore[dict-item]  # a schema
    services.registry.register(subject, json.dumps(looser))
    selected = job_pb2.QuarantineFilter(subject=subject)
    replay = ended(services, services.cleaner.replay_quarantine(selected).id)
    assert replay.balance.stored == 1


def test_exchanged_rows_come_back_with_their_verdicts_and_nothing_is_stored(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    writer, answers = client.do_exchange(flight.FlightDescriptor.for_path(subject))
    reader: Any = answers
    with writer:
        batch = trades(0).set_column(1, "symbol", pa.array(["AAPL"] * ROWS).dictionary_encode())
        writer.begin(batch.schema)
        for number in range(2):
            writer.write_with_metadata(batch, pa.py_buffer(f"part {number}".encode()))
            chunk = reader.read_chunk()
            answer = chunk.data
            assert chunk.app_metadata.to_pybytes() == f"part {number}".encode()
            assert answer.schema.names == [*batch.schema.names, "_good", "_reasons"]
            assert answer.column("price").equals(batch.column("price"))
            good = answer.column("_good").to_pylist()
            assert [row for row, fine in enumerate(good) if not fine] == list(range(0, ROWS, 100))
            reasons = answer.column("_reasons").to_pylist()
            assert reasons[1] is None
            assert [(each["code"], each["instance_path"]) for each in reasons[0]] == [
                ("EXCLUSIVE_MINIMUM", "/price")
            ]
        writer.done_writing()
    assert services.cleaner.list_jobs(subject=subject) == []
    assert subject not in {found.name for found in services.ticks.datasets()}


def test_an_exchange_refuses_columns_of_its_own_names(
    client: flight.FlightClient, subject: str
) -> None:
    writer, reader = client.do_exchange(flight.FlightDescriptor.for_path(subject))
    batch = pa.RecordBatch.from_pydict({"_good": [True]})
    writer.begin(batch.schema)
    with pytest.raises(flight.FlightError) as refused:
        reader.read_chunk()
    assert error_from_flight(refused.value).violations[0].field == "schema"


def test_a_cleaner_that_goes_down_asks_for_the_rest_again_and_loses_nothing(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    sender = Sender(client, subject, "feed-1")
    sender.send([1])
    sender.read_through(1)
    kill(services.mesh, "cleaner", signal.SIGTERM)
    while not sender.read().ended:
        pass
    with pytest.raises(flight.FlightError) as refused:
        sender.close()
    assert error_from_flight(refused.value).reason == "DRAINING"
    through = 0
    while through < 3:
        address = services.mesh.addresses["cleaner"]["flight"]
        try:
            with flight.connect(f"grpc://{address}") as another:
                again = Sender(another, subject, "feed-1")
                through = again.read().through_sequence
                again.send(range(through + 1, 4))
                through = again.close().through_sequence
        except (flight.FlightError, pa.ArrowException):
            time.sleep(0.2)
    assert sizes(services, subject)[: 3 * (ROWS - BAD)] == expected_sizes([1, 2, 3])
    assert len(sizes(services, subject)) == through * (ROWS - BAD)


def test_a_sender_is_told_when_the_job_of_its_stream_is_cancelled(
    services: Services, client: flight.FlightClient, subject: str
) -> None:
    sender = Sender(client, subject, "feed-1")
    services.cleaner.cancel_job(sender.read().job_id)
    while not sender.read().ended:
        pass
    with pytest.raises(flight.FlightError, match="cancelled") as refused:
        sender.close()
    assert error_from_flight(refused.value).reason == "JOB_STATE"
