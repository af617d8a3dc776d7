"""Tick rules through a real mesh: refused, dropped, mended and flagged, and the stores agree."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["ts", "symbol", "price"],
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {
            "type": "number",
            "exclusiveMinimum": 0,
            "arrow": "decimal128(18, 4)",
            "x-tick-size": {"tick": 0.01, "severity": "repair"},
            "x-tick-brownlees-gallo": {"window": 10, "granularity": 0.05},
        },
        "flags": {"type": "integer", "arrow": "int16", "x-tick-flags": True},
    },
    "x-tick-session": "XNYS",
    "x-tick-order": True,
    "x-tick-duplicates": {"within_rows": 50},
}
ROWS = 80_000
NIGHT, LATE, LONE, AGAIN, BETWEEN = 100, 40_000, 50_000, 60_000, 70_000


def content() -> str:
    """A rising minute of trades over several batches, each rule broken once."""
    lines = ["ts,symbol,price"]
    for row in range(ROWS):
        second, micros = divmod(row * 100, 1_000_000)
        time = f"15:{second // 60:02d}:{second % 60:02d}.{micros:06d}"
        price = f"{10 + row % 3 / 100:.2f}"
        if row == NIGHT:
            time = "04:00:00.000000"
        if row == LATE:
            time = "14:59:00.000000"
        if row == LONE:
            price = "99.00"
        if row == BETWEEN:
            price = "10.0149"
        lines.append(f"2024-03-11T{time}Z,AIG,{price}")
        if row == AGAIN:
            lines.append(lines[-1])
    return "\n".join(lines) + "\n"


def register(services: Services, schema: dict[str, Any]) -> str:
    name = f"ticks.t{uuid.uuid4().hex[:8]}"
    services.registry.register(name, json.dumps(schema))
    return name


def test_rows_are_refused_dropped_mended_and_flagged_and_the_stores_agree(
    services: Services,
) -> None:
    subject = register(services, SCHEMA)
    path = services.source_root / f"{subject}.csv"
    path.write_text(content(), encoding="ascii")
    job = services.cleaner.create_job(subject, path=path)
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message

    balance = job.balance
    assert (balance.rows_in, balance.stored) == (ROWS + 1, ROWS - 2)
    assert (balance.quarantined, balance.duplicates) == (2, 1)
    assert dict(balance.flagged) == {"TICK_BROWNLEES_GALLO": 1}
    assert dict(balance.repaired) == {"TICK_SIZE": 1}
    assert balance.holds
    assert services.cleaner.audit(job.id) == balance

    held = services.cleaner.list_quarantine(job_pb2.QuarantineFilter(job_id=job.id), limit=10)
    assert [(row.line, row.reasons[0].code, row.reasons[0].schema_path) for row in held] == [
        (NIGHT + 2, "TICK_SESSION", "/x-tick-session"),
        (LATE + 2, "TICK_ORDER", "/x-tick-order"),
    ]
    stored = services.ticks.read(subject)
    flags = stored["flags"].to_pylist()
    assert {str(stored["price"][row]): bits for row, bits in enumerate(flags) if bits} == {
        "99.0000": 1 << 11
    }
    assert str(stored["price"][BETWEEN - 2]) == "10.0100"


def test_a_wrong_rule_is_refused_when_the_job_is_made_with_its_place(services: Services) -> None:
    wrong = {**SCHEMA, "x-tick-session": {"calendar": "XNYS", "severity": "repair"}}
    subject = register(services, wrong)
    path = services.source_root / f"{subject}.csv"
    path.write_text("ts,symbol,price\n", encoding="ascii")
    with pytest.raises(InvalidArgumentError, match="expected one of 'reject', 'flag'") as refused:
        services.cleaner.create_job(subject, path=path)
    assert refused.value.reason == "INVALID_RULE"
    assert refused.value.metadata["pointer"] == "/x-tick-session/severity"
