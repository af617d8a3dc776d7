"""The cleaner's functions with nothing but the call they serve: no transport, no context of one."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.cleaner.feed_parts import feeds_of
from tests.unit.cleaner.parts import (
    SUBJECT,
    MemorySchemas,
    MemorySinks,
    MemoryTickStore,
    schema_version,
)
from tickmesh_cleaner.application import CleanerApplication, JobOrder
from tickmesh_cleaner.auditing import Auditor
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.domain.errors import InvalidRuleError, JobNotFoundError
from tickmesh_cleaner.domain.job import Job, JobState
from tickmesh_cleaner.domain.job_source import FileSource
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.jobs import JobRunner
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.quarantine_files import QuarantineFiles
from tickmesh_cleaner.sources.queries import Queries
from tickmesh_cleaner.sources.roots import SourceRoots
from tickmesh_cleaner.store import CleanerStore
from tickmesh_cleaner.uploads import Uploads
from tickmesh_cleaner.work import Workshop
from tickmesh_serving.call_context import CallContext, current_call_or_none
from tickmesh_serving.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

NOW = 1_700_000_000_123_456_789
SCHEMA = {
    "type": "object",
    "required": ["price"],
    "properties": {"price": {"type": "number", "exclusiveMinimum": 0}},
}
CALL = CallContext(
    principal=Principal("gateway", "certificate", on_behalf_of="alice"), request_id="r-1"
)


class FixedClock:
    def now_ns(self) -> int:
        return NOW

    def monotonic_ns(self) -> int:
        return NOW


class RowsOf:
    """Counts what a tick store in memory holds; there is one batch in this test."""

    def __init__(self, tick_store: MemoryTickStore) -> None:
        self._tick_store = tick_store

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> dict[str, Counter[int]]:
        (producer_id,) = producer_ids
        counted = Counter({self._tick_store.last[producer_id]: len(self._tick_store.rows)})
        return {producer_id: counted}


class CountingIds:
    def __init__(self) -> None:
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"id-{self._count}"


@pytest.fixture
def schemas() -> MemorySchemas:
    return MemorySchemas([schema_version(json.dumps(SCHEMA), 1)])


@pytest.fixture
def application(tmp_path: Path, schemas: MemorySchemas) -> Iterator[CleanerApplication]:
    clock, ids = FixedClock(), CountingIds()
    store = CleanerStore(tmp_path / "cleaner")
    files = QuarantineFiles(tmp_path / "quarantine")
    tick_store = MemoryTickStore()
    workshop = Workshop(
        store=store,
        quarantine=files,
        uploads=Uploads(
            store.uploads,
            tmp_path / "uploads",
            max_upload_bytes=1 << 20,
            max_spool_bytes=1 << 20,
            clock=clock,
            ids=ids,
        ),
        roots=SourceRoots([tmp_path]),
        queries=Queries(Connections({}), tmp_path / "queries", max_bytes=1 << 20),
        feeds=feeds_of(tmp_path, store, clock=clock),
        schemas=schemas,
        sinks=MemorySinks(tick_store),
        metrics=CleanerMetrics(CollectorRegistry()),
        clock=clock,
        engine="engine 1",
    )
    runner = JobRunner(workshop, owner="this", max_running=1)
    yield CleanerApplication(
        workshop,
        runner,
        schemas=schemas,
        auditor=Auditor(store, files, lambda _job: RowsOf(tick_store)),
        ids=ids,
        max_unfinished=4,
    )
    runner.stop(timeout_seconds=30.0)
    store.close()


def test_a_file_is_cleaned_under_the_name_and_at_the_instant_that_were_passed_in(
    application: CleanerApplication, tmp_path: Path
) -> None:
    assert current_call_or_none() is None
    path = tmp_path / "prices.csv"
    path.write_text("price\n1\n-2\n3\n", encoding="utf-8")
    ended = threading.Event()
    job = application.create_job(CALL, JobOrder(SUBJECT, FileSource(str(path))))
    assert (job.id, job.created_at_ns) == ("id-1", NOW)
    assert (job.principal, job.on_behalf_of) == ("gateway", "alice")

    forget = application.listen(CALL, job.id, ended.set)
    if not application.moment(CALL, job.id).job.state.ended:
        assert ended.wait(30.0)
    forget()
    job = application.job(CALL, job.id)
    assert (job.state, job.ended_at_ns) == (JobState.SUCCEEDED, NOW)
    assert (job.balance.stored, job.balance.quarantined) == (2, 1)
    assert application.audit(CALL, job.id) == job.balance
    page = application.jobs(CALL, page_size=10, before=None, state=None, subject=SUBJECT)
    assert page == ([job], None)

    (row,), _ = application.quarantined(CALL, QuarantineFilter(), after_id=0, page_size=10)
    assert (row.record.raw, row.record.first_seen_ns) == (b"-2", NOW)
    count, (reason,) = application.describe_quarantine(CALL, QuarantineFilter())
    assert (count, reason.count.code) == (1, "EXCLUSIVE_MINIMUM")
    replay = application.replay_quarantine(
        CALL, QuarantineFilter(), schema_version=0, source_spec="", request_id="again"
    )
    assert (replay.principal, replay.on_behalf_of) == ("gateway", "alice")


def test_the_end_of_a_job_is_told_once_it_has_let_go_of_what_it_held(
    application: CleanerApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("price\n1\n", encoding="utf-8")
    noted, may_free, freed = threading.Event(), threading.Event(), threading.Event()

    def drop_slowly(_workshop: Workshop, job: Job) -> None:
        assert job.state is JobState.SUCCEEDED
        noted.set()
        assert may_free.wait(30.0)
        freed.set()

    monkeypatch.setattr(Workshop, "drop_feed", drop_slowly)
    job = application.create_job(CALL, JobOrder(SUBJECT, FileSource(str(path))))
    ended = threading.Event()
    application.listen(CALL, job.id, ended.set)
    assert noted.wait(30.0)
    now = application.moment(CALL, job.id)
    assert now.job.state is JobState.SUCCEEDED
    assert now.is_ending
    may_free.set()
    assert ended.wait(30.0)
    assert freed.is_set()
    assert not application.moment(CALL, job.id).is_ending


def test_what_is_not_there_is_told(application: CleanerApplication) -> None:
    for function in (application.job, application.pause_job, application.cancel_job):
        with pytest.raises(JobNotFoundError):
            function(CALL, "absent")


def test_no_job_is_made_under_a_schema_with_a_wrong_rule(
    application: CleanerApplication, schemas: MemorySchemas, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("price\n1\n", encoding="utf-8")
    wrong = {**SCHEMA, "x-tick-session": "XMARS"}
    schemas.registered.append(schema_version(json.dumps(wrong), 2))
    with pytest.raises(InvalidRuleError, match="24x7, FX, XNYS") as refused:
        application.create_job(CALL, JobOrder(SUBJECT, FileSource(str(path))))
    assert refused.value.metadata == {"pointer": "/x-tick-session/calendar"}
    page, _ = application.jobs(CALL, page_size=10, before=None, state=None, subject=SUBJECT)
    assert page == []
