"""The cleaner is killed in the middle of its work: the rows come out as if it had not been."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.blemished_trades import SCHEMA, write_blemished_trades
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

KILLS = 3


@pytest.fixture(scope="module")
def services(services_to_kill: Services) -> Services:
    return services_to_kill


def test_a_job_survives_kill_9_and_stores_every_row_once(services: Services) -> None:
    seed = random.SystemRandom().randint(0, 2**32)
    chance = random.Random(seed)
    trades = write_blemished_trades(
        services.source_root / "big.csv", rows=100_000, seed=seed, copies=20
    )
    for subject in ("ticks.killed", "ticks.undisturbed"):
        services.registry.register(subject, SCHEMA)

    job = services.cleaner.create_job("ticks.killed", path=trades.path)
    # The first one early: there must be something left to be done when it is seen to be due.
    later = [chance.randint(1, trades.rows * 9 // 10) for _ in range(KILLS - 1)]
    kills = sorted([chance.randint(1, trades.rows // 10), *later])
    pids = set()
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
        if kills and job.balance.rows_in >= kills[0] and job.state == job_pb2.JOB_STATE_RUNNING:
            kills.pop(0)
            pids.add(kill(services.mesh, "cleaner"))
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
    assert decoded(killed_rows).equals(decoded(calm_rows)), f"seed {seed}"
    assert _reasons(services, job.id) == _reasons(services, calm.id)


def decoded(rows: pa.Table) -> pa.Table:
    """The rows without dictionaries, which may differ where the values do not."""
    return rows.set_column(
        rows.schema.get_field_index("symbol"), "symbol", rows["symbol"].cast(pa.string())
    ).combine_chunks()


def _reasons(services: Services, job_id: str) -> list[tuple[int, bytes, list[str]]]:
    rows = services.cleaner.list_quarantine(
        job_pb2.QuarantineFilter(job_id=job_id), limit=1_000_000
    )
    return [(row.offset, row.raw, [reason.code for reason in row.reasons]) for row in rows]


def test_a_replay_survives_kill_9_and_releases_every_row_once(services: Services) -> None:
    """Half of the rows pass the better version; each is stored once and released once."""
    subject, rows = "ticks.replayed", 30_000
    schema = {
        "type": "object",
        "required": ["id", "price"],
        "properties": {"id": {"type": "integer"}, "price": {"type": "number", "minimum": 0}},
    }
    services.registry.register(subject, json.dumps(schema))
    path = services.source_root / "replayed.csv"
    lines = (f"{row},{-1 - row % 2}" for row in range(rows))
    path.write_text("id,price\n" + "\n".join(lines) + "\n")
    job = services.cleaner.create_job(subject, path=path)
    for moment in services.cleaner.watch_job(job.id):
        job = moment.job
    assert job.balance.quarantined == rows
    schema["properties"]["price"]["minimum"] = -1  # type: ignore[index]  # a schema
    services.registry.register(subject, json.dumps(schema))

    selected = job_pb2.QuarantineFilter(job_id=job.id)
    replay = services.cleaner.replay_quarantine(selected)
    killed = False
    for moment in services.cleaner.watch_job(replay.id, progress_seconds=0.1):
        replay = moment.job
        # Once: the mesh gives up on a service that dies too often, and another test kills it too.
        if not killed and replay.balance.rows_in and not replay.ended_at.seconds:
            kill(services.mesh, "cleaner")
            killed = True
    assert replay.state == job_pb2.JOB_STATE_SUCCEEDED, replay.message
    assert killed, "the replay was over before it was killed"
    assert (replay.balance.stored, replay.balance.quarantined) == (rows // 2, rows // 2)
    assert services.cleaner.audit(replay.id) == replay.balance
    stored = services.ticks.read(subject)["id"].to_numpy()
    assert sorted(stored.tolist()) == list(range(0, rows, 2))
    free = job_pb2.QuarantineFilter(job_id=job.id, state=job_pb2.QUARANTINE_STATE_RELEASED)
    released = services.cleaner.stream_quarantine(free).read_all()
    assert released.num_rows == rows // 2
    assert set(released["replay_job_id"].to_pylist()) == {replay.id}
    assert services.cleaner.stream_quarantine(selected).read_all().num_rows == rows // 2
