"""Good rows go to a Parquet dataset or a table under the same account as to the tick store."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from tests.support.blemished_trades import SCHEMA, BlemishedTrades, write_blemished_trades
from tests.support.destinations import lake_rows, table_rows
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.cleaning_sinks import DatabaseSink, JobSink, ParquetSink
from tickmesh.config import load_client_config
from tickmesh.errors import InvalidArgumentError, NotFoundError
from tickmesh.registry import RegistryClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import PostgresCluster
    from tickmesh.config import ClientConfig

pytestmark = pytest.mark.integration

SINKS = ("lake", "postgresql", "sqlite")


@dataclass(frozen=True)
class Places:
    """A mesh whose cleaner may write to a lake and two databases."""

    mesh: Mesh
    config: ClientConfig
    registry: RegistryClient
    cleaner: CleanerClient
    sources: Path
    lake: Path
    urls: dict[str, str]

    def sink(self, kind: str, name: str) -> JobSink:
        if kind == "lake":
            return ParquetSink(name, partition_by=["ts", "symbol"])
        return DatabaseSink(kind, name)

    def rows(self, kind: str, name: str) -> list[tuple[object, ...]]:
        """Price, size and symbol of every row a place holds, sorted."""
        if kind == "lake":
            table = lake_rows(self.lake / name, "price", "size", "symbol")
            return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return table_rows(self.urls[kind], name, "price", "size", "symbol")

    def finish(self, job: job_pb2.Job) -> job_pb2.Job:
        for moment in self.cleaner.watch_job(job.id, progress_seconds=0.1):
            job = moment.job
        assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
        return job


@contextmanager
def open_places(make: pytest.TempPathFactory, postgres: PostgresCluster) -> Iterator[Places]:
    home, sources, lake = (make.mktemp(name) for name in ("home", "sources", "lake"))
    urls = {
        "postgresql": postgres.url("postgres"),
        "sqlite": f"sqlite:///{make.mktemp('sqlite') / 'ticks.db'}",
    }
    settings = {
        "cleaner.sources.roots": str(sources),
        "cleaner.sinks.lake_roots": str(lake),
        **{f"cleaner.databases.{name}.url": url for name, url in urls.items()},
    }
    with Mesh(home, free_ports=True, settings=settings) as mesh:
        config = load_client_config(home=home, environ=mesh.client_environment)
        with RegistryClient(config.registry) as registry, CleanerClient(config=config) as cleaner:
            yield Places(mesh, config, registry, cleaner, sources, lake, urls)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresCluster) -> Iterator[Places]:
    with open_places(tmp_path_factory, postgres) as opened:
        yield opened


@pytest.fixture
def fresh_places(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresCluster
) -> Iterator[Places]:
    """A mesh of the test's own: a supervisor gives up a service that dies too often."""
    with open_places(tmp_path_factory, postgres) as opened:
        yield opened


@pytest.fixture
def subject(places: Places) -> str:
    name = f"ticks_{uuid.uuid4().hex[:8]}"
    places.registry.register(name, SCHEMA)
    return name


@pytest.fixture(scope="module")
def trades(places: Places) -> BlemishedTrades:
    return write_blemished_trades(places.sources / "trades.csv", rows=70_000, seed=5)


def expected(trades: BlemishedTrades) -> list[tuple[object, ...]]:
    return sorted((price, size, symbol) for _, symbol, price, size in trades.good)


@pytest.mark.parametrize("kind", SINKS)
def test_every_good_row_is_there_once_and_the_audit_counts_it_there(
    places: Places, trades: BlemishedTrades, subject: str, kind: str
) -> None:
    """The balance holds; cleaning the file again stores nothing; an audit sees a lost row."""
    sink = places.sink(kind, subject)
    job = places.finish(places.cleaner.create_job(subject, path=trades.path, sink=sink))
    balance = job.balance
    assert (balance.rows_in, balance.stored) == (trades.rows, len(trades.good))
    assert balance.quarantined == trades.bad_rows
    assert balance.holds
    assert places.rows(kind, subject) == expected(trades)
    assert places.cleaner.audit(job.id) == balance

    again = places.finish(places.cleaner.create_job(subject, path=trades.path, sink=sink))
    assert (again.balance.stored, again.balance.duplicates) == (0, trades.rows)
    assert places.rows(kind, subject) == expected(trades)

    elsewhere = places.finish(places.cleaner.create_job(subject, path=trades.path))
    assert elsewhere.balance.stored == len(trades.good)


def test_a_lost_file_is_seen_by_an_audit(
    places: Places, trades: BlemishedTrades, subject: str
) -> None:
    sink = ParquetSink(subject)
    job = places.finish(places.cleaner.create_job(subject, path=trades.path, sink=sink))
    next((places.lake / subject).rglob("*.parquet")).unlink()
    audited = places.cleaner.audit(job.id)
    assert audited.stored < job.balance.stored
    assert not audited.holds


