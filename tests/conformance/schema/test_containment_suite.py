"""The independent containment suite: at least 99 % right, and no false accept (gate 1)."""

from __future__ import annotations

from tests.conformance.schema.gates import Score, containment_suite
from tests.support.shared_data import shared_folder

_QUERIES = 2_554


def test_the_containment_suite_is_decided() -> None:
    suite = shared_folder("json-schema-containment")
    remotes = shared_folder("json-schema-test-suite") / "remotes"
    score = Score.of(containment_suite(suite, remotes))
    assert score.total == _QUERIES
    assert not score.false_accepts
    assert not score.false_rejects
    assert score.right >= 0.99 * _QUERIES, score
