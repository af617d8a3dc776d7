"""The field rules of a registered schema: what resolution needs of it beyond the Arrow types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.location import MISSING, Location
from tickmesh_tickstore.engine.field_rules import NO_RULES, FieldRules

if TYPE_CHECKING:
    from tickmesh.schema import SchemaDocument
    from tickmesh.schema.location import Key

__all__ = ["rules_of"]


def rules_of(document: SchemaDocument) -> FieldRules:
    """The rules of a document's rows. A schema inside itself is left out: it is JSON text there."""
    return _inside(Location.root(document), frozenset())


def _inside(place: Location, around: frozenset[Key]) -> FieldRules:
    if place.key in around:
        return NO_RULES
    around |= {place.key}
    if place.is_struct:
        members = {name: _member(place, name, around) for name in place.declared}
        return FieldRules(members=members)
    inner = [_inside(each, around) for each in (*_items(place), *_values(place)) if each.applied]
    if not inner:
        return NO_RULES
    return FieldRules(inner=inner[0], is_uneven=any(each != inner[0] for each in inner[1:]))


def _member(place: Location, name: str, around: frozenset[Key]) -> FieldRules:
    child = place.child(name)
    inside = _inside(child, around)
    default = place.default_of(name)
    return FieldRules(
        admits_null=child.accepts_null,
        default="" if default is MISSING else canonical_json(default),
        members=inside.members,
        inner=inside.inner,
        is_uneven=inside.is_uneven,
    )


def _items(place: Location) -> list[Location]:
    return [place.item(index) for index in (*range(place.prefix_length), -1)]


def _values(place: Location) -> list[Location]:
    """What stands at a map's keys: by pattern, and for the rest."""
    return [
        Location(place.document, ((schema, part.conditional),))
        for part in place.parts
        for schema in (
            *part.keywords.get("patternProperties", {}).values(),
            part.keywords.get("additionalProperties"),
        )
        if isinstance(schema, dict)
    ]
