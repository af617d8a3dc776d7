"""Where the published rules are known to be wrong, they are reproduced as they are.

Each case comes with a document that shows the error, judged by the row oracle, and with what the
policy `containment` says of the same pair.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import parse_document
from tickmesh.schema.compatibility import Policy, Verdict, compare
from tickmesh.schema.oracle import is_valid, validator_of

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_NUMBER = {"type": "number"}
_PATTERN = {"type": "object", "patternProperties": {"^n_": _NUMBER}}


def _object(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": _STRING}, **keywords}


FALSE_ACCEPTS: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "a required name that no property lists": (_object(), _object(required=["b"]), {"a": ""}),
    "patternProperties changed": (
        _PATTERN,
        {"type": "object", "patternProperties": {"^n_": _STRING}},
        {"n_": 1},
    ),
    "patternProperties added": ({"type": "object"}, _PATTERN, {"n_": ""}),
    "patternProperties removed from a closed object": (
        {**_PATTERN, "additionalProperties": False},
        {"type": "object", "additionalProperties": False},
        {"n_": 1},
    ),
    "propertyNames": (_object(), _object(propertyNames={"maxLength": 1}), {"bb": 1}),
    "contains added": ({"type": "array"}, {"type": "array", "contains": _STRING}, [1]),
    "contains narrowed": (
        {"type": "array", "contains": _NUMBER},
        {"type": "array", "contains": _INTEGER},
        [1.5],
    ),
    "untyped made typed": ({"minimum": 0}, {"type": "number", "minimum": 0}, "a"),
    "then narrowed": (
        {"if": _STRING, "then": {"maxLength": 9}},
        {"if": _STRING, "then": {"maxLength": 1}},
        "aa",
    ),
    "branches of oneOf that overlap": (
        {"anyOf": [_INTEGER]},
        {"oneOf": [_NUMBER, _INTEGER]},
        1,
    ),
    "a required property with a default": (
        _object(additionalProperties=False),
        {
            "type": "object",
            "properties": {"a": _STRING, "b": {"type": "integer", "default": 0}},
            "required": ["b"],
            "additionalProperties": False,
        },
        {"a": ""},
    ),
}

FALSE_REJECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "const to an enum with it": ({"const": "B"}, {"enum": ["B", "S"]}),
    "enum to its type": ({"enum": ["B", "S"]}, _STRING),
    "enum to a pattern": ({"enum": ["B", "S"]}, {"type": "string", "pattern": "^[BS]$"}),
    "a bound that bounds nothing": (_STRING, {"type": "string", "minLength": 0}),
    "a minimum to a weaker strict one": (
        {"type": "number", "minimum": 1},
        {"type": "number", "exclusiveMinimum": 0},
    ),
    "alternatives to a type that covers them": ({"anyOf": [_INTEGER, _NUMBER]}, _NUMBER),
    "a list of types without the covered one": ({"type": ["integer", "number"]}, _NUMBER),
    "plain to allOf of what it says": (
        {"type": "string", "maxLength": 9},
        {"allOf": [_STRING, {"maxLength": 9}]},
    ),
    "a tuple to a list of the same": (
        {"type": "array", "prefixItems": [_NUMBER, _NUMBER], "items": False},
        {"type": "array", "items": _NUMBER},
    ),
}


@pytest.mark.parametrize("policy", [Policy.CONFLUENT_STRICT, Policy.CONFLUENT_LENIENT])
@pytest.mark.parametrize("name", FALSE_ACCEPTS)
def test_a_break_that_the_rules_let_through_is_let_through(name: str, policy: Policy) -> None:
    old, new, document = FALSE_ACCEPTS[name]
    before, after = parse_document(json.dumps(old)), parse_document(json.dumps(new))
    assert compare(before, after, policy=policy).verdict is Verdict.COMPATIBLE
    assert is_valid(validator_of(before), document)
    assert not is_valid(validator_of(after), document)
    assert compare(before, after, policy=Policy.CONTAINMENT).verdict is Verdict.INCOMPATIBLE


@pytest.mark.parametrize("policy", [Policy.CONFLUENT_STRICT, Policy.CONFLUENT_LENIENT])
@pytest.mark.parametrize("name", FALSE_REJECTS)
def test_a_safe_change_that_the_rules_refuse_is_refused(name: str, policy: Policy) -> None:
    old, new = (json.dumps(schema) for schema in FALSE_REJECTS[name])
    report = compare(old, new, policy=policy)
    assert report.verdict is Verdict.INCOMPATIBLE
    assert not report.witnesses, "no document can show a break"
    assert compare(old, new, policy=Policy.CONTAINMENT).verdict is Verdict.COMPATIBLE


def test_a_wider_pattern_is_refused() -> None:
    """The rules compare patterns as texts; another text is a break to them."""
    old, new = (json.dumps({"type": "string", "pattern": f"^a{{1,{n}}}$"}) for n in (4, 5))
    assert compare(old, new, policy=Policy.CONFLUENT_STRICT).verdict is Verdict.INCOMPATIBLE
    assert compare(old, new, policy=Policy.CONTAINMENT).verdict is not Verdict.INCOMPATIBLE


def test_lowering_a_strict_maximum_without_an_inclusive_one_is_an_answer() -> None:
    """That registry fails here, because it reads the bound that is not there."""
    old, new = (json.dumps({"type": "number", "exclusiveMaximum": n}) for n in (9, 8))
    (change, *_) = compare(old, new, policy=Policy.CONFLUENT_STRICT).comparisons[0].changes
    assert change.reason == "EXCLUSIVE_MAXIMUM_DECREASED"


def test_a_refusal_carries_a_document_where_one_is_found() -> None:
    old, new = (
        '{"type":"object","properties":{"a":{}}}',
        ('{"type":"object","properties":{"a":{},"b":{"type":"integer"}}}'),
    )
    report = compare(old, new, policy=Policy.CONFLUENT_STRICT)
    *_, last = report.comparisons[0].changes
    assert last.kind == "documents_refused"
    assert not isinstance(last.witness["b"], int)
