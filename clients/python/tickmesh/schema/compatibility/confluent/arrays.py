"""Arrays: items, all alike or listed, and those beyond the list; ``contains`` is never compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.confluent.content import (
    ArrayLayout,
    Openness,
    item_content,
    layout_of,
)
from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind
from tickmesh.schema.compatibility.confluent.forms import Form, FormKind
from tickmesh.schema.compatibility.confluent.rest import compare_rests
from tickmesh.schema.compatibility.confluent.values import compare_bounds

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.confluent.outcome import Outcome
    from tickmesh.schema.compatibility.confluent.walk import Walk


def compare_arrays(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare what two forms say of arrays."""
    compare_bounds(outcome, old, new, "maxItems", "minItems")
    if old.forms.newer and new.forms.newer:
        compare_bounds(outcome, old, new, "maxContains", "minContains")
    was, now = old.schema.get("uniqueItems", False), new.schema.get("uniqueItems", False)
    if was is not now:
        kind = Kind.UNIQUE_ITEMS_ADDED if now else Kind.UNIQUE_ITEMS_REMOVED
        form = new if "uniqueItems" in new.schema else old
        outcome.add(
            kind, form, "uniqueItems", message=f"items {'must' if now else 'need not'} differ"
        )
    before, after = layout_of(old), layout_of(new)
    compare_rests(walk, outcome, old, new, before.rest, after.rest, "ADDITIONAL_ITEMS")
    _compare_every(walk, outcome, old, new, before, after)
    _compare_listed(walk, outcome, old, new, before, after)


def _compare_every(
    walk: Walk, outcome: Outcome, old: Form, new: Form, before: ArrayLayout, after: ArrayLayout
) -> None:
    if before.every is not None and after.every is not None:
        outcome.include(walk.compare(old.child(*before.every), new.child(*after.every)))
    elif after.every is not None:
        message = "a schema for all items was added"
        outcome.add(Kind.SCHEMA_ADDED, new, *after.every, message=message)
    elif before.every is not None:
        message = "the schema for all items was removed"
        outcome.add(Kind.SCHEMA_REMOVED, old, *before.every, message=message)


def _compare_listed(
    walk: Walk, outcome: Outcome, old: Form, new: Form, before: ArrayLayout, after: ArrayLayout
) -> None:
    shared = min(len(before.listed), len(after.listed))
    for was, now in zip(before.listed, after.listed, strict=False):
        outcome.include(walk.compare(old.child(*was), new.child(*now)))
    for index in range(shared, len(before.listed)):
        _removed(walk, outcome, old, new, before, after, index)
    for index in range(shared, len(after.listed)):
        _added(walk, outcome, old, new, before, after, index)


def _removed(
    walk: Walk,
    outcome: Outcome,
    old: Form,
    new: Form,
    before: ArrayLayout,
    after: ArrayLayout,
    index: int,
) -> None:
    way = before.listed[index]
    form = old.child(*way)
    content = item_content(new, after)
    if content.openness is Openness.OPEN:
        kind = Kind.ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL
    elif content.covering is None:
        if form.kind is FormKind.NOTHING:
            kind = Kind.ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL
        else:
            kind = Kind.ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL
    else:
        inner = walk.compare(form, content.covering)
        outcome.include(inner)
        if inner.compatible:
            kind = Kind.ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
        else:
            kind = Kind.ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
    outcome.add(kind, old, *way, message=f"the schema of item {index} was removed")


def _added(
    walk: Walk,
    outcome: Outcome,
    old: Form,
    new: Form,
    before: ArrayLayout,
    after: ArrayLayout,
    index: int,
) -> None:
    way = after.listed[index]
    form = new.child(*way)
    content = item_content(old, before)
    if content.openness is Openness.OPEN:
        if form.kind is FormKind.ANYTHING:
            kind = Kind.ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL
        else:
            kind = Kind.ITEM_ADDED_TO_OPEN_CONTENT_MODEL
    elif content.covering is None:
        kind = Kind.ITEM_ADDED_TO_CLOSED_CONTENT_MODEL
    else:
        inner = walk.compare(content.covering, form)
        outcome.include(inner)
        if inner.compatible:
            kind = Kind.ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
        else:
            kind = Kind.ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
    outcome.add(kind, new, *way, message=f"a schema of item {index} was added")
