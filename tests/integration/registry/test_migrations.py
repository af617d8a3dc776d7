"""What an older registry wrote is still there after the migrations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import tickmesh_registry.store.sql.migrations as migrations
from tickmesh_registry.domain.compatibility import Verdict
from tickmesh_registry.domain.versions import VersionState
from tickmesh_registry.store import RegisteredOutcome
from tickmesh_registry.store.sql.store import SqliteStore
from tickmesh_serving.sqlite import writer_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection

ACTOR = {"principal": "ada", "authentication": "none", "on_behalf_of": "", "request_id": "r"}
REPORT = json.dumps({"verdict": "undecided", "comparisons": []})


def insert(connection: Connection, table: str, **values: object) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def version_row(number: int, references: list[Any]) -> dict[str, Any]:
    return {
        "subject": "a",
        "version": number,
        "schema_id": 1,
        "format": "json-schema",
        "text": "{}",
        "arrow_schema": b"",
        "schema_references": json.dumps(references),
        "labels": "{}",
        "state": "active",
        "action": "first",
        "registered_at_ns": 1,
        "effective_from_ns": 1,
        "revision": number,
        **ACTOR,
    }


async def test_a_store_of_the_first_schema_comes_along(tmp_path: Path) -> None:
    """States, verdicts, references and idempotency records are filled in from what was there."""
    path = tmp_path / "registry.db"
    engine = writer_engine(path)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__path__[0])))
        config.set_main_option("path_separator", "os")
        config.attributes.update({"epoch": "e", "connection": connection})
        command.upgrade(config, "0001")
        insert(connection, "schemas", schema_id=1, fingerprint="f", canonical_text="{}")
        insert(connection, "versions", **version_row(1, []))
        insert(connection, "versions", **version_row(2, [["x", "b", 7]]))
        for number in (1, 2):
            insert(
                connection,
                "change_log",
                revision=number,
                sequence=0,
                kind="version_registered",
                subject="a",
                version=number,
                previous_version=number - 1 or None,
                action="first",
                report=REPORT,
                changed_at_ns=1,
                **ACTOR,
            )
        insert(
            connection,
            "completed_requests",
            principal="ada",
            request_id="r1",
            digest="d",
            subject="a",
            version=2,
            revision=2,
            already_registered=False,
            report=REPORT,
            completed_at_ns=1,
        )
        connection.execute(text("UPDATE registry_clock SET revision = 2"))
    engine.dispose()

    store = SqliteStore(path, new_epoch="unused")
    await store.open()
    async with store.snapshot() as reader:
        assert await reader.referrers("b", 7, limit=10) == (("a", 2),)
        request = await reader.completed_request("ada", "r1")
    assert request is not None
    assert request.outcomes == (RegisteredOutcome("a", 2, False, REPORT),)
    first, second = (r.changes[0] for r in (await store.changes_after(0, limit=10)).revisions)
    assert first.schema is not None
    assert first.previous is None
    assert (first.schema.state, first.verdict) == (VersionState.ACTIVE, Verdict.UNDECIDED)
    assert second.previous is not None
    assert second.previous.state is VersionState.ACTIVE
    await store.close()
