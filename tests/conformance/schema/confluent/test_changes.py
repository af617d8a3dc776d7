"""Every change of the published table gets the published verdict and the published kinds."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.conformance.schema.confluent.changes import (
    CHANGES,
    COMBINATIONS,
    Schema,
    in_2020_12,
    places,
)
from tickmesh.schema import SchemaDocument, parse_document
from tickmesh.schema.compatibility import CompatibilityReport, Policy, Verdict, compare
from tickmesh.schema.compatibility.confluent.differences import DifferenceKind
from tickmesh.schema.compatibility.confluent.policies import LENIENT, STRICT

_DRAFTS = {
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
_SPELLINGS = [
    *((place, "draft-07") for place in places({})),
    *((place, "2020-12") for place in ("root", "reference")),
]
_POLICIES = {Policy.CONFLUENT_STRICT: STRICT, Policy.CONFLUENT_LENIENT: LENIENT}
_VERDICTS = {"y": Verdict.COMPATIBLE, "n": Verdict.INCOMPATIBLE}


def _parsed(schema: Schema, draft: str) -> SchemaDocument:
    spelled = schema if draft == "draft-07" else in_2020_12(schema)
    if isinstance(spelled, dict):
        spelled = {**spelled, "$schema": _DRAFTS[draft]}
    return parse_document(json.dumps(spelled))


def _judged(old: Schema, new: Schema, policy: Policy, draft: str) -> CompatibilityReport:
    return compare(_parsed(old, draft), _parsed(new, draft), policy=policy)


def _kinds(report: CompatibilityReport) -> Counter[str]:
    names = (change.reason for each in report.comparisons for change in each.changes)
    return Counter(name for name in names if name in DifferenceKind.__members__)


@pytest.mark.parametrize("policy", _POLICIES)
@pytest.mark.parametrize(("place", "draft"), _SPELLINGS)
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_gets_its_verdict_and_kinds(
    name: str, place: str, policy: Policy, draft: str
) -> None:
    row = CHANGES[name]
    report = _judged(places(row.old)[place], places(row.new)[place], policy, draft)
    letter = row.verdicts[list(_POLICIES).index(policy)]
    assert report.verdict is _VERDICTS[letter], report.to_json()
    assert _kinds(report) == Counter(row.kinds.split())
    for change in report.comparisons[0].changes:
        if change.reason in DifferenceKind.__members__:
            assert change.kind == change.reason.lower()
            let_through = DifferenceKind(change.kind) in _POLICIES[policy]
            assert (change.verdict is Verdict.COMPATIBLE) is let_through
            assert change.proof == (f"{policy} rules" if let_through else None)


@pytest.mark.parametrize("name", CHANGES)
def test_drafts_may_be_mixed(name: str) -> None:
    """A team that moves to the later draft is told of its changes, not of the draft."""
    row = CHANGES[name]
    old, new = _parsed(row.old, "draft-07"), _parsed(row.new, "2020-12")
    report = compare(old, new, policy=Policy.CONFLUENT_STRICT)
    assert report.verdict is _VERDICTS[row.verdicts[0]]
    assert _kinds(report) == Counter(row.kinds.split())


def test_the_lenient_policy_lets_through_all_that_the_strict_one_does() -> None:
    assert STRICT < LENIENT
    assert {kind.name for kind in LENIENT - STRICT} == {
        "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "ADDITIONAL_PROPERTIES_REMOVED",
        "ADDITIONAL_PROPERTIES_NARROWED",
    }


def test_every_kind_is_told_apart_by_some_change() -> None:
    told = {kind for row in CHANGES.values() for kind in row.kinds.split()}
    contains = {f"{end}_CONTAINS_{verb}" for end in ("MIN", "MAX") for verb in _VERBS}
    assert told | contains == set(DifferenceKind.__members__)


_VERBS = ("ADDED", "REMOVED", "INCREASED", "DECREASED")


@pytest.mark.parametrize(
    ("old", "new", "letter", "kind"),
    [
        ({"minContains": 2}, {"minContains": 1}, "y", "MIN_CONTAINS_DECREASED"),
        ({"minContains": 1}, {"minContains": 2}, "n", "MIN_CONTAINS_INCREASED"),
        ({"minContains": 2}, {}, "y", "MIN_CONTAINS_REMOVED"),
        ({}, {"minContains": 2}, "n", "MIN_CONTAINS_ADDED"),
        ({"maxContains": 2}, {"maxContains": 1}, "n", "MAX_CONTAINS_DECREASED"),
        ({"maxContains": 1}, {"maxContains": 2}, "y", "MAX_CONTAINS_INCREASED"),
        ({"maxContains": 2}, {}, "y", "MAX_CONTAINS_REMOVED"),
        ({}, {"maxContains": 2}, "n", "MAX_CONTAINS_ADDED"),
    ],
)
def test_the_number_contained_is_compared_in_the_later_draft(
    old: dict[str, int], new: dict[str, int], letter: str, kind: str
) -> None:
    before, after = ({"contains": {"type": "integer"}, **each} for each in (old, new))
    report = _judged(before, after, Policy.CONFLUENT_STRICT, "2020-12")
    assert report.verdict is _VERDICTS[letter]
    assert _kinds(report) == Counter([kind])


@pytest.mark.parametrize(
    ("old", "new", "verdicts", "kind"),
    [
        ({"unevaluatedProperties": False}, {}, "yy", "ADDITIONAL_PROPERTIES_ADDED"),
        ({}, {"unevaluatedProperties": False}, "ny", "ADDITIONAL_PROPERTIES_REMOVED"),
        ({}, {"unevaluatedProperties": {"type": "string"}}, "ny", "ADDITIONAL_PROPERTIES_NARROWED"),
    ],
)
def test_what_is_unevaluated_counts_as_the_rest(
    old: dict[str, object], new: dict[str, object], verdicts: str, kind: str
) -> None:
    before, after = ({"type": "object", "properties": {"a": {}}, **each} for each in (old, new))
    for policy, letter in zip(_POLICIES, verdicts, strict=True):
        report = _judged(before, after, policy, "2020-12")
        assert report.verdict is _VERDICTS[letter]
        assert _kinds(report) == Counter([kind])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("maxLength tightened", "/properties/f/maxLength"),
        ("maxLength removed", "/properties/f/maxLength"),
        ("string to integer", "/properties/f"),
        ("optional property added, open", "/properties/f/properties/b"),
        ("property removed, closed", "/properties/f/properties/b"),
        ("property became required", "/properties/f/required"),
        ("rest closed", "/properties/f/additionalProperties"),
        ("tuple item added, closed", "/properties/f/items/1"),
        ("dependency on names added", "/properties/f/dependencies/a"),
        ("oneOf gained a branch", "/properties/f"),
        ("oneOf with a branch widened", "/properties/f/oneOf/1/type"),
        ("enum narrowed", "/properties/f/enum"),
    ],
)
def test_a_path_leads_to_what_changed_in_the_text_it_stands_in(name: str, path: str) -> None:
    row = CHANGES[name]
    report = _judged(
        places(row.old)["property"],
        places(row.new)["property"],
        Policy.CONFLUENT_STRICT,
        "draft-07",
    )
    assert path in [change.path for change in report.comparisons[0].changes]


def test_a_path_behind_a_reference_leads_to_where_the_keyword_is_written() -> None:
    row = CHANGES["maxLength tightened"]
    old, new = places(row.old)["reference"], places(row.new)["reference"]
    report = _judged(old, new, Policy.CONFLUENT_STRICT, "draft-07")
    assert report.comparisons[0].changes[0].path == "/definitions/d/maxLength"


def test_a_path_into_a_pinned_reference_is_that_of_the_reference() -> None:
    def text(limit: int) -> SchemaDocument:
        leg = parse_document(json.dumps({"properties": {"venue": {"maxLength": limit}}}))
        schema = {"type": "object", "properties": {"leg": {"$ref": "leg"}}}
        return parse_document(json.dumps(schema), references={"leg": leg})

    report = compare(text(9), text(4), policy=Policy.CONFLUENT_STRICT)
    change = report.comparisons[0].changes[0]
    assert change.reason == "MAX_LENGTH_DECREASED"
    assert change.path == "/properties/leg"
    assert "leg at /properties/venue/maxLength" in change.message


@pytest.mark.parametrize("size", [2, 3, 5])
def test_branches_are_matched_as_a_whole_not_one_after_another(size: int) -> None:
    """Every old branch fits several new ones; only one way of pairing them serves all."""
    old = {"anyOf": [{"type": "string", "maxLength": n} for n in range(1, size + 1)]}
    new = {"anyOf": [{"type": "string", "maxLength": n} for n in range(size, 0, -1)]}
    report = _judged(old, new, Policy.CONFLUENT_STRICT, "2020-12")
    assert report.verdict is Verdict.COMPATIBLE
    wider = {"anyOf": [{"type": "string", "maxLength": n + 1} for n in range(1, size + 1)]}
    assert _judged(wider, new, Policy.CONFLUENT_STRICT, "2020-12").verdict is Verdict.INCOMPATIBLE


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_order_of_branches_does_not_matter(name: str) -> None:
    row = COMBINATIONS[name]
    old, new = (
        {key: value[::-1] if isinstance(value, list) else value for key, value in each.items()}
        for each in (row.old, row.new)
        if isinstance(each, dict)
    )
    report = _judged(old, new, Policy.CONFLUENT_STRICT, "2020-12")
    assert report.verdict is _VERDICTS[row.verdicts[0]]
