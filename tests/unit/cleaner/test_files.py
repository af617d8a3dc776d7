"""Several files as one job: each a producer of its own, gone on with where the job stopped."""

from __future__ import annotations

import errno
import gzip
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.cleaner.parts import SUBJECT, schema_version
from tests.unit.cleaner.test_replaying import FIRST, Cleaner
from tickmesh.schema import Action
from tickmesh_cleaner import quarantine_files
from tickmesh_cleaner.auditing import Auditor
from tickmesh_cleaner.domain.errors import JobStateError
from tickmesh_cleaner.domain.job import Job, JobState, SchemaChangePolicy
from tickmesh_cleaner.domain.job_source import FileSource, FilesSource
from tickmesh_cleaner.jobs import JobRunner
from tickmesh_cleaner.work import Workshop

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from tests.unit.cleaner.parts import MemoryTickStore

FILES = {
    "a.csv": "ts,price\n1,1.5\n2,-1\n",
    "b.csv": "ts,price\n3,2.5\n4,-1\n5,3.5\n",
    "c.jsonl": '{"ts":6,"price":4.5}\n{"ts":7,"price":-2}\n',
}
ROWS, BAD = 7, 3
DAMAGED = gzip.compress(FILES["b.csv"].encode())[:-6]


class StoredRows:
    """Counts the rows of a cleaner's tick store by their stamps."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        return {
            producer_id: self._cleaner.tick_store.rows_by_sequence(producer_id)
            for producer_id in producer_ids
        }


class FilesCleaner(Cleaner):
    """A cleaner whose jobs run as they do in a process, on threads."""

    def __init__(self, home: Path, *, tick_store: MemoryTickStore | None = None) -> None:
        super().__init__(home, tick_store=tick_store)
        self.root = home / "trades"
        self.root.mkdir(exist_ok=True)
        self.runner = JobRunner(self.workshop, owner="owner", max_running=2)
        self.auditor = Auditor(self.store, self.files, lambda _job: StoredRows(self))

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (self.root / name).write_bytes(data)

    def start(self, job_id: str, source: FilesSource | FileSource, **values: object) -> Job:
        name = source.path.rpartition("/")[2] if isinstance(source, FileSource) else ""
        job = Job(
            id=job_id,
            subject=SUBJECT,
            dataset=SUBJECT,
            source=source,
            source_name=name or "trades",
            file_name=name,
            created_at_ns=1,
            **values,  # type: ignore[arg-type]  # the test's own words
        )
        job = self.store.jobs.create(job)
        self.runner.submit(job)
        return job

    def files_job(self, job_id: str, pattern: str = "", **values: object) -> Job:
        source = FilesSource(str(self.root / pattern) if pattern else str(self.root))
        self.start(job_id, source, **values)
        return self.halted(job_id)

    def halted(self, job_id: str) -> Job:
        """The job once it has ended or is paused."""
        deadline = time.monotonic() + 120
        while not (job := self.store.jobs.get(job_id)).state.ended:
            if job.state is JobState.PAUSED:
                break
            assert time.monotonic() < deadline, job
            time.sleep(0.005)
        return job

    def resume(self, job_id: str) -> Job:
        self.runner.resume(job_id, approved_version=99)
        return self.halted(job_id)

    def restarted(self) -> FilesCleaner:
        """The cleaner after its process died: its files and the tick store are what is left."""
        self.runner.stop(timeout_seconds=60)
        self.store.close()
        again = FilesCleaner(self.home, tick_store=self.tick_store)
        again.schemas.registered[:] = self.schemas.registered
        return again


@pytest.fixture
def cleaner(tmp_path: Path) -> Iterator[FilesCleaner]:
    one = FilesCleaner(tmp_path)
    one.write(FILES)
    yield one
    one.runner.stop(timeout_seconds=60)
    one.store.close()


def events(job: Job) -> list[tuple[str, str]]:
    return [(event.code, event.message) for event in job.events]


def test_the_files_of_a_directory_are_cleaned_in_order_under_one_account(
    cleaner: FilesCleaner,
) -> None:
    job = cleaner.files_job("all")
    assert job.state is JobState.SUCCEEDED, job.message
    assert (job.balance.rows_in, job.balance.quarantined) == (ROWS, BAD)
    assert job.balance.holds
    assert cleaner.prices() == [1.5, 2.5, 3.5, 4.5]
    assert events(job) == [
        ("FILE_STARTED", "trades/a.csv"),
        ("FILE_ENDED", "trades/a.csv: 2 rows in = 1 stored + 1 quarantined + 0 duplicates"),
        ("FILE_STARTED", "trades/b.csv"),
        ("FILE_ENDED", "trades/b.csv: 3 rows in = 2 stored + 1 quarantined + 0 duplicates"),
        ("FILE_STARTED", "trades/c.jsonl"),
        ("FILE_ENDED", "trades/c.jsonl: 2 rows in = 1 stored + 1 quarantined + 0 duplicates"),
    ]
    assert cleaner.auditor.audit(job) == job.balance


def test_bad_rows_of_every_file_are_kept_and_replayed(cleaner: FilesCleaner) -> None:
    """Batches of different files have equal numbers; their quarantine files do not."""
    job = cleaner.files_job("all")
    held = cleaner.held()
    assert sorted(held) == [b"2,-1", b"4,-1", b'{"ts":7,"price":-2}']
    looser = {**FIRST, "properties": {"ts": {"type": "integer"}, "price": {"type": "number"}}}
    cleaner.schemas.registered.append(schema_version(json.dumps(looser), 2))
    replay = cleaner.replay("again", subject=job.subject)
    assert (replay.balance.stored, replay.balance.quarantined) == (BAD, 0)
    assert sorted(map(str, cleaner.prices()[-BAD:])) == ["-1.0", "-1.0", "-2.0"]


@pytest.mark.parametrize("alone_first", [True, False])
def test_a_file_cleaned_alone_and_among_others_is_stored_once(
    cleaner: FilesCleaner, alone_first: bool
) -> None:
    alone = FileSource(str(cleaner.root / "b.csv"))
    if alone_first:
        cleaner.start("alone", alone)
        assert cleaner.halted("alone").balance.stored == 2
    job = cleaner.files_job("all")
    assert job.balance.duplicates == (3 if alone_first else 0)
    if not alone_first:
        cleaner.start("alone", alone)
        assert cleaner.halted("alone").balance.duplicates == 3
    assert cleaner.prices().count(2.5) == 1
    for job_id in ("alone", "all"):
        ended = cleaner.store.jobs.get(job_id)
        assert ended.balance.holds
        assert cleaner.auditor.audit(ended) == ended.balance


def test_cleaning_a_directory_again_stores_nothing_again_unless_asked(
    cleaner: FilesCleaner,
) -> None:
    cleaner.files_job("first")
    cleaner.write({"d.csv": "ts,price\n8,8.5\n"})
    second = cleaner.files_job("second")
    assert (second.balance.stored, second.balance.duplicates) == (1, ROWS)
    third = cleaner.files_job("third", again=True)
    assert third.balance.stored == 5
    assert cleaner.auditor.audit(third) == third.balance


def test_two_files_of_equal_content_are_one_source(cleaner: FilesCleaner) -> None:
    cleaner.write({"copy.csv": FILES["a.csv"]})
    job = cleaner.files_job("all", "*.csv")
    assert (job.balance.rows_in, job.balance.stored) == (7, 3)
    assert job.balance.duplicates == 2
    assert cleaner.prices() == [1.5, 2.5, 3.5]
    assert cleaner.auditor.audit(job) == job.balance


def test_constants_are_taken_from_each_files_own_name(cleaner: FilesCleaner) -> None:
    cleaner.write({"p_7.csv": "ts\n1\n", "p_8.csv": "ts\n1\n"})
    spec = """format = "csv"
    file_name = 'p_(?P<price>[0-9])[.]csv'
    [[records]]
    name = "row"
    [records.fields]
    ts = { from = "ts" }
    price = { file_name = "price" }
    """
    job = cleaner.files_job("all", "p_*.csv", source_spec=spec)
    assert job.state is JobState.SUCCEEDED, job.message
    # Equal content under different names is not the same rows.
    assert cleaner.prices() == [7.0, 8.0]


def test_a_damaged_file_fails_the_job_there_and_mended_it_goes_on(cleaner: FilesCleaner) -> None:
    whole = cleaner.root / "b.csv"
    cleaner.write({"b.csv": DAMAGED})
    job = cleaner.files_job("all")
    assert (job.state, job.error_reason) == (JobState.FAILED, "SOURCE_UNREADABLE")
    assert "trades/b.csv" in job.message
    assert cleaner.prices() == [1.5]
    assert job.balance.holds
    assert cleaner.auditor.audit(job) == job.balance
    assert cleaner.resume("all").state is JobState.FAILED

    whole.write_text(FILES["b.csv"], encoding="utf-8")
    job = cleaner.resume("all")
    assert job.state is JobState.SUCCEEDED, job.message
    assert (job.balance.rows_in, job.balance.quarantined) == (ROWS, BAD)
    assert cleaner.prices() == [1.5, 2.5, 3.5, 4.5]
    assert cleaner.auditor.audit(job) == job.balance
    with pytest.raises(JobStateError):
        cleaner.runner.resume("all", approved_version=1)


def test_a_file_that_went_away_fails_the_job_by_its_name(cleaner: FilesCleaner) -> None:
    cleaner.write({"b.csv": DAMAGED})
    cleaner.files_job("all")
    (cleaner.root / "b.csv").unlink()
    job = cleaner.resume("all")
    assert (job.state, job.error_reason) == (JobState.FAILED, "SOURCE_NOT_FOUND")
    assert "b.csv" in job.message


def test_a_resume_that_comes_while_the_failed_job_still_cleans_up_is_not_lost(
    cleaner: FilesCleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = Workshop.drop_feed

    def drop_slowly(workshop: Workshop, job: Job) -> None:
        time.sleep(0.3)
        drop(workshop, job)

    monkeypatch.setattr(Workshop, "drop_feed", drop_slowly)
    cleaner.write({"b.csv": DAMAGED})
    assert cleaner.files_job("all").state is JobState.FAILED
    cleaner.write({"b.csv": FILES["b.csv"]})
    assert cleaner.resume("all").state is JobState.SUCCEEDED


def test_a_full_disk_ends_a_job_that_goes_on_once_there_is_room(
    cleaner: FilesCleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to do, and a resume settles what stood open."""

    def full(_path: Path, _table: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(quarantine_files, "publish_table", full)
        job = cleaner.files_job("all")
    assert (job.state, job.error_reason) == (JobState.FAILED, "LIMIT_EXCEEDED")
    assert "free space" in job.message
    job = cleaner.resume("all")
    assert job.state is JobState.SUCCEEDED, job.message
    assert (job.balance.rows_in, job.balance.quarantined) == (ROWS, BAD)
    assert cleaner.prices() == [1.5, 2.5, 3.5, 4.5]


def test_a_restart_goes_on_with_the_file_the_job_was_at(cleaner: FilesCleaner) -> None:
    """What is listed stays listed; files that came since are another job's."""
    cleaner.tick_store.away = True
    cleaner.start("all", FilesSource(str(cleaner.root)))
    deadline = time.monotonic() + 120
    while cleaner.store.jobs.get("all").state is not JobState.WAITING:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    again = cleaner.restarted()
    try:
        again.tick_store.away = False
        again.write({"0.csv": "ts,price\n0,0.5\n"})
        again.runner.take_up()
        job = again.halted("all")
        assert job.state is JobState.SUCCEEDED, job.message
        assert again.prices() == [1.5, 2.5, 3.5, 4.5]
        assert (job.balance.rows_in, job.balance.holds) == (ROWS, True)
        assert again.auditor.audit(job) == job.balance
    finally:
        again.runner.stop(timeout_seconds=60)
        again.store.close()


def test_a_pinned_version_holds_from_file_to_file(cleaner: FilesCleaner) -> None:
    """The policies speak of the job, not of a file."""
    cleaner.write({"b.csv": DAMAGED})
    cleaner.files_job("all", schema_change_policy=SchemaChangePolicy.PIN)
    cleaner.write(FILES)
    stricter = json.dumps({**FIRST, "required": ["ts", "price", "venue"]})
    breaking = schema_version(stricter, 2, action=Action.BREAKING_CHANGE)
    cleaner.schemas.registered.append(breaking)
    job = cleaner.resume("all")
    assert job.state is JobState.SUCCEEDED, job.message
    assert job.schema_versions == (1,)


def test_progress_is_that_of_all_the_files(cleaner: FilesCleaner) -> None:
    cleaner.files_job("all")
    moments = cleaner.store.job_files.of_job("all")
    total = sum(len(content) for content in FILES.values())
    assert cleaner.store.job_files.sizes(moments[2]) == (
        len(FILES["a.csv"]) + len(FILES["b.csv"]),
        total,
    )
