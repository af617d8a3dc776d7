"""What changed between two versions: field by field, keyword by keyword, column by column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tickmesh.schema.canonical import canonical_json, canonical_schema
from tickmesh.schema.columns import ColumnAction, ColumnPlan, plan_columns
from tickmesh.schema.errors import pointer_of
from tickmesh.schema.keywords import ANNOTATIONS
from tickmesh.schema.location import MISSING, Key, Location

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema.document import SchemaDocument

__all__ = [
    "ColumnAction",
    "ColumnPlan",
    "FieldChange",
    "SchemaDifference",
    "diff",
]

ITEM = "[]"
"""The step from a list to its items in a field path."""

MEMBER = "{}"
"""The step from a map to its members in a field path."""

_STRUCTURE = frozenset({"$ref", "allOf", "$defs", "definitions", "properties", "required", "type"})
_IGNORED = ANNOTATIONS | _STRUCTURE | {"$schema", "$id", "$anchor", "$dynamicAnchor", "default"}
_ORDERED = {
    "minimum": 1,
    "exclusiveMinimum": 1,
    "minLength": 1,
    "minItems": 1,
    "minProperties": 1,
    "minContains": 1,
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
    "maxProperties": -1,
    "maxContains": -1,
}
_DESCENDED = frozenset({"items", "prefixItems", "additionalItems", "additionalProperties"})


@dataclass(frozen=True)
class FieldChange:
    """One structural change.

    Attributes:
        kind: Snake case, for example ``required_field_added`` or ``minimum_raised``.
        path: JSON Pointer into the new schema, into the old one for what was removed.
        names: The field: names from the root, `ITEM` for a list's items, `MEMBER` for a map's.
        keyword: The keyword that changed, empty when a whole field did.
        old: What stood there, None when nothing did.
        new: What stands there, None when nothing does.
        message: The change in words.
        relaxed: Whether the change by itself surely admits all that was admitted before.
    """

    kind: str
    path: str
    names: tuple[str, ...]
    keyword: str
    old: Any
    new: Any
    message: str
    relaxed: bool = False


@dataclass(frozen=True)
class SchemaDifference:
    """Everything that changed between two versions.

    Attributes:
        changes: The structural changes, in the order of the new schema.
        columns: The physical plan, one entry a column.
    """

    changes: tuple[FieldChange, ...]
    columns: tuple[ColumnPlan, ...] = field(default=())


def diff(old: SchemaDocument, new: SchemaDocument) -> SchemaDifference:
    """Compare two versions of a schema of rows.

    Raises:
        SchemaError: A version has no Arrow projection.
    """
    return SchemaDifference(structural_changes(old, new), plan_columns(old, new))


def structural_changes(old: SchemaDocument, new: SchemaDocument) -> tuple[FieldChange, ...]:
    """Return the structural changes alone, also of schemas that describe no rows."""
    walk = _Walk()
    return tuple(walk.compare(Location.root(old), Location.root(new), ()))


class _Walk:
    """Walks two versions side by side; a pair of places is compared once."""

    def __init__(self) -> None:
        self._seen: set[tuple[Key, Key]] = set()

    def compare(
        self, old: Location, new: Location, names: tuple[str, ...]
    ) -> Iterator[FieldChange]:
        if (old.key, new.key) in self._seen:
            return
        self._seen.add((old.key, new.key))
        yield from _type_change(old, new, names)
        yield from _keyword_changes(old, new, names)
        yield from self._fields(old, new, names)
        for index in range(-1, max(old.prefix_length, new.prefix_length)):
            before, after = old.item_at(index), new.item_at(index)
            if before.applied and after.applied:
                yield from self.compare(before, after, (*names, ITEM))
            elif before.applied or after.applied:
                yield _item_change(before, after, new if after.applied else old, names)
        if old.rest.applied and new.rest.applied:
            yield from self.compare(old.rest, new.rest, (*names, MEMBER))
        elif old.rest.applied or new.rest.applied:
            yield _rest_change(old, new, names)

    def _fields(
        self, old: Location, new: Location, names: tuple[str, ...]
    ) -> Iterator[FieldChange]:
        before, after = frozenset(old.declared), frozenset(new.declared)
        for name in new.declared:
            inner = (*names, name)
            if name not in before:
                yield _added(new, name, inner)
                continue
            yield from _requirement_change(old, new, name, inner)
            if not _is_said_alike(old, new, name):
                yield from _default_change(old, new, name, inner)
                yield from self.compare(old.child(name), new.child(name), inner)
        for name in old.declared:
            if name not in after:
                yield FieldChange(
                    kind="field_removed",
                    path=pointer_of(old.path_to(name)),
                    names=(*names, name),
                    keyword="",
                    old=sorted(old.child(name).types),
                    new=None,
                    message=f"the field {name!r} was removed",
                )


def _added(new: Location, name: str, names: tuple[str, ...]) -> FieldChange:
    required = name in new.required
    default = new.default_of(name)
    kind = "required_field_added" if required else "field_added"
    filled = "" if default is MISSING else f", filled with {canonical_json(default)} for old rows"
    return FieldChange(
        kind=kind,
        path=pointer_of(new.path_to(name)),
        names=names,
        keyword="",
        old=None,
        new=sorted(new.child(name).types),
        message=f"the {'required' if required else 'optional'} field {name!r} was added{filled}",
    )


def _is_said_alike(old: Location, new: Location, name: str) -> bool:
    """Whether both say the very same of a field, at one place each, and refer to nothing."""
    said = []
    for location in (old, new):
        if len(location.parts) != 1 or location.document.index.targets:
            return False
        properties = location.parts[0].keywords.get("properties", {})
        if name not in properties:
            return False
        said.append(repr(properties[name]))
    return said[0] == said[1]


def _requirement_change(
    old: Location, new: Location, name: str, names: tuple[str, ...]
) -> Iterator[FieldChange]:
    was, now = name in old.required, name in new.required
    if was != now:
        yield FieldChange(
            kind="field_made_required" if now else "field_made_optional",
            path=pointer_of(new.path_to(name)),
            names=names,
            keyword="required",
            old=was,
            new=now,
            message=f"the field {name!r} became {'required' if now else 'optional'}",
            relaxed=was,
        )


def _default_change(
    old: Location, new: Location, name: str, names: tuple[str, ...]
) -> Iterator[FieldChange]:
    path = pointer_of(new.path_to(name))
    before, after = old.default_of(name), new.default_of(name)
    if (before is MISSING) != (after is MISSING) or (
        before is not MISSING and canonical_json(before) != canonical_json(after)
    ):
        kind = "added" if before is MISSING else "removed" if after is MISSING else "changed"
        yield FieldChange(
            kind=f"default_{kind}",
            path=path,
            names=names,
            keyword="default",
            old=None if before is MISSING else before,
            new=None if after is MISSING else after,
            message=f"the default of {name!r} was {kind}",
        )


def _type_change(old: Location, new: Location, names: tuple[str, ...]) -> Iterator[FieldChange]:
    before, after = old.types, new.types
    if before == after:
        return
    kind = "widened" if before < after else "narrowed" if after < before else "changed"
    yield FieldChange(
        kind=f"type_{kind}",
        path=_place(new, "type"),
        names=names,
        keyword="type",
        old=sorted(before),
        new=sorted(after),
        message=f"the type was {kind} from {_types(before)} to {_types(after)}",
        relaxed=before < after,
    )


def _types(kinds: frozenset[str]) -> str:
    shown = kinds - {"integer"} if "number" in kinds else kinds
    return " or ".join(sorted(shown)) if len(kinds) < 7 else "anything"


def _place(location: Location, keyword: str) -> str:
    for part in location.parts:
        if keyword in part.keywords:
            return pointer_of((*location.own_path(part), keyword))
    return pointer_of(location.own_path(location.parts[0])) if location.parts else ""


def _keyword_changes(old: Location, new: Location, names: tuple[str, ...]) -> Iterator[FieldChange]:
    before, after = _keywords(old), _keywords(new)
    for keyword in dict.fromkeys([*after, *before]):
        was, now = before.get(keyword, {}), after.get(keyword, {})
        if was.keys() != now.keys():
            yield _keyword_change(keyword, was, now, old, new, names)


def _keywords(location: Location) -> dict[str, dict[str, Any]]:
    """Return the values of each keyword under no condition, by text with references followed."""
    found: dict[str, dict[str, Any]] = {}
    for part in location.always:
        for keyword, value in part.keywords.items():
            if keyword in _IGNORED or keyword in _DESCENDED:
                continue
            text = canonical_json(_followed(part.source, keyword, location.document))
            found.setdefault(keyword, {})[text] = value
    return found


def _followed(source: Mapping[str, Any], keyword: str, document: SchemaDocument) -> Any:
    """Return a keyword's value, canonical, with every reference replaced by what it leads to."""

    def follow(value: Any, inside: tuple[int, ...]) -> Any:
        if isinstance(value, list):
            return [follow(member, inside) for member in value]
        if not isinstance(value, dict):
            return value
        copied = {key: follow(member, inside) for key, member in value.items()}
        if id(value) in document.index.targets:
            target = document.index.targets[id(value)]
            if id(target) in inside or len(inside) > 20:
                return copied
            copied["$ref"] = follow(target, (*inside, id(target)))
        return copied

    kept = canonical_schema({keyword: source[keyword]}, document.dialect)
    if '"$ref"' not in canonical_json(source[keyword]):
        return kept[keyword] if isinstance(kept, dict) else kept
    return follow(source[keyword], ())


