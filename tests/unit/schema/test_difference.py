"""Differences: the structural changes and the plan for each column."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import diff, parse_schema


def _diff(old: dict[str, Any], new: dict[str, Any], **keywords: Any) -> Any:
    return diff(
        parse_schema(json.dumps({"type": "object", "properties": old})),
        parse_schema(json.dumps({"type": "object", "properties": new, **keywords})),
    )


def _string(arrow: str) -> dict[str, Any]:
    return {"type": "string", "arrow": arrow}


def _integer(arrow: str) -> dict[str, Any]:
    return {"type": "integer", "arrow": arrow}


def test_changes_name_their_kind_and_place() -> None:
    difference = _diff(
        {"a": {"type": "integer", "minimum": 1}, "gone": {}, "e": {"enum": ["x"]}},
        {
            "a": {"type": "number", "minimum": 0},
            "e": {"enum": ["x", "y"]},
            "b": {"type": "string", "x-tick-unit": "USD"},
        },
        required=["b"],
    )
    assert {(change.kind, change.path) for change in difference.changes} == {
        ("type_widened", "/properties/a/type"),
        ("minimum_lowered", "/properties/a/minimum"),
        ("enum_extended", "/properties/e/enum"),
        ("required_field_added", "/properties/b"),
        ("field_removed", "/properties/gone"),
    }


def test_a_change_behind_a_reference_is_seen_inside_a_condition() -> None:
    def schema(kind: str) -> dict[str, Any]:
        return {
            "properties": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}},
            "$defs": {"a": {"type": kind}},
        }

    old, new = (parse_schema(json.dumps(schema(kind))) for kind in ("integer", "string"))
    kinds = {change.kind for change in diff(old, new).changes}
    assert "any_of_changed" in kinds


@pytest.mark.parametrize(
    ("old", "new", "action"),
    [
        ({"type": "integer"}, {"type": "integer"}, "keep"),
        ({"type": "integer"}, {"type": "number"}, "cast_exact_if"),
        ({"arrow": "int32", "type": "integer"}, {"type": "integer"}, "cast_exact"),
        ({"arrow": "int32", "type": "integer"}, {"type": "number"}, "cast_exact"),
        ({"type": "integer"}, {"arrow": "int32", "type": "integer"}, "cast_exact_if"),
        (
            {"arrow": "uint32", "type": "integer"},
            {"arrow": "int32", "type": "integer"},
            "cast_exact_if",
        ),
        ({"enum": ["a"]}, {"type": "string"}, "cast_exact"),
        ({"type": "integer"}, {"type": "string"}, "impossible"),
        ({"type": "integer"}, {"type": "boolean"}, "impossible"),
        ({"type": "integer"}, {"type": "integer", "arrow": "timestamp[ns, UTC]"}, "impossible"),
        (
            {"type": "number", "arrow": "decimal128(18, 4)"},
            {"type": "number", "arrow": "decimal128(20, 6)"},
            "cast_exact",
        ),
        (
            {"type": "number", "arrow": "decimal128(18, 4)"},
            {"type": "number", "arrow": "decimal128(18, 6)"},
            "cast_exact_if",
        ),
        (
            {"type": "number", "arrow": "scaled_int64(4)"},
            {"type": "number", "arrow": "scaled_int64(2)"},
            "cast_exact_if",
        ),
        ({"type": "integer"}, {}, "cast_exact"),
        ({}, {"type": "integer"}, "cast_exact_if"),
        (
            {"type": "array", "items": {"type": "integer"}},
            {"type": "array", "items": {"type": "number"}},
            "cast_exact_if",
        ),
        ({"type": "array", "items": {"type": "integer"}}, {"type": "integer"}, "impossible"),
        (_string("time64[us]"), _string("time64[ns]"), "cast_exact"),
        (_string("time64[ns]"), _string("time32[ms]"), "cast_exact_if"),
        (_integer("duration[s]"), _integer("duration[ns]"), "cast_exact_if"),
        (_string("utf8"), _string("binary"), "cast_exact_if"),
        (_string("binary"), _string("utf8"), "cast_exact"),
        (_string("utf8"), _string("dictionary<int32, utf8>"), "cast_exact"),
        (_string("timestamp[ms, UTC]"), _string("timestamp[ns, UTC]"), "cast_exact_if"),
        (_string("timestamp[ns]"), _string("timestamp[ns, UTC]"), "impossible"),
    ],
)
def test_each_column_has_a_plan(old: dict[str, Any], new: dict[str, Any], action: str) -> None:
    (plan,) = _diff({"f": old}, {"f": new}).columns
    assert plan.action == action
    assert plan.note or action in ("keep", "cast_exact")


def test_columns_added_dropped_and_nested_are_planned() -> None:
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    wider = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}}
    plans = _diff(
        {"l": {"type": "array", "items": inner}, "old": {}},
        {"l": {"type": "array", "items": wider}, "new": {}},
    ).columns
    assert {(plan.path, str(plan.action)) for plan in plans} == {
        ("l", "keep"),
        ("l.x", "keep"),
        ("l.y", "add"),
        ("new", "add"),
        ("old", "drop"),
    }


def test_an_added_column_says_what_fills_it() -> None:
    nested = {"type": "object", "properties": {"lot": {"type": "integer", "default": 100}}}
    bare = {"type": "object", "properties": {"x": {}}}
    plans = {
        plan.path: plan
        for plan in _diff(
            {"l": {"type": "array", "items": bare}, "m": {"additionalProperties": bare}},
            {
                "l": {"type": "array", "items": nested},
                "m": {"additionalProperties": nested},
                "venue": {"enum": ["X"], "default": "X"},
                "note": {"type": ["string", "null"], "default": None},
                "must": {"type": "string"},
            },
            required=["must"],
        ).columns
        if plan.action == "add"
    }
    assert {path: plan.default for path, plan in plans.items()} == {
        "l.lot": "100",
        "venue": '"X"',
        "note": "",
        "must": "",
    }
    assert plans["must"].note == "old rows have no value to give"
    assert plans["note"].note == ""
