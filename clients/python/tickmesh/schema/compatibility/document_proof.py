"""Proofs that every document of one schema is valid under another.

First as a whole, by the canonical forms; then taken apart place by place, where members of objects
are looked at by their names and by the patterns that their names match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.budget import WorkSpentError
from tickmesh.schema.compatibility.forms import follows_by_form
from tickmesh.schema.compatibility.image import ImageTooLargeError, is_heavy, referring
from tickmesh.schema.compatibility.prover import FieldPath, Proof, Prover
from tickmesh.schema.compatibility.text_sets import (
    NONE,
    Formula,
    all_of,
    among,
    any_of,
    matching,
    negation,
    texts_at,
)
from tickmesh.schema.conditions import conditions_of, is_structural, names_read
from tickmesh.schema.difference import ITEM, MEMBER
from tickmesh.schema.location import Location, Part, stated_types
from tickmesh.schema.weights import is_heavy as too_heavy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema

_OF_OBJECTS = ("minProperties", "maxProperties", "const", "enum")
_OF_ARRAYS = ("minItems", "maxItems", "uniqueItems", "const", "enum")
_CONTAINING = ("contains", "minContains", "maxContains")
_AS_A_WHOLE = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef"})
"""Keywords that cannot be looked at apart from their neighbours."""


class DocumentProver(Prover):
    """Proves containment of whole documents."""

    def prove(self) -> Proof:
        """Try to prove that every document valid under the old schema is valid under the new."""
        writer, reader = Location.root(self._old_document), Location.root(self._new_document)
        try:
            proven = follows_by_form(self._old_document, self._new_document) or (
                self._pair.faithful and self._contained_as_a_whole(writer, reader)
            )
        except (WorkSpentError, ImageTooLargeError):
            proven = False
        return self._outcome(proven=proven)

    def objects(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        """Try to prove that objects at one place, left as they are, are valid at another."""
        return self._objects(writer, reader, path)

    def arrays(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        """Try to prove that lists at one place, left as they are, are valid at another."""
        return self._arrays(writer, reader, path)

    def _contained_as_a_whole(self, writer: Location, reader: Location) -> bool:
        if self._values(writer, reader, (), null=True):
            return True
        return (
            not is_heavy(writer)
            and not is_heavy(reader)
            and self._contains(
                self._old.refer(self._old_document.root), self._new.refer(self._new_document.root)
            )
        )

    def _is_too_wide(self, writer: Location) -> bool:
        return is_heavy(writer)

    def _narrow(self, writer: Location, reader: Location, kinds: frozenset[str]) -> JsonSchema:  # noqa: ARG002 - documents are not resolved
        own = [self._old.refer(schema) for schema, given in writer.applied if not given]
        typed: dict[str, Any] = {"type": sorted(kinds)}
        return {**typed, "allOf": own} if own else typed

    def _objects(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        if self._objects_apart(writer, reader, path):
            return True
        if is_structural(writer) and is_structural(reader):
            return False
        return self._leaf(writer, reader, frozenset({"object"}))

    def _objects_apart(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        proven = self._goals_hold(writer, reader, "object", path)
        for name in sorted(reader.required - writer.required):
            self._note((*path, name), "REQUIRED")
            proven = False
        declared = sorted({name for each in (writer, reader) for name in _properties(each)})
        for name in declared:
            inner = (*path, name)
            if self._is_same_leaf(writer, reader, inner):
                continue
            if not self._values(writer.child(name), reader.child(name), inner, null=True):
                proven = False
        undeclared = negation(among(declared))
        for part in reader.always:
            for names, schema in _unnamed(part):
                target = Location(self._new_document, ((schema, False),))
                asked = all_of([names, undeclared])
                if schema is not True and not self._members_fit(writer, asked, target, path):
                    proven = False
        return proven

    def _members_fit(
        self, writer: Location, names: Formula, target: Location, path: FieldPath
    ) -> bool:
        """Whether the members whose names are in a set are admitted at the target."""
        if self._texts.within(names, NONE).contained:
            return True
        choices = [list(self._speaking_of(part, names)) for part in writer.always] or [[True]]
        member = (*path, MEMBER)
        return any(
            all(
                self._values(
                    Location(self._old_document, ((schema, False),)), target, member, null=True
                )
                for schema in schemas
            )
            for schemas in choices
        )

    def _speaking_of(self, part: Part, names: Formula) -> Iterator[JsonSchema]:
        """Yield schemas of which one surely speaks of each member whose name is in a set."""
        patterns = part.keywords.get("patternProperties", {})
        for pattern, schema in patterns.items():
            if self._texts.within(names, matching(pattern)).contained:
                yield schema
                return
        for pattern, schema in patterns.items():
            if not self._texts.within(all_of([names, matching(pattern)]), NONE).contained:
                yield schema
        if not patterns or not self._texts.within(names, any_of(map(matching, patterns))).contained:
            yield part.keywords.get("additionalProperties", True)

    def _arrays(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        if self._arrays_apart(writer, reader, path):
            return True
        return self._leaf(writer, reader, frozenset({"array"}))

    def _arrays_apart(self, writer: Location, reader: Location, path: FieldPath) -> bool:
        proven = self._goals_hold(writer, reader, "array", path)
        length = max(writer.prefix_length, reader.prefix_length)
        most = min(
            (part.keywords["maxItems"] for part in writer.always if "maxItems" in part.keywords),
            default=length + 1,
        )
        for index in range(min(length + 1, most)):
            inner = writer.item_at(index)
            if inner.never:
                # No list is this long.
                break
            if not self._values(inner, reader.item_at(index), (*path, ITEM), null=True):
                proven = False
        return proven

    def _goals_hold(self, writer: Location, reader: Location, kind: str, path: FieldPath) -> bool:
        """Whether what the reader says beyond members and items holds of every value of a type."""
        for part in reader.always:
            typed = "type" in part.keywords and kind not in stated_types(part.keywords["type"])
            if typed or part.keywords.keys() & _AS_A_WHOLE:
                self._note(path, "VALUE")
                return False
            limit = part.keywords.get("propertyNames", True)
            if kind == "object" and limit is not True and not self._names_fit(writer, limit):
                self._note(path, "VALUE")
                return False
            for goal in self._goals(part, kind):
                if not self._goal_holds(writer, part, goal, kind):
                    self._note(path, "VALUE")
                    return False
        return True

    def _goal_holds(self, writer: Location, part: Part, goal: dict[str, Any], kind: str) -> bool:
        """Whether every value of a type is valid under one thing that the reader says of it."""
        keywords = {keyword: part.keywords[keyword] for keyword in goal}
        if too_heavy(keywords, self._new_document):
            return False
        names = names_read(keywords, self._new_document) if kind == "object" else None
        if names is not None and self._contains(self._members(writer, names), goal):
            return True
        narrow = self._narrow(writer, writer, frozenset({kind}))
        return not is_heavy(writer) and self._contains(narrow, goal)

    def _members(self, writer: Location, names: set[str]) -> JsonSchema:
        """Return what the writer says of a few members of objects, whatever the others are."""
        said: list[JsonSchema] = [{"type": "object"}]
        tied = not is_heavy(writer)
        for part in writer.always:
            named = names.intersection(part.keywords.get("properties", ()))
            properties = part.keywords.get("properties", {})
            said.append(
                {
                    "properties": {name: self._old.refer(properties[name]) for name in named},
                    "required": sorted(names.intersection(part.keywords.get("required", ()))),
                }
            )
            said += [
                referring(condition, self._old)
                for condition in conditions_of(part.keywords, self._old_document.dialect)
                if tied
            ]
        return {"allOf": said}

    def _names_fit(self, writer: Location, limit: JsonSchema) -> bool:
        """Whether every name that the writer admits is valid under ``propertyNames``."""
        known = []
        for part in writer.always:
            if "propertyNames" in part.keywords:
                known.append(self._names_of(self._old_document, part.keywords["propertyNames"]))
            if part.keywords.get("additionalProperties") is False:
                named = among(part.keywords.get("properties", ()))
                known.append(
                    any_of([named, *map(matching, part.keywords.get("patternProperties", ()))])
                )
        narrow = all_of(formula for formula in known if formula is not None)
        wide = self._names_of(self._new_document, limit)
        if wide is not None and self._texts.within(narrow, wide).contained:
            return True
        goal = {"propertyNames": self._new.refer(limit)}
        typed = self._narrow(writer, writer, frozenset({"object"}))
        return not is_heavy(writer) and self._contains(typed, goal)

    def _names_of(self, document: SchemaDocument, schema: JsonSchema) -> Formula | None:
        location = Location(document, ((schema, False),))
        return texts_at(location, annotate_formats=self._pair.annotate_formats)

    def _goals(self, part: Part, kind: str) -> Iterator[dict[str, Any]]:
        keywords = part.keywords
        for condition in conditions_of(keywords, self._new_document.dialect):
            yield referring(condition, self._new)
        for keyword in _OF_OBJECTS if kind == "object" else _OF_ARRAYS:
            if keyword in keywords:
                yield {keyword: keywords[keyword]}
        if kind == "array" and "contains" in keywords:
            group = {key: keywords[key] for key in _CONTAINING if key in keywords}
            yield {**group, "contains": self._new.refer(keywords["contains"])}


def _properties(location: Location) -> set[str]:
    return {name for part in location.always for name in part.keywords.get("properties", ())}


def _unnamed(part: Part) -> Iterator[tuple[Formula, JsonSchema]]:
    """Yield the sets of names that a schema object speaks of by pattern or rest, and how."""
    patterns = part.keywords.get("patternProperties", {})
    for pattern, schema in patterns.items():
        yield matching(pattern), schema
    if "additionalProperties" in part.keywords:
        named = among(part.keywords.get("properties", ()))
        yield (
            negation(any_of([named, *map(matching, patterns)])),
            part.keywords["additionalProperties"],
        )
