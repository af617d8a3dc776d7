"""Differences of schemas, registered or not, and the plan of every column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.calls import assert_invalid, failure_of
from tickmesh.api.registry.v1 import compatibility_pb2, difference_pb2, selector_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import Stub

COMPATIBLE = compatibility_pb2.VERDICT_COMPATIBLE
INCOMPATIBLE = compatibility_pb2.VERDICT_INCOMPATIBLE


def schema(**properties: Any) -> str:
    return json.dumps({"type": "object", "properties": properties})


OLD = schema(
    price={"type": "integer"},
    venue={"enum": ["X"]},
    legs={"type": "array", "items": {"type": "object", "properties": {"px": {"type": "integer"}}}},
    gone={"type": "string"},
)
NEW = schema(
    price={"type": "number"},
    venue={"type": "string"},
    legs={
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"px": {"type": "string"}, "lot": {"type": "integer", "default": 100}},
        },
    },
)


def text(content: str) -> difference_pb2.ComparedSchema:
    return difference_pb2.ComparedSchema(
        unregistered=difference_pb2.UnregisteredSchema(text=content)
    )


def version(subject: str, number: int) -> difference_pb2.ComparedSchema:
    return difference_pb2.ComparedSchema(
        subject=selector_pb2.SubjectSelector(subject=subject, version=number)
    )


def request(before: Any, after: Any) -> difference_pb2.DiffSchemasRequest:
    return difference_pb2.DiffSchemasRequest(before=before, after=after)


async def test_every_column_has_its_step_also_inside_lists(stub: Stub) -> None:
    answer = await stub.DiffSchemas(request(text(OLD), text(NEW)))
    planned = [
        (
            plan.path,
            difference_pb2.ColumnStep.Name(plan.step).removeprefix("COLUMN_STEP_"),
            plan.condition,
            plan.default_value,
        )
        for plan in answer.columns
    ]
    assert planned == [
        ("/price", "CAST_EXACT_IF", "if every value lies within ±2^53", ""),
        ("/venue", "CAST_EXACT", "", ""),
        ("/legs", "KEEP", "", ""),
        ("/legs/px", "IMPOSSIBLE", "", ""),
        ("/legs/lot", "ADD", "", "100"),
        ("/gone", "DROP", "", ""),
    ]
    assert answer.physical == INCOMPATIBLE
    assert {change.kind for change in answer.changes} >= {
        *("type_widened", "enum_removed", "type_changed", "field_added", "field_removed"),
    }
    assert all(plan.message for plan in answer.columns)
    assert (answer.columns[0].before_type, answer.columns[0].after_type) == ("int64", "double")
    assert answer.columns[0].field_id == 0


async def test_registered_versions_are_compared_with_their_field_ids(stub: Stub) -> None:
    for content in (OLD, NEW):
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject="s", text=content, allow_breaking=True)
        )
    by_id = difference_pb2.ComparedSchema(schema_id=1)
    latest = difference_pb2.ComparedSchema(
        subject=selector_pb2.SubjectSelector(subject="s", latest=selector_pb2.LatestSelector())
    )
    for before, after in (
        (version("s", 1), version("s", 2)),
        (by_id, latest),
        (version("s", 1), text(NEW)),
    ):
        answer = await stub.DiffSchemas(request(before, after))
        assert answer.revision == 2
        ids = {plan.path: plan.field_id for plan in answer.columns}
        assert ids == {
            "/price": 1, "/venue": 2, "/legs": 3, "/legs/px": 5, "/gone": 6, "/legs/lot": 7,
        }  # fmt: skip
    same = await stub.DiffSchemas(request(version("s", 2), version("s", 2)))
    assert same.physical == COMPATIBLE
    assert not same.changes


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (request(None, text(NEW)), "before"),
        (request(text(NEW), None), "after"),
        (request(version("s", -1), text(NEW)), "version"),
    ],
)
async def test_what_is_missing_is_named(
    stub: Stub, request_: difference_pb2.DiffSchemasRequest, field: str
) -> None:
    await assert_invalid(stub.DiffSchemas(request_), field=field)


async def test_a_text_that_is_no_schema_is_named_with_its_place(stub: Stub) -> None:
    bad = schema(price={"type": "prise"})
    error = await failure_of(stub.DiffSchemas(request(text(OLD), text(bad))))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_SCHEMA")
    assert error.violations[0].field == "after.unregistered.text#/properties/price/type"
    gone = await failure_of(stub.DiffSchemas(request(text(OLD), version("none", 1))))
    assert (gone.code, gone.reason) == ("NOT_FOUND", "SUBJECT_NOT_FOUND")
    deep = await failure_of(stub.DiffSchemas(request(text(OLD), text('{"not":' * 10_000))))
    assert (deep.code, deep.reason) == ("INVALID_ARGUMENT", "INVALID_SCHEMA")


async def test_a_difference_too_large_for_an_answer_is_refused(stub: Stub) -> None:
    names = [f"a_rather_long_name_of_a_field_{'x' * 200}_{i}" for i in range(4_000)]
    wide = schema(**{name: {"type": "integer"} for name in names})
    error = await failure_of(stub.DiffSchemas(request(text(schema(a={})), text(wide)), timeout=60))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
