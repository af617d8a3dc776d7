"""The published table of changes, old to new, with what the two policies owe each of them.

A row is a pair of schemas in draft-07, two letters (strict, lenient; ``y`` compatible, ``n`` not)
and the published kinds of every difference reported.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Schema = dict[str, Any] | bool


class Row(NamedTuple):
    """One change."""

    old: Schema
    new: Schema
    verdicts: str
    kinds: str = ""


STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}


def _object(properties: dict[str, Any], **keywords: Any) -> Schema:
    return {"type": "object", "properties": properties, **keywords}


def _closed(properties: dict[str, Any], **keywords: Any) -> Schema:
    return _object(properties, additionalProperties=False, **keywords)


def _numbers_in_rest(properties: dict[str, Any], **keywords: Any) -> Schema:
    return _object(properties, additionalProperties=NUMBER, **keywords)


def _numbers_by_name(properties: dict[str, Any], **keywords: Any) -> Schema:
    return _object(
        properties, patternProperties={"^n_": NUMBER}, additionalProperties=False, **keywords
    )


def _tuple(*items: Any, **keywords: Any) -> Schema:
    return {"type": "array", "items": list(items), **keywords}


def _bounds(kind: str, keyword: str, low: int, high: int) -> dict[str, Row]:
    """The four changes of one bound; a minimum relaxes downwards, a maximum upwards."""
    bare, tight, loose = (
        {"type": kind, **limit}
        for limit in (
            {},
            {keyword: low if "max" in keyword.lower() else high},
            {keyword: high if "max" in keyword.lower() else low},
        )
    )
    upper = "".join(f"_{each}" if each.isupper() else each.upper() for each in keyword)
    widened = "INCREASED" if "max" in keyword.lower() else "DECREASED"
    narrowed = "DECREASED" if "max" in keyword.lower() else "INCREASED"
    return {
        f"{keyword} relaxed": Row(tight, loose, "yy", f"{upper}_{widened}"),
        f"{keyword} removed": Row(tight, bare, "yy", f"{upper}_REMOVED"),
        f"{keyword} tightened": Row(loose, tight, "nn", f"{upper}_{narrowed}"),
        f"{keyword} added": Row(bare, loose, "nn", f"{upper}_ADDED"),
    }


TYPES = {
    "nothing changed": Row(STRING, STRING, "yy"),
    "anything to the empty schema": Row(STRING, {}, "yy"),
    "anything to true": Row(STRING, True, "yy"),
    "false to anything": Row(False, STRING, "yy"),
    "true to a type": Row(True, STRING, "nn", "TYPE_CHANGED"),
    "a type to false": Row(STRING, False, "nn", "TYPE_CHANGED"),
    "annotations changed": Row(
        {"type": "string", "$id": "https://x.test/a", "title": "a", "description": "a"},
        {"type": "string", "$id": "https://x.test/b", "title": "b", "default": "b"},
        "yy",
        "ID_CHANGED TITLE_CHANGED DESCRIPTION_CHANGED DEFAULT_CHANGED",
    ),
    "integer to number": Row(INTEGER, NUMBER, "yy", "TYPE_EXTENDED"),
    "number to integer": Row(NUMBER, INTEGER, "nn", "TYPE_NARROWED"),
    "string to integer": Row(STRING, INTEGER, "nn", "TYPE_CHANGED"),
    "object to array": Row({"type": "object"}, {"type": "array"}, "nn", "TYPE_CHANGED"),
    "const to a type": Row({"const": "B"}, STRING, "nn", "TYPE_CHANGED"),
    "enum to a type": Row({"enum": ["B"]}, STRING, "nn", "TYPE_CHANGED"),
    "const to an enum with it": Row({"const": "B"}, {"enum": ["B", "S"]}, "nn", "TYPE_CHANGED"),
    "type to a list of types": Row(STRING, {"type": ["string", "null"]}, "yy", "SUM_TYPE_EXTENDED"),
    "list of types widened": Row(
        {"type": ["string", "null"]},
        {"type": ["string", "null", "boolean"]},
        "yy",
        "SUM_TYPE_EXTENDED",
    ),
    "list of types narrowed": Row(
        {"type": ["string", "null", "boolean"]},
        {"type": ["string", "null"]},
        "nn",
        "SUM_TYPE_NARROWED",
    ),
    "list of one type to that type": Row({"type": ["string"]}, STRING, "yy"),
    "two decimals of Connect": Row(
        {"type": "string", "connect.type": "bytes"},
        {"type": "number", "connect.type": "bytes"},
        "yy",
    ),
}

PROPERTIES = {
    "optional property added, open": Row(
        _object({"a": STRING}),
        _object({"a": STRING, "b": INTEGER}),
        "ny",
        "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "optional property of anything added, open": Row(
        _object({"a": STRING}),
        _object({"a": STRING, "b": {}}),
        "yy",
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "optional property true added, open": Row(
        _object({"a": STRING}, additionalProperties=True),
        _object({"a": STRING, "b": True}, additionalProperties=True),
        "yy",
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "optional property added, closed": Row(
        _closed({"a": STRING}),
        _closed({"a": STRING, "b": INTEGER}),
        "yy",
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "required property added, open": Row(
        _object({"a": STRING}),
        _object({"a": STRING, "b": INTEGER}, required=["b"]),
        "nn",
        "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "required property of anything added, open": Row(
        _object({"a": STRING}),
        _object({"a": STRING, "b": {}}, required=["b"]),
        "nn",
        "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "required property added, closed": Row(
        _closed({"a": STRING}),
        _closed({"a": STRING, "b": INTEGER}, required=["b"]),
        "nn",
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "required property added, partially open": Row(
        _numbers_in_rest({"a": STRING}),
        _numbers_in_rest({"a": STRING, "b": NUMBER}, required=["b"]),
        "nn",
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL "
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "required property with default added, open": Row(
        _object({"a": STRING}),
        _object({"a": STRING, "b": {"type": "integer", "default": 0}}, required=["b"]),
        "ny",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "required property with default added, closed": Row(
        _closed({"a": STRING}),
        _closed({"a": STRING, "b": {"type": "integer", "default": 0}}, required=["b"]),
        "yy",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "required property with default added, partially open": Row(
        _numbers_in_rest({"a": STRING}),
        _numbers_in_rest({"a": STRING, "b": {"type": "number", "default": 0}}, required=["b"]),
        "yy",
        "DEFAULT_CHANGED PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL "
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "property removed, open": Row(
        _object({"a": STRING, "b": INTEGER}),
        _object({"a": STRING}),
        "yy",
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
    ),
    "property removed, closed": Row(
        _closed({"a": STRING, "b": INTEGER}),
        _closed({"a": STRING}),
        "ny",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    ),
    "required property removed, closed": Row(
        _closed({"a": STRING, "b": INTEGER}, required=["b"]),
        _closed({"a": STRING}),
        "ny",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    ),
    "property false removed, closed": Row(
        _closed({"a": STRING, "b": False}),
        _closed({"a": STRING}),
        "yy",
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    ),
    "property added, covered by the rest": Row(
        _numbers_in_rest({"a": STRING}),
        _numbers_in_rest({"a": STRING, "b": NUMBER}),
        "yy",
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property added, covered by a pattern": Row(
        _numbers_by_name({"a": STRING}),
        _numbers_by_name({"a": STRING, "n_b": NUMBER}),
        "yy",
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property added beside the patterns of a closed object": Row(
        _numbers_by_name({"a": STRING}),
        _numbers_by_name({"a": STRING, "b": STRING}),
        "yy",
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
    ),
    "property added, not covered": Row(
        _numbers_in_rest({"a": STRING}),
        _numbers_in_rest({"a": STRING, "b": STRING}),
        "nn",
        "TYPE_CHANGED PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property added where the rest is the empty schema": Row(
        _object({"a": STRING}, additionalProperties={}),
        _object({"a": STRING, "b": STRING}, additionalProperties={}),
        "nn",
        "TYPE_CHANGED PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property removed, covered": Row(
        _numbers_in_rest({"a": STRING, "b": INTEGER}),
        _numbers_in_rest({"a": STRING}),
        "yy",
        "TYPE_EXTENDED PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property removed, not covered": Row(
        _numbers_in_rest({"a": STRING, "b": STRING}),
        _numbers_in_rest({"a": STRING}),
        "ny",
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "property became required": Row(
        _object({"a": STRING}),
        _object({"a": STRING}, required=["a"]),
        "nn",
        "REQUIRED_ATTRIBUTE_ADDED",
    ),
    "property with default became required": Row(
        _object({"a": {"type": "string", "default": ""}}),
        _object({"a": {"type": "string", "default": ""}}, required=["a"]),
        "yy",
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
    ),
    "property no longer required": Row(
        _object({"a": STRING}, required=["a"]),
        _object({"a": STRING}),
        "yy",
        "REQUIRED_ATTRIBUTE_REMOVED",
    ),
    "rest opened": Row(
        _closed({"a": STRING}), _object({"a": STRING}), "yy", "ADDITIONAL_PROPERTIES_ADDED"
    ),
    "rest opened to a schema": Row(
        _closed({"a": STRING}), _numbers_in_rest({"a": STRING}), "yy", "ADDITIONAL_PROPERTIES_ADDED"
    ),
    "rest freed of its schema": Row(
        _numbers_in_rest({"a": STRING}),
        _object({"a": STRING}, additionalProperties=True),
        "yy",
        "ADDITIONAL_PROPERTIES_EXTENDED",
    ),
    "rest closed": Row(
        _object({"a": STRING}), _closed({"a": STRING}), "ny", "ADDITIONAL_PROPERTIES_REMOVED"
    ),
    "rest with a schema closed": Row(
        _numbers_in_rest({"a": STRING}),
        _closed({"a": STRING}),
        "ny",
        "ADDITIONAL_PROPERTIES_REMOVED",
    ),
    "rest bound to a schema": Row(
        _object({"a": STRING}),
        _numbers_in_rest({"a": STRING}),
        "ny",
        "ADDITIONAL_PROPERTIES_NARROWED",
    ),
    "schema of the rest widened": Row(
        _object({}, additionalProperties=INTEGER), _numbers_in_rest({}), "yy", "TYPE_EXTENDED"
    ),
    "schema of the rest narrowed": Row(
        _numbers_in_rest({}), _object({}, additionalProperties=INTEGER), "nn", "TYPE_NARROWED"
    ),
    **_bounds("object", "minProperties", 1, 2),
    **_bounds("object", "maxProperties", 1, 2),
}

DEPENDENCIES = {
    "dependency on names removed": Row(
        _object({}, dependencies={"a": ["b"]}), _object({}), "yy", "DEPENDENCY_ARRAY_REMOVED"
    ),
    "dependency on names shortened": Row(
        _object({}, dependencies={"a": ["b", "c"]}),
        _object({}, dependencies={"a": ["b"]}),
        "yy",
        "DEPENDENCY_ARRAY_NARROWED",
    ),
    "dependency on names added": Row(
        _object({}), _object({}, dependencies={"a": ["b"]}), "nn", "DEPENDENCY_ARRAY_ADDED"
    ),
    "dependency on names extended": Row(
        _object({}, dependencies={"a": ["b"]}),
        _object({}, dependencies={"a": ["b", "c"]}),
        "nn",
        "DEPENDENCY_ARRAY_EXTENDED",
    ),
    "dependency on names changed": Row(
        _object({}, dependencies={"a": ["b"]}),
        _object({}, dependencies={"a": ["c"]}),
        "nn",
        "DEPENDENCY_ARRAY_CHANGED",
    ),
    "dependency on a schema removed": Row(
        _object({}, dependencies={"a": {"minProperties": 2}}),
        _object({}),
        "yy",
        "DEPENDENCY_SCHEMA_REMOVED",
    ),
    "dependency on a schema added": Row(
        _object({}),
        _object({}, dependencies={"a": {"minProperties": 2}}),
        "nn",
        "DEPENDENCY_SCHEMA_ADDED",
    ),
    "dependency on a schema relaxed": Row(
        _object({}, dependencies={"a": {"minProperties": 2}}),
        _object({}, dependencies={"a": {"minProperties": 1}}),
        "yy",
        "MIN_PROPERTIES_DECREASED",
    ),
}

VALUES = {
    **_bounds("string", "minLength", 1, 2),
    **_bounds("string", "maxLength", 1, 2),
    **_bounds("number", "minimum", 1, 2),
    **_bounds("number", "maximum", 1, 2),
    **_bounds("number", "exclusiveMinimum", 1, 2),
    **_bounds("number", "exclusiveMaximum", 1, 2),
    "a minimum length of nothing added": Row(
        STRING, {"type": "string", "minLength": 0}, "nn", "MIN_LENGTH_ADDED"
    ),
    "multipleOf removed": Row(
        {"type": "number", "multipleOf": 2}, NUMBER, "yy", "MULTIPLE_OF_REMOVED"
    ),
    "multipleOf added": Row(NUMBER, {"type": "number", "multipleOf": 2}, "nn", "MULTIPLE_OF_ADDED"),
    "multipleOf finer": Row(
        {"type": "number", "multipleOf": 0.3},
        {"type": "number", "multipleOf": 0.1},
        "yy",
        "MULTIPLE_OF_REDUCED",
    ),
    "multipleOf coarser": Row(
        {"type": "number", "multipleOf": 0.1},
        {"type": "number", "multipleOf": 0.3},
        "nn",
        "MULTIPLE_OF_EXPANDED",
    ),
    "multipleOf unrelated": Row(
        {"type": "number", "multipleOf": 2},
        {"type": "number", "multipleOf": 3},
        "nn",
        "MULTIPLE_OF_CHANGED",
    ),
    "pattern removed": Row({"type": "string", "pattern": "^a"}, STRING, "yy", "PATTERN_REMOVED"),
    "pattern added": Row(STRING, {"type": "string", "pattern": "^a"}, "nn", "PATTERN_ADDED"),
    "pattern changed": Row(
        {"type": "string", "pattern": "^a"},
        {"type": "string", "pattern": "^[ab]"},
        "nn",
        "PATTERN_CHANGED",
    ),
    "format changed": Row(
        {"type": "string", "format": "date"}, {"type": "string", "format": "time"}, "yy"
    ),
    "enum extended": Row({"enum": [1, 2]}, {"enum": [3, 2, 1]}, "yy", "ENUM_ARRAY_EXTENDED"),
    "enum narrowed": Row({"enum": [1, 2]}, {"enum": [1]}, "nn", "ENUM_ARRAY_NARROWED"),
    "enum changed": Row({"enum": [1, 2]}, {"enum": [2, 3]}, "nn", "ENUM_ARRAY_CHANGED"),
    "enum in another order": Row({"enum": [1, 2]}, {"enum": [2, 1]}, "yy"),
    "const changed": Row({"const": 1}, {"const": 2}, "nn", "ENUM_ARRAY_CHANGED"),
    "const kept": Row({"const": 1}, {"const": 1.0}, "yy"),
    "typed enum freed of its values": Row(
        {"type": "string", "enum": ["B"]}, STRING, "yy", "PRODUCT_TYPE_NARROWED"
    ),
    "typed enum extended": Row(
        {"type": "string", "enum": ["B"]},
        {"type": "string", "enum": ["B", "S"]},
        "yy",
        "ENUM_ARRAY_EXTENDED",
    ),
    "typed enum narrowed": Row(
        {"type": "string", "enum": ["B", "S"]},
        {"type": "string", "enum": ["B"]},
        "nn",
        "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
    ),
    "not widened, so that less is left": Row(
        {"not": INTEGER}, {"not": NUMBER}, "nn", "NOT_TYPE_EXTENDED"
    ),
    "not narrowed, so that more is left": Row(
        {"not": NUMBER}, {"not": INTEGER}, "yy", "NOT_TYPE_NARROWED"
    ),
    "not kept": Row({"not": INTEGER}, {"not": INTEGER}, "yy"),
}

ARRAYS = {
    **_bounds("array", "minItems", 1, 2),
    **_bounds("array", "maxItems", 1, 2),
    "uniqueItems removed": Row(
        {"type": "array", "uniqueItems": True}, {"type": "array"}, "yy", "UNIQUE_ITEMS_REMOVED"
    ),
    "uniqueItems added": Row(
        {"type": "array"}, {"type": "array", "uniqueItems": True}, "nn", "UNIQUE_ITEMS_ADDED"
    ),
    "items widened": Row(
        {"type": "array", "items": INTEGER},
        {"type": "array", "items": NUMBER},
        "yy",
        "TYPE_EXTENDED",
    ),
    "items narrowed": Row(
        {"type": "array", "items": NUMBER},
        {"type": "array", "items": INTEGER},
        "nn",
        "TYPE_NARROWED",
    ),
    "items removed": Row(
        {"type": "array", "items": INTEGER}, {"type": "array"}, "yy", "SCHEMA_REMOVED"
    ),
    "items added": Row(
        {"type": "array"}, {"type": "array", "items": INTEGER}, "nn", "SCHEMA_ADDED"
    ),
    "tuple item added, closed": Row(
        _tuple(STRING, additionalItems=False),
        _tuple(STRING, INTEGER, additionalItems=False),
        "yy",
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL",
    ),
    "tuple item added, open": Row(
        _tuple(STRING), _tuple(STRING, INTEGER), "nn", "ITEM_ADDED_TO_OPEN_CONTENT_MODEL"
    ),
    "tuple item of anything added, open": Row(
        _tuple(STRING),
        _tuple(STRING, True),
        "yy",
        "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
    ),
    "tuple item added, covered": Row(
        _tuple(STRING, additionalItems=INTEGER),
        _tuple(STRING, NUMBER, additionalItems=INTEGER),
        "yy",
        "TYPE_EXTENDED ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "tuple item added, not covered": Row(
        _tuple(STRING, additionalItems=INTEGER),
        _tuple(STRING, STRING, additionalItems=INTEGER),
        "nn",
        "TYPE_CHANGED ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "tuple item removed, open": Row(
        _tuple(STRING, INTEGER), _tuple(STRING), "yy", "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL"
    ),
    "tuple item removed, closed": Row(
        _tuple(STRING, INTEGER, additionalItems=False),
        _tuple(STRING, additionalItems=False),
        "nn",
        "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    ),
    "tuple item false removed, closed": Row(
        _tuple(STRING, False, additionalItems=False),
        _tuple(STRING, additionalItems=False),
        "yy",
        "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    ),
    "tuple item removed, covered": Row(
        _tuple(STRING, INTEGER, additionalItems=NUMBER),
        _tuple(STRING, additionalItems=NUMBER),
        "yy",
        "TYPE_EXTENDED ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "tuple item removed, not covered": Row(
        _tuple(STRING, STRING, additionalItems=NUMBER),
        _tuple(STRING, additionalItems=NUMBER),
        "nn",
        "TYPE_CHANGED ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    ),
    "additionalItems closed": Row(
        _tuple(STRING), _tuple(STRING, additionalItems=False), "nn", "ADDITIONAL_ITEMS_REMOVED"
    ),
    "additionalItems opened": Row(
        _tuple(STRING, additionalItems=False), _tuple(STRING), "yy", "ADDITIONAL_ITEMS_ADDED"
    ),
    "additionalItems bound to a schema": Row(
        _tuple(STRING), _tuple(STRING, additionalItems=NUMBER), "nn", "ADDITIONAL_ITEMS_NARROWED"
    ),
    "additionalItems freed of its schema": Row(
        _tuple(STRING, additionalItems=NUMBER), _tuple(STRING), "yy", "ADDITIONAL_ITEMS_EXTENDED"
    ),
}

COMBINATIONS = {
    **{
        f"{keyword} {change}": row
        for keyword in ("oneOf", "anyOf")
        for change, row in {
            "gained a branch": Row(
                {keyword: [STRING, INTEGER]},
                {keyword: [BOOLEAN, STRING, INTEGER]},
                "yy",
                "SUM_TYPE_EXTENDED",
            ),
            "lost a branch": Row(
                {keyword: [BOOLEAN, STRING, INTEGER]},
                {keyword: [STRING, INTEGER]},
                "nn",
                "SUM_TYPE_NARROWED",
            ),
            "of a plain schema": Row(
                INTEGER, {keyword: [STRING, INTEGER]}, "yy", "SUM_TYPE_EXTENDED"
            ),
            "to one of its branches": Row(
                {keyword: [STRING, INTEGER]}, INTEGER, "nn", "TYPE_CHANGED"
            ),
            "with a branch widened": Row(
                {keyword: [INTEGER, STRING]}, {keyword: [STRING, NUMBER]}, "yy", "TYPE_EXTENDED"
            ),
            "with a branch narrowed": Row(
                {keyword: [NUMBER, STRING]},
                {keyword: [STRING, INTEGER]},
                "nn",
                "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
            ),
            "with a branch repeated": Row(
                {keyword: [STRING, INTEGER]}, {keyword: [STRING, INTEGER, STRING]}, "yy"
            ),
        }.items()
    },
    "allOf lost a branch": Row(
        {"allOf": [{"minLength": 1}, {"maxLength": 9}]},
        {"allOf": [{"maxLength": 9}]},
        "yy",
        "PRODUCT_TYPE_NARROWED",
    ),
    "allOf gained a branch": Row(
        {"allOf": [{"maxLength": 9}]},
        {"allOf": [{"maxLength": 9}, {"minLength": 1}]},
        "nn",
        "PRODUCT_TYPE_EXTENDED",
    ),
    "allOf to anyOf": Row(
        {"allOf": [{"minLength": 1}, {"maxLength": 9}]},
        {"anyOf": [{"minLength": 1}, {"maxLength": 9}]},
        "yy",
        "COMBINED_TYPE_EXTENDED",
    ),
    "oneOf to anyOf": Row(
        {"oneOf": [STRING, INTEGER]},
        {"anyOf": [STRING, INTEGER]},
        "yy",
        "COMBINED_TYPE_EXTENDED",
    ),
    "anyOf to oneOf": Row(
        {"anyOf": [STRING, INTEGER]}, {"oneOf": [STRING, INTEGER]}, "nn", "COMBINED_TYPE_CHANGED"
    ),
    "only branch to oneOf": Row(
        {"anyOf": [STRING]},
        {"oneOf": [STRING, INTEGER]},
        "yy",
        "COMBINED_TYPE_EXTENDED SUM_TYPE_EXTENDED",
    ),
    "allOf to an only branch": Row(
        {"allOf": [{"minLength": 1}, {"maxLength": 9}]},
        {"oneOf": [{"maxLength": 9}]},
        "yy",
        "COMBINED_TYPE_EXTENDED PRODUCT_TYPE_NARROWED",
    ),
    "only branch to only branch": Row(
        {"anyOf": [STRING]}, {"allOf": [STRING]}, "yy", "COMBINED_TYPE_EXTENDED"
    ),
    "plain to allOf of its equal": Row(STRING, {"allOf": [STRING]}, "yy"),
    "plain to allOf of several": Row(
        STRING, {"allOf": [STRING, {"maxLength": 9}]}, "nn", "TYPE_CHANGED"
    ),
    "allOf to plain": Row(
        {"allOf": [STRING, {"maxLength": 9}]}, STRING, "yy", "PRODUCT_TYPE_NARROWED"
    ),
}

CHANGES = {**TYPES, **PROPERTIES, **DEPENDENCIES, **VALUES, **ARRAYS, **COMBINATIONS}


def places(schema: Schema) -> dict[str, Schema]:
    """The schema as a whole, and below what the rules look into."""
    return {
        "root": schema,
        "property": _object({"f": schema}),
        "item": {"type": "array", "items": schema},
        "deep": _object({"f": {"type": "array", "items": _closed({"g": schema})}}),
        "reference": {
            **dict(_object({"f": {"$ref": "#/definitions/d"}}).items()),  # type: ignore[union-attr] # an object
            "definitions": {"d": schema},
        },
    }


def in_2020_12(schema: Schema) -> Schema:
    """The same schema, spelled as the later draft spells it."""
    if isinstance(schema, bool):
        return schema
    spelled: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "definitions" | "properties" | "patternProperties":
                name = "$defs" if keyword == "definitions" else keyword
                spelled[name] = {each: in_2020_12(inner) for each, inner in value.items()}
            case "dependencies":
                for name, needed in value.items():
                    kind = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
                    inner = needed if isinstance(needed, list) else in_2020_12(needed)
                    spelled.setdefault(kind, {})[name] = inner
            case "items" if isinstance(value, list):
                spelled["prefixItems"] = [in_2020_12(inner) for inner in value]
            case "additionalItems":
                spelled["items"] = in_2020_12(value)
            case "allOf" | "anyOf" | "oneOf":
                spelled[keyword] = [in_2020_12(inner) for inner in value]
            case "items" | "additionalProperties" | "not":
                spelled[keyword] = in_2020_12(value)
            case "$ref":
                spelled[keyword] = value.replace("#/definitions/", "#/$defs/")
            case _:
                spelled[keyword] = value
    return spelled
