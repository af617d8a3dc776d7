"""The image of a version under a reader: a schema that every resolved row satisfies.

Whether rows written under ``old`` are valid for ``new`` once resolved becomes a question of
plain containment: is every value of the image valid under ``new``? The image may admit more than
resolution ever yields, never less, so "contained" is a proof. Where a null cell may be read
in two ways the image takes one reading, which is enough: a row is valid if one reading is.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tickmesh.schema.conditions import (
    COUNTING_KEYWORDS,
    conditions_of,
    is_structural,
    names_read,
)
from tickmesh.schema.keywords import Dialect
from tickmesh.schema.location import ALL_TYPES, MISSING, Key, Location, prefix_items
from tickmesh.schema.strict_json import plain
from tickmesh.schema.weights import HEAVIEST, MOST_WORK, alternatives, work

if TYPE_CHECKING:
    from tickmesh.schema.keywords import JsonSchema
    from tickmesh.schema.standalone import Standalone

Pair = tuple[Key, Key]

_SCALARS = frozenset({"boolean", "integer", "number", "string"})
NOT_NULL = ALL_TYPES - {"null"}
"""Null cells are read by the row rules, apart from the values."""

_LENGTHS = ("minItems", "maxItems")
_MOST_CASES = 16
_LARGEST_IMAGE = 4000


class ImageTooLargeError(ValueError):
    """The image would have too many nodes to reason about within bounds."""


class ImageBuilder:
    """Builds images of locations of one version as a reader's locations see them."""

    def __init__(self, old: Standalone) -> None:
        """Start with no definitions; ``old`` lends the writer's own subschemas."""
        self._old = old
        self._names: dict[tuple[Pair, bool], str] = {}
        self._identities: dict[Pair, bool] = {}
        self.definitions: dict[str, Any] = {}

    def build_members(
        self, writer: Location, reader: Location, names: frozenset[str]
    ) -> dict[str, Any]:
        """Return a schema of what a few members of objects become, whatever the others are.

        Raises:
            ImageTooLargeError: The pair is too large to reason about.
        """
        kept: list[JsonSchema] = []
        everything = True
        if not is_heavy(writer):
            kept, everything = self._kept_conditions(writer, reader)
        cases = [writer] if everything else cases_of(writer)
        structs = [self._struct(case, reader, only=names) for case in cases]
        return self._complete({"allOf": [{"anyOf": structs}, *kept]}, writer)

    def build(self, writer: Location, reader: Location, *, kinds: frozenset[str]) -> dict[str, Any]:
        """Return a self-contained schema (but for the writer's resources) of the image.

        Args:
            writer: Where the values were written.
            reader: Where they are read.
            kinds: The JSON types to look at; others are left out.

        Raises:
            ImageTooLargeError: The pair is too large to reason about.
        """
        return self._complete(self.image(writer, reader, kinds=kinds), writer)

    def _complete(self, body: JsonSchema, writer: Location) -> dict[str, Any]:
        definitions = "definitions" if writer.document.dialect is Dialect.DRAFT_07 else "$defs"
        if isinstance(body, bool):
            body = {"allOf": [body]}
        return {"$schema": str(writer.document.dialect), definitions: self.definitions, **body}

    def image(self, writer: Location, reader: Location, *, kinds: frozenset[str]) -> JsonSchema:
        """Return the schema of what values of some types at ``writer`` become at ``reader``."""
        if writer.never:
            return False
        kinds &= writer.types
        options: list[JsonSchema] = []
        plain_kinds = sorted(kinds & (_SCALARS | {"null"}))
        if plain_kinds:
            own = self._own(writer)
            options.append({"type": plain_kinds, "allOf": own} if own else {"type": plain_kinds})
        if "object" in kinds:
            options.append(self._named(writer, reader, is_object=True))
        if "array" in kinds:
            options.append(self._named(writer, reader, is_object=False))
        return options[0] if len(options) == 1 else {"anyOf": options} if options else False

    def is_identity(self, writer: Location, reader: Location) -> bool:
        """Whether resolution surely changes nothing here or below (one reading is enough)."""
        pair = (writer.key, reader.key)
        known = self._identities.get(pair)
        if known is not None:
            return known
        self._identities[pair] = True
        result = self._is_identity(writer, reader)
        if not result:
            # What was assumed while this pair was open may no longer hold.
            self._identities = {each: held for each, held in self._identities.items() if not held}
        self._identities[pair] = result
        return result

    def _is_identity(self, writer: Location, reader: Location) -> bool:
        kinds = writer.types
        if "array" in kinds:
            last = max(writer.prefix_length, reader.prefix_length)
            for index in range(-1, last):
                if not self.is_identity(writer.item_at(index), reader.item_at(index)):
                    return False
        if "object" not in kinds:
            return True
        if reader.is_struct:
            if not writer.is_struct or set(writer.declared) != set(reader.declared):
                return False
            names: tuple[str, ...] = reader.declared
            if any(self._changes_cell(writer, reader, name) for name in names):
                return False
        elif writer.is_struct:
            names = writer.declared
        else:
            return not (
                _mentions_struct(_map_values(writer), writer)
                or _mentions_struct(_map_values(reader), reader)
            )
        return all(self.is_identity(writer.child(name), reader.child(name)) for name in names)

    @staticmethod
    def _changes_cell(writer: Location, reader: Location, name: str) -> bool:
        if writer.admits_null(name):
            return not reader.admits_null(name) or (
                name in reader.required and name not in writer.required
            )
        if name in writer.required:
            return False
        return reader.default_of(name) is not MISSING or (
            name in reader.required and reader.admits_null(name)
        )

    def _is_injective(self, writer: Location, reader: Location) -> bool:
        """Whether resolution surely keeps different values different."""
        if self.is_identity(writer, reader):
            return True
        return (
            writer.types == {"object"}
            and writer.is_struct
            and reader.is_struct
            and all(self.survives(writer, reader, name) for name in writer.declared)
        )

    def _own(self, writer: Location) -> list[JsonSchema]:
        if is_heavy(writer):
            return []
        return [
            self._old.refer(schema) for schema, conditional in writer.applied if not conditional
        ]

    def _named(self, writer: Location, reader: Location, *, is_object: bool) -> JsonSchema:
        key = ((writer.key, reader.key), is_object)
        name = self._names.get(key)
        definitions = "definitions" if writer.document.dialect is Dialect.DRAFT_07 else "$defs"
        if name is None:
            if len(self._names) > _LARGEST_IMAGE:
                raise ImageTooLargeError("the pair has too many nested places")
            name = self._names[key] = f"p{len(self._names)}"
            self.definitions[name] = (
                self._object(writer, reader) if is_object else self._array(writer, reader)
            )
        return {"$ref": f"#/{definitions}/{name}"}

    def _object(self, writer: Location, reader: Location) -> JsonSchema:
        if is_structural(writer) or is_heavy(writer):
            return self._struct(writer, reader)
        if self.is_identity(writer, reader):
            return {"allOf": [self._struct(writer, reader), *self._own(writer)]}
        kept, everything = self._kept_conditions(writer, reader)
        if everything:
            return {"allOf": [self._struct(writer, reader), *kept]}
        cases = [self._struct(case, reader) for case in cases_of(writer)]
        return {"allOf": [{"anyOf": cases}, *kept]}

    def _kept_conditions(self, writer: Location, reader: Location) -> tuple[list[JsonSchema], bool]:
        """Return the writer's conditions that resolution cannot disturb, and whether that is all.

        A condition survives when every name it looks at holds the same cell before and after.
        """
        kept: list[JsonSchema] = []
        everything = True
        if not (writer.is_struct and reader.is_struct):
            return kept, False
        for part in writer.always:
            for condition in conditions_of(part.keywords, writer.document.dialect):
                names = names_read(condition, writer.document)
                if names is None or not all(self.survives(writer, reader, each) for each in names):
                    everything = False
                    continue
                kept.append(referring(condition, self._old))
            everything = everything and not (part.keywords.keys() & COUNTING_KEYWORDS)
        return kept, everything

    def survives(self, writer: Location, reader: Location, name: str) -> bool:
        """Whether a member holds the same before and after resolution, or is in neither."""
        if name not in writer.declared or name not in reader.declared:
            return name not in writer.declared and name not in reader.declared
        return not self._changes_cell(writer, reader, name) and self.is_identity(
            writer.child(name), reader.child(name)
        )

    def _struct(
        self, writer: Location, reader: Location, *, only: frozenset[str] | None = None
    ) -> JsonSchema:
        if not reader.is_struct and not writer.is_struct:
            return self._map(writer, reader)
        properties: dict[str, JsonSchema] = {}
        required: list[str] = []
        names = reader.declared if reader.is_struct else writer.declared
        for name in names if only is None else sorted(only.intersection(names)):
            value, always = self._cell(writer, reader, name)
            if value is not False:
                properties[name] = value
            if always:
                required.append(name)
        struct: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "required": required,
        }
        if only is None:
            return {**struct, "additionalProperties": False}
        # A member that is in neither is in no row.
        struct["properties"] |= dict.fromkeys(only.difference(properties), False)
        return struct

    def _cell(self, writer: Location, reader: Location, name: str) -> tuple[JsonSchema, bool]:
        """Return what a field of a resolved row holds, and whether it is always there."""
        default = reader.default_of(name) if reader.is_struct else MISSING
        filled: JsonSchema | None = None
        if default is not MISSING:
            filled = {"const": plain(default)}
        elif reader.is_struct and name in reader.required and reader.admits_null(name):
            filled = {"const": None}
        if writer.is_struct and name not in writer.declared:
            return (False, False) if filled is None else (filled, True)
        inner, outer = writer.child(name), reader.child(name)
        value = self.image(inner, outer, kinds=NOT_NULL)
        if not writer.is_struct:
            nullable = inner.accepts_null
            stays = nullable and outer.accepts_null
            options = [value, *([{"const": None}] if stays else ()), *([filled] if filled else ())]
            return _any_of(options), filled is not None and (stays or not nullable)
        if not writer.admits_null(name):
            if name in writer.required:
                return value, True
            return (value, False) if filled is None else (_any_of([value, filled]), True)
        if not reader.admits_null(name) and reader.is_struct:
            return value, False
        always = name in writer.required or (reader.is_struct and name in reader.required)
        return _any_of([value, {"const": None}]), always

    def _map(self, writer: Location, reader: Location) -> JsonSchema:
        if self.is_identity(writer, reader):
            return {"type": "object", "allOf": self._own(writer)}
        patterned = any(
            "patternProperties" in part.keywords for part in (*writer.parts, *reader.parts)
        )
        if patterned:
            return {"type": "object"}
        inner, outer = writer.rest, reader.rest
        return {"type": "object", "additionalProperties": self.image(inner, outer, kinds=ALL_TYPES)}

    def _array(self, writer: Location, reader: Location) -> JsonSchema:
        length = max(writer.prefix_length, reader.prefix_length)
        draft_07 = writer.document.dialect is Dialect.DRAFT_07
        items = [
            self.image(writer.item_at(index), reader.item_at(index), kinds=ALL_TYPES)
            for index in range(length)
        ]
        rest = self.image(writer.item(-1), reader.item(-1), kinds=ALL_TYPES)
        body: dict[str, Any] = {"type": "array"}
        if not items:
            body["items"] = rest
        elif draft_07:
            body.update({"items": items, "additionalItems": rest})
        else:
            body.update({"prefixItems": items, "items": rest})
        if self.is_identity(writer, reader):
            return {"allOf": [body, *self._own(writer)]}
        kept: tuple[str, ...] = _LENGTHS
        if all(
            self._is_injective(writer.item_at(index), reader.item_at(index))
            for index in range(-1, length)
        ):
            kept = (*_LENGTHS, "uniqueItems")
        bounds = [
            {bound: part.keywords[bound]}
            for part in writer.always
            for bound in kept
            if bound in part.keywords
        ]
        return {**body, "allOf": bounds} if bounds else body


