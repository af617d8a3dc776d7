"""Changes of schemas with the verdicts that both sound policies owe them, both ways.

Each change is a pair of object schemas, or of schemas of one field, with two letters for each
policy: what reading old under new is, and what reading new under old is. ``c`` compatible, ``i``
incompatible. The letters are stated by hand; `brute_force` confirms them without the checker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}

DRAFT_07 = "http://json-schema.org/draft-07/schema#"


@dataclass(frozen=True)
class Row:
    """One change.

    Attributes:
        name: What changes.
        old: The schema before.
        new: The schema after.
        record: The letters of the policy ``record``.
        containment: The letters of the policy ``containment``.
        is_value: Whether these are schemas of a field's value, not of an object.
        draft_07: Whether they are written in draft-07.
    """

    name: str
    old: Any
    new: Any
    record: str
    containment: str
    is_value: bool = False
    draft_07: bool = False


def record(properties: dict[str, Any], **keywords: Any) -> Schema:
    """Returns an object schema."""
    return {"type": "object", "properties": properties, **keywords}


def _value(name: str, old: Any, new: Any, letters: str, containment: str = "") -> Row:
    return Row(name, old, new, letters, containment or letters, is_value=True)


def _value_07(name: str, old: Any, new: Any, letters: str) -> Row:
    return Row(name, old, new, letters, letters, is_value=True, draft_07=True)


def _integer(**keywords: Any) -> Schema:
    return {"type": "integer", **keywords}


def _number(**keywords: Any) -> Schema:
    return {"type": "number", **keywords}


def _string(**keywords: Any) -> Schema:
    return {"type": "string", **keywords}


def _pattern(pattern: str, **keywords: Any) -> Schema:
    return {"type": "string", "pattern": pattern, **keywords}


def _list(items: Any = True, **keywords: Any) -> Schema:
    return {"type": "array", "items": items, **keywords}


def _map(values: Any = True, **keywords: Any) -> Schema:
    return {"type": "object", "additionalProperties": values, **keywords}


_PAIR = {"a": INTEGER, "b": INTEGER}
_TRIPLE = {**_PAIR, "c": INTEGER}
_EITHER = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
_IF = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
_TICK = {"x-tick-calendar": "XNYS"}
_F = {"f": STRING}
_G = {"f": STRING, "g": INTEGER}
_G_FILLED = {"f": STRING, "g": {**INTEGER, "default": 0}}
_CLOSED: Schema = {"additionalProperties": False}
_PATTERNED: Schema = {"patternProperties": {"^p_": NUMBER}, "additionalProperties": False}


def _then(**keywords: Any) -> Schema:
    return {"if": {"required": ["a"]}, "then": keywords}


_ANNOTATIONS = [
    _value("nothing", STRING, STRING, "cc"),
    _value("annotations", STRING, {**STRING, "title": "t", "description": "d"}, "cc"),
    _value("default changed", _string(default="a"), _string(default="b"), "cc"),
    _value("unknown extension added", STRING, {**STRING, "connect.type": "bytes"}, "cc"),
    _value("tick rule", INTEGER, {**INTEGER, **_TICK}, "cc"),
    Row("identifier changed", {"$id": "urn:a", **record(_F)}, record(_F), "cc", "cc"),
]

_TYPES = [
    _value("string to any", STRING, True, "ci"),
    _value("string to the empty schema", STRING, {}, "ci"),
    _value("nothing admitted to string", False, STRING, "ci"),
    _value("integer to number", INTEGER, NUMBER, "ci"),
    _value("integer to string", INTEGER, STRING, "ii"),
    _value("null admitted", STRING, {"type": ["string", "null"]}, "cc", "ci"),
    _value("type list widened", STRING, {"type": ["string", "boolean"]}, "ci"),
    _value("type list of one", STRING, {"type": ["string"]}, "cc"),
    _value("integer or number to number", {"type": ["integer", "number"]}, NUMBER, "cc"),
    _value("untyped made typed", {"minimum": 0}, _number(minimum=0), "ic"),
    _value("const to its type", {"const": "B"}, STRING, "ci"),
    _value("const to another type", {"const": "B"}, INTEGER, "ii"),
    _value("enum to type", {"enum": ["B", "S"]}, STRING, "ci"),
]

_FIELDS = [
    Row("optional field added", record(_F), record(_G), "cc", "ic"),
    Row("optional field added, closed", record(_F, **_CLOSED), record(_G, **_CLOSED), "cc", "ci"),
    Row("field of any type added", record(_F), record({**_F, "g": {}}), "cc", "cc"),
    Row("field of the schema true added", record(_F), record({**_F, "g": True}), "cc", "cc"),
    Row("required field added", record(_F), record(_G, required=["g"]), "ic", "ic"),
    Row(
        "required field added, closed",
        record(_F, **_CLOSED),
        record(_G, required=["g"], **_CLOSED),
        *("ic", "ii"),
    ),
    Row(
        "required field added, partially open",
        record(_F, additionalProperties=INTEGER),
        record(_G, required=["g"], additionalProperties=INTEGER),
        *("ic", "ic"),
    ),
    Row(
        "required field with default added",
        record(_F),
        record(_G_FILLED, required=["g"]),
        *("cc", "ic"),
    ),
    Row(
        "required field with default added, closed",
        record(_F, **_CLOSED),
        record(_G_FILLED, required=["g"], **_CLOSED),
        *("cc", "ii"),
    ),
    Row(
        "required field with default added, partially open",
        record(_F, additionalProperties=INTEGER),
        record(_G_FILLED, required=["g"], additionalProperties=INTEGER),
        *("cc", "ic"),
    ),
    Row(
        "required nullable field added",
        record(_F),
        record({**_F, "g": {"type": ["integer", "null"]}}, required=["g"]),
        *("cc", "ic"),
    ),
    Row(
        "required name without properties added",
        record(_F),
        record(_F, required=["g"]),
        *("cc", "ic"),
    ),
    Row("required field removed", record(_G, required=["g"]), record(_F), "ci", "ci"),
    Row(
        "impossible field removed, closed",
        record({**_F, "g": False}, **_CLOSED),
        record(_F, **_CLOSED),
        *("cc", "cc"),
    ),
    Row(
        "field added, covered by the pattern",
        record(_F, **_PATTERNED),
        record({**_F, "p_x": NUMBER}, **_PATTERNED),
        *("cc", "cc"),
    ),
    Row(
        "required field added, covered by the pattern",
        record(_F, **_PATTERNED),
        record({**_F, "p_x": NUMBER}, required=["p_x"], **_PATTERNED),
        *("ic", "ic"),
    ),
    Row(
        "field added, not covered by the pattern",
        record(_F, **_PATTERNED),
        record({**_F, "q": NUMBER}, **_PATTERNED),
        *("cc", "ci"),
    ),
    Row(
        "field added, narrower than the additional schema",
        record(_F, additionalProperties=NUMBER),
        record(_G, additionalProperties=NUMBER),
        *("cc", "ic"),
    ),
    Row("made required", record(_F), record(_F, required=["f"]), "ic", "ic"),
    Row(
        "made required with default",
        record(_F),
        record({"f": {**STRING, "default": "x"}}, required=["f"]),
        *("cc", "ic"),
    ),
    Row(
        "null admitted where required",
        record(_F, required=["f"]),
        record({"f": {"type": ["string", "null"]}}, required=["f"]),
        *("ci", "ci"),
    ),
    Row("closed", record(_F), record(_F, **_CLOSED), "cc", "ic"),
    Row("closed to a schema", record(_F, **_CLOSED), record(_F, additionalProperties=NUMBER),
        "cc", "ci"),
    Row("schema to open", record(_F, additionalProperties=NUMBER), record(_F), "cc", "ci"),
    Row(
        "additional schema narrowed",
        record(_F, additionalProperties=NUMBER),
        record(_F, additionalProperties=INTEGER),
        *("cc", "ic"),
    ),
    Row(
        "closed by unevaluatedProperties",
        record(_F),
        record(_F, unevaluatedProperties=False),
        *("cc", "ic"),
    ),
    Row(
        "nested required with default",
        record({"n": record({"a": STRING})}),
        record({"n": record({"a": STRING, "b": {**STRING, "default": "x"}}, required=["b"])}),
        *("cc", "ic"),
    ),
    Row(
        "nested narrowed and widened",
        record({"n": record({"a": _integer(minimum=1), "b": STRING})}),
        record({"n": record({"a": _integer(minimum=0), "b": _string(minLength=1)})}),
        *("ii", "ii"),
    ),
    Row(
        "a filled default is not completed",
        record(_F),
        record(
            {**_F, "n": {**record({"a": {**INTEGER, "default": 1}}), "default": {}}},
            required=["n"],
        ),
        *("cc", "ic"),
    ),
]  # fmt: skip

_MAPS = [
    _value("map closed to open", _map(False), _map(True), "ci"),
    _value("map closed to a schema", _map(False), _map(NUMBER), "ci"),
    _value("map of a schema to open", _map(NUMBER), {"type": "object"}, "ci"),
    _value("map values narrowed", _map(NUMBER), _map(INTEGER), "ic"),
    _value(
        "patternProperties narrowed",
        {"type": "object", "patternProperties": {"^p_": NUMBER}},
        {"type": "object", "patternProperties": {"^p_": INTEGER}},
        "ic",
    ),
    _value(
        "patternProperties added",
        {"type": "object"},
        {"type": "object", "patternProperties": {"^p_": NUMBER}},
        "ic",
    ),
    _value(
        "patternProperties for fewer names",
        {"type": "object", "patternProperties": {"^p_": NUMBER}},
        {"type": "object", "patternProperties": {"^p_[a-z]$": NUMBER}},
        "ci",
    ),
    Row(
        "patternProperties added beside fields",
        record(_F),
        record(_F, patternProperties={"^p_": NUMBER}),
        *("cc", "ic"),
    ),
    _value("propertyNames added", _map(NUMBER), _map(NUMBER, propertyNames={"maxLength": 2}), "ic"),
    _value(
        "propertyNames widened",
        _map(NUMBER, propertyNames={"pattern": "^[a-z]{1,2}$"}),
        _map(NUMBER, propertyNames={"pattern": "^[a-z]{1,3}$"}),
        "ci",
    ),
    Row(
        "propertyNames added beside fields",
        record(_F),
        record(_F, propertyNames={"maxLength": 1}),
        *("cc", "ic"),
    ),
    _value("map minProperties lowered", _map(minProperties=2), _map(minProperties=1), "ci"),
    _value("map minProperties zero", _map(), _map(minProperties=0), "cc"),
    _value("map maxProperties raised", _map(maxProperties=1), _map(maxProperties=2), "ci"),
    _value("map maxProperties removed", _map(maxProperties=1), _map(), "ci"),
    Row(
        "minProperties raised",
        record(_PAIR, minProperties=1),
        record(_PAIR, minProperties=2),
        *("ic", "ic"),
    ),
    Row(
        "maxProperties met by the declared",
        record(_PAIR),
        record(_PAIR, maxProperties=2),
        *("cc", "ic"),
    ),
]

_BOUNDS = [
    _value("minimum lowered", _integer(minimum=1), _integer(minimum=0), "ci"),
    _value("minimum added", INTEGER, _integer(minimum=0), "ic"),
    _value("maximum raised", _number(maximum=10), _number(maximum=10.5), "ci"),
    _value("maximum removed", _number(maximum=10), NUMBER, "ci"),
    _value("exclusiveMinimum raised", _number(exclusiveMinimum=0), _number(exclusiveMinimum=1),
           "ic"),
    _value("exclusiveMinimum removed", _number(exclusiveMinimum=0), NUMBER, "ci"),
    _value("exclusiveMaximum lowered", _number(exclusiveMaximum=10), _number(exclusiveMaximum=9),
           "ic"),
    _value("exclusiveMaximum added", NUMBER, _number(exclusiveMaximum=9), "ic"),
    _value(
        "minimum to weaker exclusiveMinimum",
        _integer(minimum=1),
        _integer(exclusiveMinimum=0),
        "cc",
    ),
    _value("minimum of numbers to weaker exclusiveMinimum", _number(minimum=1),
           _number(exclusiveMinimum=0), "ci"),
    _value("exclusiveMinimum to minimum", _number(exclusiveMinimum=0), _number(minimum=0), "ci"),
    _value("maximum to weaker exclusiveMaximum", _integer(maximum=9),
           _integer(exclusiveMaximum=10), "cc"),
    _value("bound beside a stronger one", _integer(minimum=5), _integer(minimum=5,
           exclusiveMinimum=3), "cc"),
    _value("bounds apart by one digit of many", _number(minimum=0.1),
           _number(minimum=0.10000000000000002), "ic"),
    _value("minimum beyond 2^53", _integer(minimum=2**53), _integer(minimum=2**53 + 1), "ic"),
    _value("multipleOf removed", _number(multipleOf=0.01), NUMBER, "ci"),
    _value("multipleOf added", INTEGER, _integer(multipleOf=2), "ic"),
    _value("multipleOf one of integers", INTEGER, _integer(multipleOf=1), "cc"),
    _value("multipleOf divided", _integer(multipleOf=10), _integer(multipleOf=5), "ci"),
    _value("multipleOf unrelated", _integer(multipleOf=4), _integer(multipleOf=6), "ii"),
    _value("multipleOf of fractions", _number(multipleOf=0.05), _number(multipleOf=0.01), "ci"),
    _value("integer to a fraction's multiples", INTEGER, _number(multipleOf=0.5), "ci"),
]  # fmt: skip

_TEXTS = [
    _value("minLength raised", _string(minLength=1), _string(minLength=2), "ic"),
    _value("minLength removed", _string(minLength=1), STRING, "ci"),
    _value("minLength zero added", STRING, _string(minLength=0), "cc"),
    _value("maxLength raised", _string(maxLength=4), _string(maxLength=8), "ci"),
    _value("maxLength added", STRING, _string(maxLength=3), "ic"),
    _value("pattern added", STRING, _pattern("^[A-Z]+$"), "ic"),
    _value("pattern widened", _pattern("^[A-Z]{1,4}$"), _pattern("^[A-Z]{1,5}$"), "ci"),
    _value("pattern widened by a character", _pattern("^[A-Z]+$"), _pattern("^[A-Z.]+$"), "ci"),
    _value("pattern said otherwise", _pattern("^[0-9]+$"), _pattern(r"^\d\d*$"), "cc"),
    _value("pattern loses its anchor", _pattern("^ab$"), _pattern("ab"), "ci"),
    _value("pattern unrelated", _pattern("^a+$"), _pattern("^b+$"), "ii"),
    _value("pattern to the length it implies", _pattern("^[A-Z]{1,4}$"), _string(maxLength=4),
           "ci"),
    _value("length to the pattern it implies", _string(maxLength=4), _pattern(r"^[\s\S]{0,5}$"),
           "ci"),
    _value("alternatives to a pattern", {"type": "string", "anyOf": [{"pattern": "^a$"},
           {"pattern": "^b$"}]}, _pattern("^[ab]$"), "cc"),
    _value("format added", STRING, _string(format="date-time"), "ic", "cc"),
    _value("format removed", _string(format="date-time"), STRING, "ci", "cc"),
    _value("enum extended", {"enum": ["B"]}, {"enum": ["B", "S"]}, "ci"),
    _value("enum changed", {"enum": ["B", "S"]}, {"enum": ["B", "X"]}, "ii"),
    _value("enum reordered", {"enum": ["B", "S"]}, {"enum": ["S", "B"]}, "cc"),
    _value("enum with null", {"enum": ["B"]}, {"enum": ["B", None]}, "cc", "ci"),
    _value("const to enum", {"const": "B"}, {"enum": ["B", "S"]}, "ci"),
    _value("const changed", {"const": "B"}, {"const": "S"}, "ii"),
    _value("enum to pattern", {"enum": ["B", "S"]}, _pattern("^[BS]$"), "cc"),
    _value("enum to a wider pattern", {"enum": ["B", "S"]}, _pattern("^[A-Z]+$"), "ci"),
    _value("typed enum loses its enum", _string(enum=["B", "S"]), STRING, "ci"),
    _value("typed enum narrowed", _string(enum=["B", "S"]), _string(enum=["B"]), "ic"),
    _value("enum made typed", {"enum": ["B", "S"]}, _string(enum=["B", "S"]), "cc"),
    _value("enum of numbers said otherwise", {"enum": [1, 2]}, {"enum": [1.0, 2.0]}, "cc"),
]  # fmt: skip

_LISTS = [
    _value("items narrowed", _list(NUMBER), _list(INTEGER), "ic"),
    _value("items added", {"type": "array"}, _list(STRING), "ic"),
    _value("minItems raised", _list(STRING, minItems=1), _list(STRING, minItems=2), "ic"),
    _value("minItems zero added", _list(STRING), _list(STRING, minItems=0), "cc"),
    _value("maxItems removed", _list(STRING, maxItems=3), _list(STRING), "ci"),
    _value("maxItems lowered", _list(STRING, maxItems=3), _list(STRING, maxItems=2), "ic"),
    _value("uniqueItems added", _list(STRING), _list(STRING, uniqueItems=True), "ic"),
    _value("uniqueItems of one item", _list(STRING, maxItems=1),
           _list(STRING, maxItems=1, uniqueItems=True), "cc"),
    _value("contains added", _list(), _list(contains={"const": 1}), "ic"),
    _value(
        "contains narrowed",
        _list(contains={"minimum": 0}),
        _list(contains={"const": 1}),
        "ic",
    ),
    _value(
        "minContains lowered",
        _list(contains=INTEGER, minContains=2),
        _list(contains=INTEGER, minContains=1),
        "ci",
    ),
    _value(
        "maxContains raised",
        _list(contains=INTEGER, maxContains=1),
        _list(contains=INTEGER, maxContains=2),
        "ci",
    ),
    _value("tuple to list", _list(False, prefixItems=[STRING, STRING]), _list(STRING), "ci"),
    _value("tuple item added, open", _list(prefixItems=[NUMBER]),
           _list(prefixItems=[NUMBER, NUMBER]), "ic"),
    _value("tuple item true added, open", _list(prefixItems=[NUMBER]),
           _list(prefixItems=[NUMBER, True]), "cc"),
    _value("tuple item added, closed", _list(False, prefixItems=[NUMBER]),
           _list(False, prefixItems=[NUMBER, NUMBER]), "ci"),
    _value("tuple item added, covered", _list(NUMBER, prefixItems=[NUMBER]),
           _list(NUMBER, prefixItems=[NUMBER, NUMBER]), "cc"),
    _value("tuple closed", _list(prefixItems=[NUMBER]), _list(False, prefixItems=[NUMBER]), "ic"),
    _value("list of lists widened", _list(_list(INTEGER)), _list(_list(NUMBER)), "ci"),
    _value_07("additionalItems true to false", {"type": "array", "items": [NUMBER]},
              {"type": "array", "items": [NUMBER], "additionalItems": False}, "ic"),
    _value_07("additionalItems narrowed",
              {"type": "array", "items": [NUMBER], "additionalItems": NUMBER},
              {"type": "array", "items": [NUMBER], "additionalItems": INTEGER}, "ic"),
    _value(
        "item field with default added",
        _list(record({"p": NUMBER})),
        _list(record({"p": NUMBER, "q": {**INTEGER, "default": 1}}, required=["q"])),
        *("cc", "ic"),
    ),
    _value(
        "item field required",
        _list(record({"p": NUMBER})),
        _list(record({"p": NUMBER}, required=["p"])),
        "ic",
    ),
    _value(
        "unique items lose a field",
        _list(record({"p": NUMBER, "q": NUMBER}), uniqueItems=True),
        _list(record({"p": NUMBER}), uniqueItems=True),
        *("ic", "ci"),
    ),
]  # fmt: skip

_CONDITIONS = [
    Row(
        "dependentRequired added",
        record(_PAIR),
        record(_PAIR, dependentRequired={"a": ["b"]}),
        *("ic", "ic"),
    ),
    Row(
        "dependentRequired extended",
        record(_TRIPLE, dependentRequired={"a": ["b"]}),
        record(_TRIPLE, dependentRequired={"a": ["b", "c"]}),
        *("ic", "ic"),
    ),
    Row(
        "dependentRequired kept beside a new field",
        record(_PAIR, dependentRequired={"a": ["b"]}),
        record(_TRIPLE, dependentRequired={"a": ["b"]}),
        *("cc", "ic"),
    ),
    Row(
        "default wakes dependentRequired",
        record(_PAIR, dependentRequired={"a": ["b"]}),
        record({"a": {**INTEGER, "default": 1}, "b": INTEGER}, dependentRequired={"a": ["b"]}),
        *("ic", "cc"),
    ),
    Row(
        "dependentSchemas added",
        record(_PAIR),
        record(_PAIR, dependentSchemas={"a": {"properties": {"b": {"minimum": 0}}}}),
        *("ic", "ic"),
    ),
    Row(
        "dependentSchemas widened",
        record(_PAIR, dependentSchemas={"a": {"properties": {"b": {"minimum": 5}}}}),
        record(_PAIR, dependentSchemas={"a": {"properties": {"b": {"minimum": 0}}}}),
        *("ci", "ci"),
    ),
    Row(
        "dependencies of names added",
        record(_PAIR),
        record(_PAIR, dependencies={"a": ["b"]}),
        *("ic", "ic"),
        draft_07=True,
    ),
    Row(
        "dependencies of a schema widened",
        record(_PAIR, dependencies={"a": {"properties": {"b": {"minimum": 5}}}}),
        record(_PAIR, dependencies={"a": {"properties": {"b": {"minimum": 0}}}}),
        *("ci", "ci"),
        draft_07=True,
    ),
    Row("condition added", record(_PAIR), record(_PAIR, **_IF), "ic", "ic"),
    Row(
        "condition asks for more",
        record(_TRIPLE, **_then(required=["b"])),
        record(_TRIPLE, **_then(required=["b", "c"])),
        *("ic", "ic"),
    ),
    Row(
        "condition's consequence widened",
        record(_PAIR, **_then(properties={"b": {"minimum": 5}})),
        record(_PAIR, **_then(properties={"b": {"minimum": 0}})),
        *("ci", "ci"),
    ),
    Row(
        "else added",
        record(_PAIR, **_IF),
        record(_PAIR, **_IF, **{"else": {"properties": {"b": {"minimum": 0}}}}),
        *("ic", "ic"),
    ),
    Row(
        "condition kept beside a new field",
        record(_PAIR, **_IF),
        record(_TRIPLE, **_IF),
        *("cc", "ic"),
    ),
    Row("anyOf added", record(_PAIR), record(_PAIR, **_EITHER), "ic", "ic"),
    Row(
        "anyOf kept beside a removed field",
        record(_TRIPLE, **_EITHER),
        record(_PAIR, **_EITHER),
        *("cc", "ci"),
    ),
    _value("not extended", {"not": {"const": "x"}}, {"not": {"enum": ["x", "y"]}}, "ic"),
    _value("not of a wider type", {"not": INTEGER}, {"not": NUMBER}, "ic"),
    _value("not removed", _string(**{"not": {"const": "x"}}), STRING, "ci"),
]

_COMBINED = [
    _value("anyOf branch added", {"anyOf": [STRING]}, {"anyOf": [STRING, BOOLEAN]}, "ci"),
    _value("oneOf branch added", {"oneOf": [STRING]}, {"oneOf": [STRING, BOOLEAN]}, "ci"),
    _value("oneOf branch added that overlaps", {"oneOf": [INTEGER]}, {"oneOf": [INTEGER, NUMBER]},
           "ii"),
    _value("overlapping oneOf", {"anyOf": [INTEGER]}, {"oneOf": [NUMBER, INTEGER]}, "ii"),
    _value("allOf branch added", {"allOf": [INTEGER]}, {"allOf": [INTEGER, {"minimum": 0}]}, "ic"),
    _value(
        "branches edited",
        {"anyOf": [_integer(minimum=5), _string(maxLength=3)]},
        {"anyOf": [_string(maxLength=5), _integer(minimum=0)]},
        "ci",
    ),
    _value("branches edited both ways", {"anyOf": [_integer(minimum=5), _string(maxLength=3)]},
           {"anyOf": [_integer(minimum=6), _string(maxLength=5)]}, "ii"),
    _value("branch repeated", {"anyOf": [STRING, BOOLEAN]}, {"anyOf": [STRING, BOOLEAN, STRING]},
           "cc"),
    _value("allOf to anyOf", {"allOf": [INTEGER, {"minimum": 0}]},
           {"anyOf": [INTEGER, {"minimum": 0}]}, "ci"),
    _value("disjoint oneOf to anyOf", {"oneOf": [STRING, INTEGER]}, {"anyOf": [STRING, INTEGER]},
           "cc"),
    _value("overlapping oneOf to anyOf", {"oneOf": [INTEGER, {"minimum": 0}]},
           {"anyOf": [INTEGER, {"minimum": 0}]}, "ci"),
    _value("single anyOf to oneOf", {"anyOf": [STRING]}, {"oneOf": [STRING]}, "cc"),
    _value("plain to oneOf", STRING, {"oneOf": [STRING, BOOLEAN]}, "ci"),
    _value("plain to anyOf", STRING, {"anyOf": [BOOLEAN, STRING]}, "ci"),
    _value("plain to single allOf", _integer(minimum=0), {"allOf": [_integer(minimum=0)]}, "cc"),
    _value("plain to allOf", _integer(minimum=0), {"allOf": [INTEGER, {"minimum": 0}]}, "cc"),
    _value("allOf to one of its branches", {"allOf": [INTEGER, {"minimum": 0}]}, INTEGER, "ci"),
    _value("anyOf collapsed to a covering type", {"anyOf": [INTEGER, NUMBER]}, NUMBER, "cc"),
    _value("anyOf to a type list", {"anyOf": [INTEGER, STRING]}, {"type": ["integer", "string"]},
           "cc"),
    _value("oneOf to a type list", {"oneOf": [INTEGER, STRING]}, {"type": ["integer", "string"]},
           "cc"),
]  # fmt: skip

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        *_ANNOTATIONS,
        *_TYPES,
        *_FIELDS,
        *_MAPS,
        *_BOUNDS,
        *_TEXTS,
        *_LISTS,
        *_CONDITIONS,
        *_COMBINED,
    )
}

INSIDE_ALL_OF: dict[tuple[str, str], str] = {
    # The closed object refuses the field that its neighbour under allOf declares.
    ("closed", "record"): "ic",
    ("closed by unevaluatedProperties", "record"): "ic",
    ("schema to open", "record"): "ci",
    ("maxProperties met by the declared", "record"): "ic",
}
"""Letters that differ beside another schema under allOf, by change and policy."""


def objects(row: Row) -> tuple[Schema, Schema]:
    """Returns a change as two object schemas."""
    if row.is_value:
        return record({"f": row.old}), record({"f": row.new})
    return row.old, row.new


def positions(schema: Schema, *, draft_07: bool = False) -> dict[str, Schema]:
    """Returns complete schemas with the same object schema at different places."""
    definitions = "definitions" if draft_07 else "$defs"
    reference = {"$ref": f"#/{definitions}/o"}
    placed = {
        "root": schema,
        "nested": record({"n": schema, "s": STRING}, required=["n"]),
        "list item": record({"l": _list(schema)}),
        "behind $ref": {**record({"n": reference}), definitions: {"o": schema}},
        "inside allOf": {"type": "object", "allOf": [schema, record({"s": STRING})]},
        "in a list behind $ref in allOf": {
            "allOf": [record({"l": _list(reference)})],
            definitions: {"o": {"allOf": [schema]}},
        },
    }
    if draft_07:
        placed = {place: {"$schema": DRAFT_07, **each} for place, each in placed.items()}
    return placed


def embedded(document: Any, place: str) -> list[dict[str, Any]]:
    """Returns documents that hold an object where `positions` puts its schema."""
    return {
        "root": [document],
        "nested": [{"n": document}],
        "list item": [{"l": [document]}],
        "behind $ref": [{"n": document}],
        "inside allOf": [document, {**document, "s": "x"}],
        "in a list behind $ref in allOf": [{"l": [document]}],
    }[place]


PLACES = tuple(positions({}))


def letters(row: Row, place: str, policy: str) -> str:
    """Returns what a policy owes a change at a place, backward and forward."""
    stated = row.record if policy == "record" else row.containment
    if place == "inside allOf":
        return INSIDE_ALL_OF.get((row.name, policy), stated)
    return stated
