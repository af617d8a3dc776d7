"""Schemas nobody can register, with the reason and the place of each refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DRAFT_07 = "http://json-schema.org/draft-07/schema#"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Bad:
    """A schema that is refused.

    Attributes:
        name: In words.
        text: The text, as bytes where it is no text at all.
        reason: The stable reason.
        pointer: Where, by JSON Pointer; "" for the whole.
    """

    name: str
    text: str | bytes
    reason: str
    pointer: str = ""


def field(schema: Any, **keywords: Any) -> str:
    """The text of a schema with one field ``a``."""
    return json.dumps({"properties": {"a": schema}, **keywords})


def chain(length: int, link: Callable[[str], Any], end: Any) -> str:
    """The text of a schema whose definitions each refer to the next."""
    definitions = {f"d{step}": link(f"#/$defs/d{step + 1}") for step in range(length)}
    return json.dumps({"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": end}})


def dialect(uri: Any) -> str:
    """The text of a schema that names a dialect."""
    return json.dumps({"$schema": uri, "properties": {"a": {}}})


NOT_JSON = [
    Bad("empty text", "", "INVALID_JSON"),
    Bad("spaces", " \n\t ", "INVALID_JSON"),
    Bad("a byte order mark", "\ufeff{}", "INVALID_JSON"),
    Bad("UTF-16", '{"type":"object"}'.encode("utf-16"), "INVALID_JSON"),
    Bad("invalid UTF-8", b'{"title":"\xff"}', "INVALID_JSON"),
    Bad("an encoded surrogate", b'{"title":"\xed\xa0\x80"}', "INVALID_JSON"),
    Bad("NaN", '{"default":NaN}', "INVALID_JSON"),
    Bad("-Infinity", '{"maximum":-Infinity}', "INVALID_JSON"),
    Bad("an unclosed object", '{"a":{', "INVALID_JSON"),
    Bad("a trailing comma", '{"a":1,}', "INVALID_JSON"),
    Bad("single quotes", "{'a':1}", "INVALID_JSON"),
    Bad("two documents", "{}{}", "INVALID_JSON"),
    Bad("a comment", "// rows\n{}", "INVALID_JSON"),
    Bad("a leading zero", '{"minimum":01}', "INVALID_JSON"),
    Bad("a raw control character", '{"title":"\x01"}', "INVALID_JSON"),
    Bad(
        "a lone surrogate",
        '{"properties":{"a":{"const":"\\ud800"}}}',
        "INVALID_JSON",
        "/properties/a/const",
    ),
    Bad(
        "a name with a lone surrogate",
        '{"properties":{"a\\udfff":{}}}',
        "INVALID_JSON",
        "/properties",
    ),
    Bad(
        "a duplicate key",
        '{"properties":{"a":{"minimum":1,"minimum":1}}}',
        "DUPLICATE_KEY",
        "/properties/a/minimum",
    ),
    Bad(
        "a duplicate key, once escaped",
        '{"properties":{"\\u0061":{},"a":{}}}',
        "DUPLICATE_KEY",
        "/properties/a",
    ),
    Bad("a number beyond all use", '{"maximum":1e5000}', "NUMBER_OUT_OF_RANGE"),
    Bad("an exponent of eleven digits", '{"maximum":1e99999999999}', "NUMBER_OUT_OF_RANGE"),
    Bad("an exponent of forty digits", '{"maximum":1e' + "9" * 40 + "}", "NUMBER_OUT_OF_RANGE"),
    Bad("an integer of 10,000 digits", '{"maximum":' + "9" * 10_000 + "}", "NUMBER_OUT_OF_RANGE"),
    Bad("a fraction of 10,000 digits", '{"maximum":0.' + "9" * 10_000 + "}", "NUMBER_OUT_OF_RANGE"),
    Bad("10,000 arrays deep", '{"default":' + "[" * 10_000 + "]" * 10_000 + "}", "TOO_DEEP"),
    Bad("10,000 schemas deep", '{"not":' * 10_000 + "{}" + "}" * 10_000, "TOO_DEEP"),
    Bad("100,000 brackets never closed", "[" * 100_000, "TOO_DEEP"),
]

NO_SCHEMA = [
    Bad("an array", "[]", "NOT_A_SCHEMA"),
    Bad("a number", "7", "NOT_A_SCHEMA"),
    Bad("null", "null", "NOT_A_SCHEMA"),
    Bad(
        "draft-04",
        dialect("http://json-schema.org/draft-04/schema#"),
        "UNKNOWN_DIALECT",
        "/$schema",
    ),
    Bad(
        "draft 2019-09",
        dialect("https://json-schema.org/draft/2019-09/schema"),
        "UNKNOWN_DIALECT",
        "/$schema",
    ),
    Bad(
        "a dialect of one's own",
        dialect("https://schemas.example/mine"),
        "UNKNOWN_DIALECT",
        "/$schema",
    ),
    Bad("a dialect in a file", dialect("file:///etc/passwd"), "UNKNOWN_DIALECT", "/$schema"),
    Bad("a dialect that is a number", dialect(7), "UNKNOWN_DIALECT", "/$schema"),
    Bad(
        "an embedded dialect",
        json.dumps(
            {"$defs": {"a": {"$id": "urn:a", "$schema": "http://json-schema.org/draft-04/schema#"}}}
        ),
        "UNKNOWN_DIALECT",
        "/$defs/a/$schema",
    ),
    Bad(
        "two drafts",
        json.dumps({"$defs": {"a": {"$id": "urn:a", "$schema": DRAFT_07}}}),
        "MIXED_DIALECTS",
        "/$defs/a/$schema",
    ),
    Bad(
        "an unknown vocabulary",
        json.dumps({"$vocabulary": {"https://schemas.example/units": True}}),
        "UNKNOWN_VOCABULARY",
        "/$vocabulary/https:~1~1schemas.example~1units",
    ),
    Bad("an unknown type", field({"type": "float"}), "INVALID_SCHEMA", "/properties/a/type"),
    Bad(
        "a keyword of draft-04",
        field({"minimum": 0, "exclusiveMinimum": True}),
        "INVALID_SCHEMA",
        "/properties/a/exclusiveMinimum",
    ),
    Bad(
        "required as a boolean",
        field({"required": True}),
        "INVALID_SCHEMA",
        "/properties/a/required",
    ),
    Bad(
        "a definition that is a number",
        json.dumps({"$defs": {"a": 7}}),
        "INVALID_SCHEMA",
        "/$defs/a",
    ),
    Bad("an identifier that is no URI", json.dumps({"$id": "http://["}), "INVALID_SCHEMA", "/$id"),
    *(
        Bad(
            f"{keyword} of the other draft that is a number",
            json.dumps({"$schema": draft, "properties": {"a": {keyword: 7}}}),
            "INVALID_SCHEMA",
            f"/properties/a/{keyword}",
        )
        for draft, keywords in {
            DRAFT_07: (
                *("$defs", "prefixItems", "dependentSchemas", "dependentRequired"),
                *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
            ),
            "https://json-schema.org/draft/2020-12/schema": ("additionalItems",),
        }.items()
        for keyword in keywords
    ),
    Bad(
        "a definition of the other draft that is no schema",
        json.dumps({"$schema": DRAFT_07, "$defs": {"a": {"type": 7}}}),
        "INVALID_SCHEMA",
        "/$defs/a/type",
    ),
    Bad(
        "two schemas of one identifier",
        json.dumps({"$defs": {"a": {"$id": "urn:a"}, "b": {"$id": "urn:a"}}}),
        "DUPLICATE_IDENTIFIER",
        "/$defs/b/$id",
    ),
    Bad(
        "two schemas of one anchor",
        json.dumps({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}),
        "DUPLICATE_IDENTIFIER",
        "/$defs/b/$anchor",
    ),
]

REFERENCES = [
    *(
        Bad(
            f"a reference to {shown}",
            field({"$ref": reference}),
            "REFERENCE_NOT_FOUND",
            "/properties/a/$ref",
        )
        for shown, reference in {
            "nothing here": "#/$defs/nothing",
            "no anchor": "#nothing",
            "another file": "other.json",
            "a server": "https://schemas.example/trade",
            "this machine": "http://127.0.0.1:1/schema",
            "a file": "file:///etc/passwd",
            "an unfinished host": "http://[::1",
            "an impossible port": "http://schemas.example:99999999/a",
            "a name not pinned": "types.price",
            "a very long name": "#/$defs/" + "a" * 20_000,
        }.items()
    ),
    Bad("a reference that is a number", field({"$ref": 7}), "INVALID_SCHEMA", "/properties/a/$ref"),
    Bad(
        "a reference to no schema",
        field({"$ref": "#/x"}, x=7),
        "REFERENCE_NOT_FOUND",
        "/properties/a/$ref",
    ),
    Bad(
        "a reference to a wrong schema",
        field({"$ref": "#/x/0"}, x=[{"type": "strin"}]),
        "INVALID_SCHEMA",
        "/properties/a/$ref",
    ),
    Bad(
        "a dynamic reference to nothing",
        field({"$dynamicRef": "#nothing"}),
        "REFERENCE_NOT_FOUND",
        "/properties/a/$dynamicRef",
    ),
    Bad(
        "a reference to itself",
        field({"$ref": "#/properties/a"}),
        "REFERENCE_LOOP",
        "/properties/a",
    ),
    Bad(
        "references in a circle",
        json.dumps(
            {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}
        ),
        "REFERENCE_LOOP",
        "/$defs/a",
    ),
    Bad(
        "references that double at every step",
        chain(60, lambda to: {"anyOf": [{"$ref": to}] * 2}, {}),
        "TOO_MANY_REFERENCES",
    ),
    Bad(
        "fields that double at every step",
        chain(60, lambda to: {"properties": {"a": {"$ref": to}, "b": {"$ref": to}}}, {}),
        "TOO_MANY_REFERENCES",
    ),
    Bad("2,000 references in a row", chain(2_000, lambda to: {"$ref": to}, {}), "TOO_DEEP"),
]

PATTERNS = [
    *(
        Bad(
            f"the pattern {pattern[:20]}",
            field({"pattern": pattern}),
            reason,
            "/properties/a/pattern",
        )
        for pattern, reason in {
            "[": "INVALID_PATTERN",
            "a{2,1}": "INVALID_PATTERN",
            "(?i)a": "INVALID_PATTERN",
            "a++": "INVALID_PATTERN",
            "[[:alpha:]]": "INVALID_PATTERN",
            "(?R)": "INVALID_PATTERN",
            "(?:a{1000}){1000}": "INVALID_PATTERN",
            "((a{100}){100}){100}": "INVALID_PATTERN",
            "a{1000000000}": "INVALID_PATTERN",
            "\\p{L}{900}": "INVALID_PATTERN",
            "(a+)+" * 1000: "PATTERN_TOO_LONG",
        }.items()
    ),
    Bad(
        "a pattern of names",
        json.dumps({"patternProperties": {"(": {}}}),
        "INVALID_PATTERN",
        "/patternProperties/(",
    ),
    Bad(
        "9,000 patterns of names",
        json.dumps({"patternProperties": {f"^x{n}": {} for n in range(9_000)}}),
        "TOO_MANY_PATTERNS",
        "/patternProperties",
    ),
    Bad(
        "1,000 heavy patterns",
        json.dumps(
            {"$defs": {f"d{n}": {"pattern": "(?:a{100}){50}" + str(n)} for n in range(1_000)}}
        ),
        "TOO_MANY_PATTERNS",
        "/$defs/d181/pattern",
    ),
    Bad(
        "a default that a catastrophic pattern gives up on",
        field({"pattern": "(?=a)(a+)+$", "default": "a" * 40 + "!"}),
        "INVALID_DEFAULT",
        "/properties/a/default",
    ),
    Bad(
        "a default behind a look-behind",
        field({"pattern": "(?<!a+)b", "default": "a" * 5_000}),
        "INVALID_DEFAULT",
        "/properties/a/default",
    ),
]

SIZES = [
    Bad("a text of 5 MB", '{"title":"' + "x" * 5_000_000 + '"}', "TOO_LARGE"),
    Bad("a text of 1 MB and a byte", '{"title":"' + "x" * (MEGABYTE - 11) + '"}', "TOO_LARGE"),
    Bad(
        "60,000 schemas",
        json.dumps({"$defs": {f"d{n}": {} for n in range(60_000)}}),
        "TOO_MANY_SUBSCHEMAS",
        "/$defs/d9999",
    ),
    Bad(
        "5,000 fields",
        json.dumps({"properties": {f"f{n}": {} for n in range(5_000)}}),
        "TOO_MANY_FIELDS",
        "/properties",
    ),
    Bad(
        "5,000 fields, only required",
        json.dumps({"required": [f"f{n}" for n in range(5_000)]}),
        "TOO_MANY_FIELDS",
    ),
]

NAMES = [
    Bad("a name with NUL", '{"properties":{"a\\u0000b":{}}}', "INVALID_FIELD_NAME", "/properties"),
    Bad("a name of NUL alone", '{"required":["\\u0000"]}', "INVALID_FIELD_NAME"),
    Bad(
        "a name of 256 characters",
        json.dumps({"properties": {"x" * 256: {}}}),
        "INVALID_FIELD_NAME",
        "/properties",
    ),
    Bad(
        "a mistake under names of 30,000 characters",
        json.dumps({"properties": {"x" * 30_000: {"type": "z"}}}),
        "INVALID_SCHEMA",
        "/properties/" + "x" * 30_000 + "/type",
    ),
]

ROWS = [
    Bad("rows that are arrays", '{"type":"array"}', "NO_ROW"),
    Bad("rows that are nothing", "false", "NO_ROW"),
    Bad(
        "a required field that must be absent",
        field(False, required=["a"]),
        "NO_ROW",
        "/properties/a",
    ),
    Bad(
        "a default of another type",
        field({"type": "integer", "default": "x"}),
        "INVALID_DEFAULT",
        "/properties/a/default",
    ),
    Bad(
        "two defaults",
        field({"default": 1, "allOf": [{"default": 2}]}),
        "DEFAULT_CONFLICT",
        "/properties/a",
    ),
    Bad(
        "a string declared as int32",
        field({"type": "string", "arrow": "int32"}),
        "INVALID_ARROW_TYPE",
        "/properties/a/arrow",
    ),
    Bad(
        "a role of another type",
        field({"type": "string", "x-tick-role": "price"}),
        "INVALID_ROLE",
        "/properties/a/x-tick-role",
    ),
]

BAD = [*NOT_JSON, *NO_SCHEMA, *REFERENCES, *PATTERNS, *SIZES, *NAMES, *ROWS]

GOOD = {
    "names that other languages trip over": json.dumps(
        {
            "properties": {
                name: {"type": "string", "default": "x"}
                for name in (
                    *("__proto__", "constructor", "prototype", "toString", "__class__", "$ref"),
                    *("a/b~c", "a.b", "100%25", "a\tb", "\n", "#", " ", "\u202e", "😀", "x" * 255),
                )
            }
        }
    ),
    "an optional vocabulary": '{"$vocabulary":{"https://schemas.example/units":false},"properties":{"a":{}}}',
    "numbers beyond doubles": '{"properties":{"a":{"maximum":1e400},"b":{"const":'
    + "9" * 900
    + "}}}",
    "a catastrophic pattern that nothing meets yet": field(
        {"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}
    ),
    "a schema that contains itself": field({"items": {"$ref": "#"}}),
    "2,000 references to 20,000 values": json.dumps(
        {
            "properties": {f"f{n}": {"$ref": "#/$defs/v", "default": "v1"} for n in range(2_000)},
            "$defs": {"v": {"enum": [f"v{n}" for n in range(20_000)]}},
        }
    ),
}
"""Schemas that look bad and are good."""
