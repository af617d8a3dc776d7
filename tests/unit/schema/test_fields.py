"""What a schema says of its fields."""

from __future__ import annotations

import json

from tickmesh.schema import describe_fields, parse_schema


def test_every_field_is_described_also_inside_lists_maps_and_references() -> None:
    level = {"type": "object", "properties": {"bid": {"type": "number"}}, "required": ["bid"]}
    document = parse_schema(
        json.dumps(
            {
                "type": "object",
                "properties": {
                    "ts": {"type": "string", "format": "date-time"},
                    "px": {"type": ["number", "null"], "x-tick-role": "price"},
                    "quote": {"$ref": "#/$defs/level"},
                    "depth": {"type": "array", "items": {"$ref": "#/$defs/level"}},
                    "venues": {"type": "object", "additionalProperties": {"$ref": "#/$defs/level"}},
                    "a/b": {},
                },
                "required": ["ts"],
                "$defs": {"level": level},
            }
        )
    )
    found = {
        facts.path: (facts.types, facts.arrow_type, facts.required, facts.role)
        for facts in describe_fields(document)
    }
    anything = ("array", "boolean", "null", "number", "object", "string")
    struct = "struct<bid: double not null>"
    assert found == {
        "/ts": (("string",), "timestamp[ns, tz=UTC]", True, "event_time"),
        "/px": (("null", "number"), "double", False, "price"),
        "/quote": (("object",), struct, False, ""),
        "/quote/bid": (("number",), "double", True, ""),
        "/depth": (("array",), f"list<item: {struct} not null>", False, ""),
        "/depth/bid": (("number",), "double", True, ""),
        "/venues": (("object",), f"map<string, {struct}>", False, ""),
        "/venues/bid": (("number",), "double", True, ""),
        "/a~1b": (anything, "string", False, ""),
    }


def test_a_schema_that_contains_itself_is_described_once() -> None:
    node = {"properties": {"next": {"$ref": "#"}, "price": {"type": "integer"}}}
    found = describe_fields(parse_schema(json.dumps({"type": "object", **node})))
    assert {facts.path for facts in found} == {"/next", "/price"}


def test_the_name_of_a_type_is_bounded() -> None:
    wide = {"type": "object", "properties": {f"field_{i}": {} for i in range(500)}}
    facts = describe_fields(
        parse_schema(json.dumps({"type": "object", "properties": {"wide": wide}}))
    )
    assert len(facts) == 501
    assert len(facts[0].arrow_type) == 1_001
