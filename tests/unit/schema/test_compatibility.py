"""Comparing versions: modes, policies, reports, and what decides."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tickmesh.schema import parse_schema
from tickmesh.schema.compatibility import (
    Action,
    Mode,
    Policy,
    Verdict,
    action_of,
    compare,
    compare_with_history,
)


def _text(properties: dict[str, Any], **keywords: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, **keywords})


_NARROW = _text({"f": {"type": "integer"}})
_WIDE = _text({"f": {"type": "number"}})
_OTHER = _text({"f": {"type": "string"}})


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        (Mode.NONE, Verdict.COMPATIBLE),
        (Mode.BACKWARD, Verdict.COMPATIBLE),
        (Mode.FORWARD, Verdict.INCOMPATIBLE),
        (Mode.FULL, Verdict.INCOMPATIBLE),
    ],
)
def test_the_mode_chooses_the_directions(mode: Mode, verdict: Verdict) -> None:
    report = compare(_NARROW, _WIDE, mode=mode)
    assert report.verdict is verdict
    assert tuple(each.direction for each in report.comparisons) == mode.directions


def test_transitive_modes_ask_every_version_newest_first() -> None:
    history = [(1, parse_schema(_OTHER)), (4, parse_schema(_NARROW))]
    latest = compare_with_history(history, parse_schema(_WIDE), mode=Mode.BACKWARD)
    every = compare_with_history(history, parse_schema(_WIDE), mode=Mode.BACKWARD_TRANSITIVE)
    assert [each.version for each in latest.comparisons] == [4]
    assert [each.version for each in every.comparisons] == [4, 1]
    assert latest.verdict is Verdict.COMPATIBLE
    assert every.verdict is Verdict.INCOMPATIBLE


def test_the_first_version_is_compatible_with_nothing_before_it() -> None:
    report = compare_with_history([], parse_schema(_WIDE))
    assert report.verdict is Verdict.COMPATIBLE
    assert report.comparisons == ()


def test_the_action_asks_backward_whatever_the_mode() -> None:
    narrow, wide = parse_schema(_NARROW), parse_schema(_WIDE)
    assert action_of(None, narrow) is Action.FIRST
    assert action_of(narrow, wide) is Action.COMPATIBLE_CHANGE
    assert action_of(wide, narrow) is Action.BREAKING_CHANGE


def test_each_change_has_its_own_verdict_and_the_report_is_json() -> None:
    old = _text({"a": {"type": "integer", "minimum": 1, "maximum": 5}, "b": {"type": "string"}})
    new = _text({"a": {"type": "integer", "minimum": 0, "maximum": 3}, "c": {"type": "string"}})
    report = compare(old, new).to_json()
    assert json.loads(json.dumps(report)) == report
    (comparison,) = report["comparisons"]
    changes = {change["kind"]: change for change in comparison["changes"]}
    assert changes["minimum_lowered"]["proof"] == "constraint_relaxed"
    assert changes["field_removed"]["proof"] == "reader_drops_it"
    assert changes["field_added"]["proof"] == "old_rows_lack_it"
    refused = changes["maximum_lowered"]
    assert refused["verdict"] == "incompatible"
    assert refused["path"] == "/properties/a/maximum"
    assert 3 < refused["witness"]["a"] <= 5


def test_tick_rules_are_reported_and_never_decide() -> None:
    old, new = _text({"f": {}}, **{"x-tick-calendar": "XNYS"}), _text({"f": {}})
    (comparison,) = compare(old, new).comparisons
    assert comparison.verdict is Verdict.COMPATIBLE
    assert [change.kind for change in comparison.changes] == ["tick_rule_changed"]


def test_a_column_that_cannot_be_cast_breaks_what_the_values_would_allow() -> None:
    old = _text({"t": {"type": "integer"}})
    new = _text({"t": {"type": "integer", "arrow": "timestamp[ns, UTC]"}})
    (comparison,) = compare(old, new).comparisons
    assert comparison.verdict is Verdict.INCOMPATIBLE
    (refused,) = (each for each in comparison.changes if each.verdict is Verdict.INCOMPATIBLE)
    assert refused.kind == "column_cast_impossible"
    assert isinstance(refused.witness["t"], int)


def test_whole_documents_mind_what_rows_drop() -> None:
    old, new = _text({"a": {}}), _text({"a": {}, "b": {"type": "integer"}})
    assert compare(old, new).verdict is Verdict.COMPATIBLE
    report = compare(old, new, policy=Policy.CONTAINMENT)
    assert report.verdict is Verdict.INCOMPATIBLE
    (change,) = report.comparisons[0].changes
    assert not isinstance(change.witness["b"], int)


@pytest.mark.parametrize("policy", Policy)
def test_every_policy_answers_and_names_its_proof(policy: Policy) -> None:
    report = compare(_NARROW, _WIDE, policy=policy)
    assert report.verdict is Verdict.COMPATIBLE
    assert report.policy is policy
    assert all(change.proof for each in report.comparisons for change in each.changes)


def test_the_action_asks_about_rows_whatever_the_policy_says() -> None:
    """A break that the published rules let through is a breaking change all the same."""
    old, new = (
        parse_schema(_text({"f": {"type": "integer"}}, **limit))
        for limit in ({}, {"propertyNames": {"maxLength": 0}})
    )
    report = compare(old, new, policy=Policy.CONFLUENT_STRICT)
    assert report.verdict is Verdict.COMPATIBLE
    assert action_of(old, new) is Action.BREAKING_CHANGE


def test_two_drafts_are_not_compared() -> None:
    old = '{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{}}}'
    assert compare(old, '{"properties":{"a":{}}}').verdict is Verdict.UNDECIDED


def test_versions_that_share_their_identifier_are_kept_apart() -> None:
    def text(kind: str) -> str:
        return json.dumps(
            {
                "$id": "https://x.test/tick",
                "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
                "$defs": {"a": {"type": kind}},
            }
        )

    assert compare(text("integer"), text("number")).verdict is Verdict.COMPATIBLE
    assert compare(text("number"), text("integer")).verdict is Verdict.INCOMPATIBLE


def test_recursion_is_decided_by_the_greatest_fixed_point() -> None:
    def text(kind: str) -> str:
        node = {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}, "value": {"type": kind}},
        }
        return json.dumps({"$ref": "#/$defs/node", "$defs": {"node": node}})

    assert compare(text("integer"), text("number")).verdict is Verdict.COMPATIBLE
    assert compare(text("number"), text("integer")).verdict is Verdict.INCOMPATIBLE


def test_importing_the_schema_core_loads_nothing_heavy() -> None:
    code = (
        "import sys, tickmesh.schema; "
        "print({'pyarrow', 'numpy', 'jsonschema', 'jsonschema_rs'} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.strip() == "set()"
