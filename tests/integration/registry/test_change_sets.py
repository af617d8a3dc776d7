"""ApplyChangeSet: all or nothing, one revision, later items see earlier ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.registry_calls import failure_of, get, register, watched
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import change_pb2, compatibility_pb2, schema_pb2
from tickmesh.api.registry.v1 import change_set_pb2 as cs
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import Stub

BREAKING = trades(required=("size",), size={"type": "integer"})
PART = '{"type": "object", "properties": {"amount": {"type": "number"}}}'
NONE = compatibility_pb2.COMPATIBILITY_MODE_NONE
FULL = compatibility_pb2.COMPATIBILITY_MODE_FULL


def registration(subject: str, text: str, **fields: Any) -> cs.ChangeSetItem:
    return cs.ChangeSetItem(
        registration=cs.ChangeSetRegistration(subject=subject, text=text, **fields)
    )


def policy(subject: str, mode: compatibility_pb2.CompatibilityMode.ValueType) -> cs.ChangeSetItem:
    settings = compatibility_pb2.CompatibilitySettings(mode=mode)
    return cs.ChangeSetItem(policy=cs.ChangeSetPolicy(subject=subject, settings=settings))


async def apply(stub: Stub, *items: cs.ChangeSetItem, **fields: Any) -> cs.ApplyChangeSetResponse:
    answer: cs.ApplyChangeSetResponse = await stub.ApplyChangeSet(
        cs.ApplyChangeSetRequest(items=items, **fields)
    )
    return answer


async def test_a_change_set_is_one_revision_with_all_its_events(stub: Stub) -> None:
    """W4: one revision in one response."""
    answer = await apply(
        stub, registration("a", TRADES), policy("a", FULL), registration("b", TRADES)
    )
    assert answer.revision == 1
    first, settings, second = answer.results
    assert (first.registered.schema.subject, first.registered.schema.revision) == ("a", 1)
    assert settings.settings.mode == FULL
    assert second.registered.schema.schema_id == first.registered.schema.schema_id
    events = await watched(stub)
    assert [(e.revision, e.sequence, e.kind, e.subject) for e in events] == [
        (1, 0, change_pb2.CHANGE_KIND_VERSION_REGISTERED, "a"),
        (1, 1, change_pb2.CHANGE_KIND_POLICY_CHANGED, "a"),
        (1, 2, change_pb2.CHANGE_KIND_VERSION_REGISTERED, "b"),
    ]


async def test_later_items_see_what_earlier_ones_did(stub: Stub) -> None:
    await register(stub, TRADES, subject="b")
    reference = schema_pb2.SchemaReference(name="price.json", subject="parts.price", version=1)
    answer = await apply(
        stub,
        registration("parts.price", PART),
        registration("a", trades(best={"$ref": "price.json"}), references=[reference]),
        policy("b", NONE),
        registration("b", BREAKING),
    )
    assert answer.revision == 2
    assert answer.results[3].registered.schema.action == schema_pb2.ACTION_BREAKING_CHANGE
    assert (await get(stub, "a")).references[0].subject == "parts.price"


async def test_a_global_policy_decides_later_items(stub: Stub) -> None:
    await register(stub, TRADES, subject="a")
    await apply(stub, policy("", NONE), registration("a", BREAKING))
    assert (await get(stub, "a")).version == 2


async def test_a_refused_item_leaves_nothing_but_the_event_of_its_refusal(stub: Stub) -> None:
    await register(stub, TRADES, subject="b")
    items = (registration("a", TRADES), policy("a", FULL), registration("b", BREAKING))
    error = await failure_of(apply(stub, *items))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")
    assert error.metadata["item"] == "2"
    assert error.violations[0].field.startswith("items[2].registration.text#")
    assert (await failure_of(get(stub, "a"))).reason == "SUBJECT_NOT_FOUND"
    await failure_of(apply(stub, *items))
    events = await watched(stub)
    assert [(e.revision, e.kind, e.subject) for e in events] == [
        (1, change_pb2.CHANGE_KIND_VERSION_REGISTERED, "b"),
        (2, change_pb2.CHANGE_KIND_REGISTRATION_REJECTED, "b"),
    ]
    settings = await stub.GetCompatibility(pb.GetCompatibilityRequest(subject="a"))
    assert settings.settings.mode != FULL


async def test_every_error_names_its_item(stub: Stub) -> None:
    good = registration("a", TRADES)
    missing = schema_pb2.SchemaReference(name="x", subject="nowhere", version=1)
    later = schema_pb2.SchemaReference(name="x", subject="a", version=1)
    for items, reason, field in (
        ((good, registration("b", '{"type": 3}')), "INVALID_SCHEMA", "registration.text#/type"),
        ((good, registration("b!", "{}")), "INVALID_ARGUMENT", "registration.subject"),
        ((good, registration("a", TRADES)), "INVALID_ARGUMENT", "registration.subject"),
        ((policy("a", NONE), policy("a", FULL)), "INVALID_ARGUMENT", "policy.subject"),
        ((good, policy("b!", FULL)), "INVALID_ARGUMENT", "policy.subject"),
        ((good, registration("b", "{}", format=99)), "INVALID_ARGUMENT", "registration.format"),
        ((good, registration("b", TRADES, references=[missing])), "VERSION_NOT_FOUND", None),
        ((good, registration("b", TRADES, expected_version=4)), "VERSION_CONFLICT", None),
    ):
        error = await failure_of(apply(stub, *items))
        assert error.reason == reason, error
        assert error.metadata["item"] == "1"
        if field is not None:
            assert error.violations[0].field == f"items[1].{field}"
    # A reference only finds what comes before it.
    error = await failure_of(
        apply(stub, registration("b", trades(x={"$ref": "x"}), references=[later]), good)
    )
    assert (error.reason, error.metadata["item"]) == ("VERSION_NOT_FOUND", "0")
    for count in (0, 101):
        error = await failure_of(apply(stub, *[good] * count))
        assert (error.reason, error.violations[0].field) == ("INVALID_ARGUMENT", "items")
    error = await failure_of(apply(stub, good, cs.ChangeSetItem()))
    assert (error.reason, error.violations[0].field) == ("INVALID_ARGUMENT", "items[1]")
    assert await watched(stub) == []


async def test_a_retry_answers_the_whole_first_result_again(stub: Stub) -> None:
    items = (registration("a", TRADES), policy("a", FULL), registration("b", TRADES))
    first = await apply(stub, *items, request_id="r1")
    await register(stub, BREAKING, subject="b", allow_breaking=True)
    assert await apply(stub, *items, request_id="r1") == first
    error = await failure_of(apply(stub, items[0], request_id="r1"))
    assert (error.code, error.reason) == ("ABORTED", "REQUEST_ID_REUSED")
    assert (await stub.ListSubjects(pb.ListSubjectsRequest())).revision == 2


async def test_racing_retries_write_once(stub: Stub) -> None:
    items = (registration("a", TRADES), registration("b", TRADES))
    answers = await asyncio.gather(*(apply(stub, *items, request_id="r1") for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].revision == 1


async def test_crossing_change_sets_do_not_wait_for_each_other_for_ever(stub: Stub) -> None:
    sets = [("a", "b"), ("b", "a")] * 10
    answers = await asyncio.gather(
        *(
            apply(
                stub,
                *(
                    registration(s, trades(required=(), **{f"f{n}": {"type": "string"}}))
                    for s in subjects
                ),
            )
            for n, subjects in enumerate(sets)
        )
    )
    assert sorted(answer.revision for answer in answers) == list(range(1, len(sets) + 1))
    for subject in ("a", "b"):
        assert (await get(stub, subject)).version == len(sets)


async def test_a_dry_run_judges_and_writes_nothing(stub: Stub) -> None:
    await register(stub, TRADES, subject="b")
    answer = await apply(
        stub,
        registration("a", TRADES),
        policy("b", NONE),
        registration("b", BREAKING),
        dry_run=True,
    )
    assert answer.revision == 1
    would_be = answer.results[2].registered
    assert would_be.schema.version == 2
    assert would_be.schema.action == schema_pb2.ACTION_BREAKING_CHANGE
    await failure_of(apply(stub, registration("b", BREAKING), dry_run=True))
    assert len(await watched(stub)) == 1


async def test_what_changes_nothing_makes_no_revision(stub: Stub) -> None:
    await apply(stub, registration("a", TRADES), policy("a", FULL))
    answer = await apply(stub, registration("a", TRADES), policy("a", FULL))
    assert answer.revision == 1
    assert answer.results[0].registered.already_registered