def is_heavy(location: Location) -> bool:
    """Whether what a location says is too much to be looked at as a whole."""
    weight, microseconds = 1, 0
    for schema, conditional in location.applied:
        if not conditional:
            weight *= alternatives(schema, location.document)
            microseconds += work(schema, location.document)
    return weight > HEAVIEST or microseconds > MOST_WORK


def referring(condition: dict[str, Any], owner: Standalone) -> dict[str, Any]:
    """Return a condition whose subschemas refer to the resources of its document."""
    result: dict[str, Any] = {}
    for keyword, value in condition.items():
        if keyword == "dependentRequired":
            result[keyword] = value
        elif isinstance(value, list):
            result[keyword] = [owner.refer(member) for member in value]
        elif keyword in ("dependentSchemas", "dependencies"):
            result[keyword] = {
                name: member if isinstance(member, list) else owner.refer(member)
                for name, member in value.items()
            }
        else:
            result[keyword] = owner.refer(value)
    return result


def cases_of(writer: Location) -> list[Location]:
    """Split a location along its conditions; together the cases cover every value.

    Too many conditions are left unsplit, which only makes the cases admit more.
    """
    choices: list[list[tuple[JsonSchema, ...]]] = []
    for part in writer.always:
        for keyword in ("anyOf", "oneOf"):
            if keyword in part.keywords:
                branches: list[JsonSchema] = part.keywords[keyword]
                choices.append([(branch,) for branch in branches])
        if "if" in part.keywords:
            holds = (part.keywords["if"], part.keywords.get("then", True))
            choices.append([holds, (part.keywords.get("else", True),)])
    combined = 1
    kept = []
    for choice in choices:
        combined *= len(choice)
        if combined > _MOST_CASES:
            break
        kept.append(choice)
    return [
        Location(
            writer.document,
            (*writer.applied, *((schema, False) for branch in chosen for schema in branch)),
            refines=writer.refines or writer,
        )
        for chosen in itertools.product(*kept)
    ]


