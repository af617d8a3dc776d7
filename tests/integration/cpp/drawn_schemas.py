"""Random schemas of rows, made of what decides their Arrow columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

Schema = dict[str, Any] | bool

DRAFT_07 = "http://json-schema.org/draft-07/schema#"
_NAMES = (
    "ts",
    "symbol",
    "price",
    "size",
    "side",
    "seq",
    "a",
    "b.c",
    "d[e]",
    "f{g",
    "~h/i",
    "Größe",
)
_TYPES = ("integer", "number", "string", "object", "array", "null", "boolean")
_FORMATS = ("date-time", "date", "time", "duration", "uri")
_ARROW = (
    *("int8", "uint64", "float32", "bool", "utf8", "large_utf8", "binary", "date32", "INT8", ""),
    *("dictionary<int32, utf8>", "decimal128(18, 4)", "decimal256(76,0)", "decimal128(4, 5)"),
    *("scaled_int64(4)", "scaled_int64(19)", "timestamp[ns, UTC]", "timestamp[us]", "time32[ms]"),
    *("timestamp[ns, America/New_York]", "timestamp[ns, Mars/Olympus]", "time64[ns]"),
    *("timestamp[ns, Europe]", "duration[s]", "time32[ns]", "timestamp[ns,  UTC]", "utf8 "),
)
_ROLES = ("event_time", "symbol", "price", "size", "side", "sequence", "colour", 7, None)
_NAME_PATTERNS = ("^s", "e$", r"^[a-z]{1,4}$", r"\d", ".", r"^\p{L}+$", r"[^\s.]\.", "ö|~")
_VALUES = ("B", "2024-01-02", 1, 1.0, 1.5, True, None, [1], {"a": 1}, 10**30)


def draw_schema(generator: random.Random) -> str:
    """The text of a schema of rows."""
    is_draft_07 = generator.random() < 0.25
    definitions = "definitions" if is_draft_07 else "$defs"
    drawing = _Drawing(generator, definitions)
    schema: dict[str, Any] = {"type": "object"} if generator.random() < 0.6 else {}
    if is_draft_07:
        schema["$schema"] = DRAFT_07
    schema |= drawing.of_object(3)
    if generator.random() < 0.3:
        schema |= drawing.combined(2)
    schema[definitions] = {name: drawing.schema(2) for name in "xyz"}
    if generator.random() < 0.2:
        members = list(schema.items())
        generator.shuffle(members)
        schema = dict(members)
    return json.dumps(schema, ensure_ascii=generator.random() < 0.5)


class _Drawing:
    def __init__(self, generator: random.Random, definitions: str) -> None:
        self._generator = generator
        self._definitions = definitions

    def _maybe(self, share: float) -> bool:
        return self._generator.random() < share

    def schema(self, depth: int) -> Schema:
        """Any schema."""
        if self._maybe(0.04):
            return self._maybe(0.7)
        kind = self._generator.random()
        if kind < 0.45 or depth == 0:
            schema = self._leaf()
        elif kind < 0.6:
            schema = {"type": "object", **self.of_object(depth)}
        elif kind < 0.75:
            schema = {"type": "array", **self._of_array(depth)}
        elif kind < 0.85:
            schema = self._reference()
        else:
            schema = self.combined(depth)
        if self._maybe(0.1):
            schema["arrow"] = self._generator.choice(_ARROW)
        if self._maybe(0.04):
            schema["x-tick-role"] = self._generator.choice(_ROLES)
        if self._maybe(0.1):
            schema["title"] = "t"
        return schema

    def of_object(self, depth: int) -> dict[str, Any]:
        """Keywords of an object."""
        drawn: dict[str, Any] = {}
        if self._maybe(0.8):
            names = self._generator.sample(_NAMES, self._generator.randint(0, 4))
            drawn["properties"] = {name: self.schema(depth - 1) for name in names}
        if self._maybe(0.5):
            drawn["required"] = self._generator.sample(_NAMES, self._generator.randint(0, 3))
        if self._maybe(0.15):
            pattern = self._generator.choice(_NAME_PATTERNS)
            drawn["patternProperties"] = {pattern: self.schema(depth - 1)}
        if self._maybe(0.3):
            drawn["additionalProperties"] = self.schema(depth - 1)
        if self._maybe(0.05):
            drawn["dependentRequired"] = {"ts": self._generator.sample(_NAMES, 2)}
        if self._maybe(0.05):
            drawn["dependencies"] = {"seq": self._generator.sample(_NAMES, 1)}
        return drawn

    def _of_array(self, depth: int) -> dict[str, Any]:
        drawn: dict[str, Any] = {}
        if self._maybe(0.8):
            drawn["items"] = self.schema(depth - 1)
        if self._maybe(0.25):
            several = [self.schema(depth - 1) for _ in range(self._generator.randint(1, 3))]
            if self._definitions == "definitions":
                drawn["items"] = several
                if self._maybe(0.5):
                    drawn["additionalItems"] = self.schema(depth - 1)
            else:
                drawn["prefixItems"] = several
        return drawn

    def _leaf(self) -> dict[str, Any]:
        kind = self._generator.random()
        if kind < 0.1:
            return {}
        if kind < 0.2:
            return {"enum": self._generator.sample(_VALUES, self._generator.randint(1, 3))}
        if kind < 0.25:
            return {"const": self._generator.choice(_VALUES)}
        if kind < 0.45:
            return {"type": "string", "format": self._generator.choice(_FORMATS)}
        if kind < 0.6:
            return {"type": self._generator.sample(_TYPES, self._generator.randint(1, 2))}
        return {"type": self._generator.choice(_TYPES)}

    def _reference(self) -> dict[str, Any]:
        targets = [f"#/{self._definitions}/{name}" for name in "xyz"]
        reference = self._generator.choice([*targets, *targets, "#", "types.level", "#/nothing"])
        beside = self._leaf() if self._maybe(0.3) else {}
        return {"$ref": reference, **beside}

    def combined(self, depth: int) -> dict[str, Any]:
        """Keywords that combine schemas."""
        kind = self._generator.choice(["allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"])
        if kind == "not":
            return {"not": self.schema(depth - 1), **self._leaf()}
        if kind == "if":
            branches = {
                name: self.schema(depth - 1) for name in ("then", "else") if self._maybe(0.7)
            }
            return {"if": self.schema(depth - 1), **branches}
        if kind == "dependentSchemas":
            return {kind: {"ts": self.schema(depth - 1)}, **self.of_object(depth - 1)}
        several = [self.schema(depth - 1) for _ in range(self._generator.randint(1, 3))]
        if kind != "allOf" and self._maybe(0.4):
            several.append({"type": "null"})
        return {kind: several, **(self._leaf() if self._maybe(0.3) else {})}
