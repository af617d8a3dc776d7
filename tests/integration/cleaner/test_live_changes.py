"""While a job runs, the world changes: schemas, and services that go away. The job goes on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.blemished_trades import SCHEMA, BlemishedTrades, write_blemished_trades
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.errors import UnavailableError

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

SETTLE_SECONDS = 120.0


@pytest.fixture(scope="module")
def services(services_to_kill: Services) -> Services:
    return services_to_kill


@pytest.fixture(scope="module")
def trades(services: Services) -> BlemishedTrades:
    # Seconds of work, so that something can happen in the middle of it.
    return write_blemished_trades(
        services.source_root / "live.csv", rows=100_000, seed=5, copies=30
    )


def test_a_compatible_change_is_acted_on_while_the_job_runs(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.compatible"
    services.registry.register(subject, SCHEMA)
    wider = json.loads(SCHEMA)
    wider["properties"]["venue"] = {"type": "string"}

    job = services.cleaner.create_job(subject, path=trades.path)
    changed = False
    delay_ns = 0
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        delay_ns = moment.schema_change_delay_ns or delay_ns
        if not changed and job.balance.rows_in:
            changed = True
            services.registry.register(subject, json.dumps(wider))
    assert list(job.schema_versions) == [1, 2]
    assert job.balance.stored == len(trades.good)
    assert job.balance.holds
    assert delay_ns > 0
    stamped = services.ticks.read(subject)
    assert stamped.num_rows == len(trades.good)
    assert services.cleaner.audit(job.id) == job.balance


@pytest.mark.parametrize("policy", ["quarantine", "pin", "pause"])
def test_a_breaking_change_does_what_the_job_was_told(
    services: Services, trades: BlemishedTrades, policy: str
) -> None:
    subject = f"ticks.breaking.{policy}"
    services.registry.register(subject, SCHEMA)
    stricter = json.loads(SCHEMA)
    stricter["properties"]["size"]["minimum"] = 5

    job = services.cleaner.create_job(subject, path=trades.path, schema_change_policy=policy)
    changed = resumed = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not changed and job.balance.rows_in:
            changed = True
            services.registry.register(subject, json.dumps(stricter), allow_breaking=True)
        if job.state == job_pb2.JOB_STATE_PAUSED and not resumed:
            resumed = True
            assert "version 2" in job.message
            services.cleaner.resume_job(job.id)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert resumed == (policy == "pause")
    assert list(job.schema_versions) == ([1] if policy == "pin" else [1, 2])
    assert job.balance.rows_in == trades.rows
    assert job.balance.holds
    if policy == "pin":
        assert job.balance.stored == len(trades.good)
    else:
        assert job.balance.stored < len(trades.good)
    assert services.cleaner.audit(job.id) == job.balance


@pytest.mark.parametrize("for_good", [False, True])
def test_a_job_leaves_a_version_that_is_deleted_under_it(
    services: Services, trades: BlemishedTrades, *, for_good: bool
) -> None:
    """It goes on under the version in force; what was stored under the other stays readable."""
    subject = f"ticks.deleted.{for_good}"
    services.registry.register(subject, SCHEMA)
    wider = json.loads(SCHEMA)
    wider["properties"]["venue"] = {"type": "string"}
    services.registry.register(subject, json.dumps(wider))

    job = services.cleaner.create_job(subject, path=trades.path)
    changed = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not changed and job.balance.stored:
            changed = True
            services.registry.delete(subject, version=2)
            if for_good:
                services.registry.remove(subject, version=2)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert sorted(job.schema_versions) == [1, 2]
    assert job.balance.stored == len(trades.good)
    assert job.balance.holds
    assert services.ticks.read(subject).num_rows == len(trades.good)


def test_a_job_waits_while_every_version_of_its_subject_is_deleted(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.all_deleted"
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, path=trades.path)
    deleted = restored = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not deleted and job.balance.stored:
            deleted = True
            services.registry.delete(subject, version=1)
        if job.state == job_pb2.JOB_STATE_WAITING and not restored:
            restored = True
            assert "deleted" in job.message
            assert subject in job.message
            services.registry.restore(subject, version=1)
    assert restored
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert job.balance.stored == len(trades.good)
    assert services.cleaner.audit(job.id) == job.balance


def test_a_job_made_before_its_version_comes_into_force_waits_for_it(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.not_yet"
    in_force_ns = time.time_ns() + 10_000_000_000
    services.registry.register(subject, SCHEMA, effective_from_ns=in_force_ns)
    job = services.cleaner.create_job(subject, path=trades.path)
    messages = set()
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if job.state == job_pb2.JOB_STATE_WAITING:
            messages.add(job.message)
    assert any("comes into force" in message for message in messages)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert job.balance.stored == len(trades.good)


def test_a_small_job_beside_big_ones_ends_before_them(
    services: Services, trades: BlemishedTrades
) -> None:
    """Two big jobs have both turns at work; the small one still gets its own."""
    small = write_blemished_trades(services.source_root / "small.csv", rows=1_000, seed=6)
    for subject in ("ticks.big.one", "ticks.big.two", "ticks.small"):
        services.registry.register(subject, SCHEMA)
    big = [
        services.cleaner.create_job(f"ticks.big.{name}", path=trades.path)
        for name in ("one", "two")
    ]
    for job in big:
        next(
            moment
            for moment in services.cleaner.watch_job(job.id, progress_seconds=0.05)
            if moment.job.balance.rows_in
        )
    job = services.cleaner.create_job("ticks.small", path=small.path)
    for moment in services.cleaner.watch_job(job.id):
        job = moment.job
    assert job.balance.stored == len(small.good)
    for other in big:
        *_, last = services.cleaner.watch_job(other.id)
        assert last.job.balance.stored == len(trades.good)
        assert job.ended_at.ToNanoseconds() < last.job.ended_at.ToNanoseconds()


def test_a_job_outlives_its_tick_store_being_killed(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.storeless"
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, path=trades.path)
    killed = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not killed and job.balance.rows_in:
            killed = True
            kill(services.mesh, "tickstore")
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert job.balance.stored == len(trades.good)
    assert job.balance.holds
    assert services.ticks.read(subject).num_rows == len(trades.good)
    assert services.cleaner.audit(job.id) == job.balance


def test_a_job_outlives_its_registry_being_killed(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.registryless"
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, path=trades.path)
    killed = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not killed and job.balance.rows_in:
            killed = True
            kill(services.mesh, "registry")
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert job.balance.stored == len(trades.good)
    # The job needed it no more; the tests after this one do.
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            services.registry.register(subject, SCHEMA)
            break
        except UnavailableError:
            assert time.monotonic() < deadline


def test_pause_halts_and_resume_finishes(services: Services, trades: BlemishedTrades) -> None:
    subject = "ticks.paused"
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, path=trades.path)
    paused = resumed = False
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if not paused and job.balance.rows_in:
            paused = True
            services.cleaner.pause_job(job.id)
        if job.state == job_pb2.JOB_STATE_PAUSED and not resumed:
            resumed = True
            assert job.balance.rows_in < trades.rows
            assert services.cleaner.audit(job.id) == job.balance
            services.cleaner.resume_job(job.id)
    assert resumed
    assert job.balance.stored == len(trades.good)


def test_a_cancelled_job_keeps_what_it_committed_and_the_next_run_goes_on_behind_it(
    services: Services, trades: BlemishedTrades
) -> None:
    subject = "ticks.cancelled"
    services.registry.register(subject, SCHEMA)
    job = services.cleaner.create_job(subject, path=trades.path)
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if job.balance.rows_in and job.state == job_pb2.JOB_STATE_RUNNING:
            services.cleaner.cancel_job(job.id)
    assert job.state == job_pb2.JOB_STATE_CANCELLED
    assert 0 < job.balance.rows_in < trades.rows
    assert job.balance.holds

    rest = services.cleaner.create_job(subject, path=trades.path)
    for moment in services.cleaner.watch_job(rest.id):
        rest = moment.job
    assert rest.balance.rows_in == trades.rows
    assert rest.balance.duplicates == job.balance.rows_in
    assert rest.balance.stored + job.balance.stored == len(trades.good)
    assert services.ticks.read(subject).num_rows == len(trades.good)
