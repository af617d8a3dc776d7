"""Witnesses are made small, and stay witnesses."""

from __future__ import annotations

from typing import Any

import pytest

from tickmesh.schema import compare
from tickmesh.schema.compatibility.budget import Budget
from tickmesh.schema.compatibility.shrinking import shrunk


@pytest.mark.parametrize(
    ("value", "wanted", "smallest"),
    [
        ({"a": "long text", "b": [1, 2, 3]}, lambda value: "a" in value, {"a": ""}),
        ({"a": [{"x": 7.25}, {"y": "q"}]}, lambda value: bool(value.get("a")), {"a": [{}]}),
        ([5, 6, 7, 8], lambda value: 7 in value, [7]),
        ("hello", lambda value: "l" in value, "l"),
        (1234567, lambda value: value > 40, 75),
        (None, lambda _: True, None),
    ],
)
def test_what_is_not_needed_is_left_out(value: Any, wanted: Any, smallest: Any) -> None:
    assert shrunk(value, wanted) == smallest


def test_the_best_so_far_is_returned_when_the_work_is_spent() -> None:
    budget = Budget(steps=5, seconds=60)
    judged = []

    def holds(value: Any) -> bool:
        budget.spend()
        judged.append(value)
        return len(value) > 1

    found = shrunk(list(range(100)), holds)
    assert len(judged) == 4
    assert found == judged[-1] or found in judged


def test_a_witness_names_only_what_is_needed_to_refute() -> None:
    fields: dict[str, Any] = {f"field_{place}": {"type": "string"} for place in range(20)}
    old = {"type": "object", "properties": {**fields, "price": {"type": "number", "minimum": 0}}}
    new = {"type": "object", "properties": {**fields, "price": {"type": "number", "minimum": 10}}}
    (witness,) = compare(old, new).witnesses
    assert witness == {"price": 0}
