"""Which subschemas apply to which field names: decided once per schema, exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tickmesh.schema.keywords import Dialect
from tickmesh.schema.validation.oracle import FormatMode, Oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tickmesh.schema.validation.references import SchemaIndex, Target

# What these evaluate depends on which branch holds for a row.
_BRANCHES = frozenset({"$dynamicRef", "anyOf", "dependentSchemas", "if", "oneOf"})


class NameMatcher:
    """Applies `properties`, `patternProperties`, `additionalProperties`, `propertyNames` to names.

    Names are few and known when a schema is compiled, so the row oracle itself matches them.
    """

    def __init__(self, dialect: Dialect, formats: FormatMode) -> None:
        self._dialect = dialect
        self._formats = formats
        self._oracles: dict[str, Oracle] = {}

    def applicable(self, target: Target, names: Iterable[str]) -> Iterator[tuple[str, Target]]:
        """Each name with each subschema that judges its value."""
        schema = target.schema
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for name in names:
            matched = False
            if name in properties:
                matched = True
                yield name, target.child(properties[name], "properties", name)
            for pattern, subschema in patterns.items():
                if self._matches(pattern, name):
                    matched = True
                    yield name, target.child(subschema, "patternProperties", pattern)
            if not matched and "additionalProperties" in schema:
                yield name, target.child(schema["additionalProperties"], "additionalProperties")

    def unevaluated(
        self, target: Target, names: Iterable[str], index: SchemaIndex
    ) -> list[tuple[str, Target]] | None:
        """Each name that ``unevaluatedProperties`` judges; None when that differs by row."""
        names = list(names)
        evaluated = self._evaluated(target, names, index, frozenset())
        if evaluated is None or index.dialect is Dialect.DRAFT_07:
            return None
        inner = target.child(target.schema["unevaluatedProperties"], "unevaluatedProperties")
        return [(name, inner) for name in names if name not in evaluated]

    def _evaluated(
        self, target: Target, names: list[str], index: SchemaIndex, seen: frozenset[Target]
    ) -> set[str] | None:
        """The names a schema evaluates in every row it holds for; None when rows differ."""
        schema = target.schema
        if isinstance(schema, bool):
            return set()
        place = replace(target, schema=None)
        if place in seen or not schema.keys().isdisjoint(_BRANCHES):
            return None
        if "additionalProperties" in schema or (seen and "unevaluatedProperties" in schema):
            return set(names)
        found = {name for name, _ in self.applicable(target, names)}
        parts = [
            target.child(branch, "allOf", str(i))
            for i, branch in enumerate(schema.get("allOf", ()))
        ]
        if "$ref" in schema:
            resolved = index.resolve(schema["$ref"], target.base)
            if resolved is None:
                return None
            parts.append(resolved)
        for part in parts:
            inner = self._evaluated(part, names, index, seen | {place})
            if inner is None:
                return None
            found |= inner
        return found

    def is_valid_name(self, target: Target, name: str) -> bool | None:
        """The verdict of ``propertyNames`` on a name; None when it leads elsewhere by reference."""
        names = target.schema["propertyNames"]
        if "$ref" in str(names) or "$dynamicRef" in str(names):
            return None
        return self._accepts(repr(names), names, name)

    def _matches(self, pattern: str, name: str) -> bool:
        return self._accepts(pattern, {"pattern": pattern}, name)

    def _accepts(self, key: str, schema: Any, name: str) -> bool:
        if key not in self._oracles:
            self._oracles[key] = Oracle(schema, self._dialect, formats=self._formats)
        return self._oracles[key].is_valid_document(name)
