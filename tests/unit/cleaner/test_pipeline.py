"""Exactly once: whatever step the cleaner dies at, every row is accounted for exactly once."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.cleaner.parts import (
    SUBJECT,
    MemorySchemas,
    MemorySink,
    MemoryTickStore,
    NumberSource,
    SignJudge,
    StoppedClock,
    schema_version,
)
from tickmesh.schema import Action
from tickmesh_cleaner.control import HaltedError, JobControl
from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.errors import JobStateError
from tickmesh_cleaner.domain.job import Job, JobRequest, JobState, SchemaChangePolicy
from tickmesh_cleaner.domain.job_source import FileSource
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.held_rows import HeldRows
from tickmesh_cleaner.metrics import CleanerMetrics
from tickmesh_cleaner.pipeline import Pipeline
from tickmesh_cleaner.progress import Progress
from tickmesh_cleaner.quarantine_files import QuarantineFiles
from tickmesh_cleaner.schema_following import ApprovalNeededError, PolicyFollower
from tickmesh_cleaner.store import CleanerStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST = '{"type": "object", "properties": {"x": {"type": "integer"}}}'
NUMBERS = [5, -1, 2, 3, 4, -7, -8, -9, -10, 6, 7, 8, 11]
GOOD = [number for number in NUMBERS if number >= 0]
BAD = [number for number in NUMBERS if number < 0]


class Crash(BaseException):
    """The process dies here: nothing of this life of the cleaner runs on."""


class Dying:
    """Passes calls on to a part and dies before, or right after, one of them."""

    def __init__(self, part: Any, fuse: Callable[[str], None], names: tuple[str, ...]) -> None:
        self._part = part
        self._fuse = fuse
        self._names = names

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name not in self._names:
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            self._fuse(f"before {name}")
            answer = method(*arguments, **named)
            self._fuse(f"after {name}")
            return answer

        return call


def dying(part: Any, fuse: Callable[[str], None], names: tuple[str, ...]) -> Any:
    """A part that dies, typed as whatever it stands in for."""
    return Dying(part, fuse, names)


class Life:
    """One life of a cleaner on a home: it opens the store, and can be made to die."""

    def __init__(
        self,
        home: Path,
        tick_store: MemoryTickStore,
        *,
        crash_at: int | None = None,
        late_answers: bool = False,
    ) -> None:
        self.home = home
        self.store = CleanerStore(home)
        self.files = QuarantineFiles(home / "quarantine")
        self.tick_store = tick_store
        self.steps: list[str] = []
        self._steps_lock = threading.RLock()
        self.on_step: Callable[[str], None] | None = None
        self.control = JobControl()
        self.progress = Progress(StoppedClock())
        self._crash_at = crash_at
        self._late_answers = late_answers
        self._owner = f"life-{id(self)}"

    def _step(self, name: str) -> None:
        with self._steps_lock:
            if self._crash_at is not None and len(self.steps) >= self._crash_at:
                raise Crash(name)
            self.steps.append(name)
            if self.on_step is not None:
                self.on_step(name)

    def pipeline(
        self, job: Job, *, numbers: list[int] = NUMBERS, schemas: MemorySchemas | None = None
    ) -> Pipeline:
        source = NumberSource(numbers)
        self.store.jobs.take_over(job.id, self._owner)
        job = self.store.jobs.identify(
            job.id,
            owner=self._owner,
            producer_id=job.producer_id or ("p-again" if job.again else "p"),
            identity=source.identify(),
        )
        job = self.store.jobs.move(job.id, JobState.RUNNING, owner=self._owner)
        schemas = schemas or MemorySchemas([schema_version(FIRST, 1)])
        metrics = CleanerMetrics(CollectorRegistry())
        return Pipeline(
            job,
            jobs=self.store.jobs,
            ledger=dying(self.store.ledger, self._step, ("adopt", "advance")),
            source=source,
            judge=dying(SignJudge(), self._step, ("judge",)),
            schemas=PolicyFollower(
                schemas=schemas,
                job_id=job.id,
                subject=SUBJECT,
                policy=job.schema_change_policy,
                version=self.store.ledger.state(job.producer_id).schema_version,
                approved_version=job.approved_version,
                metrics=metrics,
            ),
            sink=dying(
                MemorySink(self.tick_store, late_answers=self._late_answers),
                self._step,
                ("open", "write"),
            ),
            quarantine=dying(self.files, self._step, ("write",)),
            control=self.control,
            progress=self.progress,
            metrics=metrics,
            clock=StoppedClock(),
        )

    def run(self, job: Job, **options: Any) -> Job:
        return self.pipeline(job, **options).run()

    def held(self, job_id: str = "") -> list[int]:
        entries = self.store.quarantine.page(
            QuarantineFilter(job_id=job_id), after_id=0, limit=1000
        )
        return [int(row.record.raw) for row in self.files.read(entries)]

    def end(self) -> None:
        self.store.close()


def a_job(job_id: str = "job-1", **values: Any) -> Job:
    return Job(
        id=job_id,
        subject=SUBJECT,
        dataset=SUBJECT,
        source=FileSource("numbers"),
        source_name="numbers",
        created_at_ns=1,
        **values,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def tick_store() -> MemoryTickStore:
    return MemoryTickStore()


@pytest.fixture
def life(home: Path, tick_store: MemoryTickStore) -> Iterator[Life]:
    one = Life(home, tick_store)
    yield one
    one.end()


def stored(tick_store: MemoryTickStore) -> list[object]:
    return [row["x"] for row in tick_store.rows]


def test_every_row_in_is_stored_or_quarantined_and_the_balance_holds(
    life: Life, tick_store: MemoryTickStore
) -> None:
    job = life.run(life.store.jobs.create(a_job()))

    assert job.balance == Balance(records=13, rows_in=13, stored=len(GOOD), quarantined=len(BAD))
    assert job.balance.holds
    assert stored(tick_store) == GOOD
    assert life.held() == BAD
    assert job.schema_versions == (1,)


@pytest.mark.parametrize("late_answers", [False, True], ids=["answered at once", "answered late"])
def test_a_crash_at_any_step_changes_nothing_in_the_end(
    tmp_path: Path, *, late_answers: bool
) -> None:
    """How many batches share a transaction is chance, so lives of one length differ in steps."""
    expected = Balance(records=13, rows_in=13, stored=len(GOOD), quarantined=len(BAD))
    undisturbed = MemoryTickStore()
    whole = Life(tmp_path / "undisturbed", undisturbed)
    whole.run(whole.store.jobs.create(a_job()))
    whole.end()
    crashes: set[str] = set()
    step = 0
    while True:
        home, tick_store = tmp_path / f"crash-{step}", MemoryTickStore()
        dying = Life(home, tick_store, crash_at=step, late_answers=late_answers)
        job = dying.store.jobs.create(a_job())
        try:
            dying.run(job)
        except Crash as crash:
            crashes.add(str(crash))
        else:
            break
        finally:
            dying.end()

        heir = Life(home, tick_store)
        job = heir.run(heir.store.jobs.get(job.id))
        assert job.balance == expected, f"after a crash at step {step}"
        assert tick_store.rows == undisturbed.rows, (
            f"after a crash at step {step}: each batch is judged with its own rule state"
        )
        assert heir.held() == BAD, f"after a crash at step {step}"
        heir.end()
        step += 1
    steps = ("adopt", "open", "judge", "advance", "write")
    assert crashes == {f"{when} {name}" for when in ("before", "after") for name in steps}


def test_only_what_a_crash_can_ask_for_is_kept_of_the_rule_states(
    life: Life, tick_store: MemoryTickStore
) -> None:
    life.run(life.store.jobs.create(a_job()))
    with closing(sqlite3.connect(life.home / "cleaner.sqlite")) as connection:
        intents = connection.execute("select n from intents where rule_state != ''").fetchall()
        commits = connection.execute("select n, rule_state from commits where rule_state != ''")
        assert (intents, commits.fetchall()) == ([], [(5, "11")])
    assert life.store.ledger.state("p").rule_state == "11"


def test_crashing_again_and_again_still_ends_with_every_row_once(tmp_path: Path) -> None:
    home, tick_store = tmp_path / "home", MemoryTickStore()
    lives = 0
    while True:
        lives += 1
        # Each life gets further than it needs to carry out four open intents again.
        one = Life(home, tick_store, crash_at=32)
        job = one.store.jobs.create(a_job(request_id="the-same"))
        try:
            job = one.run(job)
            break
        except Crash:
            continue
        finally:
            one.end()
    assert lives > 1
    assert stored(tick_store) == GOOD
    assert job.balance == Balance(records=13, rows_in=13, stored=len(GOOD), quarantined=len(BAD))


def test_an_open_intent_is_carried_out_again_under_its_own_schema_version(
    home: Path, tick_store: MemoryTickStore
) -> None:
    dying = Life(home, tick_store)
    job = dying.store.jobs.create(a_job())
    pipeline = dying.pipeline(job)

    def die_before_write(name: str) -> None:
        # The intents of the first batches are written; no row of them leaves.
        if name == "before write":
            raise Crash(name)

    dying.on_step = die_before_write
    with pytest.raises(Crash):
        pipeline.run()
    opened = dying.store.ledger.state("p").open
    assert opened
    dying.end()

    heir = Life(home, tick_store)
    second = schema_version(FIRST.replace("integer", "number"), 2, action=Action.COMPATIBLE_CHANGE)
    schemas = MemorySchemas([schema_version(FIRST, 1), second])
    job = heir.run(heir.store.jobs.get(job.id), schemas=schemas)

    versions = [row["_version"] for row in tick_store.rows]
    under_first = [number for number in NUMBERS[: int(opened[-1].end)] if number >= 0]
    assert versions == [1] * len(under_first) + [2] * (len(GOOD) - len(under_first))
    assert job.schema_versions == ((1, 2) if len(under_first) < len(GOOD) else (1,))
    heir.end()


def test_cleaning_a_source_twice_stores_nothing_twice(
    life: Life, tick_store: MemoryTickStore
) -> None:
    life.run(life.store.jobs.create(a_job("job-1")))
    second = life.run(life.store.jobs.create(a_job("job-2")))

    assert second.balance == Balance(records=13, rows_in=13, duplicates=13)
    assert stored(tick_store) == GOOD
    assert life.held() == BAD


def test_again_stores_the_rows_again(life: Life, tick_store: MemoryTickStore) -> None:
    life.run(life.store.jobs.create(a_job("job-1")))
    second = life.run(life.store.jobs.create(a_job("job-2", again=True)))

    assert second.balance.stored == len(GOOD)
    assert stored(tick_store) == GOOD + GOOD


def test_what_another_cleaner_stored_of_the_source_is_a_duplicate_here(
    tmp_path: Path, tick_store: MemoryTickStore
) -> None:
    """Two homes, one tick store: the sequence numbers of a source are the same everywhere."""
    for name, duplicates in (("one", 0), ("two", len(GOOD))):
        life = Life(tmp_path / name, tick_store)
        job = life.run(life.store.jobs.create(a_job()))
        assert job.balance.duplicates == duplicates
        assert job.balance.holds
        life.end()
    assert stored(tick_store) == GOOD


def test_a_pause_commits_what_is_in_flight_and_a_resume_goes_on_behind_it(
    life: Life, tick_store: MemoryTickStore
) -> None:
    job = life.store.jobs.create(a_job())
    pipeline = life.pipeline(job)
    seen = 0

    def pause_at_third(name: str) -> None:
        nonlocal seen
        seen += name == "before judge"
        if seen == 3:
            life.control.request(JobRequest.PAUSE)

    life.on_step = pause_at_third
    with pytest.raises(HaltedError):
        pipeline.run()
    assert life.store.ledger.state("p").open == ()
    assert life.store.jobs.get(job.id).balance.rows_in == 9

    life.on_step = None
    life.control.request(JobRequest.RUN)
    job = life.run(life.store.jobs.get(job.id))
    assert job.balance.rows_in == 13
    assert stored(tick_store) == GOOD


def test_a_later_run_takes_over_what_a_cancelled_one_left_open(
    home: Path, tick_store: MemoryTickStore
) -> None:
    dying = Life(home, tick_store, crash_at=20, late_answers=True)
    first = dying.store.jobs.create(a_job("job-1"))
    with pytest.raises(Crash):
        dying.run(first)
    left_open = dying.store.ledger.state("p").open
    assert left_open
    dying.store.jobs.take_over("job-1", "")
    dying.store.jobs.move("job-1", JobState.CANCELLED, owner="")
    dying.end()

    heir = Life(home, tick_store)
    second = heir.run(heir.store.jobs.create(a_job("job-2")))
    first = heir.store.jobs.get("job-1")
    assert stored(tick_store) == GOOD
    assert heir.held() == BAD
    assert second.balance.rows_in == 13
    assert second.balance.holds
    assert first.balance.holds
    heir.end()


def test_a_tick_store_that_lost_acknowledged_batches_is_refused(
    life: Life, tick_store: MemoryTickStore
) -> None:
    life.run(life.store.jobs.create(a_job("job-1")))
    tick_store.last.clear()
    with pytest.raises(JobStateError, match="lost data"):
        life.run(life.store.jobs.create(a_job("job-2")))


def test_without_its_tick_store_a_job_waits_and_goes_on_by_itself(
    life: Life, tick_store: MemoryTickStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = life.store.jobs.create(a_job())
    pipeline = life.pipeline(job)
    states: list[JobState] = []

    def come_and_go(name: str) -> None:
        if name == "before write" and len(tick_store.rows) == 4 and not states:
            tick_store.away = True

    def wait(_seconds: float) -> None:
        states.append(life.store.jobs.get(job.id).state)
        tick_store.away = False

    life.on_step = come_and_go
    monkeypatch.setattr(life.control, "wait", wait)
    done = pipeline.run()

    assert states == [JobState.WAITING]
    assert done.state is JobState.RUNNING
    assert stored(tick_store) == GOOD


def test_a_breaking_change_pauses_a_job_until_it_is_approved(life: Life) -> None:
    first = schema_version(FIRST, 1)
    breaking = schema_version(FIRST.replace("integer", "string"), 2, action=Action.BREAKING_CHANGE)
    job = life.store.jobs.create(a_job(schema_change_policy=SchemaChangePolicy.PAUSE))
    pipeline = life.pipeline(job, schemas=(schemas := MemorySchemas([first])))

    def change(name: str) -> None:
        if name == "after judge" and len(schemas.registered) == 1:
            schemas.registered.append(breaking)

    life.on_step = change
    with pytest.raises(ApprovalNeededError, match="version 2"):
        pipeline.run()
    job = life.store.jobs.get(job.id)
    assert job.schema_versions == (1,)
    assert job.balance.rows_in == 3

    job = life.run(life.store.jobs.approve(job.id, 2), schemas=schemas)
    assert job.schema_versions == (1, 2)
    assert job.balance.rows_in == 13


@pytest.mark.parametrize(
    ("policy", "versions"),
    [(SchemaChangePolicy.QUARANTINE, (1, 2)), (SchemaChangePolicy.PIN, (1,))],
)
def test_a_breaking_change_switches_or_is_ignored_as_the_policy_says(
    life: Life, policy: SchemaChangePolicy, versions: tuple[int, ...]
) -> None:
    breaking = schema_version(FIRST.replace("integer", "string"), 2, action=Action.BREAKING_CHANGE)
    schemas = MemorySchemas([schema_version(FIRST, 1)])
    pipeline = life.pipeline(
        life.store.jobs.create(a_job(schema_change_policy=policy)), schemas=schemas
    )

    def change(name: str) -> None:
        if name == "after judge" and len(schemas.registered) == 1:
            schemas.registered.append(breaking)

    life.on_step = change
    assert pipeline.run().schema_versions == versions


def test_the_quarantine_file_of_a_batch_may_be_written_again(tmp_path: Path) -> None:
    files = QuarantineFiles(tmp_path)
    record = replace(
        SignJudge()
        .judge(next(NumberSource([-1]).read(start=None, end=None)), schema_version(FIRST, 1))
        .records[0],
        raw=b"\xff\x00,",
    )
    for _ in range(2):
        files.write(job_id="job", n=7, held=HeldRows.of([record, record]))
    assert files.count_rows(job_id="job", n=7) == 2
    assert files.count_rows(job_id="job", n=8) == 0


def test_a_source_that_cannot_be_read_again_is_not_taken(tmp_path: Path) -> None:
    """An open intent is carried out again with its range: that range must still be there."""
    life = Life(tmp_path, MemoryTickStore())
    job = life.store.jobs.create(a_job())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(NumberSource, "replayable", False)
        with pytest.raises(ValueError, match="cannot be read again"):
            life.pipeline(job)
    life.store.close()
