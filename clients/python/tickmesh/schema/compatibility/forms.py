"""Containments that follow from the form of two schemas, whatever their keywords mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.keywords import ANNOTATIONS, JsonSchema, children, effective
from tickmesh.schema.oracle import OracleUndecidedError, is_valid, validator_of
from tickmesh.schema.strict_json import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema.document import SchemaDocument

_SILENT = ANNOTATIONS | {"$schema", "$id", "$anchor", "$defs", "definitions", "default", "arrow"}
_DYNAMIC = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef")
_MOST_VALUES = 1000


def follows_by_form(old: SchemaDocument, new: SchemaDocument) -> bool:
    """Whether every document valid under ``old`` is valid under ``new``, seen from their form.

    True when both are the same schema, when one of them is empty or universal by excluded middle
    (``X`` beside ``not X``), or when ``old`` lists its values and the oracle accepts each.
    """
    if same_schema(old.root, old, new.root, new):
        return True
    if _contradicts(old.root, old) or _is_tautology(new.root, new):
        return True
    values = _listed(old.root, old)
    if values is None or len(values) > _MOST_VALUES:
        return False
    writer = validator_of(old, annotate_formats=True)
    reader = validator_of(new, annotate_formats=True)
    try:
        return all(is_valid(reader, value) for value in values if is_valid(writer, value))
    except OracleUndecidedError:
        return False


def same_schema(
    left: JsonSchema,
    left_document: SchemaDocument,
    right: JsonSchema,
    right_document: SchemaDocument,
    assumed: frozenset[tuple[int, int]] = frozenset(),
) -> bool:
    """Whether two schemas are the same once references are followed (greatest fixed point).

    Names of definitions and annotations do not matter; a dynamic reference is never the same.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if (id(left), id(right)) in assumed:
        return True
    assumed |= {(id(left), id(right))}
    ours, theirs = _loud(left, left_document), _loud(right, right_document)
    if ours.keys() != theirs.keys() or any(name in ours for name in _DYNAMIC):
        return False
    if "$ref" in ours and not same_schema(
        left_document.target_of(left),
        left_document,
        right_document.target_of(right),
        right_document,
        assumed,
    ):
        return False
    below = dict(children(ours, left_document.dialect))
    other = dict(children(theirs, right_document.dialect))
    if below.keys() != other.keys():
        return False
    if _text_without(ours, below) != _text_without(theirs, other):
        return False
    return all(
        same_schema(child, left_document, other[path], right_document, assumed)
        for path, child in below.items()
    )


def _loud(schema: Mapping[str, Any], document: SchemaDocument) -> dict[str, Any]:
    keywords = effective(schema, document.dialect)
    return {
        key: value
        for key, value in keywords.items()
        if key not in _SILENT and not key.startswith("x-")
    }


def _text_without(keywords: Mapping[str, Any], below: Mapping[Any, Any]) -> str:
    nested = {str(path[0]) for path in below} | {"$ref"}
    kept = {key: value for key, value in keywords.items() if key not in nested}
    if "dependencies" in keywords:
        kept["dependencies"] = {
            name: needed
            for name, needed in keywords["dependencies"].items()
            if isinstance(needed, list)
        }
    return canonical_json(kept)


def _conjuncts(schema: JsonSchema, document: SchemaDocument) -> Iterator[JsonSchema]:
    """Yield the schemas that all must hold; a schema object stands for itself."""
    yield schema
    if isinstance(schema, dict):
        keywords = effective(schema, document.dialect)
        for member in keywords.get("allOf", ()):
            yield from _conjuncts(member, document)


def _negated(schema: JsonSchema) -> JsonSchema | None:
    """Return ``X`` of a schema that says ``not X`` and nothing else."""
    if isinstance(schema, dict) and "not" in schema and schema.keys() - _SILENT == {"not"}:
        inner: JsonSchema = schema["not"]
        return inner
    return None


def _opposed(members: list[JsonSchema], document: SchemaDocument) -> bool:
    return any(
        same_schema(inner, document, other, document)
        for member in members
        if (inner := _negated(member)) is not None
        for other in members
        if other is not member
    )


def _contradicts(schema: JsonSchema, document: SchemaDocument) -> bool:
    members = list(_conjuncts(schema, document))
    return any(member is False for member in members) or _opposed(members, document)


def _is_tautology(schema: JsonSchema, document: SchemaDocument) -> bool:
    if isinstance(schema, bool):
        return schema
    keywords = _loud(schema, document)
    if not keywords:
        return True
    if keywords.keys() == {"allOf"}:
        return all(_is_tautology(member, document) for member in keywords["allOf"])
    if keywords.keys() != {"anyOf"}:
        return False
    branches = keywords["anyOf"]
    return _opposed(branches, document) or any(_is_tautology(each, document) for each in branches)


def _listed(schema: JsonSchema, document: SchemaDocument) -> list[Any] | None:
    """Return values that include all a schema admits, None when it does not list them."""
    if isinstance(schema, bool):
        return None if schema else []
    keywords = effective(schema, document.dialect)
    if "const" in keywords:
        return [plain(keywords["const"])]
    if "enum" in keywords:
        return [plain(value) for value in keywords["enum"]]
    for member in keywords.get("allOf", ()):
        values = _listed(member, document)
        if values is not None:
            return values
    if "$ref" in keywords:
        return _listed(document.target_of(schema), document)
    for choice in ("anyOf", "oneOf"):
        if choice in keywords:
            each = [_listed(member, document) for member in keywords[choice]]
            if all(values is not None for values in each):
                return [value for values in each for value in values or ()]
    return None
