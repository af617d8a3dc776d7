"""Quarantined rows judged again: released once and whole, or kept with fresh reasons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.cleaner.feed_parts import feeds_of
from tests.unit.cleaner.parts import (
    SUBJECT,
    MemorySchemas,
    MemorySinks,
    MemoryTickStore,
    StoppedClock,
    schema_version,
)
from tickmesh_cleaner.control import JobControl
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.domain.errors import QuarantineEmptyError
from tickmesh_cleaner.domain.job import Job, JobState
from tickmesh_cleaner.domain.job_source import FileSource, QuarantineSource
from tickmesh_cleaner.domain.quarantine import QuarantineFilter, QuarantineState
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.progress import Progress
from tickmesh_cleaner.quarantine_files import QuarantineFiles
from tickmesh_cleaner.sources.queries import Queries
from tickmesh_cleaner.sources.roots import SourceRoots
from tickmesh_cleaner.store import CleanerStore
from tickmesh_cleaner.uploads import Uploads
from tickmesh_cleaner.work import Workshop
from tickmesh_serving.identifiers import RandomIds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tickmesh_cleaner.domain.job_source import JobSource

FIRST = {
    "type": "object",
    "required": ["ts", "price"],
    "properties": {
        "ts": {"type": "integer"},
        "price": {"type": "number", "exclusiveMinimum": 0},
    },
}
CONTENT = b'ts,price\n1,1.5\n2,-1\n3\n4,"x\n5,-2\n'


class Cleaner:
    """The real parts of a cleaner on one home, with a tick store in memory."""

    def __init__(self, home: Path, *, tick_store: MemoryTickStore | None = None) -> None:
        self.home = home
        self.store = CleanerStore(home / "cleaner")
        self.files = QuarantineFiles(home / "quarantine")
        self.tick_store = tick_store or MemoryTickStore()
        self.schemas = MemorySchemas([schema_version(json.dumps(FIRST), 1)])
        clock = StoppedClock()
        self.workshop = Workshop(
            store=self.store,
            quarantine=self.files,
            uploads=Uploads(
                self.store.uploads,
                home / "uploads",
                max_upload_bytes=1 << 20,
                max_spool_bytes=1 << 20,
                clock=clock,
                ids=RandomIds(),
            ),
            roots=SourceRoots([home]),
            queries=Queries(Connections({}), home / "queries", max_bytes=1 << 20),
            feeds=feeds_of(home, self.store, clock=clock),
            schemas=self.schemas,
            sinks=MemorySinks(self.tick_store),
            metrics=CleanerMetrics(CollectorRegistry()),
            clock=clock,
            engine="engine 1",
        )

    def clean(self, content: bytes) -> Job:
        path = self.home / "trades.csv"
        path.write_bytes(content)
        source = FileSource(str(path))
        return self.run(self.store.jobs.create(replay_job("clean", source, file_name="trades.csv")))

    def replay(self, job_id: str, *, spec: str = "", **conditions: object) -> Job:
        selected = QuarantineFilter(**conditions)  # type: ignore[arg-type]  # the test's own words
        source = QuarantineSource(selected, 0, spec)
        job = replay_job(job_id, source, source_spec=spec)
        return self.run(self.store.quarantine.claim_for_replay(job, selected))

    def run(self, job: Job) -> Job:
        job = self.workshop.identify(self.store.jobs.take_over(job.id, "owner"))
        progress = Progress(StoppedClock())
        job = self.workshop.pipeline(job, control=JobControl(), progress=progress).run()
        return self.store.jobs.move(job.id, JobState.SUCCEEDED, owner="owner")

    def held(self, state: QuarantineState = QuarantineState.QUARANTINED) -> dict[bytes, list[str]]:
        selected = QuarantineFilter(state=state)
        entries = self.store.quarantine.page(selected, after_id=0, limit=100)
        return {
            row.record.raw: [reason.code for reason in row.record.reasons]
            for row in self.files.read(entries)
        }

    def prices(self) -> list[object]:
        return [row["price"] for row in self.tick_store.rows]


def replay_job(job_id: str, source: JobSource, **values: str) -> Job:
    return Job(
        id=job_id,
        subject=SUBJECT,
        dataset=SUBJECT,
        source=source,
        source_name="trades.csv",
        created_at_ns=1,
        **values,  # type: ignore[arg-type]  # texts only
    )


@pytest.fixture
def cleaner(tmp_path: Path) -> Iterator[Cleaner]:
    one = Cleaner(tmp_path)
    yield one
    one.store.close()


def test_rows_that_pass_a_new_version_are_stored_once_and_released(cleaner: Cleaner) -> None:
    cleaner.clean(CONTENT)
    before = cleaner.held()
    looser = {**FIRST, "properties": {"ts": {"type": "integer"}, "price": {"type": "number"}}}
    cleaner.schemas.registered.append(schema_version(json.dumps(looser), 2))

    replay = cleaner.replay("replay-1")
    assert cleaner.prices() == [1.5, -1.0, -2.0]
    assert (replay.balance.stored, replay.balance.quarantined) == (2, len(before) - 2)
    assert replay.balance.holds
    assert set(cleaner.held(QuarantineState.RELEASED)) == {b"2,-1", b"5,-2"}

    again = cleaner.replay("replay-2")
    assert again.balance.stored == 0
    assert cleaner.prices() == [1.5, -1.0, -2.0]


def test_a_mended_spec_makes_rows_of_records_that_made_none(cleaner: Cleaner) -> None:
    cleaner.clean(b'ts,price\n1,1.5\n"2,2.5\n')
    assert cleaner.prices() == [1.5]
    (raw,) = cleaner.held()
    assert raw == b'"2,2.5'

    mended = """
        format = "csv"
        csv = { quote = "" }
        [[records]]
        name = "trade"
        [records.fields]
        ts = { from = "ts", values = { '"2' = "2" } }
        price = { from = "price" }
    """
    replay = cleaner.replay("replay-1", spec=mended)
    assert (replay.balance.rows_in, replay.balance.stored) == (1, 1)
    assert cleaner.prices() == [1.5, 2.5]
    assert cleaner.held() == {}


def test_rows_still_bad_keep_their_ids_and_get_fresh_reasons(cleaner: Cleaner) -> None:
    cleaner.clean(CONTENT)
    ids = [row.id for row in cleaner.store.quarantine.page(QuarantineFilter(), after_id=0, limit=9)]
    higher = json.loads(json.dumps(FIRST))
    higher["properties"]["price"] = {"type": "number", "minimum": 0}
    cleaner.schemas.registered.append(schema_version(json.dumps(higher), 2))

    cleaner.replay("replay-1")
    rows = cleaner.store.quarantine.page(QuarantineFilter(), after_id=0, limit=9)
    assert [row.id for row in rows] == ids
    assert {row.replay_job_id for row in rows} == {"replay-1"}
    assert cleaner.held()[b"2,-1"] == ["MINIMUM"]
    counted = {count.code for count in cleaner.store.quarantine.describe(QuarantineFilter())}
    assert "MINIMUM" in counted
    assert "EXCLUSIVE_MINIMUM" not in counted


def test_two_replays_never_hold_the_same_row(cleaner: Cleaner) -> None:
    cleaner.clean(CONTENT)
    everything = QuarantineFilter()
    source = QuarantineSource(everything)
    cleaner.store.quarantine.claim_for_replay(replay_job("replay-1", source), everything)
    with pytest.raises(QuarantineEmptyError):
        cleaner.store.quarantine.claim_for_replay(replay_job("replay-2", source), everything)
    cleaner.store.quarantine.unclaim("replay-1", from_position=0)
    cleaner.store.quarantine.claim_for_replay(replay_job("replay-3", source), everything)


def test_only_the_rows_a_filter_selects_are_judged_again(cleaner: Cleaner) -> None:
    cleaner.clean(CONTENT)
    ragged = cleaner.replay("replay-1", reason="RAGGED")
    assert ragged.balance.rows_in == 1
