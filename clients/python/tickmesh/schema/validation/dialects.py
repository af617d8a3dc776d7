"""Which dialect a schema declares, and where each dialect keeps its subschemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from tickmesh.schema.keywords import Dialect

Pointer: TypeAlias = tuple[str, ...]

JsonSchema: TypeAlias = Mapping[str, Any] | bool


class UnsupportedSchemaError(ValueError):
    """The schema, or a column's type, is outside what can be judged at all."""


def dialect_of(schema: JsonSchema) -> Dialect:
    """The dialect a schema document declares; 2020-12 when it declares none.

    Raises:
        UnsupportedSchemaError: ``$schema`` names another dialect.
    """
    declared = schema.get("$schema") if isinstance(schema, Mapping) else None
    if declared is None:
        return Dialect.DRAFT_2020_12
    for dialect in Dialect:
        if str(declared).rstrip("#") == dialect.value:
            return dialect
    raise UnsupportedSchemaError(
        f"$schema is {declared!r}; expected one of {[dialect.value for dialect in Dialect]}"
    )


_ONE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)
_SEQUENCE = frozenset({"allOf", "anyOf", "oneOf"})
_NAMED = frozenset({"patternProperties", "properties"})

_ONE_BY_DIALECT = {
    Dialect.DRAFT_2020_12: _ONE | {"unevaluatedItems", "unevaluatedProperties", "contentSchema"},
    Dialect.DRAFT_07: _ONE | {"additionalItems"},
}
_SEQUENCE_BY_DIALECT = {
    Dialect.DRAFT_2020_12: _SEQUENCE | {"prefixItems"},
    Dialect.DRAFT_07: _SEQUENCE | {"items"},
}
_NAMED_BY_DIALECT = {
    Dialect.DRAFT_2020_12: _NAMED | {"$defs", "definitions", "dependentSchemas"},
    Dialect.DRAFT_07: _NAMED | {"definitions", "dependencies"},
}


def subschemas(schema: Any, dialect: Dialect) -> Iterator[tuple[Pointer, Any]]:
    """The schemas directly inside a schema, each with its pointer relative to it."""
    if not isinstance(schema, Mapping):
        return
    if dialect is Dialect.DRAFT_07 and "$ref" in schema:
        # The siblings of a reference are ignored in this dialect, definitions excepted.
        schema = {key: value for key, value in schema.items() if key == "definitions"}
    for keyword, value in schema.items():
        if keyword in _ONE_BY_DIALECT[dialect] and isinstance(value, Mapping | bool):
            yield (keyword,), value
        if keyword in _SEQUENCE_BY_DIALECT[dialect] and isinstance(value, list):
            for index, branch in enumerate(value):
                yield (keyword, str(index)), branch
        if keyword in _NAMED_BY_DIALECT[dialect] and isinstance(value, Mapping):
            for name, branch in value.items():
                if isinstance(branch, Mapping | bool):
                    yield (keyword, name), branch


def pointer_tokens(text: str) -> Pointer:
    """The tokens of an RFC 6901 pointer."""
    if not text:
        return ()
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
