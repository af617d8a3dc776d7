"""The schemas of the projection vectors; what they project to stands in the vectors' file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICE = {"type": "number", "arrow": "decimal128(18, 4)"}
LEVEL = {
    "type": "object",
    "properties": {"price": PRICE, "size": {"type": "integer"}},
    "required": ["price"],
}
DRAFT_07 = "http://json-schema.org/draft-07/schema#"


@dataclass(frozen=True)
class Case:
    """One schema to be projected.

    Attributes:
        name: Unique, in words.
        schema: The schema, or its text where the text itself is the point.
        subject: The subject it is registered under; cases of one subject are its versions, in
            order, and hand their field ids on.
        references: Referenced schemas by the name the schema uses.
    """

    name: str
    schema: Mapping[str, Any] | str
    subject: str = "ticks.test"
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The schema's text."""
        return self.schema if isinstance(self.schema, str) else json.dumps(self.schema)


def row(properties: Mapping[str, Any], **keywords: Any) -> dict[str, Any]:
    """The schema of rows with some fields."""
    return {"type": "object", "properties": properties, **keywords}


def one(name: str, schema: Any, **keywords: Any) -> Case:
    """A row of one field ``f``."""
    return Case(name, row({"f": schema}, **keywords))


def listed(items: Any, **keywords: Any) -> dict[str, Any]:
    """The schema of an array."""
    return {"type": "array", "items": items, **keywords}


SCALARS = [
    one("string", {"type": "string"}),
    one("string of some length and pattern", {"type": "string", "maxLength": 8, "pattern": "^A"}),
    one("integer", {"type": "integer"}),
    one("integer, whatever its bounds", {"type": "integer", "minimum": 0, "maximum": 10}),
    one("number", {"type": "number"}),
    one("number of whole multiples", {"type": "number", "multipleOf": 1}),
    one("integer or number is number", {"type": ["integer", "number"]}),
    one("boolean", {"type": "boolean"}),
    one("null alone", {"type": "null"}),
    one("required", {"type": "integer"}, required=["f"]),
    one("date-time", {"type": "string", "format": "date-time"}, required=["f"]),
    one("date", {"type": "string", "format": "date"}),
    one("time of day", {"type": "string", "format": "time"}),
    one("duration stays text", {"type": "string", "format": "duration"}),
    one("other formats stay text", {"type": "string", "format": "uuid"}),
    one("a format of strings beside integer", {"type": "integer", "format": "date-time"}),
    one("encoded content stays text", {"type": "string", "contentEncoding": "base64"}),
    one("enum of strings", {"enum": ["B", "S"]}, required=["f"]),
    one("const string", {"const": "B"}),
    one("enum of date-times", {"format": "date-time", "enum": ["2024-01-02T00:00:00Z"]}),
    one("enum of integers", {"enum": [1, 2]}),
    Case(
        "enum of integral numbers written with a point",
        '{"type":"object","properties":{"f":{"enum":[1.0,2]}}}',
    ),
    one("enum of numbers", {"enum": [1, 2.5]}),
    one("enum of booleans", {"enum": [True, False]}),
    one("enum of several types is text", {"enum": ["A", 1]}),
    one("const object is text", {"const": {"a": 1}}),
]

NULLABLE = [
    one("type with null", {"type": ["string", "null"]}, required=["f"]),
    one("enum with null", {"enum": ["B", "S", None]}, required=["f"]),
    one("anyOf with null", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, required=["f"]),
    one("oneOf with null", {"oneOf": [{"type": "number"}, {"type": "null"}]}, required=["f"]),
    one(
        "anyOf of a date-time and null",
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
    ),
    one("anyOf of an enum and null", {"anyOf": [{"enum": ["B", "S"]}, {"const": None}]}),
    one("oneOf of an override and null", {"oneOf": [PRICE, {"type": "null"}]}),
    one("oneOf of an object and null", {"oneOf": [LEVEL, {"type": "null"}]}, required=["f"]),
    one(
        "anyOf of a reference and null",
        {"anyOf": [{"$ref": "#/$defs/day"}, {"type": "null"}]},
        **{"$defs": {"day": {"type": "string", "format": "date"}}},
    ),
    one(
        "null in both branches of oneOf is not admitted",
        {"oneOf": [{"type": ["integer", "null"]}, {"type": ["integer", "null"], "minimum": 9}]},
        required=["f"],
    ),
    one("null taken away by allOf", {"type": ["integer", "null"], "allOf": [{"type": "integer"}]}),
    one("null alone, taken away", {"type": "null", "not": {"type": "null"}}),
    one("null taken away by not", {"type": ["integer", "null"], "not": {"type": "null"}}),
]

