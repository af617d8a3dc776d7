"""A file followed by a real cleaner while a real writer writes, rotates and truncates it."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.test_cleaning import stored_rows
from tests.support.blemished_trades import FIRST_NS, SCHEMA
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import Followed
from tickmesh.errors import InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

HEADER = "ts,symbol,price,size\n"
ROWS = 12_000
BAD_EVERY = 100
SETTLE_SECONDS = 240.0


@pytest.fixture(scope="module")
def services(services_to_kill: Services) -> Services:
    return services_to_kill


@pytest.fixture
def subject(services: Services) -> str:
    name = f"ticks.l{uuid.uuid4().hex[:8]}"
    services.registry.register(name, SCHEMA)
    return name


@pytest.fixture
def path(services: Services, subject: str) -> Path:
    directory = services.source_root / subject
    directory.mkdir()
    return directory / "live.csv"


def line(number: int) -> str:
    price = -1.0 if number % BAD_EVERY == 0 else number + 0.5
    return f"{FIRST_NS + number},AIG,{price},{number % 7 + 1}\n"


def good_rows(numbers: range) -> list[tuple[object, ...]]:
    return [
        (FIRST_NS + number, "AIG", number + 0.5, number % 7 + 1)
        for number in numbers
        if number % BAD_EVERY
    ]


class Writer(threading.Thread):
    """Writes as programs do: lines in pieces, a new file by rename, or a copy and a truncation."""

    def __init__(self, path: Path, *, seed: int) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._chance = random.Random(seed)
        self._rotations = 0
        self.may_finish = threading.Event()
        """Set once the last third may be written."""

    def run(self) -> None:
        file = self._open()
        number = 0
        while number < ROWS:
            if number >= ROWS * 2 // 3:
                self.may_finish.wait(SETTLE_SECONDS)
            upto = min(number + self._chance.randint(1, 120), ROWS)
            text = "".join(map(line, range(number, upto)))
            cut = self._chance.randint(0, len(text))
            for piece in (text[:cut], text[cut:]):
                os.write(file, piece.encode())
                time.sleep(0.005)
            number = upto
            match self._chance.randint(0, 40):
                case 0:
                    os.close(file)
                    self._path.rename(self._next_name())
                    file = self._open()
                case 1:
                    shutil.copy(self._path, self._next_name())
                    os.truncate(self._path, 0)
        os.close(file)

    def _open(self) -> int:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, HEADER.encode())
        return file

    def _next_name(self) -> Path:
        self._rotations += 1
        return self._path.with_name(f"{self._path.name}.{9_999 - self._rotations}")


def await_job(
    services: Services, job: job_pb2.Job, done: Callable[[job_pb2.Job], bool]
) -> job_pb2.Job:
    deadline = time.monotonic() + SETTLE_SECONDS
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        if done(moment.job):
            return moment.job
        assert time.monotonic() < deadline, moment.job
    raise AssertionError(f"the job ended: {moment.job}")


def cancelled(services: Services, job: job_pb2.Job) -> job_pb2.Job:
    services.cleaner.cancel_job(job.id)
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_CANCELLED
    return job


def test_kill_9_while_a_file_is_written_and_rotated_loses_and_doubles_nothing(
    services: Services, subject: str, path: Path
) -> None:
    seed = random.SystemRandom().randint(0, 2**32)
    job = services.cleaner.create_job(subject, source=Followed(path))
    # A file below a kilobyte that is copied and cut before its first look is told as a gap.
    await_job(services, job, lambda job: job.state == job_pb2.JOB_STATE_WAITING)
    writer = Writer(path, seed=seed)
    writer.start()
    kills = [ROWS // 6, ROWS // 3, ROWS // 2]
    deadline = time.monotonic() + SETTLE_SECONDS
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        assert not job_ended(job), f"{job.message} (seed {seed})"
        assert time.monotonic() < deadline, f"{job} (seed {seed})"
        if job.balance.rows_in >= ROWS:
            break
        if kills and job.balance.rows_in >= kills[0]:
            kills.pop(0)
            kill(services.mesh, "cleaner")
            if not kills:
                writer.may_finish.set()
    writer.join(SETTLE_SECONDS)
    assert not kills, f"the job was done before the last kill (seed {seed})"
    job = cancelled(services, job)
    assert stored_rows(services.ticks, subject) == good_rows(range(ROWS)), f"seed {seed}"
    assert (job.balance.rows_in, job.balance.quarantined) == (ROWS, ROWS // BAD_EVERY)
    assert job.balance.holds
    assert services.cleaner.audit(job.id) == job.balance
    assert {event.code for event in job.events} <= {"ROTATED", "TRUNCATED", "REMOVED"}


def job_ended(job: job_pb2.Job) -> bool:
    return job.state in {
        job_pb2.JOB_STATE_SUCCEEDED,
        job_pb2.JOB_STATE_FAILED,
        job_pb2.JOB_STATE_CANCELLED,
    }


def test_rows_come_through_as_they_are_written_and_a_pause_keeps_the_place(
    services: Services, subject: str, path: Path
) -> None:
    job = services.cleaner.create_job(subject, source=Followed(path))
    waits = await_job(services, job, lambda job: job.state == job_pb2.JOB_STATE_WAITING)
    assert "waits for the first line of live.csv" in waits.message
    path.write_text(HEADER + line(1) + line(2)[:-4])
    await_job(services, job, lambda job: job.balance.rows_in == 1)
    with path.open("a") as file:
        file.write(line(2)[-4:])
    await_job(services, job, lambda job: job.balance.rows_in == 2)
    assert stored_rows(services.ticks, subject) == good_rows(range(1, 3))

    services.cleaner.pause_job(job.id)
    await_job(services, job, lambda job: job.state == job_pb2.JOB_STATE_PAUSED)
    with path.open("a") as file:
        file.write(line(3))
    path.rename(path.with_name("live.csv.1"))
    path.write_text(HEADER + line(4))
    services.cleaner.resume_job(job.id)
    job = await_job(services, job, lambda job: job.balance.rows_in == 4)
    assert stored_rows(services.ticks, subject) == good_rows(range(1, 5))
    job = cancelled(services, job)
    assert services.cleaner.audit(job.id) == job.balance
    assert "ROTATED" in {event.code for event in job.events}


def test_from_the_end_means_what_comes_after_the_job_was_made(
    services: Services, subject: str, path: Path
) -> None:
    path.write_text(HEADER + line(1) + line(2) + line(3)[:9])
    job = services.cleaner.create_job(subject, source=Followed(path, start_at="end"))
    await_job(services, job, lambda job: bool(job.producer_id))
    with path.open("a") as file:
        file.write(line(3)[9:] + line(4))
    job = await_job(services, job, lambda job: job.balance.rows_in >= 2)
    cancelled(services, job)
    assert stored_rows(services.ticks, subject) == good_rows(range(3, 5))


def test_two_jobs_that_follow_and_one_that_ends_all_go_on(
    services: Services, subject: str, path: Path
) -> None:
    """A job without end keeps no turn that others wait for."""
    followed = [services.cleaner.create_job(subject, source=Followed(path)) for _ in range(3)]
    path.write_text(HEADER + line(1))
    for job in followed:
        await_job(services, job, lambda job: job.balance.rows_in == 1)
    # Each is a feed of its own.
    assert len(stored_rows(services.ticks, subject)) == len(followed)
    other = path.with_name("other.csv")
    other.write_text(HEADER + line(2))
    job = services.cleaner.create_job(subject, path=other)
    await_job(services, job, lambda job: job.state == job_pb2.JOB_STATE_SUCCEEDED)
    for job in followed:
        cancelled(services, job)


def test_what_cannot_be_followed_is_refused(
    services: Services, subject: str, path: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgumentError, match="only csv and jsonl"):
        services.cleaner.create_job(subject, source=Followed(path), source_spec='format="parquet"')
    for wrong in (tmp_path / "live.csv", path.parent, path.parent / "none" / "live.csv"):
        with pytest.raises(NotFoundError) as refused:
            services.cleaner.create_job(subject, source=Followed(wrong))
        assert refused.value.reason == "SOURCE_NOT_FOUND"
