"""What must hold of a schema before rows are kept under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.defaults import Default, first_invalid
from tickmesh.schema.errors import SchemaError, pointer_of
from tickmesh.schema.location import MISSING, Key, Location
from tickmesh.schema.oracle import is_valid, validator_of
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema


_OF_ITEMS = frozenset({"items", "prefixItems", "additionalItems"})


def check_rows(document: SchemaDocument) -> None:
    """Check, once for each document, that rows can exist and that defaults can be filled in.

    Raises:
        SchemaError: NO_ROW, DEFAULT_CONFLICT, INVALID_DEFAULT, INVALID_ARROW_TYPE,
            UNKNOWN_ROLE or DUPLICATE_ROLE.
    """
    from tickmesh.schema.projection import fields_of

    if check_rows in document.memo:
        return
    from tickmesh.schema.compatibility.emptiness import why_no_row

    empty = why_no_row(document)
    if empty is not None:
        raise SchemaError(
            "NO_ROW",
            f"no row can exist under this schema: {empty.message}",
            pointer=empty.pointer,
        )
    if _states_defaults(document):
        defaults: list[Default] = []
        _gather_defaults(Location.root(document), defaults, set())
        _check_defaults(document, defaults)
    fields_of(document)
    document.memo[check_rows] = True


def _states_defaults(document: SchemaDocument) -> bool:
    return any("default" in schema for _, schema in document.index.subschemas()) or any(
        map(_states_defaults, document.references.values())
    )


def _gather_defaults(location: Location, found: list[Default], seen: set[Key]) -> None:
    if location.key in seen:
        return
    seen.add(location.key)
    for name in location.declared:
        child = location.child(name)
        try:
            default = location.default_of(name)
        except SchemaError as error:
            raise SchemaError(
                error.reason, error.message, pointer=pointer_of(location.path_to(name))
            ) from None
        if default is not MISSING:
            found.append(Default(location, name, plain(default)))
        _gather_defaults(child, found, seen)
    if any(not part.keywords.keys().isdisjoint(_OF_ITEMS) for part in location.parts):
        for index in range(-1, location.prefix_length):
            _gather_defaults(location.item(index), found, seen)
    for part in location.parts:
        extra = part.keywords.get("additionalProperties")
        if isinstance(extra, dict):
            inner = Location(location.document, ((extra, part.conditional),))
            _gather_defaults(inner, found, seen)


def _check_defaults(document: SchemaDocument, defaults: list[Default]) -> None:
    wrong = first_invalid(document, defaults)
    if wrong is not None:
        raise SchemaError(
            "INVALID_DEFAULT",
            f"the default {str(wrong.value)[:200]!r} of {wrong.name[:80]!r} is not valid under its "
            "own schema; a reader would fill in a bad value",
            pointer=pointer_of((*wrong.location.path_to(wrong.name), "default")),
        )


def accepts(
    document: SchemaDocument, schema: JsonSchema, value: Any, *, annotate_formats: bool = False
) -> bool:
    """Whether a value is valid under a schema object of a document or of its references.

    Args:
        document: The document.
        schema: One of its schema objects.
        value: A JSON value.
        annotate_formats: Whether ``format`` only annotates, instead of being asserted.

    Raises:
        OracleUndecidedError: A pattern ran out of steps.
    """
    if isinstance(schema, bool):
        return schema
    if document.index.pointer_to(schema) is not None:
        validator = validator_of(document, part=schema, annotate_formats=annotate_formats)
        return is_valid(validator, value)
    return all(
        accepts(referenced, schema, value, annotate_formats=annotate_formats)
        for referenced in document.references.values()
        if owns(referenced, schema)
    )


def owns(document: SchemaDocument, schema: JsonSchema) -> bool:
    """Whether a schema object stands in a document or in one of its pinned references."""
    return document.index.pointer_to(schema) is not None or any(
        owns(referenced, schema) for referenced in document.references.values()
    )
