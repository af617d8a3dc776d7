"""The cleaner is killed in the middle of its work: the rows come out as if it had not been."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.blemished_trades import SCHEMA, write_blemished_trades
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

KILLS = 3


def test_a_job_survives_kill_9_and_stores_every_row_once(services: Services) -> None:
    seed = random.SystemRandom().randint(0, 2**32)
    chance = random.Random(seed)
    trades = write_blemished_trades(services.source_root / "big.csv", rows=600_000, seed=seed)
    for subject in ("ticks.killed", "ticks.undisturbed"):
        services.registry.register(subject, SCHEMA)

    job = services.cleaner.create_job("ticks.killed", path=trades.path)
    kills = sorted(chance.randint(1, trades.rows * 9 // 10) for _ in range(KILLS))
    pids = set()
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if kills and job.balance.rows_in >= kills[0] and job.state == job_pb2.JOB_STATE_RUNNING:
            kills.pop(0)
            pid = services.mesh.pid("cleaner")
            assert pid is not None
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, f"{job.message} (seed {seed})"
    assert pids, f"the job was over before the first kill (seed {seed})"
    assert (job.balance.rows_in, job.balance.stored) == (trades.rows, len(trades.good))
    assert job.balance.quarantined == trades.bad_rows
    assert services.cleaner.audit(job.id) == job.balance

    calm = services.cleaner.create_job("ticks.undisturbed", path=trades.path)
    for moment in services.cleaner.watch_job(calm.id):
        calm = moment.job
    killed_rows = services.ticks.read("ticks.killed")
    calm_rows = services.ticks.read("ticks.undisturbed")
    assert killed_rows.to_pydict() == calm_rows.to_pydict(), f"seed {seed}"
    assert _reasons(services, job.id) == _reasons(services, calm.id)


def _reasons(services: Services, job_id: str) -> list[tuple[int, bytes, list[str]]]:
    rows = services.cleaner.list_quarantine(
        job_pb2.QuarantineFilter(job_id=job_id), limit=1_000_000
    )
    return [(row.offset, row.raw, [reason.code for reason in row.reasons]) for row in rows]
