"""docs/sources.md, docs/feeds.md, docs/databases.md and docs/sinks.md do what they show."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.integration.test_docs import PAGES, SCHEMA, run_step, trades
from tests.support.feed_server import FeedServer
from tests.support.mesh import mesh_for_the_command_line
from tests.support.transcripts import Block, steps_of
from tickmesh import TickClient
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.integration

ROWS = 120
FIELDS: dict[str, Any] = dict(cast("Mapping[str, Any]", SCHEMA["properties"]))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A mesh whose cleaner may read feeds here, write below a lake, and knows one database."""
    research = tmp_path / "research.sqlite"
    (tmp_path / "lake").mkdir()
    settings = {
        "cleaner.sources.hosts": "127.0.0.1:*",
        "cleaner.sinks.lake_roots": str(tmp_path / "lake"),
        "cleaner.databases.research.url": f"sqlite:///{research}",
    }
    with mesh_for_the_command_line(tmp_path / "home", settings=settings):
        (tmp_path / "home" / "sources" / "trades").mkdir()
        yield tmp_path


@pytest.fixture
def registry(home: Path) -> Iterator[RegistryClient]:
    assert home.exists()
    with RegistryClient() as registry:
        yield registry


def execute(page: str, home: Path, *, instead: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a page's blocks with the places of this mesh; what its Python left behind."""
    instead = {
        '"/data/': f'"{home}/home/sources/',
        '"/var/log/': f'"{home}/home/sources/',
        '"/lake/': f'"{home}/lake/',
        **(instead or {}),
    }
    pattern = re.compile("|".join(map(re.escape, instead)))
    names: dict[str, Any] = {}
    for block in PAGES[page]:
        text = pattern.sub(lambda found: instead[found[0]], block.text)
        if block.language == "python":
            exec(compile(text, page, "exec"), names)
            continue
        for step in steps_of(Block("console", re.sub(r"\\\n\s*", "", text))):
            run_step(step.command, folder=home, words={})
    return names


def ended(cleaner: CleanerClient) -> list[job_pb2.Job]:
    """Every job once it has ended; those without end are cancelled when they have their rows."""
    found = []
    for job in cleaner.list_jobs():
        latest = job
        for moment in cleaner.watch_job(job.id, progress_seconds=0.1):
            latest = moment.job
            endless = latest.source.WhichOneof("source") in {"http", "websocket", "followed"}
            if endless or latest.source.database.HasField("poll_interval"):
                cleaner.cancel_job(job.id)
        assert latest.balance.holds, latest
        found.append(latest)
    return found


def states(jobs: list[job_pb2.Job]) -> list[str]:
    return sorted(job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_") for job in jobs)


def test_the_page_of_sources(home: Path, registry: RegistryClient) -> None:
    registry.register("ticks.trades", json.dumps(SCHEMA))
    files = home / "home" / "sources" / "trades"
    for month in (1, 2):
        text = trades(rows=ROWS + month, bad_every=60)
        (files / f"2024-{month:02d}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (home / "home" / "sources" / "feed.jsonl").write_text("")
    execute("docs/sources.md", home)
    with CleanerClient() as cleaner:
        jobs = ended(cleaner)
    assert states(jobs) == ["CANCELLED", "SUCCEEDED"]
    assert {job.balance.rows_in for job in jobs} == {0, 2 * ROWS + 3}


def test_the_page_of_feeds(home: Path, registry: RegistryClient) -> None:
    feed_schema = SCHEMA | {
        "properties": {
            **FIELDS,
            "ts": {"type": "integer", "arrow": "timestamp[ns, UTC]"},
        }
    }
    registry.register("ticks.trades", json.dumps(feed_schema))
    with FeedServer() as feed:
        feed.tell(available=7)
        execute(
            "docs/feeds.md",
            home,
            instead={
                "https://feed.example.com/trades": feed.url("/pages"),
                "wss://feed.example.com": feed.url("", scheme="ws"),
            },
        )
        with CleanerClient() as cleaner, TickClient() as ticks:
            paged = min(cleaner.list_jobs(), key=lambda job: job.created_at.ToNanoseconds())
            for moment in cleaner.watch_job(paged.id, progress_seconds=0.1):
                if moment.job.balance.stored == 7:
                    break
            assert ticks.read("ticks.trades").num_rows >= 7
            jobs = ended(cleaner)
    assert states(jobs) == ["CANCELLED"] * 3


def test_the_page_of_databases(home: Path, registry: RegistryClient) -> None:
    schema = SCHEMA | {
        "properties": {
            **FIELDS,
            **{name: {"type": "integer"} for name in ("id", "updated_at")},
            "day": {"type": "string"},
        }
    }
    registry.register("ticks.trades", json.dumps(schema))
    with closing(sqlite3.connect(home / "research.sqlite")) as research, research:
        research.execute(
            "create table trades (id integer primary key, day text, updated_at integer, "
            "ts text, symbol text, price real, size integer)"
        )
        research.executemany(
            "insert into trades values (?, '2026-01-30', ?, '2026-01-30T15:00:00Z', 'AAPL', 10, 1)",
            [(number, number) for number in range(ROWS)],
        )
    execute("docs/databases.md", home)
    with CleanerClient() as cleaner:
        jobs = ended(cleaner)
    assert states(jobs) == ["CANCELLED", "CANCELLED", "SUCCEEDED", "SUCCEEDED"]
    whole = [job for job in jobs if job.state == job_pb2.JOB_STATE_SUCCEEDED]
    assert [job.balance.stored for job in whole] == [ROWS, ROWS]


def test_the_page_of_sinks(home: Path, registry: RegistryClient) -> None:
    registry.register("ticks.trades", json.dumps(SCHEMA))
    for place in (home, home / "home" / "sources"):
        (place / "trades.csv").write_text(trades(rows=ROWS, bad_every=60))
    names = execute("docs/sinks.md", home)
    with CleanerClient() as cleaner:
        jobs = ended(cleaner)
    assert states(jobs) == ["SUCCEEDED"] * 4
    assert sorted(job.balance.duplicates for job in jobs) == [0, 0, ROWS, ROWS]
    assert names["table"].num_rows == ROWS - 2
    assert set(names["table"]["symbol"].to_pylist()) == {"AAPL", "MSFT"}
    with closing(sqlite3.connect(home / "research.sqlite")) as research:
        assert research.execute("select count(*) from trades").fetchone() == (ROWS - 2,)