def _keyword_change(
    keyword: str,
    was: dict[str, Any],
    now: dict[str, Any],
    old: Location,
    new: Location,
    names: tuple[str, ...],
) -> FieldChange:
    kind, relaxed = _how(keyword, list(was.values()), list(now.values()))
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in keyword)
    snake = snake.replace("-", "_").lstrip("$")
    rule = keyword.startswith("x-tick-") and keyword != "x-tick-role"
    where = new if now else old
    return FieldChange(
        kind="tick_rule_changed" if rule else f"{snake}_{kind}",
        path=_place(where, keyword),
        names=names,
        keyword=keyword,
        old=_only(was),
        new=_only(now),
        message=f"{keyword} was {kind}{_values(was, now)}",
        relaxed=relaxed,
    )


def _only(values: dict[str, Any]) -> Any:
    listed = list(values.values())
    return listed[0] if len(listed) == 1 else listed or None


def _values(was: dict[str, Any], now: dict[str, Any]) -> str:
    texts = [", ".join(each) for each in (was, now)]
    if any(len(text) > 80 for text in texts):
        return ""
    return "".join(
        f" {word} {text}" for word, text in zip(("from", "to"), texts, strict=True) if text
    )


def _how(keyword: str, was: list[Any], now: list[Any]) -> tuple[str, bool]:
    """Return how a keyword changed, and whether that surely admits all it admitted before."""
    if not now:
        return "removed", keyword not in ("const", "enum", "then", "else", "minContains")
    if not was:
        return "added", False
    if keyword in _ORDERED and len(was) == len(now) == 1:
        raised = now[0] > was[0]
        relaxed = (now[0] - was[0]) * _ORDERED[keyword] < 0 and keyword != "minContains"
        return "raised" if raised else "lowered", relaxed and keyword != "maxContains"
    if keyword == "enum" and len(was) == len(now) == 1:
        before = {canonical_json(value) for value in was[0]}
        after = {canonical_json(value) for value in now[0]}
        if before < after:
            return "extended", True
        if after < before:
            return "narrowed", False
    return "changed", False


def _item_change(
    before: Location, after: Location, where: Location, names: tuple[str, ...]
) -> FieldChange:
    added = not before.applied
    return FieldChange(
        kind="items_added" if added else "items_removed",
        path=_place(where, "items"),
        names=(*names, ITEM),
        keyword="items",
        old=None if added else sorted(before.types),
        new=sorted(after.types) if added else None,
        message=f"a schema for list items was {'added' if added else 'removed'}",
        relaxed=not added,
    )


def _rest_change(old: Location, new: Location, names: tuple[str, ...]) -> FieldChange:
    added = not old.rest.applied
    return FieldChange(
        kind="additional_properties_added" if added else "additional_properties_removed",
        path=_place(new if added else old, "additionalProperties"),
        names=names,
        keyword="additionalProperties",
        old=None if added else sorted(old.rest.types),
        new=sorted(new.rest.types) if added else None,
        message=f"additionalProperties was {'added' if added else 'removed'}",
        relaxed=not added,
    )
