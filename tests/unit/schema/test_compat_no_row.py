"""A schema under which no row can exist is refused, with the place that forbids it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import SchemaError, parse_schema

_INTEGER = {"type": "integer"}


def _record(properties: dict[str, Any], *required: str, **keywords: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), **keywords}


def _node(**keywords: Any) -> dict[str, Any]:
    reference = {"$ref": "#/$defs/n"}
    return {**reference, "$defs": {"n": {**_record({"next": reference}), **keywords}}}


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (_record({"a": {**_INTEGER, "minimum": 5, "maximum": 4}}, "a"), "/properties/a"),
        (_record({"a": {"type": "string", "pattern": "^a$", "minLength": 2}}, "a"),
         "/properties/a"),
        (_record({"a": {"allOf": [{"type": "string"}, _INTEGER]}}, "a"), "/properties/a"),
        (_record({"a": {"type": "number", "multipleOf": 2, "minimum": 1, "maximum": 1.5}}, "a"),
         "/properties/a"),
        (_record({"n": _record({"a": False}, "a")}, "n"), "/properties/n/properties/a"),
        (_record({"a": {"type": "array", "minItems": 1, "items": False}}, "a"), "/properties/a"),
        (_record({"a": _INTEGER}, "b", additionalProperties=False), "/required"),
        (_record({"a": _INTEGER}, minProperties=2), ""),
        (_record({"a": _INTEGER}, "a", **{"not": {"required": ["a"]}}), ""),
        (_node(required=["next"]), "/$defs/n/properties/next"),
    ],
)  # fmt: skip
def test_what_admits_no_row_is_refused_with_its_pointer(
    schema: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_schema(json.dumps(schema))
    assert (caught.value.reason, caught.value.pointer) == ("NO_ROW", pointer)


@pytest.mark.parametrize(
    "schema",
    [
        _record({"a": {**_INTEGER, "minimum": 5, "maximum": 4}}),
        _record({"a": {"type": ["integer", "null"], "minimum": 5, "maximum": 4}}, "a"),
        _record({"a": {"type": "array", "items": False}}, "a"),
        _record({"a": {"type": "string", "pattern": "^(?=a)b"}}, "a"),
        _record({"a": _INTEGER, "b": _INTEGER}, **{"not": {"required": ["a"]}}),
        _node(),
    ],
)
def test_what_leaves_some_row_is_taken(schema: dict[str, Any]) -> None:
    assert parse_schema(json.dumps(schema))
