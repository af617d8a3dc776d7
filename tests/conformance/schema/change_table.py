"""Changes of schemas with the verdicts that the record policy owes them, both ways.

Each row is a pair of object schemas and two letters: what reading old rows under the new schema
is, and what reading new rows under the old schema is. ``c`` compatible, ``i`` incompatible.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}


def record(properties: dict[str, Any], **keywords: Any) -> Schema:
    """Returns an object schema."""
    return {"type": "object", "properties": properties, **keywords}


def _field(old: Any, new: Any) -> tuple[Schema, Schema]:
    return record({"f": old}), record({"f": new})


def _integer(**keywords: Any) -> Schema:
    return {"type": "integer", **keywords}


def _number(**keywords: Any) -> Schema:
    return {"type": "number", **keywords}


def _string(**keywords: Any) -> Schema:
    return {"type": "string", **keywords}


def _list(items: Any = True, **keywords: Any) -> Schema:
    return {"type": "array", "items": items, **keywords}


_PAIR = {"a": INTEGER, "b": INTEGER}
_EITHER = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
_IF = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
_TICK = {"x-tick-calendar": "XNYS"}

CHANGES: dict[str, tuple[Schema, Schema, str]] = {
    "nothing": (*_field(STRING, STRING), "cc"),
    "annotations": (*_field(STRING, {**STRING, "title": "t", "description": "d"}), "cc"),
    "tick rule": (*_field(INTEGER, {**INTEGER, **_TICK}), "cc"),
    "optional field added": (record({"f": STRING}), record({"f": STRING, "g": INTEGER}), "cc"),
    "optional field added, closed": (
        record({"f": STRING}, additionalProperties=False),
        record({"f": STRING, "g": INTEGER}, additionalProperties=False),
        "cc",
    ),
    "required field added": (
        record({"f": STRING}),
        record({"f": STRING, "g": INTEGER}, required=["g"]),
        "ic",
    ),
    "required field with default added": (
        record({"f": STRING}),
        record({"f": STRING, "g": {**INTEGER, "default": 0}}, required=["g"]),
        "cc",
    ),
    "required nullable field added": (
        record({"f": STRING}),
        record({"f": STRING, "g": {"type": ["integer", "null"]}}, required=["g"]),
        "cc",
    ),
    "required name without properties added": (
        record({"f": STRING}),
        record({"f": STRING}, required=["g"]),
        "cc",
    ),
    "field of any type added": (record({"f": STRING}), record({"f": STRING, "g": {}}), "cc"),
    "optional field removed": (record({"f": STRING, "g": INTEGER}), record({"f": STRING}), "cc"),
    "required field removed": (
        record({"f": STRING, "g": INTEGER}, required=["g"]),
        record({"f": STRING}),
        "ci",
    ),
    "closed": (record({"f": STRING}), record({"f": STRING}, additionalProperties=False), "cc"),
    "made required": (record({"f": STRING}), record({"f": STRING}, required=["f"]), "ic"),
    "made required with default": (
        record({"f": STRING}),
        record({"f": {**STRING, "default": "x"}}, required=["f"]),
        "cc",
    ),
    "null admitted": (*_field(STRING, {"type": ["string", "null"]}), "cc"),
    "null admitted where required": (
        record({"f": STRING}, required=["f"]),
        record({"f": {"type": ["string", "null"]}}, required=["f"]),
        "ci",
    ),
    "integer to number": (*_field(INTEGER, NUMBER), "ci"),
    "integer to string": (*_field(INTEGER, STRING), "ii"),
    "string to any": (*_field(STRING, True), "ci"),
    "type list widened": (*_field(STRING, {"type": ["string", "boolean"]}), "ci"),
    "integer or number to number": (*_field({"type": ["integer", "number"]}, NUMBER), "cc"),
    "minimum lowered": (*_field(_integer(minimum=1), _integer(minimum=0)), "ci"),
    "minimum added": (*_field(INTEGER, _integer(minimum=0)), "ic"),
    "minimum to weaker exclusiveMinimum": (
        *_field(_integer(minimum=1), _integer(exclusiveMinimum=0)),
        "cc",
    ),
    "exclusiveMinimum to minimum": (
        *_field(_number(exclusiveMinimum=0), _number(minimum=0)),
        "ci",
    ),
    "maximum raised": (*_field(_number(maximum=10), _number(maximum=10.5)), "ci"),
    "exclusiveMaximum lowered": (
        *_field(_number(exclusiveMaximum=10), _number(exclusiveMaximum=9)),
        "ic",
    ),
    "multipleOf removed": (*_field(_number(multipleOf=0.01), NUMBER), "ci"),
    "multipleOf divided": (*_field(_integer(multipleOf=10), _integer(multipleOf=5)), "ci"),
    "multipleOf unrelated": (*_field(_integer(multipleOf=4), _integer(multipleOf=6)), "ii"),
    "multipleOf of fractions": (*_field(_number(multipleOf=0.05), _number(multipleOf=0.01)), "ci"),
    "minLength raised": (*_field(_string(minLength=1), _string(minLength=2)), "ic"),
    "minLength zero added": (*_field(STRING, _string(minLength=0)), "cc"),
    "maxLength raised": (*_field(_string(maxLength=4), _string(maxLength=8)), "ci"),
    "pattern added": (*_field(STRING, _string(pattern="^[A-Z]+$")), "ic"),
    "pattern widened": (
        *_field(_string(pattern="^[A-Z]{1,4}$"), _string(pattern="^[A-Z]{1,5}$")),
        "ci",
    ),
    "format added": (*_field(STRING, _string(format="date-time")), "ic"),
    "enum extended": (*_field({"enum": ["B"]}, {"enum": ["B", "S"]}), "ci"),
    "enum changed": (*_field({"enum": ["B", "S"]}, {"enum": ["B", "X"]}), "ii"),
    "enum reordered": (*_field({"enum": ["B", "S"]}, {"enum": ["S", "B"]}), "cc"),
    "enum with null": (*_field({"enum": ["B"]}, {"enum": ["B", None]}), "cc"),
    "const to enum": (*_field({"const": "B"}, {"enum": ["B", "S"]}), "ci"),
    "const changed": (*_field({"const": "B"}, {"const": "S"}), "ii"),
    "enum to type": (*_field({"enum": ["B", "S"]}, STRING), "ci"),
    "enum to pattern": (*_field({"enum": ["B", "S"]}, _string(pattern="^[BS]$")), "cc"),
    "untyped made typed": (*_field({"minimum": 0}, _number(minimum=0)), "ic"),
    "items narrowed": (*_field(_list(NUMBER), _list(INTEGER)), "ic"),
    "items added": (*_field({"type": "array"}, _list(STRING)), "ic"),
    "minItems raised": (*_field(_list(STRING, minItems=1), _list(STRING, minItems=2)), "ic"),
    "maxItems removed": (*_field(_list(STRING, maxItems=3), _list(STRING)), "ci"),
    "uniqueItems added": (*_field(_list(STRING), _list(STRING, uniqueItems=True)), "ic"),
    "contains added": (*_field(_list(), _list(contains={"const": 1})), "ic"),
    "contains narrowed": (
        *_field(_list(contains={"minimum": 0}), _list(contains={"const": 1})),
        "ic",
    ),
    "tuple to list": (
        *_field(_list(False, prefixItems=[STRING, STRING]), _list(STRING)),
        "ci",
    ),
    "tuple item added": (
        *_field(_list(prefixItems=[NUMBER]), _list(prefixItems=[NUMBER, NUMBER])),
        "ic",
    ),
    "list of lists widened": (*_field(_list(_list(INTEGER)), _list(_list(NUMBER))), "ci"),
    "item field with default added": (
        *_field(
            _list(record({"p": NUMBER})),
            _list(record({"p": NUMBER, "q": {**INTEGER, "default": 1}}, required=["q"])),
        ),
        "cc",
    ),
    "item field required": (
        *_field(_list(record({"p": NUMBER})), _list(record({"p": NUMBER}, required=["p"]))),
        "ic",
    ),
    "unique items lose a field": (
        *_field(
            _list(record({"p": NUMBER, "q": NUMBER}), uniqueItems=True),
            _list(record({"p": NUMBER}), uniqueItems=True),
        ),
        "ic",
    ),
    "map values narrowed": (
        *_field(
            {"type": "object", "additionalProperties": NUMBER},
            {"type": "object", "additionalProperties": INTEGER},
        ),
        "ic",
    ),
    "map to closed": (
        *_field({"type": "object"}, {"type": "object", "additionalProperties": False}),
        "ic",
    ),
    "patternProperties narrowed": (
        *_field(
            {"type": "object", "patternProperties": {"^p_": NUMBER}},
            {"type": "object", "patternProperties": {"^p_": INTEGER}},
        ),
        "ic",
    ),
    "propertyNames added": (
        *_field(
            {"type": "object", "additionalProperties": NUMBER},
            {"type": "object", "additionalProperties": NUMBER, "propertyNames": {"maxLength": 2}},
        ),
        "ic",
    ),
    "minProperties raised": (
        record(_PAIR, minProperties=1),
        record(_PAIR, minProperties=2),
        "ic",
    ),
    "maxProperties met by the declared": (record(_PAIR), record(_PAIR, maxProperties=2), "cc"),
    "dependentRequired added": (
        record(_PAIR),
        record(_PAIR, dependentRequired={"a": ["b"]}),
        "ic",
    ),
    "dependentRequired kept beside a new field": (
        record(_PAIR, dependentRequired={"a": ["b"]}),
        record({**_PAIR, "c": INTEGER}, dependentRequired={"a": ["b"]}),
        "cc",
    ),
    "default wakes dependentRequired": (
        record(_PAIR, dependentRequired={"a": ["b"]}),
        record({"a": {**INTEGER, "default": 1}, "b": INTEGER}, dependentRequired={"a": ["b"]}),
        "ic",
    ),
    "dependentSchemas added": (
        record(_PAIR),
        record(_PAIR, dependentSchemas={"a": {"properties": {"b": {"minimum": 0}}}}),
        "ic",
    ),
    "condition added": (record(_PAIR), record(_PAIR, **_IF), "ic"),
    "condition kept beside a new field": (
        record(_PAIR, **_IF),
        record({**_PAIR, "c": INTEGER}, **_IF),
        "cc",
    ),
    "anyOf added": (record(_PAIR), record(_PAIR, **_EITHER), "ic"),
    "anyOf kept beside a removed field": (
        record({**_PAIR, "c": INTEGER}, **_EITHER),
        record(_PAIR, **_EITHER),
        "cc",
    ),
    "anyOf branch added": (
        *_field({"anyOf": [STRING]}, {"anyOf": [STRING, {"type": "boolean"}]}),
        "ci",
    ),
    "anyOf collapsed to a covering type": (*_field({"anyOf": [INTEGER, NUMBER]}, NUMBER), "cc"),
    "overlapping oneOf": (*_field({"anyOf": [INTEGER]}, {"oneOf": [NUMBER, INTEGER]}), "ii"),
    "plain to oneOf": (
        *_field(STRING, {"oneOf": [STRING, {"type": "boolean"}]}),
        "ci",
    ),
    "plain to allOf": (*_field(_integer(minimum=0), {"allOf": [INTEGER, {"minimum": 0}]}), "cc"),
    "not narrowed": (*_field(_string(**{"not": {"const": "x"}}), STRING), "ci"),
    "nested required with default": (
        record({"n": record({"a": STRING})}),
        record({"n": record({"a": STRING, "b": {**STRING, "default": "x"}}, required=["b"])}),
        "cc",
    ),
    "nested narrowed and widened": (
        record({"n": record({"a": _integer(minimum=1), "b": STRING})}),
        record({"n": record({"a": _integer(minimum=0), "b": _string(minLength=1)})}),
        "ii",
    ),
}


EXCEPTIONS = {
    # The closed object refuses the field that its neighbour under allOf declares.
    ("closed", "inside allOf"): "ic",
    ("maxProperties met by the declared", "inside allOf"): "ic",
}
"""Verdicts that differ from the table at one position."""


def positions(schema: Schema) -> dict[str, Schema]:
    """Returns complete row schemas with the same object schema at different places."""
    return {
        "root": schema,
        "nested": record({"n": schema, "s": STRING}, required=["n"]),
        "list item": record({"l": _list(schema)}),
        "behind $ref": {**record({"n": {"$ref": "#/$defs/o"}}), "$defs": {"o": schema}},
        "inside allOf": {"type": "object", "allOf": [schema, record({"s": STRING})]},
        "in a list behind $ref in allOf": {
            "allOf": [record({"l": _list({"$ref": "#/$defs/o"})})],
            "$defs": {"o": {"allOf": [schema]}},
        },
    }