@pytest.mark.parametrize("kind", SINKS)
def test_a_cleaner_killed_at_any_moment_leaves_every_row_there_once(
    fresh_places: Places, kind: str
) -> None:
    places = fresh_places
    seed = random.SystemRandom().randint(0, 2**32)
    chance = random.Random(seed)
    name = f"ticks_{uuid.uuid4().hex[:8]}"
    places.registry.register(name, SCHEMA)
    trades = write_blemished_trades(
        places.sources / f"{name}.csv", rows=60_000, seed=seed, copies=8
    )
    job = places.cleaner.create_job(name, path=trades.path, sink=places.sink(kind, name))
    # The first one early: there must be something left to be done when it is seen to be due.
    later = [chance.randint(1, trades.rows * 8 // 10) for _ in range(2)]
    kills = sorted([chance.randint(1, trades.rows // 10), *later])
    pids = set()
    for moment in places.cleaner.watch_job(job.id, progress_seconds=0.05):
        job = moment.job
        if kills and job.balance.rows_in >= kills[0] and job.state == job_pb2.JOB_STATE_RUNNING:
            kills.pop(0)
            pids.add(kill(places.mesh, "cleaner"))
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, f"{job.message} (seed {seed})"
    assert pids, f"the job was over before the first kill (seed {seed})"
    assert (job.balance.rows_in, job.balance.stored) == (trades.rows, len(trades.good))
    assert Counter(places.rows(kind, name)) == Counter(expected(trades)), f"seed {seed}"
    assert places.cleaner.audit(job.id) == job.balance


def test_a_database_that_goes_away_makes_the_job_wait_and_nothing_is_lost_or_doubled(
    places: Places, postgres: PostgresCluster
) -> None:
    name = f"ticks_{uuid.uuid4().hex[:8]}"
    places.registry.register(name, SCHEMA)
    trades = write_blemished_trades(places.sources / f"{name}.csv", rows=60_000, seed=3, copies=8)
    job = places.cleaner.create_job(name, path=trades.path, sink=places.sink("postgresql", name))
    stopped, waited = False, False
    for moment in places.cleaner.watch_job(job.id, progress_seconds=0.05):
        job = moment.job
        if not stopped and job.balance.rows_in:
            stopped = True
            postgres.stop(immediately=True)
        if stopped and not waited and job.state == job_pb2.JOB_STATE_WAITING:
            waited = True
            assert "'postgresql' does not answer" in job.message
            assert "127.0.0.1" not in job.message
            postgres.start()
    assert waited, job.message
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert Counter(places.rows("postgresql", name)) == Counter(expected(trades))
    assert places.cleaner.audit(job.id) == job.balance


@pytest.mark.parametrize("kind", SINKS)
def test_a_column_that_a_compatible_version_brings_is_added(
    places: Places, subject: str, kind: str
) -> None:
    sink = ParquetSink(subject) if kind == "lake" else DatabaseSink(kind, subject)
    first, second = (places.sources / f"{subject}-{n}.csv" for n in (1, 2))
    first.write_text("ts,symbol,price,size\n1,IBM,1.5,3\n")
    places.finish(places.cleaner.create_job(subject, path=first, sink=sink))
    with_venue = SCHEMA.replace('"properties": {', '"properties": {"venue": {"type": "string"}, ')
    places.registry.register(subject, with_venue)
    second.write_text("ts,symbol,price,size,venue\n2,IBM,1.5,3,XNYS\n")
    places.finish(places.cleaner.create_job(subject, path=second, sink=sink))
    if kind == "lake":
        schema = pa.parquet.read_schema(places.lake / ".tickmesh" / subject / "_common_metadata")
        table = pa.dataset.dataset(places.lake / subject, schema=schema).to_table()
        columns = (table["_schema_version"].to_pylist(), table["venue"].to_pylist())
        rows: list[tuple[Any, Any]] = list(zip(*columns, strict=True))
    else:
        found = table_rows(
            places.urls[kind], subject, "_schema_version", "coalesce(venue, 'none') AS venue"
        )
        rows = [(version, None if venue == "none" else venue) for version, venue in found]
    assert sorted(rows) == [(1, None), (2, "XNYS")]


def test_what_no_configuration_allows_is_refused_when_the_job_is_made(
    places: Places, trades: BlemishedTrades, subject: str, tmp_path: Path
) -> None:
    def refused(sink: JobSink) -> str:
        with pytest.raises((InvalidArgumentError, NotFoundError)) as caught:
            places.cleaner.create_job(subject, path=trades.path, sink=sink)
        assert str(tmp_path) not in caught.value.message
        assert "127.0.0.1" not in caught.value.message
        return caught.value.reason

    assert refused(DatabaseSink("nowhere", "t")) == "CONNECTION_NOT_FOUND"
    assert refused(DatabaseSink("sqlite", "t; DROP TABLE x")) == "INVALID_SINK"
    assert refused(ParquetSink(tmp_path / "outside")) == "INVALID_SINK"
    assert refused(ParquetSink("../up")) == "INVALID_SINK"
    assert refused(ParquetSink("x", partition_by=["price"])) == "INVALID_SINK"
    assert refused(ParquetSink("x", partition_by=["nothing"])) == "INVALID_SINK"
