"""Strings, numbers, enums, constants and negations."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.confluent.forms import Form
    from tickmesh.schema.compatibility.confluent.outcome import Outcome
    from tickmesh.schema.compatibility.confluent.walk import Walk

_LONGEST_SHOWN = 80

_BOUNDS = {
    "maxLength": "MAX_LENGTH",
    "minLength": "MIN_LENGTH",
    "maximum": "MAXIMUM",
    "minimum": "MINIMUM",
    "exclusiveMaximum": "EXCLUSIVE_MAXIMUM",
    "exclusiveMinimum": "EXCLUSIVE_MINIMUM",
    "maxProperties": "MAX_PROPERTIES",
    "minProperties": "MIN_PROPERTIES",
    "maxItems": "MAX_ITEMS",
    "minItems": "MIN_ITEMS",
    "maxContains": "MAX_CONTAINS",
    "minContains": "MIN_CONTAINS",
}


def compare_bounds(outcome: Outcome, old: Form, new: Form, *keywords: str) -> None:
    """Compare bounds, each by itself and as written: one that bounds nothing is still a bound."""
    for keyword in keywords:
        was, now = old.schema.get(keyword), new.schema.get(keyword)
        if was == now:
            continue
        if was is None:
            verb = "ADDED"
        elif now is None:
            verb = "REMOVED"
        else:
            verb = "INCREASED" if now > was else "DECREASED"
        _add_keyword(outcome, Kind.of(_BOUNDS[keyword], verb), old, new, keyword, verb)


def compare_strings(_: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare what two forms say of strings; patterns as text, formats not at all."""
    compare_bounds(outcome, old, new, "maxLength", "minLength")
    was, now = old.schema.get("pattern"), new.schema.get("pattern")
    if was != now:
        verb = "ADDED" if was is None else "REMOVED" if now is None else "CHANGED"
        _add_keyword(outcome, Kind.of("PATTERN", verb), old, new, "pattern", verb)


def compare_numbers(_: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare what two forms say of numbers; an inclusive bound is never set against a strict one.

    A schema without a type that says something of numbers counts as one of numbers.
    """
    compare_bounds(outcome, old, new, "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
    _compare_steps(outcome, old, new)
    if old.integer and not new.integer:
        outcome.add(Kind.TYPE_EXTENDED, new, "type", message="integers became numbers")
    elif new.integer and not old.integer:
        outcome.add(Kind.TYPE_NARROWED, new, "type", message="numbers became integers")


def _compare_steps(outcome: Outcome, old: Form, new: Form) -> None:
    was, now = old.schema.get("multipleOf"), new.schema.get("multipleOf")
    if was == now:
        return
    if was is None:
        verb = "ADDED"
    elif now is None:
        verb = "REMOVED"
    elif _divides(now, was):
        verb = "REDUCED"
    elif _divides(was, now):
        verb = "EXPANDED"
    else:
        verb = "CHANGED"
    _add_keyword(outcome, Kind.of("MULTIPLE_OF", verb), old, new, "multipleOf", verb)


def _divides(step: int, number: int) -> bool:
    return (Fraction(number) / Fraction(step)).denominator == 1


def compare_enums(_: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare the values two enums list."""
    was, now = ({canonical_json(value) for value in form.schema["enum"]} for form in (old, new))
    if was == now:
        return
    verb = "EXTENDED" if was < now else "NARROWED" if now < was else "CHANGED"
    _add_keyword(outcome, Kind.of("ENUM_ARRAY", verb), old, new, "enum", verb)


def compare_constants(_: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare two constants; another constant counts as a changed enum."""
    if canonical_json(old.schema["const"]) != canonical_json(new.schema["const"]):
        _add_keyword(outcome, Kind.ENUM_ARRAY_CHANGED, old, new, "const", "CHANGED")


def compare_negations(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare two negations: what is denied, the other way round."""
    inner = walk.compare(new.child("not"), old.child("not"))
    if inner.compatible and inner.differs:
        outcome.add(Kind.NOT_TYPE_NARROWED, new, "not", message="less is denied than before")
    elif not inner.compatible:
        outcome.add(Kind.NOT_TYPE_EXTENDED, new, "not", message="more is denied than before")


def _add_keyword(
    outcome: Outcome, kind: Kind, old: Form, new: Form, keyword: str, verb: str
) -> None:
    message = f"{keyword} was {verb.lower()}"
    shown = [
        f" {word} {text}"
        for word, form in (("from", old), ("to", new))
        if keyword in form.schema
        and len(text := canonical_json(form.schema[keyword])) <= _LONGEST_SHOWN
    ]
    outcome.add(
        kind, new if keyword in new.schema else old, keyword, message=message + "".join(shown)
    )
