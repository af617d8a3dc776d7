"""A runner takes over the jobs of dead owners, and leaves alone those that live."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.cleaner.parts import SUBJECT, StoppedClock
from tests.unit.cleaner.test_replaying import Cleaner
from tickmesh_cleaner import jobs
from tickmesh_cleaner.domain.job import Job, JobRequest, JobState
from tickmesh_cleaner.domain.job_source import FileSource
from tickmesh_cleaner.jobs import JobRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 30.0
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def cleaner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cleaner]:
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 0.05)
    one = Cleaner(tmp_path)
    (tmp_path / "trades.csv").write_bytes(b"ts,price\n1,1.5\n2,-1\n")
    yield one
    one.store.close()


def owned_by_another(cleaner: Cleaner, clock: StoppedClock) -> Job:
    """A job whose owner has taken it for an hour."""
    source = FileSource(str(cleaner.home / "trades.csv"))
    made = Job("job", SUBJECT, SUBJECT, source, "trades.csv", 1, file_name="trades.csv")
    job = cleaner.store.jobs.create(made)
    now_ns = clock.now_ns()
    return cleaner.store.jobs.take_over(job.id, "another", now_ns=now_ns, until_ns=now_ns + HOUR_NS)


def test_a_dead_owners_job_is_carried_to_its_end_once_its_lease_is_over(cleaner: Cleaner) -> None:
    clock = cleaner.workshop.clock
    assert isinstance(clock, StoppedClock)
    job = owned_by_another(cleaner, clock)
    runner, ended = JobRunner(cleaner.workshop, owner="heir", max_running=1), threading.Event()
    runner.listen(job.id, ended.set)
    runner.take_up()
    assert not ended.wait(0.2)
    assert cleaner.store.jobs.get(job.id).owner == "another"

    clock.now += 2 * HOUR_NS
    assert ended.wait(PATIENCE_SECONDS)
    runner.stop(timeout_seconds=PATIENCE_SECONDS)
    done = cleaner.store.jobs.get(job.id)
    assert (done.owner, done.state) == ("heir", JobState.SUCCEEDED)
    assert cleaner.prices() == [1.5]


def test_what_is_asked_of_a_job_that_another_owns_is_left_to_its_owner(cleaner: Cleaner) -> None:
    clock = cleaner.workshop.clock
    assert isinstance(clock, StoppedClock)
    job = owned_by_another(cleaner, clock)
    runner = JobRunner(cleaner.workshop, owner="heir", max_running=1)
    assert runner.cancel(job.id).state is JobState.PENDING
    found = cleaner.store.jobs.get(job.id)
    assert (found.owner, found.requested) == ("another", JobRequest.CANCEL)
    assert cleaner.prices() == []


def test_an_owner_hears_what_was_asked_of_its_job_through_another_process(
    cleaner: Cleaner,
) -> None:
    """The request stands in the database, and is read with each renewal."""
    clock = cleaner.workshop.clock
    assert isinstance(clock, StoppedClock)
    job = owned_by_another(cleaner, clock)
    cleaner.schemas.away = True
    clock.now += 2 * HOUR_NS
    runner, ended = JobRunner(cleaner.workshop, owner="heir", max_running=1), threading.Event()
    runner.listen(job.id, ended.set)
    runner.take_up()
    # It waits for the registry, until it hears.
    cleaner.store.jobs.request(job.id, JobRequest.CANCEL)
    assert ended.wait(PATIENCE_SECONDS)
    runner.stop(timeout_seconds=PATIENCE_SECONDS)
    assert cleaner.store.jobs.get(job.id).state is JobState.CANCELLED
