"""What ties the members of an object together: conditions, and the names they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.keywords import (
    ANNOTATIONS,
    Dialect,
    JsonSchema,
    effective,
    in_place_children,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.location import Location

STRUCTURAL_KEYWORDS = frozenset(
    {"$ref", "allOf", "$defs", "definitions", "type", "properties", "required"}
    | {"additionalProperties", "default", "arrow", "$schema", "$id", "$anchor"}
    | ANNOTATIONS
)
"""Keywords that describe objects member by member."""

COUNTING_KEYWORDS = frozenset(
    {"patternProperties", "propertyNames", "minProperties", "maxProperties", "const", "enum"}
    | {"unevaluatedProperties", "$dynamicRef"}
)
"""Keywords that look at all members of an object, not only at those they name."""


def is_structural(location: Location) -> bool:
    """Whether objects here are described by declared fields alone, nothing conditional."""
    return all(
        not part.conditional
        and all(key in STRUCTURAL_KEYWORDS or key.startswith("x-") for key in part.keywords)
        for part in location.parts
    )


def conditions_of(keywords: Mapping[str, Any], dialect: Dialect) -> Iterator[dict[str, Any]]:
    """Yield the conditions of a schema object, each as a schema of its own."""
    dependent = (
        ("dependencies",)
        if dialect is Dialect.DRAFT_07
        else ("dependentRequired", "dependentSchemas")
    )
    for keyword in ("anyOf", "oneOf", "not", *dependent):
        if keyword in keywords:
            yield {keyword: keywords[keyword]}
    if "if" in keywords:
        yield {each: keywords[each] for each in ("if", "then", "else") if each in keywords}


def names_read(schema: JsonSchema, document: SchemaDocument) -> set[str] | None:
    """Return the members of an object that a schema looks at, None when it looks at all."""
    if isinstance(schema, bool):
        return set()
    keywords = effective(schema, document.dialect)
    if keywords.keys() & COUNTING_KEYWORDS:
        return None
    if keywords.get("additionalProperties", True) is not True:
        return None
    names = {*keywords.get("properties", ()), *keywords.get("required", ())}
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        for name, needed in keywords.get(keyword, {}).items():
            names.add(name)
            names.update(needed if isinstance(needed, list) else ())
    below = [child for _, child in in_place_children(keywords, document.dialect)]
    if "$ref" in keywords:
        below.append(document.target_of(schema))
    for each in below:
        inner = names_read(each, document)
        if inner is None:
            return None
        names |= inner
    return names


def names_tied(location: Location) -> frozenset[str] | None:
    """Return the members that some condition at a location looks at, None for all of them."""
    tied: set[str] = set()
    for part in location.always:
        if part.keywords.keys() & (COUNTING_KEYWORDS - {"patternProperties"}):
            return None
        for condition in conditions_of(part.keywords, location.document.dialect):
            names = names_read(condition, location.document)
            if names is None:
                return None
            tied |= names
    return frozenset(tied)
