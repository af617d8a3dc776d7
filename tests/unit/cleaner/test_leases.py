"""A job has one owner: while its lease lasts nobody else takes it, and afterwards only one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.unit.cleaner.parts import MemorySink, MemoryTickStore, schema_version
from tests.unit.cleaner.test_pipeline import BAD, FIRST, GOOD, Life, a_job, stored
from tickmesh_cleaner.domain.intent import Intent
from tickmesh_cleaner.domain.job import JobState
from tickmesh_cleaner.store.jobs import OwnershipLostError
from tickmesh_cleaner.store.leases import LeaseHeldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    one = Life(tmp_path, MemoryTickStore())
    one.store.jobs.create(a_job())
    yield one
    one.end()


def test_a_job_is_taken_from_a_dead_owner_once_its_lease_is_over(life: Life) -> None:
    jobs, leases = life.store.jobs, life.store.leases
    jobs.take_over("job-1", "first", now_ns=0, until_ns=100)
    assert leases.ownerless(now_ns=99) == []
    with pytest.raises(LeaseHeldError):
        jobs.take_over("job-1", "second", now_ns=99, until_ns=200)

    leases.renew("first", until_ns=150)
    assert leases.ownerless(now_ns=149) == []
    assert leases.ownerless(now_ns=150) == ["job-1"]
    assert jobs.take_over("job-1", "second", now_ns=150, until_ns=250).owner == "second"
    with pytest.raises(LeaseHeldError):
        jobs.take_over("job-1", "first", now_ns=151, until_ns=250)


def test_a_lease_given_up_is_free_at_once(life: Life) -> None:
    life.store.jobs.take_over("job-1", "first", now_ns=0, until_ns=100)
    life.store.leases.give_up("job-1", owner="second")
    assert life.store.leases.ownerless(now_ns=1) == []
    life.store.leases.give_up("job-1", owner="first")
    assert life.store.leases.ownerless(now_ns=1) == ["job-1"]


def test_who_opens_the_directory_waits_for_no_lease_of_the_dead(tmp_path: Path) -> None:
    dead = Life(tmp_path, MemoryTickStore())
    dead.store.jobs.create(a_job())
    dead.store.jobs.take_over("job-1", "dead", now_ns=0, until_ns=1 << 62)
    dead.end()
    heir = Life(tmp_path, MemoryTickStore())
    assert heir.store.leases.ownerless(now_ns=1) == ["job-1"]
    heir.end()


def test_an_owner_that_lost_its_job_is_fenced_at_the_ledger_and_at_the_sink(life: Life) -> None:
    """It was taken for dead and is not: neither its commits nor its rows count any more."""
    job = life.store.jobs.get("job-1")
    old = MemorySink(life.tick_store)
    taken: list[str] = []

    def lose(name: str) -> None:
        if name == "before advance" and not taken:
            taken.append(name)
            old.open("p")
            life.store.jobs.take_over("job-1", "heir")

    life.on_step = lose
    with pytest.raises(OwnershipLostError):
        life.run(job)
    assert life.store.ledger.state("p").open == ()
    with pytest.raises(OwnershipLostError):
        life.store.ledger.advance("job-1", owner=job.owner, now_ns=1, intents=[an_intent()])

    life.on_step = None
    done = life.run(life.store.jobs.get("job-1"))
    assert stored(life.tick_store) == GOOD
    assert life.held() == BAD
    assert done.balance.holds
    batch = pa.RecordBatch.from_pydict({"x": pa.array([], pa.int64())})
    late = old.write(99, batch, schema=schema_version(FIRST, 1), start="", end="")
    assert isinstance(late.exception(), AssertionError)
    assert stored(life.tick_store) == GOOD


def test_an_ended_job_is_nobodys_to_take(life: Life) -> None:
    life.store.jobs.take_over("job-1", "first")
    life.store.jobs.move("job-1", JobState.CANCELLED, owner="first")
    assert life.store.leases.ownerless(now_ns=1) == []


def an_intent() -> Intent:
    return Intent(
        job_id="job-1",
        producer_id="p",
        n=1,
        epoch=1,
        start="0",
        end="3",
        schema_id=1,
        schema_version=1,
        rule_set_fingerprint="sign",
    )
