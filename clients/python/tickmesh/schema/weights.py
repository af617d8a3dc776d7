"""How many alternatives a schema unfolds to, so that nobody sets out to enumerate too many."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any

from tickmesh.schema.keywords import children, effective, in_place_children

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

HEAVIEST = 3_000
"""Schemas that unfold to more alternatives are not reasoned about as a whole."""

MOST_WORK = 60_000
"""Nor are schemas that would take more microseconds to bring into canonical form, as estimated."""

_ENDLESS = 10**9
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_APART = frozenset({"$defs", "definitions"})


def alternatives(schema: JsonSchema, document: SchemaDocument) -> int:
    """Return about how many conjunctions a schema has in disjunctive normal form.

    Alternatives at one place multiply; those of different members and items do not, there the
    largest counts. A recursion counts once.
    """
    known = document.memo.setdefault(alternatives, {})
    assert isinstance(known, dict)
    return _weigh(schema, document, known if _lasts(schema, document) else ChainMap({}, known))


def _lasts(schema: JsonSchema, document: SchemaDocument) -> bool:
    """Whether a schema object lives as long as its document, so that its identity may be kept."""
    return document.index.pointer_to(schema) is not None or any(
        _lasts(schema, referenced) for referenced in document.references.values()
    )


def _weigh(schema: JsonSchema, document: SchemaDocument, known: MutableMapping[int, int]) -> int:
    if isinstance(schema, bool):
        return 1
    if id(schema) in known:
        return known[id(schema)]
    known[id(schema)] = 1
    keywords = effective(schema, document.dialect)

    def weigh(member: JsonSchema) -> int:
        return _weigh(member, document, known)

    weight = 1
    if "$ref" in keywords:
        weight *= weigh(document.target_of(schema))
    for member in keywords.get("allOf", ()):
        weight *= weigh(member)
    if "anyOf" in keywords:
        weight *= sum(map(weigh, keywords["anyOf"]))
    if "oneOf" in keywords:
        weight *= len(keywords["oneOf"]) * sum(map(weigh, keywords["oneOf"]))
    if "not" in keywords:
        weight *= 2 * weigh(keywords["not"])
    if "if" in keywords:
        branches = [weigh(keywords[name]) for name in ("then", "else") if name in keywords]
        weight *= 2 * weigh(keywords["if"]) * max(branches, default=1)
    for members in (keywords.get("dependentRequired", {}), keywords.get("dependencies", {})):
        weight *= 2 ** min(len(members), 30)
    for member in keywords.get("dependentSchemas", {}).values():
        weight *= 2 * weigh(member)
    apart = [
        weigh(child)
        for path, child in children(keywords, document.dialect)
        if path[0] not in _IN_PLACE | _APART
    ]
    known[id(schema)] = min(max([weight, *apart]), _ENDLESS)
    return known[id(schema)]


def is_heavy(schema: JsonSchema, document: SchemaDocument) -> bool:
    """Whether a schema is too much to be reasoned about as a whole."""
    return alternatives(schema, document) > HEAVIEST or work(schema, document) > MOST_WORK


def work(schema: JsonSchema, document: SchemaDocument) -> int:
    """Return about how many microseconds the canonical form of a schema takes.

    The powers were measured on jsonschema-rs 0.60 with single keywords of growing size. Everything
    that is reached counts once.
    """
    known = document.memo.setdefault(work, {})
    assert isinstance(known, dict)
    if isinstance(schema, bool):
        return 1
    if id(schema) in known and _lasts(schema, document):
        return int(known[id(schema)])
    microseconds = _work_below(schema, document, set())
    if _lasts(schema, document):
        known[id(schema)] = microseconds
    return microseconds


def _work_below(schema: JsonSchema, document: SchemaDocument, seen: set[int]) -> int:
    total = 0
    pending = [schema]
    while pending and total < _ENDLESS:
        each = pending.pop()
        if isinstance(each, bool) or id(each) in seen:
            continue
        seen.add(id(each))
        keywords = effective(each, document.dialect)
        total += _own_work(keywords, document) + _members_named(each, document, set()) ** 3
        if "$ref" in keywords:
            pending.append(document.target_of(each))
        pending += [
            child for path, child in children(keywords, document.dialect) if path[0] not in _APART
        ]
    return total


def _members_named(schema: JsonSchema, document: SchemaDocument, seen: set[int]) -> int:
    """Return how many members are named at one place, under conditions too."""
    if isinstance(schema, bool) or id(schema) in seen:
        return 0
    seen.add(id(schema))
    keywords = effective(schema, document.dialect)
    below = [child for _, child in in_place_children(keywords, document.dialect)]
    if "$ref" in keywords:
        below.append(document.target_of(schema))
    named = len(keywords.get("properties", ()))
    return named + sum(_members_named(child, document, seen) for child in below)


def _own_work(keywords: Mapping[str, Any], document: SchemaDocument) -> int:
    def width(members: Iterable[JsonSchema]) -> int:
        return sum(alternatives(member, document) for member in members)

    negated = [member["not"] for member in keywords.get("allOf", ()) if _has_not(member)]
    if "not" in keywords:
        negated.append(keywords["not"])
    dependent = sum(
        len(keywords.get(name, ()))
        for name in ("dependentRequired", "dependentSchemas", "dependencies")
    )
    conditions = sum(
        isinstance(member, dict) and "if" in member for member in keywords.get("allOf", ())
    )
    named = len(keywords.get("properties", ()))
    return (
        4
        + len(keywords.get("enum", ()))
        + 2 * named
        + named * len(keywords.get("patternProperties", ()))
        + width(keywords.get("oneOf", ())) ** 4 // 60
        + 10 * width(keywords.get("anyOf", ())) ** 2
        + width(negated) ** 3 // 4
        + sum(_negation_work(each) for each in negated)
        + dependent**4 // 8
        + 50 * conditions**3
    )


def _has_not(schema: JsonSchema) -> bool:
    return isinstance(schema, dict) and "not" in schema


def _negation_work(schema: JsonSchema) -> int:
    if isinstance(schema, bool):
        return 1
    return len(schema.get("enum", ())) ** 2 + len(schema.get("required", ())) ** 3 // 20
