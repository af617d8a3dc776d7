"""Directories and patterns through a real cleaner: every file once, every row accounted for."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.test_cleaning import finish, stored_rows
from tests.support.blemished_trades import SCHEMA, BlemishedTrades, write_blemished_trades
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import File, Files
from tickmesh.errors import InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

FILES = 4


@pytest.fixture(scope="module")
def services(services_to_kill: Services) -> Services:
    return services_to_kill


@pytest.fixture
def subject(services: Services) -> str:
    name = f"ticks.f{uuid.uuid4().hex[:8]}"
    services.registry.register(name, SCHEMA)
    return name


@pytest.fixture
def directory(services: Services, subject: str) -> Path:
    directory = services.source_root / subject
    directory.mkdir()
    return directory


@pytest.fixture
def trades(directory: Path) -> list[BlemishedTrades]:
    return [
        write_blemished_trades(directory / f"day{day}.csv", rows=5_000, seed=day)
        for day in range(FILES)
    ]


def test_the_files_of_a_directory_are_one_job_with_one_account(
    services: Services, directory: Path, trades: list[BlemishedTrades], subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, source=Files(directory)))
    balance = job.balance
    assert balance.rows_in == sum(file.rows for file in trades)
    assert balance.stored == sum(len(file.good) for file in trades)
    assert balance.quarantined == sum(file.bad_rows for file in trades)
    assert services.cleaner.audit(job.id) == balance
    expected = [row for file in trades for row in file.good]
    assert stored_rows(services.ticks, subject) == expected
    assert [event.code for event in job.events] == ["FILE_STARTED", "FILE_ENDED"] * FILES
    assert job.events[0].message == f"{subject}/day0.csv"
    assert str(services.source_root) not in str(job.events)

    held = services.cleaner.list_quarantine(
        job_pb2.QuarantineFilter(job_id=job.id), limit=balance.rows_in
    )
    contents = {f"{subject}/{file.path.name}": file.path.read_bytes() for file in trades}
    assert len(held) == balance.quarantined
    for row in held:
        assert contents[row.source][row.offset : row.offset + len(row.raw)] == row.raw

    alone = services.cleaner.create_job(subject, source=File(trades[2].path))
    assert finish(services, alone).balance.duplicates == trades[2].rows
    pattern = Files(f"{directory}/day[01].csv")
    some = finish(services, services.cleaner.create_job(subject, source=pattern))
    assert some.balance.duplicates == trades[0].rows + trades[1].rows
    assert services.cleaner.audit(some.id) == some.balance


def test_bad_rows_of_all_the_files_are_replayed(
    services: Services, directory: Path, trades: list[BlemishedTrades], subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, source=Files(directory)))
    looser = SCHEMA.replace('"exclusiveMinimum": 0', '"minimum": -10')
    services.registry.register(subject, looser)
    selected = job_pb2.QuarantineFilter(job_id=job.id)
    replay = finish(services, services.cleaner.replay_quarantine(selected))
    assert replay.balance.stored == sum(file.reasons["EXCLUSIVE_MINIMUM"] for file in trades)
    assert replay.balance.holds


def test_killed_among_its_files_a_job_goes_on_with_the_one_it_was_at(
    services: Services, directory: Path, subject: str
) -> None:
    trades = [
        write_blemished_trades(directory / f"day{day}.csv", rows=10_000, seed=day, copies=5)
        for day in range(FILES)
    ]
    total = sum(file.rows for file in trades)
    job = services.cleaner.create_job(subject, source=Files(directory))
    kills = [total // 5, total // 2]
    pids = set()
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if kills and job.balance.rows_in >= kills[0] and job.state == job_pb2.JOB_STATE_RUNNING:
            kills.pop(0)
            pids.add(kill(services.mesh, "cleaner"))
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    assert pids, "the job was over before the first kill"
    assert (job.balance.rows_in, job.balance.holds) == (total, True)
    assert stored_rows(services.ticks, subject) == [row for file in trades for row in file.good]
    assert services.cleaner.audit(job.id) == job.balance


def test_refusals_say_what_to_do_and_tell_nothing_of_other_places(
    services: Services, directory: Path, subject: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("ts,symbol,price,size\n")
    (directory / "way_out.csv").symlink_to(tmp_path / "secret.csv")
    for pattern in (f"{directory}/*.parquet", f"{directory}/*.csv", f"{tmp_path}/*", "/etc/*"):
        with pytest.raises(NotFoundError) as refused:
            services.cleaner.create_job(subject, source=Files(pattern))
        assert refused.value.reason == "SOURCE_NOT_FOUND"
        assert str(tmp_path) not in str(refused.value)
    (directory / "way_out.csv").unlink()
    (directory / "a.csv").write_text("ts,symbol,price,size\n")
    with pytest.raises(InvalidArgumentError, match="own name"):
        services.cleaner.create_job(subject, source=Files(directory), file_name="a.csv")
