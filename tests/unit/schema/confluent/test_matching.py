"""A matching is a matching, and no larger one exists."""

from __future__ import annotations

from itertools import combinations, permutations

from hypothesis import given
from hypothesis import strategies as st

from tickmesh.schema.compatibility.confluent.matching import maximum_matching

_PLACES = st.integers(0, 3)


def _largest(lefts: int, rights: int, edges: set[tuple[int, int]]) -> int:
    return max(
        size
        for size in range(min(lefts, rights) + 1)
        for chosen in combinations(range(lefts), size)
        for partners in permutations(range(rights), size)
        if set(zip(chosen, partners, strict=True)) <= edges
    )


@given(
    lefts=st.integers(0, 4),
    rights=st.integers(0, 4),
    wanted=st.sets(st.tuples(_PLACES, _PLACES)),
)
def test_as_many_places_are_matched_as_can_be(
    lefts: int, rights: int, wanted: set[tuple[int, int]]
) -> None:
    edges = {(left, right) for left, right in wanted if left < lefts and right < rights}
    matched = maximum_matching(lefts, rights, lambda left, right: (left, right) in edges)
    assert set(matched.items()) <= edges
    assert len(set(matched.values())) == len(matched)
    assert len(matched) == _largest(lefts, rights, edges)


def test_places_that_fit_as_they_stand_cost_one_question_each() -> None:
    asked = []

    def fits(left: int, right: int) -> bool:
        asked.append((left, right))
        return left == right

    assert len(maximum_matching(50, 50, fits)) == 50
    assert len(asked) == 50
