"""Content models: what an object or an array admits beside what it names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.confluent.forms import Form, FormKind
from tickmesh.schema.location import matches

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.confluent.walk import Walk
    from tickmesh.schema.keywords import Path


class Openness(Enum):
    """How much a content model admits at one name or index that it does not list."""

    OPEN = auto()
    CLOSED = auto()
    PARTIALLY_OPEN = auto()


@dataclass(frozen=True, slots=True)
class Content:
    """What stands at a name or index that is not listed.

    Attributes:
        openness: Anything, nothing, or what a schema admits.
        covering: That schema, for a partially open model only.
    """

    openness: Openness
    covering: Form | None = None


_OPEN = Content(Openness.OPEN)
_CLOSED = Content(Openness.CLOSED)


def rest_of_object(form: Form) -> str | None:
    """Return the keyword that speaks about members which are not listed."""
    if "additionalProperties" in form.schema:
        return "additionalProperties"
    newer = form.forms.newer and "unevaluatedProperties" in form.schema
    return "unevaluatedProperties" if newer else None


def member_content(walk: Walk, form: Form, name: str) -> Content:
    """Return what an object form admits at a member it does not list under ``properties``."""
    keyword = rest_of_object(form)
    patterns = form.schema.get("patternProperties", ())
    rest = form.schema[keyword] if keyword else True
    unevaluated = form.schema.get("unevaluatedProperties", True) if form.forms.newer else True
    if rest is True and not patterns and unevaluated is True:
        return _OPEN
    for pattern in patterns:
        walk.spend(1)
        if matches(pattern, name):
            return Content(Openness.PARTIALLY_OPEN, form.child("patternProperties", pattern))
    if rest is False:
        return _CLOSED
    if keyword is None:
        anything = Form(form.forms, FormKind.ANYTHING, form.schema)
        return Content(Openness.PARTIALLY_OPEN, anything)
    return Content(Openness.PARTIALLY_OPEN, form.child(keyword))


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Where an array form speaks about its items.

    Attributes:
        every: The way to the schema of all items, None when there is none.
        listed: The ways to the schemas of the leading items.
        rest: The keyword that speaks about items which are not listed.
    """

    every: Path | None
    listed: tuple[Path, ...]
    rest: str | None


def layout_of(form: Form) -> ArrayLayout:
    """Return where an array form speaks about its items, in either draft."""
    schema = form.schema
    items = schema.get("items")
    if not form.forms.newer:
        if isinstance(items, list):
            every, listed = None, tuple(("items", index) for index in range(len(items)))
        else:
            every, listed = None if items is None else ("items",), ()
        return ArrayLayout(
            every, listed, "additionalItems" if "additionalItems" in schema else None
        )
    leading = tuple(("prefixItems", index) for index in range(len(schema.get("prefixItems", ()))))
    rest = "unevaluatedItems" if "unevaluatedItems" in schema else None
    if items is None:
        return ArrayLayout(None, leading, rest)
    return ArrayLayout(None, leading, "items") if leading else ArrayLayout(("items",), (), rest)


def item_content(form: Form, layout: ArrayLayout) -> Content:
    """Return what an array form admits at an index it does not list."""
    rest = form.schema[layout.rest] if layout.rest else True
    if rest is True:
        return _OPEN
    if rest is False or layout.rest is None:
        return _CLOSED
    return Content(Openness.PARTIALLY_OPEN, form.child(layout.rest))