def _any_of(options: list[JsonSchema]) -> JsonSchema:
    real = [option for option in options if option is not False]
    return {"anyOf": real} if len(real) > 1 else real[0] if real else False


def _map_values(location: Location) -> tuple[tuple[JsonSchema, bool], ...]:
    return tuple(
        (schema, part.conditional)
        for part in location.parts
        for schema in (
            *part.keywords.get("patternProperties", {}).values(),
            *(
                [part.keywords["additionalProperties"]]
                if "additionalProperties" in part.keywords
                else ()
            ),
        )
    )


def _mentions_struct(
    values: tuple[tuple[JsonSchema, bool], ...],
    location: Location,
    seen: set[Key] | None = None,
) -> bool:
    """Whether a struct may stand anywhere inside the values of a map."""
    seen = set() if seen is None else seen
    inner = Location(location.document, values)
    if inner.key in seen:
        return False
    seen.add(inner.key)
    if inner.is_struct:
        return True
    nested = [
        schema
        for part in inner.parts
        for schema in (
            *prefix_items(part.keywords),
            *(part.keywords[key] for key in ("items", "additionalItems") if key in part.keywords),
        )
        if not isinstance(schema, list)
    ]
    below = (*_map_values(inner), *((schema, False) for schema in nested))
    return bool(below) and _mentions_struct(below, location, seen)
