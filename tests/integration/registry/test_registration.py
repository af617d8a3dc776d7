"""Registration: verdicts, compare-and-swap, idempotency, dry runs, refusals as events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.registry_schemas import TRADES, trades
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import (
    change_pb2,
    compatibility_pb2,
    schema_pb2,
)
from tickmesh.api.registry.v1 import (
    schema_registry_service_pb2 as pb,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.registry_process import Stub
    from tickmesh.errors import TickmeshError

OPTIONAL = trades(size={"type": "integer"})
BREAKING = trades(required=("size",), size={"type": "integer"})


async def failure_of(call: Awaitable[Any]) -> TickmeshError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def register(stub: Stub, text: str, **fields: Any) -> pb.RegisterSchemaResponse:
    request = pb.RegisterSchemaRequest(subject="ticks.trades", text=text, **fields)
    answer: pb.RegisterSchemaResponse = await stub.RegisterSchema(request)
    return answer


async def log_of(stub: Stub) -> list[change_pb2.ChangeEvent]:
    """The whole change log, up to the first progress mark that reaches the head."""
    head = (await stub.ListSubjects(pb.ListSubjectsRequest())).revision
    events: list[change_pb2.ChangeEvent] = []
    call = stub.Watch(pb.WatchRequest(after_revision=0, progress_interval=Duration(seconds=1)))
    async for response in call:
        events += response.events
        if response.revision >= head:
            break
    call.cancel()
    return events


async def test_a_compatible_change_becomes_the_next_version(stub: Stub) -> None:
    await register(stub, TRADES)
    answer = await register(stub, OPTIONAL)
    assert (answer.schema.version, answer.schema.schema_id, answer.revision) == (2, 2, 2)
    assert answer.schema.action == schema_pb2.ACTION_COMPATIBLE_CHANGE
    assert answer.report.verdict == compatibility_pb2.VERDICT_COMPATIBLE
    (comparison,) = answer.report.comparisons
    assert comparison.version == 1
    assert comparison.direction == compatibility_pb2.COMPATIBILITY_MODE_BACKWARD


async def test_a_breaking_change_is_refused_with_its_reason_and_a_witness(stub: Stub) -> None:
    await register(stub, TRADES)
    error = await failure_of(register(stub, BREAKING))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")
    assert error.metadata["subject"] == "ticks.trades"
    assert error.metadata["verdict"] == "incompatible"
    assert error.metadata["mode"] == "BACKWARD_TRANSITIVE"
    assert error.violations
    assert "version 1" in error.violations[0].description
    versions = await stub.ListVersions(pb.ListVersionsRequest(subject="ticks.trades"))
    assert len(versions.versions) == 1


async def test_a_refusal_is_an_event_once_an_hour_and_a_dry_run_never(stub: Stub) -> None:
    await register(stub, TRADES)
    dry = await failure_of(register(stub, BREAKING, dry_run=True))
    assert dry.reason == "INCOMPATIBLE_SCHEMA"
    first = await failure_of(register(stub, BREAKING))
    again = await failure_of(register(stub, BREAKING))
    assert first.metadata["revision"] == "2"
    assert "revision" not in again.metadata
    await failure_of(register(stub, trades(required=("venue",), venue={"type": "string"})))
    events = await log_of(stub)
    assert [(event.revision, event.kind) for event in events] == [
        (1, change_pb2.CHANGE_KIND_VERSION_REGISTERED),
        (2, change_pb2.CHANGE_KIND_REGISTRATION_REJECTED),
        (3, change_pb2.CHANGE_KIND_REGISTRATION_REJECTED),
    ]
    refusal = events[1]
    assert refusal.rejected_text == BREAKING
    assert not refusal.HasField("schema")
    assert refusal.report.verdict == compatibility_pb2.VERDICT_INCOMPATIBLE
    refuted = [
        change
        for comparison in refusal.report.comparisons
        for change in comparison.changes
        if change.verdict == compatibility_pb2.VERDICT_INCOMPATIBLE
    ]
    assert all("size" not in json.loads(change.witness) for change in refuted)
    assert refuted


async def test_allow_breaking_lets_it_in_and_says_so(stub: Stub) -> None:
    await register(stub, TRADES)
    answer = await register(stub, BREAKING, allow_breaking=True)
    assert answer.schema.version == 2
    assert answer.schema.action == schema_pb2.ACTION_BREAKING_CHANGE
    assert answer.report.verdict == compatibility_pb2.VERDICT_INCOMPATIBLE


async def test_mode_none_lets_it_in_and_the_action_is_computed_all_the_same(stub: Stub) -> None:
    await stub.SetCompatibility(
        pb.SetCompatibilityRequest(
            subject="ticks.trades",
            settings=compatibility_pb2.CompatibilitySettings(
                mode=compatibility_pb2.COMPATIBILITY_MODE_NONE
            ),
        )
    )
    await register(stub, TRADES)
    answer = await register(stub, BREAKING)
    assert answer.schema.action == schema_pb2.ACTION_BREAKING_CHANGE


async def test_the_text_of_the_latest_version_makes_no_revision(stub: Stub) -> None:
    first = await register(stub, TRADES)
    again = await register(stub, TRADES, labels={"other": "label"})
    assert again.already_registered
    assert again.schema == first.schema
    assert again.revision == first.revision


async def test_an_annotation_makes_a_version_with_the_same_schema_id(stub: Stub) -> None:
    first = await register(stub, TRADES)
    titled = await register(stub, json.dumps({**json.loads(TRADES), "title": "Trades"}))
    assert titled.schema.version == 2
    assert titled.schema.schema_id == first.schema.schema_id
    assert titled.schema.fingerprint == first.schema.fingerprint


async def test_a_lost_compare_and_swap_is_a_conflict_and_no_event(stub: Stub) -> None:
    await register(stub, TRADES, expected_version=0)
    error = await failure_of(register(stub, OPTIONAL, expected_version=0))
    assert (error.code, error.reason) == ("ABORTED", "VERSION_CONFLICT")
    assert error.metadata["latestVersion"] == "1"
    assert (await register(stub, OPTIONAL, expected_version=1)).schema.version == 2
    assert len(await log_of(stub)) == 2


async def test_a_retry_with_its_request_id_answers_the_first_result(stub: Stub) -> None:
    first = await register(stub, TRADES, request_id="r1", expected_version=0)
    await register(stub, OPTIONAL)
    again = await register(stub, TRADES, request_id="r1", expected_version=0)
    assert again == first
    other = await failure_of(register(stub, OPTIONAL, request_id="r1"))
    assert (other.code, other.reason) == ("ABORTED", "REQUEST_ID_REUSED")


async def test_racing_retries_of_one_request_register_once(stub: Stub) -> None:
    await register(stub, TRADES)
    answers = await asyncio.gather(*(register(stub, OPTIONAL, request_id="race") for _ in range(8)))
    assert {(a.schema.version, a.revision) for a in answers} == {(2, 2)}


async def test_a_dry_run_answers_what_would_be_and_writes_nothing(stub: Stub) -> None:
    await register(stub, TRADES)
    answer = await register(stub, OPTIONAL, dry_run=True)
    assert (answer.schema.version, answer.schema.schema_id) == (2, 0)
    assert answer.revision == 1
    versions = await stub.ListVersions(pb.ListVersionsRequest(subject="ticks.trades"))
    assert (len(versions.versions), versions.revision) == (1, 1)


async def test_racing_registrations_cannot_both_pass_a_check_one_would_fail(stub: Stub) -> None:
    """Each candidate may follow the first version; no two of them may follow each other."""
    await register(stub, TRADES)
    candidates = [trades(size={"type": kind}) for kind in ("integer", "string", "boolean")]
    outcomes = await asyncio.gather(
        *(register(stub, text) for text in candidates), return_exceptions=True
    )
    admitted = [o for o in outcomes if isinstance(o, pb.RegisterSchemaResponse)]
    refused = [error_from_rpc(o) for o in outcomes if isinstance(o, grpc.RpcError)]
    assert len(admitted) == 1
    assert [e.reason for e in refused] == ["INCOMPATIBLE_SCHEMA"] * 2


async def test_field_ids_are_given_once_and_survive_removal_and_return(stub: Stub) -> None:
    import pyarrow as pa

    def ids(answer: pb.RegisterSchemaResponse) -> dict[str, bytes]:
        schema = pa.ipc.read_schema(pa.py_buffer(answer.schema.arrow_schema))
        return {field.name: (field.metadata or {})[b"tickmesh.field_id"] for field in schema}

    first = ids(await register(stub, OPTIONAL))
    without = ids(await register(stub, TRADES))
    other = ids(await register(stub, trades(venue={"type": "string"}), allow_breaking=True))
    back = ids(
        await register(
            stub, trades(venue={"type": "string"}, size={"type": "integer"}), allow_breaking=True
        )
    )
    assert back["size"] == first["size"]
    assert back["venue"] == other["venue"]
    assert len(set(back.values())) == len(back)
    assert without.items() < back.items()


async def test_references_are_pinned_and_resolved_from_the_registry(stub: Stub) -> None:
    await stub.RegisterSchema(
        pb.RegisterSchemaRequest(
            subject="types.price",
            text=json.dumps({"type": "object", "properties": {"p": {"type": "number"}}}),
        )
    )
    text = json.dumps(
        {"type": "object", "properties": {"quote": {"$ref": "price.json"}}},
    )
    missing = await failure_of(
        register(
            stub,
            text,
            references=[
                schema_pb2.SchemaReference(name="price.json", subject="types.price", version=2)
            ],
        )
    )
    assert (missing.code, missing.reason) == ("NOT_FOUND", "VERSION_NOT_FOUND")
    answer = await register(
        stub,
        text,
        references=[
            schema_pb2.SchemaReference(name="price.json", subject="types.price", version=1)
        ],
    )
    assert answer.schema.references[0].subject == "types.price"
    unresolved = await failure_of(register(stub, text))
    assert (unresolved.code, unresolved.reason) == ("INVALID_ARGUMENT", "INVALID_SCHEMA")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RegisterSchemaRequest(subject="", text="{}"), "subject"),
        (pb.RegisterSchemaRequest(subject="a b", text="{}"), "subject"),
        (pb.RegisterSchemaRequest(subject="a" * 256, text="{}"), "subject"),
        (pb.RegisterSchemaRequest.FromString(b"\x0a\x01a\x10\x63\x1a\x02{}"), "format"),
        (pb.RegisterSchemaRequest(subject="a", text="{}", labels={"": "x"}), "labels"),
        (pb.RegisterSchemaRequest(subject="a", text="{}", expected_version=-1), "expected_version"),
        (
            pb.RegisterSchemaRequest(
                subject="a", text="{}", effective_from=Timestamp(seconds=253_402_300_799)
            ),
            "effective_from",
        ),
    ],
)
async def test_a_field_out_of_bounds_is_named(
    stub: Stub, request_: pb.RegisterSchemaRequest, field: str
) -> None:
    error = await failure_of(stub.RegisterSchema(request_))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert error.violations[0].field == field


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("{", ""),
        ('{"type": "object", "properties": {"a": {"type": "nonsense"}}}', "/properties/a/type"),
        ('{"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}', "/properties/a/$ref"),
    ],
)
async def test_a_bad_schema_is_refused_with_the_place(stub: Stub, text: str, pointer: str) -> None:
    error = await failure_of(register(stub, text))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_SCHEMA")
    assert error.metadata["pointer"] == pointer
    assert await log_of(stub) == []
