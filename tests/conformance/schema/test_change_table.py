"""The table of changes, at every place, both ways, under both sound policies (gate 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.schema.brute_force import refutes_document, refutes_row, small_objects
from tests.conformance.schema.change_table import (
    PLACES,
    ROWS,
    Row,
    embedded,
    letters,
    objects,
    positions,
)
from tests.conformance.schema.gates import Score, change_table_outcomes
from tickmesh.schema.compatibility import Policy, Verdict

if TYPE_CHECKING:
    from typing import Any

_SOUND = (Policy.RECORD, Policy.CONTAINMENT)
UNDECIDED: frozenset[str] = frozenset()
"""Questions that stay undecided; docs/compatibility.md lists them."""


def _refutes(policy: Policy, document: Any, writer: Any, reader: Any) -> bool:
    judge = refutes_row if policy is Policy.RECORD else refutes_document
    return judge(document, writer, reader)


def _directed(row: Row) -> list[tuple[int, Any, Any]]:
    old, new = objects(row)
    return [(0, old, new), (1, new, old)]


@pytest.mark.parametrize("policy", _SOUND)
@pytest.mark.parametrize("name", ROWS)
def test_brute_force_confirms_what_the_table_states(name: str, policy: Policy) -> None:
    """A breaking case is found exactly where one is stated, without asking the checker."""
    row = ROWS[name]
    for direction, writer, reader in _directed(row):
        candidates = list(small_objects(writer, reader))
        placed = [positions(each, draft_07=row.draft_07) for each in (writer, reader)]
        roots = [schemas["root"] for schemas in placed]
        breaking = [each for each in candidates if _refutes(policy, each, *roots)]
        for place in PLACES:
            tried = breaking[:3] or candidates[:: max(1, len(candidates) // 40)]
            found = any(
                _refutes(policy, document, *(schemas[place] for schemas in placed))
                for each in tried
                for document in embedded(each, place)
            )
            assert found is (letters(row, place, policy)[direction] == "i"), place


@pytest.mark.parametrize("policy", _SOUND)
@pytest.mark.parametrize("name", ROWS)
def test_the_verdict_is_right_and_shown_at_every_place(name: str, policy: Policy) -> None:
    """Refusals carry witnesses that both validators confirm, acceptances name their proof."""
    for outcome in change_table_outcomes([ROWS[name]], (policy,)):
        undecided = outcome.question in UNDECIDED
        assert outcome.verdict is (Verdict.UNDECIDED if undecided else outcome.truth), outcome
        assert outcome.report is not None
        (comparison,) = outcome.report.comparisons
        refused = [each for each in comparison.changes if each.verdict is Verdict.INCOMPATIBLE]
        assert bool(refused) is (outcome.verdict is Verdict.INCOMPATIBLE)
        for change in refused:
            if change.kind != "column_cast_impossible":
                assert _refutes(policy, change.witness, outcome.writer, outcome.reader), change
        for change in comparison.changes:
            if change.verdict is Verdict.COMPATIBLE:
                assert change.proof


def test_the_gate_counts_what_it_must() -> None:
    """The score tells right, undecided, false accepts and false rejects apart."""
    outcomes = list(change_table_outcomes([ROWS["minimum lowered"]], (Policy.RECORD,)))
    score = Score.of(outcomes)
    assert (score.total, score.right, score.undecided) == (12, 12, 0)
    flipped = [
        type(each)(
            each.question,
            Verdict.COMPATIBLE if each.truth is Verdict.INCOMPATIBLE else Verdict.INCOMPATIBLE,
            each.report,
            each.writer,
            each.reader,
        )
        for each in outcomes
    ]
    wrong = Score.of(flipped)
    assert (len(wrong.false_accepts), len(wrong.false_rejects), wrong.right) == (6, 6, 0)
