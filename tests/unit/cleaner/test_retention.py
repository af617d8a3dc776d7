"""The quarantine keeps its limits: oldest whole files first, held rows never, all recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.cleaner.test_replaying import Cleaner, replay_job
from tickmesh_cleaner.auditing import Auditor
from tickmesh_cleaner.domain.job import JobState
from tickmesh_cleaner.domain.job_source import FileSource, QuarantineSource
from tickmesh_cleaner.domain.quarantine import Discard, QuarantineFilter, QuarantineState
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.quarantine_reading import QuarantineReader
from tickmesh_cleaner.retention import Retention

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from tickmesh_cleaner.domain.job import Job

DAY_NS = 86_400_000_000_000
EVERYTHING = QuarantineFilter()


class NoRows:
    """A tick store that is not asked."""

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        raise AssertionError


class SettableClock:
    def __init__(self, now: int) -> None:
        self.now = now

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


@pytest.fixture
def cleaner(tmp_path: Path) -> Iterator[Cleaner]:
    one = Cleaner(tmp_path)
    yield one
    one.store.close()


def clean(cleaner: Cleaner, job_id: str) -> Job:
    """Three more bad rows, in a file of their own."""
    path = cleaner.home / f"{job_id}.csv"
    path.write_text(f"ts,price\n1,1.5\n2,-1\n3\n5,-2{job_id[-1]}\n")
    job = replay_job(job_id, FileSource(str(path)), file_name=path.name)
    return cleaner.run(cleaner.store.jobs.create(job))


def retention(
    cleaner: Cleaner,
    *,
    max_bytes: int = 1 << 30,
    max_age_ns: int | None = None,
    now_ns: int = 1_700_000_001_000_000_000,
    registry: CollectorRegistry | None = None,
) -> Retention:
    return Retention(
        cleaner.store,
        cleaner.files,
        max_bytes=max_bytes,
        max_age_ns=max_age_ns,
        clock=SettableClock(now_ns),
        metrics=CleanerMetrics(registry or CollectorRegistry()),
    )


def held_by(cleaner: Cleaner) -> set[str]:
    page = cleaner.store.quarantine.page(EVERYTHING, after_id=0, limit=100)
    return {entry.job_id for entry in page}


def test_beyond_max_bytes_the_oldest_files_go_and_the_rest_stays(cleaner: Cleaner) -> None:
    for job_id in ("job-1", "job-2", "job-3"):
        clean(cleaner, job_id)
    total = cleaner.files.size_bytes()
    registry = CollectorRegistry()
    removed = retention(cleaner, max_bytes=total - 1, registry=registry).look()
    assert removed == {"size": 3}
    assert held_by(cleaner) == {"job-2", "job-3"}
    assert cleaner.files.size_bytes() <= total - 1
    counted = registry.get_sample_value(
        "tickmesh_cleaner_quarantine_removed_rows_total", {"cause": "size"}
    )
    assert counted == 3
    assert retention(cleaner, max_bytes=total - 1).look() == {}


def test_files_older_than_max_age_go(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    written = cleaner.store.removals.written_at_ns("job-1")[1]
    assert retention(cleaner, max_age_ns=DAY_NS, now_ns=written + DAY_NS).look() == {}
    assert retention(cleaner, max_age_ns=DAY_NS, now_ns=written + DAY_NS + 1).look() == {"age": 3}
    assert held_by(cleaner) == set()
    assert cleaner.files.listed(job_id="job-1") == []


def test_rows_that_a_replay_holds_are_never_removed(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    clean(cleaner, "job-2")
    source = QuarantineSource(EVERYTHING)
    of_first = QuarantineFilter(job_id="job-1")
    cleaner.store.quarantine.claim_for_replay(replay_job("replay-1", source), of_first)
    assert retention(cleaner, max_bytes=1).look() == {"size": 3}
    assert held_by(cleaner) == {"job-1"}
    cleaner.store.quarantine.unclaim("replay-1", from_position=0)
    assert retention(cleaner, max_bytes=1).look() == {"size": 3}


def test_the_audit_of_a_job_whose_rows_expired_still_explains_itself(cleaner: Cleaner) -> None:
    job = clean(cleaner, "job-1")
    auditor = Auditor(cleaner.store, cleaner.files, lambda _job: NoRows())
    retention(cleaner, max_bytes=1).look()
    job = cleaner.store.jobs.get(job.id)
    without_producer = cleaner.store.jobs._change(job.id, producer_id="")
    audited = auditor.audit(without_producer)
    assert (audited.quarantined, audited.expired) == (job.balance.quarantined, 3)
    (event,) = job.events
    assert event.code == "EXPIRED"
    assert event.message.startswith("3 quarantined rows were removed")


def test_ids_of_removed_rows_are_not_given_again(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    retention(cleaner, max_bytes=1).look()
    clean(cleaner, "job-2")
    page = cleaner.store.quarantine.page(EVERYTHING, after_id=0, limit=9)
    assert [entry.id for entry in page] == [4, 5, 6]


def test_a_file_that_a_crash_left_behind_is_deleted_by_the_next_look(cleaner: Cleaner) -> None:
    """The index forgot it, the process died before it was deleted."""
    clean(cleaner, "job-1")
    path = cleaner.home / "quarantine" / "job-1" / f"{1:010d}.parquet"
    content = path.read_bytes()
    retention(cleaner, max_bytes=1).look()
    path.write_bytes(content)
    nameless = path.with_name(f"{7:010d}.parquet")
    nameless.write_bytes(content)
    assert retention(cleaner).look() == {}
    assert not path.exists()
    assert not nameless.exists()


def test_a_page_that_was_read_before_a_removal_leaves_out_what_is_gone(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    clean(cleaner, "job-2")
    entries = cleaner.store.quarantine.page(EVERYTHING, after_id=0, limit=9)
    retention(cleaner, max_bytes=cleaner.files.size_bytes() - 1).look()
    reader = QuarantineReader(cleaner.store.quarantine, cleaner.files)
    assert [row.entry.job_id for row in reader.rows(entries)] == ["job-2"] * 3
    there, table = reader.table(entries)
    assert len(there) == table.num_rows == 3


def test_a_file_that_is_lost_is_not_passed_over(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    entries = cleaner.store.quarantine.page(EVERYTHING, after_id=0, limit=9)
    cleaner.files.remove(job_id="job-1", n=1)
    with pytest.raises(FileNotFoundError):
        QuarantineReader(cleaner.store.quarantine, cleaner.files).rows(entries)


def test_discarded_rows_stay_readable_with_who_did_it_and_why(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    given_up = Discard(principal="alice", on_behalf_of="", comment="test feed", at_ns=5)
    ragged = QuarantineFilter(reason="RAGGED")
    assert cleaner.store.quarantine.discard(ragged, given_up) == 1
    assert cleaner.store.quarantine.discard(ragged, given_up) == 0
    (entry,) = cleaner.store.quarantine.page(
        QuarantineFilter(state=QuarantineState.DISCARDED), after_id=0, limit=9
    )
    assert entry.discard == given_up
    assert len(cleaner.held()) == 2


def test_rows_that_a_replay_holds_are_not_discarded(cleaner: Cleaner) -> None:
    clean(cleaner, "job-1")
    source = QuarantineSource(EVERYTHING)
    ragged = QuarantineFilter(reason="RAGGED")
    cleaner.store.quarantine.claim_for_replay(replay_job("replay-1", source), ragged)
    given_up = Discard(principal="alice", on_behalf_of="", comment="all of it", at_ns=5)
    assert cleaner.store.quarantine.discard(QuarantineFilter(job_id="job-1"), given_up) == 2
    replay = cleaner.run(cleaner.store.jobs.get("replay-1"))
    assert (replay.state, replay.balance.rows_in) == (JobState.SUCCEEDED, 1)
