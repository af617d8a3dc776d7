"""Modes ask the one question of the rules in either direction, of one version or of all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import parse_document
from tickmesh.schema.compatibility import Mode, Policy, Verdict, compare_with_history

_STRICT = Policy.CONFLUENT_STRICT


def _document(**keywords: Any) -> Any:
    return parse_document(json.dumps({"type": "number", **keywords}))


_FREE, _LOW, _HIGH = _document(), _document(minimum=1), _document(minimum=2)


@pytest.mark.parametrize(
    ("mode", "relaxed", "tightened"),
    [
        (Mode.NONE, True, True),
        (Mode.BACKWARD, True, False),
        (Mode.FORWARD, False, True),
        (Mode.FULL, False, False),
        (Mode.BACKWARD_TRANSITIVE, True, False),
        (Mode.FORWARD_TRANSITIVE, False, True),
        (Mode.FULL_TRANSITIVE, False, False),
    ],
)
def test_a_mode_asks_in_its_directions(mode: Mode, *, relaxed: bool, tightened: bool) -> None:
    for old, new, compatible in ((_HIGH, _LOW, relaxed), (_LOW, _HIGH, tightened)):
        report = compare_with_history([(1, old)], new, policy=_STRICT, mode=mode)
        assert report.verdict is (Verdict.COMPATIBLE if compatible else Verdict.INCOMPATIBLE)
        assert [each.direction for each in report.comparisons] == list(mode.directions)


def test_a_transitive_mode_asks_all_versions_and_reports_all() -> None:
    """That registry stops at the first version that fails; here the report goes on to the end."""
    history = [(1, _FREE), (2, _LOW), (3, _HIGH)]
    latest = compare_with_history(history, _HIGH, policy=_STRICT, mode=Mode.BACKWARD)
    assert latest.verdict is Verdict.COMPATIBLE
    every = compare_with_history(history, _HIGH, policy=_STRICT, mode=Mode.BACKWARD_TRANSITIVE)
    assert every.verdict is Verdict.INCOMPATIBLE
    assert [(each.version, each.verdict) for each in every.comparisons] == [
        (3, Verdict.COMPATIBLE),
        (2, Verdict.INCOMPATIBLE),
        (1, Verdict.INCOMPATIBLE),
    ]
    reasons = [[change.reason for change in each.changes[:1]] for each in every.comparisons]
    assert reasons == [[], ["MINIMUM_INCREASED"], ["MINIMUM_ADDED"]]
