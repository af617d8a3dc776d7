"""Exactly once, whatever dies: kill -9 of each service at random moments of a cleaning job.

The seed is printed; `TICKMESH_KILL_SEED` replays one.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pytest

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.errors import DeadlineExceededError, UnavailableError
from tickmesh.registry import RegistryClient
from tickmesh_serving.demo import schemas
from tickmesh_serving.demo.readback import fetch
from tickmesh_serving.demo.session import write_session
from tickmesh_serving.mesh import SERVICES, Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

_Answer = TypeVar("_Answer")

ROWS = 200_000
PATIENCE_SECONDS = 300.0
ENDED = {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home")
    (path / "sources").mkdir()
    session = path / "sources" / "session.csv"
    write_session(session, rows=ROWS, seed=11, day=dt.date(2026, 11, 20))
    return path


@contextmanager
def running_mesh(home: Path) -> Iterator[Mesh]:
    """A mesh on the same home, with its supervisor's count of deaths at zero."""
    settings = {"cleaner.sources.roots": str(home / "sources")}
    with Mesh(home, settings=settings, free_ports=True) as mesh:
        yield mesh


def run_job(mesh: Mesh, subject: str, *, victim: str | None, after_seconds: float) -> float:
    """Clean the session under `subject`, killing `victim` on the way; returns the seconds taken."""
    source = mesh.home / "sources" / "session.csv"
    with (
        RegistryClient(mesh.addresses["registry"]["grpc"]) as registry,
        CleanerClient(mesh.addresses["cleaner"]["grpc"]) as cleaner,
    ):
        register(registry, subject)
        began = time.monotonic()
        job = cleaner.create_job(subject, path=source)
        if victim is not None:
            time.sleep(after_seconds)  # the moment is the experiment
            pid = mesh.pid(victim)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        job = wait_until_ended(cleaner, job.id)
        taken = time.monotonic() - began
        assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
        assert job.balance.rows_in == ROWS
        assert job.balance.holds
        audited = once_back(lambda: cleaner.audit(job.id))
        assert audited.holds
        assert audited.stored == job.balance.stored
        assert audited.quarantined == job.balance.quarantined
    return taken


def register(registry: RegistryClient, subject: str) -> None:
    """Once the registry is back: a job whose registry was killed may end without it."""
    once_back(lambda: registry.register(subject, schemas.text(schemas.first())))


def once_back(call: Callable[[], _Answer]) -> _Answer:
    """The answer of a service that may still be starting: a job may have ended before the kill."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except UnavailableError:
            assert time.monotonic() < deadline, "the service did not come back"
            time.sleep(0.1)


def wait_until_ended(cleaner: CleanerClient, job_id: str) -> job_pb2.Job:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            for moment in cleaner.watch_job(job_id, progress_seconds=0.2):
                if moment.job.state in ENDED:
                    return moment.job
                assert time.monotonic() < deadline, f"the job did not end: {moment.job.message}"
        except (UnavailableError, DeadlineExceededError):
            assert time.monotonic() < deadline, "the cleaner did not come back"
            time.sleep(0.2)


def content(mesh: Mesh, subject: str) -> pa.Table:
    """The stored rows in an order of their own: by trade id, which no two sound rows share."""
    table = fetch(mesh.addresses["tickstore"]["flight"], [subject]).combine_chunks()
    plain: list[tuple[str, pa.ChunkedArray[Any]]] = [
        (name, column.cast("string") if name in {"symbol", "venue", "side"} else column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table([column for _, column in plain], names=[name for name, _ in plain]).sort_by(
        "trade_id"
    )


def kill_loop(home: Path, *, kills_of_each: int) -> None:
    seed = int(os.environ.get("TICKMESH_KILL_SEED", time.time_ns() % 1_000_000))
    print(f"TICKMESH_KILL_SEED={seed}")
    chance = random.Random(seed)
    with running_mesh(home) as mesh:
        usual_seconds = run_job(mesh, f"ticks.{seed}", victim=None, after_seconds=0.0)
        undisturbed = content(mesh, f"ticks.{seed}")

    for round_number in range(kills_of_each):
        with running_mesh(home) as mesh:
            for victim in chance.sample(SERVICES, len(SERVICES)):
                subject = f"ticks.{seed}.{victim}.{round_number}"
                moment = chance.uniform(0.0, usual_seconds)
                run_job(mesh, subject, victim=victim, after_seconds=moment)
                same = undisturbed.equals(content(mesh, subject))
                assert same, f"seed {seed}: {victim} killed after {moment:.3f} s"


@pytest.mark.timeout(1800)
def test_a_killed_service_neither_loses_nor_doubles_a_row(home: Path) -> None:
    kill_loop(home, kills_of_each=5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_kills_neither_lose_nor_double_a_row(home: Path) -> None:
    kill_loop(home, kills_of_each=20)
