"""Values are equal exactly when their numbers are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tickmesh.schema.compatibility.confluent.identities import Identities

_SAME: list[tuple[Any, Any]] = [
    ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
    (1, Decimal("1.0")),
    ([{"a": None}], [{"a": None}]),
]
_DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    ([1], [True]),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"a": 1, "b": 1}),
    ({}, []),
    ("1", 1),
    (None, False),
    ([[]], []),
]


@pytest.mark.parametrize(("left", "right"), _SAME)
def test_equal_values_share_a_number(left: Any, right: Any) -> None:
    identities = Identities()
    assert identities.of(left) == identities.of(right)


@pytest.mark.parametrize(("left", "right"), _DIFFERENT)
def test_different_values_do_not(left: Any, right: Any) -> None:
    identities = Identities()
    assert identities.of(left) != identities.of(right)
