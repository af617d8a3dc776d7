"""Hostile pairs end with an answer or a clear refusal: no hang, no wrong "compatible"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import SchemaError
from tickmesh.schema.compatibility import Policy, Verdict, compare

Schema = dict[str, Any]


def _record(properties: dict[str, Any], **keywords: Any) -> Schema:
    return {"type": "object", "properties": properties, **keywords}


def _nested(leaf: Schema, depth: int) -> Schema:
    return leaf if depth == 0 else _record({"n": _nested(leaf, depth - 1)})


def _one_of(low: int, high: int) -> Schema:
    branches = [_record({"k": {"const": k}}, required=["k"]) for k in range(low, high)]
    return _record({"f": {"oneOf": branches}})


def _cube(keyword: str) -> Schema:
    return _record(
        {
            "f": {
                "oneOf": [
                    {
                        "oneOf": [
                            {"oneOf": [{keyword: i * j * k} for i in range(12)]} for j in range(12)
                        ]
                    }
                    for k in range(12)
                ]
            }
        }
    )


def _ring(step: int, low: int) -> Schema:
    conditions = [
        {
            "if": {"properties": {f"f{i}": {"minimum": low}}, "required": [f"f{i}"]},
            "then": {"required": [f"f{(i + step) % 60}"]},
        }
        for i in range(60)
    ]
    return _record({f"f{i}": {"type": "integer"} for i in range(60)}, allOf=conditions)


def _fan(kind: str) -> Schema:
    levels = {
        f"d{i}": _record({name: {"$ref": f"#/$defs/d{i + 1}"} for name in "ab"}) for i in range(14)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**levels, "d14": {"type": kind}}}


def _text(pattern: str, **keywords: Any) -> Schema:
    return _record({"f": {"type": "string", "pattern": pattern, **keywords}})


_BREAKING: dict[str, tuple[Schema, Schema]] = {
    "deep nesting": (_nested({"type": "string"}, 29), _nested({"type": "integer"}, 29)),
    "huge oneOf": (_one_of(0, 1000), _one_of(1, 1000)),
    "oneOf in oneOf in oneOf": (_cube("minimum"), _cube("maximum")),
    "a ring of conditions": (_ring(1, 5), _ring(2, 4)),
    "catastrophic pattern": (_text("^(a|b)+$"), _text("^(?=(a+)+$)(a|aa)+b$")),
    "look-behind and length": (
        _text("^(a|b|ab)*(?!x)$", minLength=5000),
        _text("^(?:(?=a)a|b)*$(?<!c)", maxLength=6000),
    ),
    "lengths out of reach": (
        _record({"f": {"type": "array", "uniqueItems": True, "minItems": 10**8}}),
        _record({"f": {"type": "array", "uniqueItems": True, "minItems": 10**9}}),
    ),
    "long enums": (
        _record({"f": {"enum": [f"v{i}" for i in range(5000)]}}),
        _record({"f": {"enum": [f"v{i}" for i in range(1, 5000)]}}),
    ),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("policy", [Policy.RECORD, Policy.CONTAINMENT])
@pytest.mark.parametrize("name", _BREAKING)
def test_a_hostile_break_is_never_accepted_and_never_hangs(name: str, policy: Policy) -> None:
    old, new = (json.dumps(schema) for schema in _BREAKING[name])
    assert compare(old, new, policy=policy).verdict is not Verdict.COMPATIBLE


@pytest.mark.timeout(30)
def test_a_row_with_too_many_fields_is_refused() -> None:
    with pytest.raises(SchemaError) as caught:
        compare(json.dumps(_fan("number")), json.dumps(_fan("integer")))
    assert caught.value.reason == "TOO_MANY_FIELDS"


@pytest.mark.timeout(30)
def test_a_wide_record_is_still_decided() -> None:
    """A closed record of 102 properties with one optional field added is proven compatible."""
    fields: Schema = {f"f{i}": {"type": "number", "minimum": i} for i in range(102)}
    old = _record(fields, additionalProperties=False)
    new = _record({**fields, "g": {"type": "string"}}, additionalProperties=False)
    assert compare(json.dumps(old), json.dumps(new)).verdict is Verdict.COMPATIBLE
