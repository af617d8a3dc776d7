"""Combinations: ``allOf``, ``anyOf``, ``oneOf``, with each other and with plain schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind
from tickmesh.schema.compatibility.confluent.forms import Form, FormKind
from tickmesh.schema.compatibility.confluent.matching import maximum_matching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.schema.compatibility.confluent.outcome import Outcome
    from tickmesh.schema.compatibility.confluent.walk import Walk


def accepted_by_a_branch(walk: Walk, old: Form, new: Form) -> Outcome | None:
    """Return how a branch of a combination accepts a plain schema, None when none does.

    The only branch of any combination counts, or any branch of alternatives.
    """
    alone = len(new.branches) == 1
    if not alone and new.kind is FormKind.ALL_OF:
        return None
    for branch in new.branches:
        inner = walk.compare(old, branch)
        if inner.compatible:
            outcome = walk.outcome()
            outcome.include(inner)
            if not alone:
                message = f"{_keyword(new)} now has a branch that admits what was admitted"
                outcome.add(Kind.SUM_TYPE_EXTENDED, new, message=message)
            return outcome
    return None


def settled_by_a_branch(walk: Walk, old: Form, new: Form) -> Outcome | None:
    """Return how a plain schema accepts a branch of a combination, None when it accepts none.

    The only branch of any combination counts, or any of several demands made at once.
    """
    alone = len(old.branches) == 1
    if not alone and old.kind is not FormKind.ALL_OF:
        return None
    for branch in old.branches:
        inner = walk.compare(branch, new)
        if inner.compatible:
            outcome = walk.outcome()
            outcome.include(inner)
            if not alone:
                message = "of several demands one is left"
                outcome.add(Kind.PRODUCT_TYPE_NARROWED, new, message=message)
            return outcome
    return None


def compare_combinations(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare two combinations: how they combine, how many branches, and which branches match."""
    before, after = old.branches, new.branches
    if old.kind is not new.kind:
        _compare_criteria(outcome, old, new)
    if len(before) < len(after):
        product = new.kind is FormKind.ALL_OF
        kind = Kind.PRODUCT_TYPE_EXTENDED if product else Kind.SUM_TYPE_EXTENDED
        outcome.add(kind, new, message=f"{_keyword(new)} gained branches{_sizes(old, new)}")
    elif len(before) > len(after):
        product = old.kind is FormKind.ALL_OF
        kind = Kind.PRODUCT_TYPE_NARROWED if product else Kind.SUM_TYPE_NARROWED
        outcome.add(kind, new, message=f"{_keyword(old)} lost branches{_sizes(old, new)}")
    matched = _matched_branches(walk, before, after)
    for left, right in matched:
        outcome.include(walk.compare(left, right))
    smaller = min(len(before), len(after))
    if len(matched) < smaller:
        outcome.add(
            Kind.COMBINED_TYPE_SUBSCHEMAS_CHANGED,
            new,
            message=f"only {len(matched)} of {smaller} branches have a branch of their own that "
            "admits what they admitted",
        )


def _matched_branches(
    walk: Walk, before: Sequence[Form], after: Sequence[Form]
) -> list[tuple[Form, Form]]:
    """Match old with new branches, from the shorter side: only there every one needs a partner."""
    if len(before) <= len(after):
        matched = maximum_matching(
            len(before),
            len(after),
            lambda old, new: walk.compare(before[old], after[new]).compatible,
        )
        return [(before[old], after[new]) for old, new in sorted(matched.items())]
    matched = maximum_matching(
        len(after), len(before), lambda new, old: walk.compare(before[old], after[new]).compatible
    )
    return [(before[old], after[new]) for new, old in sorted(matched.items())]


def _compare_criteria(outcome: Outcome, old: Form, new: Form) -> None:
    was_alone, is_alone = len(old.branches) == 1, len(new.branches) == 1
    extended = (
        new.kind is FormKind.ANY_OF
        or (was_alone and new.kind is FormKind.ONE_OF)
        or (is_alone and old.kind is FormKind.ALL_OF)
        or (was_alone and is_alone)
    )
    outcome.add(
        Kind.COMBINED_TYPE_EXTENDED if extended else Kind.COMBINED_TYPE_CHANGED,
        new,
        message=f"{_keyword(old)} became {_keyword(new)}",
    )


def _keyword(form: Form) -> str:
    return {FormKind.ALL_OF: "allOf", FormKind.ANY_OF: "anyOf"}.get(form.kind, "oneOf")


def _sizes(old: Form, new: Form) -> str:
    return f" ({len(old.branches)} before, {len(new.branches)} now)"
