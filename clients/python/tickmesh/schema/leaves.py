"""Members that one schema object without subschemas describes, as most fields of rows are.

What such a schema says of types depends on so few keywords that documents share the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tickmesh.schema.conditions import STRUCTURAL_KEYWORDS
from tickmesh.schema.keywords import ANNOTATIONS
from tickmesh.schema.location import json_type
from tickmesh.schema.text_forms import FORMATS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from tickmesh.schema.location import Location

_OWN_KEYWORDS = ANNOTATIONS | {
    *("type", "format", "enum", "const", "default"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern"),
}
_SCALARS: Final = frozenset({"null", "boolean", "integer", "number", "string"})
_LISTING = frozenset({"enum", "const"})


def leaf_at(location: Location, name: str) -> Mapping[str, Any] | None:
    """Return the one schema that speaks of a member, if it states scalar types and no subschema.

    None says nothing: the member may be described by more, or by other keywords.
    """
    if len(location.parts) != 1 or location.refines is not None or location.never:
        return None
    part = location.parts[0]
    if part.conditional or "patternProperties" in part.keywords:
        return None
    schema = part.keywords.get("properties", {}).get(name)
    if not isinstance(schema, dict) or not schema.keys() <= _OWN_KEYWORDS:
        return None
    kinds = schema.get("type")
    if kinds is None:
        return None
    scalar = kinds in _SCALARS if isinstance(kinds, str) else _SCALARS.issuperset(kinds)
    return schema if scalar else None


def column_key(leaf: Mapping[str, Any]) -> Hashable:
    """Return what the type and the nullability of a leaf's column depend on."""
    kinds = leaf["type"]
    listed = None
    if "const" in leaf or "enum" in leaf:
        listed = (
            json_type(leaf["const"]) if "const" in leaf else None,
            frozenset(map(json_type, leaf["enum"])) if "enum" in leaf else None,
        )
    return (
        kinds if isinstance(kinds, str) else frozenset(kinds),
        FORMATS.get(leaf.get("format", "")),
        listed,
    )


def surely_has_values(leaf: Mapping[str, Any]) -> bool:
    """Whether a leaf states too little to contradict itself: at most one limit beside its types."""
    return len(leaf.keys() - STRUCTURAL_KEYWORDS) <= 1 and _LISTING.isdisjoint(leaf)


def states_same_leaf(ours: Location, theirs: Location, name: str) -> bool:
    """Whether a member is a leaf at both locations, and the very same one."""
    leaf = leaf_at(ours, name)
    if leaf is None:
        return False
    other = leaf_at(theirs, name)
    # To Python True equals 1.
    return leaf == other and repr(leaf) == repr(other)
