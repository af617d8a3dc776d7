"""What a schema says of each of its fields, in a form that can be searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import pointer_of
from tickmesh.schema.location import Location
from tickmesh.schema.projection import fields_of
from tickmesh.schema.roles import roles_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from tickmesh.schema.document import SchemaDocument

_LONGEST_TYPE = 1_000
_REST = "additionalProperties"


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What a schema says of one field.

    Attributes:
        names: The path of names from the root; list items and map values add no step.
        path: The same as text, for example ``/quote/bid``.
        types: The JSON types it admits, sorted; ``number`` stands for ``integer`` as well.
        arrow_type: The Arrow type it is projected to, in Arrow's own notation.
        required: Whether an object must have it, under no condition.
        role: Its tick role; empty for none.
    """

    names: tuple[str, ...]
    path: str
    types: tuple[str, ...]
    arrow_type: str
    required: bool
    role: str


def describe_fields(document: SchemaDocument) -> tuple[FieldFacts, ...]:
    """Describe every field of a schema of rows, nested ones behind the one that holds them.

    Raises:
        SchemaError: The schema has no Arrow projection.
    """
    roles = roles_of(document)
    return tuple(
        FieldFacts(
            names=names,
            path=pointer_of(names),
            types=_types(place.child(names[-1])),
            arrow_type=type_text(field.type),
            required=names[-1] in place.required,
            role=(roles.role_of(names[0]) or "") if len(names) == 1 else "",
        )
        for names, field, place in _walk(Location.root(document), fields_of(document), ())
    )


def type_text(kind: Any) -> str:
    """An Arrow type in Arrow's own notation, cut where a struct would fill pages."""
    text = str(kind)
    return text if len(text) <= _LONGEST_TYPE else f"{text[:_LONGEST_TYPE]}…"


def struct_inside(location: Location, kind: Any) -> tuple[Location, Sequence[pa.Field[Any]]]:
    """The struct that a field of this type is or holds, through lists and maps.

    Returns:
        Its location and its fields; no fields where there is no struct.
    """
    import pyarrow as pa

    while pa.types.is_list(kind) or pa.types.is_map(kind):
        if pa.types.is_list(kind):
            location = location.item_at(0)
            kind = kind.value_type
        else:
            location = _values_of(location)
            kind = kind.item_type
    return location, list(kind) if pa.types.is_struct(kind) else ()


def _walk(
    place: Location, fields: Sequence[pa.Field[Any]], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], pa.Field[Any], Location]]:
    for field in fields:
        names = (*path, field.name)
        yield names, field, place
        yield from _walk(*struct_inside(place.child(field.name), field.type), names)


def _values_of(location: Location) -> Location:
    """The location of a map's values: all its schemas project alike, or it would be no map."""
    return Location(
        location.document,
        tuple(
            (schema, part.conditional)
            for part in location.parts
            for schema in (
                *part.keywords.get("patternProperties", {}).values(),
                *([part.keywords[_REST]] if part.keywords.get(_REST) is not None else ()),
            )
            if isinstance(schema, dict)
        ),
    )


def _types(location: Location) -> tuple[str, ...]:
    kinds = location.types
    if "number" in kinds:
        kinds -= {"integer"}
    return tuple(sorted(kinds))
