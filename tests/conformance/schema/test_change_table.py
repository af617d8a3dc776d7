"""The table of changes, at every position, both ways: the verdict is right and shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.schema.change_table import CHANGES, EXCEPTIONS, positions
from tickmesh.schema import parse_schema
from tickmesh.schema.compatibility import Mode, Verdict, compare
from tickmesh.schema.resolution import resolve_row, row_is_valid

if TYPE_CHECKING:
    from tickmesh.schema import SchemaDocument

_PLACES = tuple(positions({}))
_EXPECTED = {"c": Verdict.COMPATIBLE, "i": Verdict.INCOMPATIBLE}
# Languages of regular expressions are not compared; these stay undecided, and no others.
UNDECIDED = frozenset({("pattern widened", Mode.BACKWARD), ("enum to pattern", Mode.FORWARD)})


def _documents(name: str, place: str) -> tuple[SchemaDocument, SchemaDocument]:
    old, new, _ = CHANGES[name]
    return (
        parse_schema(json.dumps(positions(old)[place])),
        parse_schema(json.dumps(positions(new)[place])),
    )


@pytest.mark.parametrize("direction", [Mode.BACKWARD, Mode.FORWARD])
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("name", CHANGES)
def test_the_verdict_is_right_at_every_position(name: str, place: str, direction: Mode) -> None:
    old, new = _documents(name, place)
    report = compare(old, new, mode=direction)
    letters = EXCEPTIONS.get((name, place), CHANGES[name][2])
    letter = letters[0 if direction is Mode.BACKWARD else 1]
    expected = _EXPECTED[letter]
    if (name, direction) in UNDECIDED:
        expected = Verdict.UNDECIDED
    assert report.verdict is expected, report.to_json()


@pytest.mark.parametrize("direction", [Mode.BACKWARD, Mode.FORWARD])
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("name", CHANGES)
def test_every_refusal_carries_a_witness_that_the_oracle_confirms(
    name: str, place: str, direction: Mode
) -> None:
    old, new = _documents(name, place)
    writer, reader = (old, new) if direction is Mode.BACKWARD else (new, old)
    (comparison,) = compare(old, new, mode=direction).comparisons
    for change in comparison.changes:
        if change.verdict is Verdict.COMPATIBLE:
            assert change.proof
        if change.verdict is not Verdict.INCOMPATIBLE:
            continue
        assert row_is_valid(change.witness, writer)
        if change.kind != "column_cast_impossible":
            resolved = resolve_row(change.witness, writer=writer, reader=reader)
            assert not row_is_valid(resolved, reader)