UNIONS = [
    one("several types are text", {"type": ["string", "integer"]}),
    one("several types with null are text", {"type": ["string", "integer", "null"]}),
    one("no type is text", {}),
    one("true is text", True),
    one(
        "anyOf of one type",
        {"anyOf": [{"type": "integer", "maximum": 0}, {"type": "integer", "minimum": 10}]},
    ),
    one("anyOf of several types is text", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    one(
        "anyOf of two formats is plain text",
        {"anyOf": [{"format": "date"}, {"format": "date-time"}], "type": "string"},
    ),
    one("allOf of type and format", {"allOf": [{"type": "string"}, {"format": "date-time"}]}),
    Case("a name only required", row({"f": {"type": "string"}}, required=["g"])),
    Case(
        "a name only in dependentRequired",
        row({"f": {"type": "string"}}, dependentRequired={"f": ["g"]}),
    ),
    Case(
        "declared in parts by allOf",
        {
            "allOf": [
                row({"a": {"type": "string"}}, required=["a"]),
                row({"b": {"type": "integer"}}),
            ]
        },
    ),
    Case(
        "one field described in parts by allOf",
        {"allOf": [row({"a": {"type": "string"}}), row({"a": {"format": "date"}})]},
    ),
    Case(
        "declared under a condition",
        row(
            {"a": {"type": "string"}},
            **{
                "if": {"properties": {"a": {"const": "x"}}},
                "then": {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
                "else": {"properties": {"c": {"enum": ["u", "v"]}}},
            },
        ),
    ),
    Case("a field that must be absent", row({"a": {"type": "string"}, "b": False})),
]

STRUCTS = [
    one("struct", row({"a": {"type": "integer"}, "b": {"type": "string"}}, required=["a"])),
    one("required struct", LEVEL, required=["f"]),
    one("nullable struct", {**LEVEL, "type": ["object", "null"]}, required=["f"]),
    one("struct of struct", row({"inner": LEVEL}, required=["inner"])),
    one("enum inside a struct is plain text", row({"side": {"enum": ["B", "S"]}})),
    one("date-time inside a struct", row({"at": {"type": "string", "format": "date-time"}})),
    one("opaque value inside a struct", row({"extra": {}})),
    one("struct with further members", {**LEVEL, "additionalProperties": {"type": "string"}}),
    one(
        "struct described in parts",
        {"allOf": [row({"a": {"type": "string"}}), row({"b": {"type": "integer"}})]},
    ),
    Case(
        "names that need escaping in paths",
        row({"a.b": row({"c\\d": {}, "e[]": {}, "g{}": {}}), "": {"type": "string"}, "~/": {}}),
    ),
    Case("names beyond ASCII", row({"価格": {"type": "number"}, "Größe": {"type": "integer"}})),
]

LISTS = [
    one("list", listed({"type": "number"})),
    one("list of nullable items", listed({"type": ["number", "null"]})),
    one("nullable list", {**listed({"type": "number"}), "type": ["array", "null"]}),
    one("list of fixed size", listed({"type": "number"}, minItems=2, maxItems=2)),
    one("list of structs", listed(LEVEL)),
    one("list of lists", listed(listed({"type": "string"}))),
    one("list of date-times", listed({"type": "string", "format": "date-time"})),
    one("list of listed strings is plain text", listed({"enum": ["A", "B"]})),
    one("list of overridden items", listed(PRICE)),
    one("list of scaled integers", listed({"type": "number", "arrow": "scaled_int64(4)"})),
    one("list of anything", {"type": "array"}),
    one("list of several types", listed({"type": ["integer", "string"]})),
    one("list of maps", listed({"type": "object", "additionalProperties": LEVEL})),
    one("tuple of one type", {"type": "array", "prefixItems": [LEVEL, LEVEL], "items": False}),
    one(
        "tuple of one type, nullable in one place",
        {
            "type": "array",
            "prefixItems": [{"type": "integer"}],
            "items": {"type": ["integer", "null"]},
        },
    ),
    one(
        "tuple of several types is text",
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
    ),
    one("open tuple is text", {"type": "array", "prefixItems": [{"type": "integer"}]}),
    Case(
        "tuple of draft-07",
        row(
            {
                "f": {
                    "type": "array",
                    "items": [{"type": "string"}],
                    "additionalItems": {"type": "string"},
                }
            },
            **{"$schema": DRAFT_07},
        ),
    ),
]

MAPS = [
    one("map", {"type": "object", "additionalProperties": {"type": "integer"}}),
    one(
        "map of nullable values",
        {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
    ),
    one("map by pattern", {"type": "object", "patternProperties": {"^x": {"type": "number"}}}),
    one(
        "map by pattern and for the rest",
        {
            "type": "object",
            "patternProperties": {"^x": {"type": "number"}},
            "additionalProperties": {"type": ["number", "null"]},
        },
    ),
    one(
        "map of several types is text",
        {
            "type": "object",
            "patternProperties": {"^x": {"type": "number"}},
            "additionalProperties": {"type": "string"},
        },
    ),
    one("map of structs", {"type": "object", "additionalProperties": LEVEL}),
    one("map of lists", {"type": "object", "additionalProperties": listed({"type": "integer"})}),
    one("map of overridden values", {"type": "object", "additionalProperties": PRICE}),
    one("opaque object is text", {"type": "object"}),
    one(
        "object that may have no member is text", {"type": "object", "additionalProperties": False}
    ),
]

REFERENCES = [
    one(
        "behind a reference",
        {"$ref": "#/$defs/f"},
        **{"$defs": {"f": {"type": "integer"}}},
    ),
    one("behind an anchor", {"$ref": "#f"}, **{"$defs": {"f": {"$anchor": "f", **LEVEL}}}),
    one(
        "beside a reference",
        {"$ref": "#/$defs/f", "format": "date"},
        **{"$defs": {"f": {"type": "string"}}},
    ),
    Case(
        "draft-07 ignores what stands beside a reference",
        {
            "$schema": DRAFT_07,
            "properties": {"f": {"$ref": "#/definitions/f", "type": "string"}},
            "definitions": {"f": {"type": "integer"}},
        },
    ),
    Case(
        "a schema of another subject",
        row({"bid": {"$ref": "types.price"}, "lots": {"$ref": "types.price#/$defs/lots"}}),
        references={
            "types.price": {**PRICE, "$defs": {"lots": {"type": "integer", "arrow": "int32"}}}
        },
    ),
    Case(
        "rows extended from another subject",
        {"allOf": [{"$ref": "types.event"}], "properties": {"price": {"type": "number"}}},
        references={
            "types.event": row({"ts": {"type": "string", "format": "date-time"}}, required=["ts"])
        },
    ),
    Case(
        "a struct that contains itself",
        row(
            {"n": {"$ref": "#/$defs/n"}},
            **{"$defs": {"n": row({"v": {"type": "integer"}, "next": {"$ref": "#/$defs/n"}})}},
        ),
    ),
    Case(
        "a row that contains itself",
        row({"v": {"type": "integer"}, "children": listed({"$ref": "#"}), "parent": {"$ref": "#"}}),
    ),
]

OVERRIDES = [
    *(
        one(f"integer as {name}", {"type": "integer", "arrow": name})
        for name in (
            *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
            *("float32", "float64", "decimal128(18, 0)", "decimal256(76, 0)", "scaled_int64(0)"),
            *("timestamp[s]", "timestamp[ms, UTC]", "timestamp[us,UTC]", "timestamp[ns, UTC]"),
            *("duration[s]", "duration[ms]", "duration[us]", "duration[ns]"),
        )
    ),
    *(
        one(f"number as {name}", {"type": "number", "arrow": name})
        for name in ("float32", "decimal128(18, 4)", "decimal256(50,10)", "scaled_int64(4)")
    ),
    *(
        one(f"string as {name}", {"type": "string", "arrow": name})
        for name in (
            *("utf8", "large_utf8", "binary", "date32", "dictionary<int32, utf8>"),
            *("time32[s]", "time32[ms]", "time64[us]", "time64[ns]"),
            *("timestamp[ns]", "timestamp[ms, UTC]", "timestamp[ns, America/New_York]"),
        )
    ),
    one("boolean as bool", {"type": "boolean", "arrow": "bool"}),
    one("nullable number as decimal", {"type": ["number", "null"], "arrow": "decimal128(9, 2)"}),
    one("untyped value as int32", {"arrow": "int32"}),
    one("date-time kept as text", {"type": "string", "format": "date-time", "arrow": "utf8"}),
    one(
        "date-time in ms", {"type": "string", "format": "date-time", "arrow": "timestamp[ms, UTC]"}
    ),
    one("enum kept as text", {"enum": ["A", "B"], "arrow": "utf8"}),
    one("inside a struct", row({"p": PRICE, "q": {"type": "integer", "arrow": "uint8"}})),
    one("behind a reference", {"$ref": "#/$defs/p"}, **{"$defs": {"p": PRICE}}),
    one(
        "stated twice alike",
        {"$ref": "#/$defs/p", "arrow": "decimal128(18, 4)"},
        **{"$defs": {"p": PRICE}},
    ),
    one("beside allOf", {"allOf": [{"type": "number"}, {"minimum": 0}], "arrow": "float32"}),
]

ROLES = [
    Case(
        "roles by usual names",
        row(
            {
                "ts": {"type": "string", "format": "date-time"},
                "symbol": {"type": "string"},
                "price": {"type": "number"},
                "size": {"type": "integer"},
                "side": {"enum": ["B", "S"]},
                "seq": {"type": "integer"},
            }
        ),
    ),
    Case(
        "a usual name of another type plays no role",
        row({"ts": {"type": "string"}, "price": {}, "seq": {"type": "number"}}),
    ),
    Case(
        "a stated role beats a usual name",
        row({"t": {"type": "integer", "x-tick-role": "event_time"}, "ts": {"type": "integer"}}),
    ),
    Case(
        "a usual name with another role",
        row({"price": {"type": "number", "x-tick-role": "size"}, "size": {"type": "number"}}),
    ),
    Case(
        "roles stand beside other metadata",
        row({"price": {"type": "number", "arrow": "scaled_int64(4)"}}),
    ),
    Case("nested fields play no role", row({"book": row({"price": {"type": "number"}})})),
]

VERSIONS = [
    Case(f"field ids of version {version}: {what}", schema, subject="ticks.evolving")
    for version, (what, schema) in enumerate(
        [
            ("the first fields", row({"ts": {"type": "integer"}, "price": {"type": "number"}})),
            (
                "added fields continue",
                row({"venue": {"type": "string"}, "ts": {"type": "integer"}, "price": PRICE}),
            ),
            ("a removed field leaves a gap", row({"ts": {"type": "integer"}, "note": {}})),
            ("what returns has its id again", row({"price": PRICE, "venue": {"type": "string"}})),
            ("nested fields and items", row({"levels": listed(LEVEL), "best": LEVEL})),
            (
                "nested fields continue, a field of another type keeps its id",
                row(
                    {
                        "best": row({"price": PRICE, "orders": {"type": "integer"}}),
                        "levels": {"type": "object", "additionalProperties": LEVEL},
                        "ts": {"type": "string", "format": "date-time"},
                    }
                ),
            ),
            (
                "a name like that of items is another name",
                row({"levels": listed({"type": "integer"}), "levels[]": {"type": "integer"}}),
            ),
        ],
        start=1,
    )
]

REFUSED = [
    *(
        one(f"{kind} declared as {name}", {"type": kind, "arrow": name})
        for kind, name in (
            ("string", "int32"),
            ("string", "float64"),
            ("string", "decimal128(18, 4)"),
            ("string", "duration[ns]"),
            ("string", "bool"),
            ("number", "int64"),
            ("number", "timestamp[ns, UTC]"),
            ("number", "utf8"),
            ("integer", "utf8"),
            ("integer", "time64[ns]"),
            ("integer", "date32"),
            ("boolean", "int8"),
            ("object", "utf8"),
            ("array", "binary"),
        )
    ),
    one("integer or string declared as int64", {"type": ["integer", "string"], "arrow": "int64"}),
    one("enum of strings declared as int8", {"enum": ["A", "B"], "arrow": "int8"}),
    one(
        "date declared as timestamp",
        {"type": "string", "format": "date", "arrow": "timestamp[ns, UTC]"},
    ),
    one(
        "date-time declared as date32", {"type": "string", "format": "date-time", "arrow": "date32"}
    ),
    one(
        "date-time declared without a zone",
        {"type": "string", "format": "date-time", "arrow": "timestamp[ns]"},
    ),
    one("time declared as binary", {"type": "string", "format": "time", "arrow": "binary"}),
    *(
        one(f"no type: {name!r}", {"type": "number", "arrow": name})
        for name in (
            *("", "int", "int32 ", "INT32", "decimal128", "decimal128(0, 0)", "decimal128(39, 2)"),
            *("decimal128(4, 5)", "decimal128(18, -2)", "decimal256(77, 0)", "scaled_int64(19)"),
            *("float16", "list<int32>", "dictionary<int8, utf8>", "decimal128(\uff11, \uff10)"),
        )
    ),
    *(
        one(f"no type: {name!r}", {"type": "string", "arrow": name})
        for name in ("timestamp[ns, Mars/Olympus]", "timestamp[h]", "time32[ns]", "time64[s]")
    ),
    *(
        one(f"not a string: {json.dumps(value)}", {"type": "number", "arrow": value})
        for value in (7, None, ["float32"], {"type": "float32"})
    ),
    one(
        "stated twice differently",
        {"$ref": "#/$defs/p", "arrow": "float32"},
        **{"$defs": {"p": PRICE}},
    ),
    one(
        "a dictionary inside a list", listed({"type": "string", "arrow": "dictionary<int32, utf8>"})
    ),
    one("a wrong override inside a struct", row({"a": {"type": "string", "arrow": "int8"}})),
    one("a wrong override of items", listed({"type": "string", "arrow": "int8"})),
    one(
        "a wrong override of a map's values",
        {"type": "object", "additionalProperties": {"type": "string", "arrow": "int8"}},
    ),
    one(
        "a wrong override behind a reference",
        {"$ref": "#/$defs/a"},
        **{"$defs": {"a": {"type": "string", "arrow": "int8"}}},
    ),
    Case(
        "a wrong override beside a schema of another subject",
        row({"a/b": {"$ref": "types.price"}}, required=["a/b"]),
        references={"types.price": {"type": "string", "arrow": "int8"}},
    ),
    one("an unknown role", {"type": "number", "x-tick-role": "colour"}),
    one("a role that is no string", {"type": "number", "x-tick-role": 7}),
    one("a role of another type", {"type": "string", "x-tick-role": "price"}),
    Case(
        "two fields of one role",
        row(
            {
                "a": {"type": "number", "x-tick-role": "price"},
                "b": {"type": "number", "x-tick-role": "price"},
            }
        ),
    ),
    Case(
        "nesting deeper than Arrow readers follow",
        {
            "$ref": "#/$defs/d0",
            "$defs": {
                f"d{n}": row({"a": {"$ref": f"#/$defs/d{n + 1}"} if n < 40 else {}})
                for n in range(41)
            },
        },
    ),
    Case(
        "more fields than a row may have",
        {
            "$ref": "#/$defs/d0",
            "$defs": {
                f"d{n}": row(
                    {name: {"$ref": f"#/$defs/d{n + 1}"} if n < 4 else {} for name in "abcdefgh"}
                )
                for n in range(5)
            },
        },
    ),
]

CASES = {
    "scalars": SCALARS,
    "null": NULLABLE,
    "unions and conditions": UNIONS,
    "objects": STRUCTS,
    "arrays": LISTS,
    "maps": MAPS,
    "references": REFERENCES,
    "overrides": OVERRIDES,
    "roles": ROLES,
    "field ids over versions": VERSIONS,
    "refused": REFUSED,
}
