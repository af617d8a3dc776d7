"""Hostile pairs end with an answer or a clear refusal: no hang, no wrong "compatible".

What they may cost is bounded by counted steps; seconds are measured by the benchmark.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.schema.hostile_pairs import PAIRS
from tickmesh.schema import SchemaError, parse_document
from tickmesh.schema.compatibility import Mode, Policy, Verdict, compare
from tickmesh.schema.compatibility.budget import Budget, WorkSpentError
from tickmesh.schema.compatibility.text_sets import TextSets, matching

REFUSED = {
    "hundreds of alternatives": "PATTERN_TOO_LONG",
    "references that fan out": "TOO_MANY_REFERENCES",
    "references that fan out in allOf": "TOO_MANY_REFERENCES",
}
"""Pairs of which a schema is not taken at all, with the reason."""

CONTAINED = {
    "lengths out of reach": Mode.FORWARD,
    "long strings": Mode.FORWARD,
    "long enums": Mode.FORWARD,
    "enums of objects": Mode.FORWARD,
    "enum under not": Mode.FORWARD,
    "references that fan out in oneOf": Mode.FORWARD,
    "a bushy tree": Mode.FORWARD,
    "overlapping patterns of names": Mode.FORWARD,
    "four thousand fields": Mode.FORWARD,
    "one of four thousand fields": Mode.FORWARD,
    "many required names": Mode.FORWARD,
    "tuples of tuples": Mode.FORWARD,
    "contains of contains": Mode.FORWARD,
    "nested not": Mode.FORWARD,
    "exponential automaton against itself": Mode.BACKWARD,
}
"""Pairs that are contained one way; every other direction is a break."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("policy", [Policy.RECORD, Policy.CONTAINMENT])
@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FORWARD])
@pytest.mark.parametrize("name", PAIRS)
def test_a_hostile_break_is_never_accepted_and_never_hangs(
    name: str, mode: Mode, policy: Policy
) -> None:
    old, new = (json.dumps(schema) for schema in PAIRS[name])
    reason = REFUSED.get(name)
    if reason is not None:
        with pytest.raises(SchemaError) as caught:
            compare(old, new, policy=policy, mode=mode)
        assert caught.value.reason == reason
        return
    report = compare(old, new, policy=policy, mode=mode)
    if CONTAINED.get(name) is not mode:
        assert report.verdict is not Verdict.COMPATIBLE


@pytest.mark.timeout(60)
def test_a_row_with_too_many_fields_is_refused() -> None:
    levels: dict[str, Any] = {
        f"d{i}": {
            "type": "object",
            "properties": {name: {"$ref": f"#/$defs/d{i + 1}"} for name in "ab"},
        }
        for i in range(14)
    }
    text = json.dumps({"$ref": "#/$defs/d0", "$defs": {**levels, "d14": {"type": "number"}}})
    with pytest.raises(SchemaError) as caught:
        compare(text, text)
    assert caught.value.reason == "TOO_MANY_FIELDS"


def test_a_wide_record_is_still_decided() -> None:
    """A closed record of 102 properties with one optional field added is proven compatible."""
    fields: dict[str, Any] = {f"f{i}": {"type": "number", "minimum": i} for i in range(102)}
    closed = {"type": "object", "additionalProperties": False}
    old = {**closed, "properties": fields}
    new = {**closed, "properties": {**fields, "g": {"type": "string"}}}
    for policy in (Policy.RECORD, Policy.CONTAINMENT):
        assert compare(old, new, policy=policy).verdict is Verdict.COMPATIBLE
    report = compare(old, new, policy=Policy.CONTAINMENT, mode=Mode.FORWARD)
    assert report.verdict is Verdict.INCOMPATIBLE
    assert report.witnesses == ({"g": ""},)


def test_a_budget_ends_with_its_steps_and_with_the_one_it_is_taken_from() -> None:
    outer = Budget(steps=10, seconds=60)
    inner = Budget(steps=100, seconds=60, within=outer)
    inner.spend(4)
    with pytest.raises(WorkSpentError):
        inner.spend(6)
    assert outer.spent
    with pytest.raises(WorkSpentError):
        Budget(steps=10, seconds=-1).spend()


def test_schemas_too_long_to_judge_are_only_compared_as_a_whole() -> None:
    text = {"type": "string", "pattern": "^a{9}$"}
    fields: dict[str, Any] = {f"field_{i}_{'x' * 60}": text for i in range(4_000)}
    old = parse_document(json.dumps({"properties": fields}))
    described = parse_document(json.dumps({"title": "t", "properties": fields}))
    new = parse_document(json.dumps({"properties": {**fields, "g": {"type": "string"}}}))
    assert compare(old, described, policy=Policy.CONTAINMENT).verdict is Verdict.COMPATIBLE
    report = compare(old, new, policy=Policy.CONTAINMENT)
    assert report.verdict is Verdict.UNDECIDED
    assert [change.reason for change in report.changes] == ["TOO_LARGE"]


def test_languages_too_large_to_compare_stay_open() -> None:
    """An automaton of 2 to the 40 states is left alone; the steps counted end the walk."""
    answer = TextSets().within(matching("(a|b)*a(a|b){40}$"), matching("(a|b)*a(b|a){40}$"))
    assert not answer.contained
    assert answer.example is None


def test_numbers_beyond_any_float_do_not_stop_the_search() -> None:
    old = parse_document(json.dumps({"type": "integer", "minimum": 10**900}))
    new = parse_document(json.dumps({"type": "integer", "minimum": 10**900 + 1}))
    report = compare(old, new, policy=Policy.CONTAINMENT)
    assert report.verdict is Verdict.INCOMPATIBLE
    assert report.witnesses == (10**900,)
