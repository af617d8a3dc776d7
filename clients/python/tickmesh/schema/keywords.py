"""Where JSON Schema keywords hold subschemas, by dialect."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JsonSchema: TypeAlias = dict[str, Any] | bool
"""A schema as parsed: integral numbers are ``int``, other numbers ``Decimal``."""

Path: TypeAlias = tuple[str | int, ...]


class Dialect(StrEnum):
    """The drafts taken, by the URI that names them in ``$schema``."""

    DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
    DRAFT_07 = "http://json-schema.org/draft-07/schema"


ANNOTATIONS = frozenset(
    {"title", "description", "examples", "$comment", "deprecated", "readOnly", "writeOnly"}
)
"""Keywords that never change what a schema does here."""

_SINGLE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})

SUBSCHEMA_KEYWORDS = _SINGLE | _LISTS | _MAPS | {"dependencies"}
"""Keywords under which subschemas may stand."""

IN_PLACE_SINGLE = ("not", "if", "then", "else")
IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")


def effective(schema: Mapping[str, Any], dialect: Dialect) -> Mapping[str, Any]:
    """Return the keywords that count: draft-07 ignores everything beside ``$ref``."""
    if dialect is Dialect.DRAFT_07 and "$ref" in schema:
        return {"$ref": schema["$ref"]}
    return schema


def children(schema: Mapping[str, Any], dialect: Dialect) -> Iterator[tuple[Path, Any]]:
    """Yield the direct subschemas of a schema object with their relative paths.

    Definitions count as children; draft-07 siblings of ``$ref`` do too, because other
    references may lead into them.
    """
    for keyword, value in schema.items():
        if keyword in _SINGLE:
            if keyword == "items" and isinstance(value, list):
                for index, member in enumerate(value):
                    yield (keyword, index), member
            else:
                yield (keyword,), value
        elif keyword in _LISTS:
            for index, member in enumerate(value):
                yield (keyword, index), member
        elif keyword in _MAPS:
            for name, member in value.items():
                yield (keyword, name), member
        elif keyword == "dependencies" and dialect is Dialect.DRAFT_07:
            for name, member in value.items():
                if not isinstance(member, list):
                    yield (keyword, name), member


def in_place_children(schema: Mapping[str, Any], dialect: Dialect) -> Iterator[tuple[Path, Any]]:
    """Yield the subschemas that judge the very value the schema judges (``$ref`` excepted)."""
    schema = effective(schema, dialect)
    for keyword in IN_PLACE_LISTS:
        for index, member in enumerate(schema.get(keyword, ())):
            yield (keyword, index), member
    for keyword in IN_PLACE_SINGLE:
        if keyword in schema:
            yield (keyword,), schema[keyword]
    dependent = "dependencies" if dialect is Dialect.DRAFT_07 else "dependentSchemas"
    for name, member in schema.get(dependent, {}).items():
        if not isinstance(member, list):
            yield (dependent, name), member
