"""Deprecating, deleting, restoring and removing versions, against a real process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.registry_calls import failure_of, get, register, watched
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import change_pb2, compatibility_pb2, life_cycle_pb2, schema_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import RegistryProcess, Stub

SUBJECT = "ticks.trades"
WIDER = trades(size={"type": "integer"})
WIDEST = trades(size={"type": "integer"}, venue={"type": "string"})
PART = '{"type": "object", "properties": {"amount": {"type": "number"}}}'
RETYPED = trades(size={"type": "string"})

ACTIVE = schema_pb2.VERSION_STATE_ACTIVE
DEPRECATED = schema_pb2.VERSION_STATE_DEPRECATED
DELETED = schema_pb2.VERSION_STATE_DELETED
REMOVED = schema_pb2.VERSION_STATE_REMOVED


async def deprecate(
    stub: Stub, version: int, note: str = "", *, subject: str = SUBJECT
) -> life_cycle_pb2.DeprecateVersionResponse:
    answer: life_cycle_pb2.DeprecateVersionResponse = await stub.DeprecateVersion(
        life_cycle_pb2.DeprecateVersionRequest(subject=subject, version=version, note=note)
    )
    return answer


async def delete(
    stub: Stub, version: int, *, subject: str = SUBJECT, permanent: bool = False
) -> life_cycle_pb2.DeleteVersionResponse:
    answer: life_cycle_pb2.DeleteVersionResponse = await stub.DeleteVersion(
        life_cycle_pb2.DeleteVersionRequest(subject=subject, version=version, permanent=permanent)
    )
    return answer


async def restore(
    stub: Stub, version: int, *, subject: str = SUBJECT
) -> life_cycle_pb2.RestoreVersionResponse:
    answer: life_cycle_pb2.RestoreVersionResponse = await stub.RestoreVersion(
        life_cycle_pb2.RestoreVersionRequest(subject=subject, version=version)
    )
    return answer


async def test_states_move_latest_and_are_told_as_events(stub: Stub) -> None:
    await register(stub, TRADES)
    await register(stub, WIDER)
    deprecated = await deprecate(stub, 2, "use version 3")
    assert (deprecated.schema.state, deprecated.revision) == (DEPRECATED, 3)
    assert deprecated.schema.deprecation_note == "use version 3"
    assert (await get(stub)).version == 2
    deleted = await delete(stub, 2)
    assert (deleted.schema.state, deleted.revision) == (DELETED, 4)
    assert (await get(stub)).version == 1
    hidden = await get(stub, version=2)
    assert (hidden.state, hidden.text) == (DELETED, WIDER)
    restored = await restore(stub, 2)
    assert (restored.schema.state, restored.schema.deprecation_note) == (ACTIVE, "")
    assert (await get(stub)).version == 2
    events = (await watched(stub, include_previous=True))[2:]
    assert [
        (event.kind, event.previous.state, event.schema.state, event.schema.version)
        for event in events
    ] == [
        (change_pb2.CHANGE_KIND_VERSION_DEPRECATED, ACTIVE, DEPRECATED, 2),
        (change_pb2.CHANGE_KIND_VERSION_DELETED, DEPRECATED, DELETED, 2),
        (change_pb2.CHANGE_KIND_VERSION_RESTORED, DELETED, ACTIVE, 2),
    ]
    assert all(event.actor.principal for event in events)


async def test_asking_for_the_state_a_version_is_in_makes_no_revision(stub: Stub) -> None:
    await register(stub, TRADES)
    assert (await restore(stub, 1)).revision == 1
    assert (await deprecate(stub, 1, "old")).revision == 2
    assert (await deprecate(stub, 1, "old")).revision == 2
    assert (await deprecate(stub, 1, "older")).revision == 3
    assert (await delete(stub, 1)).revision == 4
    assert (await delete(stub, 1)).revision == 4
    assert (await delete(stub, 1, permanent=True)).revision == 5
    assert (await delete(stub, 1, permanent=True)).revision == 5
    assert (await delete(stub, 1)).schema.state == REMOVED


async def test_numbers_go_on_after_every_version_is_deleted(stub: Stub) -> None:
    await register(stub, TRADES)
    await delete(stub, 1)
    error = await failure_of(get(stub))
    assert error.code == "NOT_FOUND"
    answer = await register(stub, TRADES, expected_version=0)
    assert answer.schema.version == 2
    assert answer.schema.schema_id == 1
    assert answer.schema.action == schema_pb2.ACTION_FIRST


async def test_deleted_versions_are_compared_with_unless_asked_otherwise(stub: Stub) -> None:
    await register(stub, TRADES)
    await register(stub, WIDER)
    await delete(stub, 2)
    error = await failure_of(register(stub, RETYPED))
    assert error.reason == "INCOMPATIBLE_SCHEMA"
    assert error.metadata["versions"] == "2"

    async def checked(**fields: Any) -> compatibility_pb2.CompatibilityReport:
        request = pb.CheckCompatibilityRequest(subject=SUBJECT, text=RETYPED, **fields)
        report: compatibility_pb2.CompatibilityReport = (
            await stub.CheckCompatibility(request)
        ).report
        return report

    seen = await checked()
    assert sorted(comparison.version for comparison in seen.comparisons) == [1, 2]
    assert not seen.deleted_ignored
    ignored = await checked(ignore_deleted=True)
    assert [comparison.version for comparison in ignored.comparisons] == [1]
    assert ignored.deleted_ignored
    answer = await register(stub, RETYPED, ignore_deleted=True)
    assert answer.report.deleted_ignored
    assert answer.schema.action == schema_pb2.ACTION_COMPATIBLE_CHANGE


async def test_a_removed_version_leaves_a_tombstone_and_its_text_is_nowhere(
    registry: RegistryProcess, process_stub: Stub
) -> None:
    secret = json.dumps({**json.loads(WIDER), "title": "s3cret"})
    await register(process_stub, TRADES)
    removed = (await register(process_stub, secret, request_id="r1")).schema
    await register(process_stub, WIDEST)
    await delete(process_stub, 2)
    answer = await delete(process_stub, 2, permanent=True)
    tombstone = answer.schema
    assert tombstone.state == REMOVED
    assert (tombstone.version, tombstone.schema_id) == (2, removed.schema_id)
    assert tombstone.fingerprint == removed.fingerprint
    kept = (tombstone.text, tombstone.canonical_text, tombstone.arrow_schema)
    assert kept == ("", "", b"")
    assert await get(process_stub, version=2) == tombstone
    by_id = await process_stub.GetSchema(pb.GetSchemaRequest(schema_id=removed.schema_id))
    assert by_id.schema == tombstone
    events = await watched(process_stub, include_previous=True)
    assert "s3cret" not in str(events)
    assert [event.schema.state for event in events[1:]] == [ACTIVE, ACTIVE, DELETED, REMOVED]
    assert events[1].report.verdict == compatibility_pb2.VERDICT_COMPATIBLE
    assert not events[1].report.comparisons
    again = await register(process_stub, secret, request_id="r1")
    assert again.schema == tombstone
    assert not again.report.comparisons
    assert await registry.stop() == 0
    await registry.start()
    async with registry.stub() as reopened:
        assert "s3cret" not in str(await watched(reopened, include_previous=True))
        assert await get(reopened, version=2) == tombstone


async def test_a_removed_version_is_not_compared_with(stub: Stub) -> None:
    await register(stub, TRADES)
    await register(stub, WIDER)
    await delete(stub, 2)
    await delete(stub, 2, permanent=True)
    answer = await register(stub, RETYPED)
    assert [comparison.version for comparison in answer.report.comparisons] == [1]
    assert answer.schema.version == 3
    error = await failure_of(
        stub.CheckCompatibility(
            pb.CheckCompatibilityRequest(subject=SUBJECT, text=WIDER, versions=[2])
        )
    )
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "VERSION_REMOVED")


async def test_a_version_that_others_pin_is_not_removed(stub: Stub) -> None:
    await register(stub, PART, subject="parts.price")
    reference = schema_pb2.SchemaReference(name="price.json", subject="parts.price", version=1)
    text = trades(best={"$ref": "price.json"})
    await register(stub, text, references=[reference])
    await delete(stub, 1, subject="parts.price")
    error = await failure_of(delete(stub, 1, subject="parts.price", permanent=True))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "VERSION_REFERENCED")
    assert error.metadata["referrers"] == "ticks.trades/1"
    await delete(stub, 1)
    await delete(stub, 1, permanent=True)
    removed = await delete(stub, 1, subject="parts.price", permanent=True)
    assert removed.schema.state == REMOVED
    error = await failure_of(register(stub, text, subject="other", references=[reference]))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "VERSION_REMOVED")


async def test_what_a_state_does_not_allow_says_what_to_do(stub: Stub) -> None:
    await register(stub, TRADES)
    error = await failure_of(delete(stub, 1, permanent=True))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "WRONG_VERSION_STATE")
    assert "delete it softly first" in error.message
    await delete(stub, 1)
    error = await failure_of(deprecate(stub, 1))
    assert error.reason == "WRONG_VERSION_STATE"
    assert error.metadata["state"] == "deleted"
    await delete(stub, 1, permanent=True)
    for call in (restore(stub, 1), deprecate(stub, 1)):
        error = await failure_of(call)
        assert (error.code, error.reason) == ("FAILED_PRECONDITION", "VERSION_REMOVED")


@pytest.mark.parametrize(
    ("call", "reason", "field"),
    [
        (lambda stub: delete(stub, 0), "INVALID_ARGUMENT", "version"),
        (lambda stub: delete(stub, 1, subject="no such!"), "INVALID_ARGUMENT", "subject"),
        (lambda stub: deprecate(stub, 1, "x" * 1_001), "INVALID_ARGUMENT", "note"),
        (lambda stub: restore(stub, 2), "VERSION_NOT_FOUND", None),
        (lambda stub: restore(stub, 1, subject="other"), "SUBJECT_NOT_FOUND", None),
    ],
)
async def test_what_cannot_be_names_the_field(
    stub: Stub, call: Any, reason: str, field: str | None
) -> None:
    await register(stub, TRADES)
    error = await failure_of(call(stub))
    assert error.reason == reason
    if field is not None:
        assert error.violations[0].field == field


async def test_a_data_report_is_kept_as_evidence_of_its_candidate(stub: Stub) -> None:
    fingerprint = (await register(stub, TRADES, dry_run=True)).schema.fingerprint
    report = schema_pb2.DataReport(
        source="ticks.trades@1042",
        rows_checked=100,
        rows_rejected=3,
        rows_released=1,
        reasons=[schema_pb2.DataReportReason(reason="minimum", path="/price", rows=3)],
        fingerprint=fingerprint,
    )
    report.made_at.FromNanoseconds(1_700_000_000_000_000_001)
    await register(stub, TRADES, data_report=report)
    assert (await get(stub)).data_report == report
    (event,) = await watched(stub)
    assert event.schema.data_report == report

    report.fingerprint = "0" * 64
    error = await failure_of(register(stub, WIDER, data_report=report))
    assert (error.reason, error.violations[0].field) == (
        "INVALID_ARGUMENT",
        "data_report.fingerprint",
    )
    report.fingerprint = ""
    report.rows_rejected = 101
    error = await failure_of(register(stub, WIDER, data_report=report))
    assert error.violations[0].field == "data_report.rows_rejected"
    report.rows_rejected = 3
    report.reasons.extend(report.reasons[0] for _ in range(64))
    error = await failure_of(register(stub, WIDER, data_report=report))
    assert error.violations[0].field == "data_report.reasons"
