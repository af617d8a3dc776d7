"""Recursive and hostile pairs: the greatest fixed point, and an answer within bounded work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema.compatibility import Policy, Verdict, compare

Schema = dict[str, Any]
_BOTH = [Policy.CONFLUENT_STRICT, Policy.CONFLUENT_LENIENT]


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _verdict(old: Schema, new: Schema, policy: Policy = Policy.CONFLUENT_STRICT) -> Verdict:
    report = compare(json.dumps(old), json.dumps(new), policy=policy)
    refused = [
        change
        for each in report.comparisons
        for change in each.changes
        if change.verdict is Verdict.INCOMPATIBLE and change.kind != "documents_refused"
    ]
    assert bool(refused) is (report.verdict is Verdict.INCOMPATIBLE), "a refusal says why"
    return report.verdict


def _ring(length: int, kinds: list[str]) -> Schema:
    definitions = {
        f"d{i}": _object({"next": _ref(f"d{(i + 1) % length}"), "v": {"type": kinds[i]}})
        for i in range(length)
    }
    return {**_ref("d0"), "$defs": definitions}


@pytest.mark.parametrize("policy", _BOTH)
@pytest.mark.parametrize("lengths", [(1, 1), (1, 3), (3, 1), (2, 3), (7, 5)])
def test_a_recursive_pair_without_a_difference_holds(
    lengths: tuple[int, int], policy: Policy
) -> None:
    old, new = (_ring(length, ["integer"] * length) for length in lengths)
    assert _verdict(old, new, policy) is Verdict.COMPATIBLE


@pytest.mark.parametrize("place", range(6))
def test_a_difference_is_found_wherever_the_rings_meet_it(place: int) -> None:
    """Rings of 2 and 3 unroll to 6 pairs; the break lies in one of them."""
    old, new = _ring(2, ["integer", "integer"]), _ring(3, ["number", "number", "number"])
    assert _verdict(old, new) is Verdict.COMPATIBLE
    old = _ring(6, ["number" if i == place else "integer" for i in range(6)])
    assert _verdict(old, _ring(3, ["integer"] * 3)) is Verdict.INCOMPATIBLE


def test_what_was_remembered_under_a_wrong_assumption_is_forgotten() -> None:
    """`other` is first met inside `node`, whose break shows only later and is tolerated there."""

    def text(kind: str, x: Schema) -> Schema:
        definitions = {
            "node": _object({"a": _ref("other"), "v": {"type": kind}}),
            "other": _object({"b": _ref("node")}),
        }
        return {**_object({"x": x, "p": _ref("other")}), "$defs": definitions}

    old, new = text("number", {"allOf": [_ref("node"), False]}), text("integer", _ref("node"))
    assert _verdict(old, new) is Verdict.INCOMPATIBLE
    report = compare(json.dumps(old), json.dumps(new), policy=Policy.CONFLUENT_STRICT)
    assert "TYPE_NARROWED" in [change.reason for change in report.comparisons[0].changes]


def test_recursion_through_a_negation_is_decided() -> None:
    def text(kind: str) -> Schema:
        node = _object({"n": {"not": _ref("node")}, "v": {"type": kind}})
        return {**_ref("node"), "$defs": {"node": node}}

    assert _verdict(text("integer"), text("integer")) is Verdict.COMPATIBLE
    assert _verdict(text("number"), text("integer")) is Verdict.INCOMPATIBLE


def _ladder(rungs: int, last: Schema) -> Schema:
    """Every rung offers three ways to the next: 3 to the power of `rungs` ways in all."""
    definitions = {
        f"d{i}": {
            "oneOf": [
                _ref(f"d{i + 1}"),
                {"type": "array", "items": _ref(f"d{i + 1}")},
                _object({"a": _ref(f"d{i + 1}")}),
            ]
        }
        for i in range(rungs)
    }
    return {**_ref("d0"), "$defs": {**definitions, f"d{rungs}": last}}


def _constants(first: int) -> Schema:
    branches = [_object({"k": {"const": first + i}}) for i in range(400)]
    return _object({"f": {"oneOf": branches}})


def _nested(leaf: Schema, depth: int) -> Schema:
    return leaf if depth == 0 else _object({"n": _nested(leaf, depth - 1)})


def _cube(keyword: str) -> Schema:
    choice: Schema = {"oneOf": [{keyword: i} for i in range(12)]}
    for _ in range(2):
        choice = {"oneOf": [{**choice, "title": str(i)} for i in range(12)]}
    return choice


def _text(pattern: str) -> Schema:
    return {"type": "object", "patternProperties": {pattern: {}}, "additionalProperties": False}


HARD = {
    "deep nesting": (_nested({"type": "string"}, 29), _nested({"type": "integer"}, 29)),
    "a ladder of choices": (_ladder(9, {"type": "integer"}), _ladder(9, {"type": "string"})),
    "a ladder with a rung less": (_ladder(9, {"type": "integer"}), _ladder(8, {"type": "integer"})),
    "a pattern that backtracks": (
        _text("^(?=(a+)+$)(a|aa)+b$"),
        {**_object({"a" * 60: {"type": "string"}}), "additionalProperties": False},
    ),
}
HARDER = {
    "choices of choices of choices": (_cube("minimum"), _cube("maximum")),
    "long rings of lengths without a common divisor": (
        _ring(199, ["integer"] * 199),
        _ring(198, ["string"] + ["integer"] * 197),
    ),
    "branches none of which fit": (_constants(0), _constants(1000)),
    "many names, many patterns": (
        {"type": "object", "patternProperties": {f"^x{i}$": {} for i in range(100)}},
        _object({f"y{i}": {} for i in range(900)}),
    ),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("policy", _BOTH)
@pytest.mark.parametrize("name", HARD)
def test_a_hard_pair_is_decided(name: str, policy: Policy) -> None:
    expected = Verdict.COMPATIBLE if "pattern" in name else Verdict.INCOMPATIBLE
    assert _verdict(*HARD[name], policy) is expected


@pytest.mark.timeout(30)
@pytest.mark.parametrize("policy", _BOTH)
@pytest.mark.parametrize("name", HARDER)
def test_what_takes_more_work_than_allowed_is_undecided(name: str, policy: Policy) -> None:
    old, new = (json.dumps(schema) for schema in HARDER[name])
    report = compare(old, new, policy=policy)
    assert report.verdict is Verdict.UNDECIDED
    (change,) = report.comparisons[0].changes
    assert (change.kind, change.reason) == ("rules_not_decided", "NOT_DECIDED")


def test_a_dynamic_reference_is_undecided() -> None:
    schema = {"$dynamicAnchor": "node", **_object({"n": {"$dynamicRef": "#node"}})}
    assert _verdict(schema, schema) is Verdict.UNDECIDED
