"""Rows of configured databases are cleaned like those of files: each accounted for once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from adbc_driver_postgresql import dbapi

from tests.integration.cleaner.test_sinks import Places, open_places
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sinks import ParquetSink
from tickmesh.cleaning_sources import Query
from tickmesh.errors import InvalidArgumentError, NotFoundError
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresCluster

pytestmark = pytest.mark.integration

SCHEMA = """{"type": "object", "required": ["id", "price"], "properties": {
    "id": {"type": "integer"},
    "price": {"type": "number", "exclusiveMinimum": 0, "arrow": "decimal128(20, 6)"},
    "at": {"type": "string", "format": "date-time"},
    "venue": {"type": ["string", "null"]}}}"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresCluster) -> Iterator[Places]:
    with open_places(tmp_path_factory, postgres) as opened:
        yield opened


class Feed:
    """A table that grows, the subject its rows are judged under, and what came of them."""

    def __init__(self, places: Places) -> None:
        self.name = f"feed_{uuid.uuid4().hex[:8]}"
        self._places = places
        places.registry.register(self.name, SCHEMA)
        self.execute(
            f"CREATE TABLE {self.name} (id bigint PRIMARY KEY, price numeric(20,6), "
            "at timestamptz DEFAULT now(), venue text)"
        )

    def execute(self, statement: str) -> None:
        with dbapi.connect(self._places.urls["postgresql"]) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
            connection.commit()

    def insert(self, first: int, last: int) -> None:
        """One row in ten has a price of zero, which is bad."""
        self.execute(
            f"INSERT INTO {self.name} SELECT n, CASE WHEN n % 10 = 0 THEN 0 ELSE n + 0.000001 END, "
            f"'2026-01-01T00:00:00.123456Z', CASE WHEN n % 2 = 0 THEN 'XNYS' END "
            f"FROM generate_series({first}, {last}) AS n"
        )

    def query(self, **options: Any) -> Query:
        statement = f"SELECT * FROM {self.name}" + ("" if options else " ORDER BY id")
        return Query("postgresql", statement, **options)

    def clean(self, source: Query) -> job_pb2.Job:
        sink = ParquetSink(self.name)
        return self._places.cleaner.create_job(self.name, source=source, sink=sink)

    def ids(self) -> list[int]:
        import pyarrow.dataset

        table = pyarrow.dataset.dataset(self._places.lake / self.name).to_table(columns=["id"])
        ids: list[Any] = table["id"].to_pylist()
        return sorted(ids)


@pytest.fixture
def feed(places: Places) -> Feed:
    return Feed(places)


def good(first: int, last: int) -> list[int]:
    return [n for n in range(first, last + 1) if n % 10]


def test_an_answer_is_cleaned_once_with_every_digit(places: Places, feed: Feed) -> None:
    feed.insert(1, 50_000)
    job = places.finish(places.cleaner.create_job(feed.name, source=feed.query()))
    assert (job.balance.rows_in, job.balance.stored) == (50_000, 45_000)
    assert job.balance.quarantined == 5_000
    assert places.cleaner.audit(job.id) == job.balance
    with TickClient(config=places.config) as ticks:
        rows = ticks.read(feed.name, limit=1).to_pylist()[0]
    assert str(rows["price"]) == "1.000001"
    assert rows["at"].isoformat() == "2026-01-01T00:00:00.123456+00:00"
    assert rows["venue"] is None

    again = places.finish(places.cleaner.create_job(feed.name, source=feed.query()))
    assert (again.balance.stored, again.balance.duplicates) == (0, 50_000)


def test_a_key_brings_new_rows_to_the_next_job(places: Places, feed: Feed) -> None:
    feed.insert(1, 70_000)
    first = places.finish(feed.clean(feed.query(key_column="id")))
    assert first.balance.stored == len(good(1, 70_000))
    feed.insert(70_001, 70_100)
    second = places.finish(feed.clean(feed.query(key_column="id")))
    assert (second.balance.stored, second.balance.duplicates) == (90, 70_000)
    assert feed.ids() == good(1, 70_100)


def test_a_polled_query_goes_on_through_a_kill_and_a_database_that_is_away(
    places: Places, feed: Feed, postgres: PostgresCluster
) -> None:
    """Nothing is lost and nothing doubled; the job says what it waits for, and not where."""
    feed.insert(1, 1_000)
    job = feed.clean(
        feed.query(key_column="id", watermark_column="at", overlap=5, poll_interval_seconds=0.2)
    )

    stage = 0
    for moment in places.cleaner.watch_job(job.id, progress_seconds=0.1):
        job, stored = moment.job, moment.job.balance.stored
        if stage == 0 and stored >= len(good(1, 1_000)):
            stage = 1
            kill(places.mesh, "cleaner")
            feed.insert(1_001, 2_000)
        elif stage == 1 and stored >= len(good(1, 2_000)):
            stage = 2
            postgres.stop(immediately=True)
        elif stage == 2 and job.state == job_pb2.JOB_STATE_WAITING:
            stage = 3
            assert "query on postgresql" in job.message
            assert "127.0.0.1" not in job.message
            postgres.start()
            feed.insert(2_001, 3_000)
        elif stage == 3 and stored >= len(good(1, 3_000)):
            stage = 4
            places.cleaner.cancel_job(job.id)
    assert job.state == job_pb2.JOB_STATE_CANCELLED, job.message
    assert feed.ids() == good(1, 3_000)
    assert places.cleaner.audit(job.id) == job.balance


@pytest.mark.parametrize(
    "statement",
    [
        "WITH gone AS (DELETE FROM {name} RETURNING *) SELECT * FROM gone",
        "SELECT 1 AS id; DROP TABLE {name}",
        "SELECT id FROM {name}_which_is_not_there",
    ],
)
@pytest.mark.parametrize("key", ["", "id"])
def test_a_query_only_reads(places: Places, feed: Feed, statement: str, key: str) -> None:
    feed.insert(1, 10)
    source = Query("postgresql", statement.format(name=feed.name), key_column=key)
    job = feed.clean(source)
    for moment in places.cleaner.watch_job(job.id):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_FAILED
    assert job.error_reason == "SOURCE_UNREADABLE"
    assert "127.0.0.1" not in job.message
    assert statement.format(name=feed.name) not in job.message
    places.finish(feed.clean(feed.query()))
    assert feed.ids() == good(1, 10)


def test_what_no_configuration_allows_is_refused_when_the_job_is_made(feed: Feed) -> None:
    with pytest.raises(NotFoundError) as caught:
        feed.clean(Query("nowhere", "SELECT 1"))
    assert caught.value.reason == "CONNECTION_NOT_FOUND"
    for source in (
        Query("postgresql", "DELETE FROM x"),
        Query("postgresql", "SELECT 1", poll_interval_seconds=1),
        Query("postgresql", ""),
    ):
        with pytest.raises(InvalidArgumentError):
            feed.clean(source)
