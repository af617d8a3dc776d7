"""How many alternatives a schema unfolds to, so that nobody sets out to enumerate too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.keywords import children, effective

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

HEAVIEST = 12_000
"""Schemas that unfold to more alternatives are not reasoned about as a whole."""

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
    return _weigh(schema, document, known)


def _weigh(schema: JsonSchema, document: SchemaDocument, known: dict[int, int]) -> int:
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
