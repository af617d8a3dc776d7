"""Plain fields take a short way; it must lead where the long one does."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from tickmesh.schema import SchemaError, parse_document, parse_schema, project
from tickmesh.schema.compatibility import Verdict, compare
from tickmesh.schema.leaves import leaf_at, states_same_leaf
from tickmesh.schema.location import Location

_TYPES: list[Any] = ["string", "integer", "number", "boolean", "null"]
_TYPES += [["string", "null"], ["null", "string"], ["integer", "string"], ["number", "integer"]]
_FORMATS: list[dict[str, Any]] = [{}, {"format": "date-time"}, {"format": "time"}, {"format": "x"}]
_LISTS: list[dict[str, Any]] = [{}, {"const": "a"}, {"const": None}, {"enum": ["a", None]}]
_LISTS += [{"enum": [1, True]}, {"enum": ["a"], "const": 1.5}]
_LEAVES = [
    {"type": kinds, **form, **listed} for kinds, form, listed in product(_TYPES, _FORMATS, _LISTS)
]


def _text(leaf: dict[str, Any], *, required: list[str]) -> str:
    inner = {"type": "object", "properties": {"a": leaf}, "required": required}
    return json.dumps({**inner, "properties": {"a": leaf, "b": inner}})


def _outcome(text: str) -> object:
    try:
        return project(parse_schema(text))
    except SchemaError as error:
        return error.reason, error.pointer


@pytest.mark.parametrize("required", [[], ["a"]], ids=["optional", "required"])
def test_a_leaf_is_projected_as_any_field_is(required: list[str]) -> None:
    """A keyword of no meaning makes a field take the long way, to the same column or refusal."""
    for leaf in _LEAVES:
        long_way = _outcome(_text({**leaf, "x-no-meaning": 1}, required=required))
        # Twice: the second finds what the first left to be shared.
        for _ in range(2):
            assert _outcome(_text(leaf, required=required)) == long_way, leaf


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string"}}, "patternProperties": {"^a": {"maxLength": 1}}},
        {"properties": {"a": {"type": "string"}}, "allOf": [{"properties": {"a": True}}]},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}},
        {"properties": {"a": {"type": "object"}}},
        {"properties": {"a": {"type": "string", "arrow": "utf8"}}},
        {"properties": {"a": {"minimum": 1}}},
        {"properties": {"a": True}},
        {"additionalProperties": {"type": "string"}},
    ],
)
def test_only_a_member_that_one_schema_describes_is_a_leaf(schema: dict[str, Any]) -> None:
    """Whatever else could speak of the member, or of its insides, sends it the long way."""
    assert leaf_at(Location.root(parse_document(json.dumps(schema))), "a") is None


def test_true_and_one_are_not_the_same_leaf() -> None:
    """To Python they are equal; to JSON Schema they are not."""
    one, true = (
        parse_document(json.dumps({"properties": {"a": {"type": kinds, "const": value}}}))
        for kinds, value in ((["integer", "boolean"], 1), (["integer", "boolean"], True))
    )
    assert not states_same_leaf(Location.root(one), Location.root(true), "a")
    assert states_same_leaf(Location.root(one), Location.root(one), "a")
    assert compare(one, true, policy="containment").verdict is Verdict.INCOMPATIBLE
