"""Parsing: what is refused, where, and why; what is taken, exactly."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tickmesh.schema import SchemaError, SchemaLimits, parse_document, parse_schema


@pytest.mark.parametrize(
    ("text", "reason", "pointer"),
    [
        ('{"type":"object","type":"object"}', "DUPLICATE_KEY", "/type"),
        (
            '{"properties":{"a":{"minimum":1,"minimum":2}}}',
            "DUPLICATE_KEY",
            "/properties/a/minimum",
        ),
        ('{"properties":{"a/b":{"x":1,"x":2}}}', "DUPLICATE_KEY", "/properties/a~1b/x"),
        ("{", "INVALID_JSON", ""),
        ('{"minimum":NaN}', "INVALID_JSON", ""),
        ('{"const":"\\ud800"}', "INVALID_JSON", "/const"),
        (b'{"const":"\xff"}', "INVALID_JSON", ""),
        ("[" * 100 + "]" * 100, "TOO_DEEP", ""),
        ('{"minimum":1e99999}', "NUMBER_OUT_OF_RANGE", ""),
        ("[]", "NOT_A_SCHEMA", ""),
        ('{"$schema":"http://json-schema.org/draft-04/schema#"}', "UNKNOWN_DIALECT", "/$schema"),
        ('{"properties":{"a":{"type":"txt"}}}', "INVALID_SCHEMA", "/properties/a/type"),
        ('{"$vocabulary":{"https://x.test/v":true}}', "UNKNOWN_VOCABULARY", None),
        ('{"$ref":"#/$defs/x"}', "REFERENCE_NOT_FOUND", "/$ref"),
        ('{"$ref":"https://x.test/schema"}', "REFERENCE_NOT_FOUND", "/$ref"),
        ('{"$ref":"#"}', "REFERENCE_LOOP", ""),
        ('{"properties":{"a":{"pattern":"["}}}', "INVALID_PATTERN", "/properties/a/pattern"),
        ('{"properties":{"a":{"pattern":"(?i)a"}}}', "INVALID_PATTERN", "/properties/a/pattern"),
        ('{"properties":{"a":{"pattern":"a++"}}}', "INVALID_PATTERN", "/properties/a/pattern"),
        ('{"pattern":"(?:a{1000}){1000}"}', "INVALID_PATTERN", "/pattern"),
        (json.dumps({"pattern": "a" * 2000}), "PATTERN_TOO_LONG", "/pattern"),
        ('{"type":"string"}', "NO_ROW", ""),
        ("false", "NO_ROW", ""),
        ('{"properties":{"a":false},"required":["a"]}', "NO_ROW", "/properties/a"),
        (
            '{"properties":{"a":{"type":"integer","default":"x"}}}',
            "INVALID_DEFAULT",
            "/properties/a/default",
        ),
        (
            '{"properties":{"a":{"default":1,"$ref":"#/$defs/a"}},"$defs":{"a":{"default":2}}}',
            "DEFAULT_CONFLICT",
            "/properties/a",
        ),
        (
            '{"properties":{"a":{"type":"string","arrow":"int64"}}}',
            "INVALID_ARROW_TYPE",
            "/properties/a/arrow",
        ),
        (
            '{"properties":{"a":{"x-tick-role":"colour"}}}',
            "UNKNOWN_ROLE",
            "/properties/a/x-tick-role",
        ),
    ],
)
def test_a_bad_schema_is_refused_with_its_place(
    text: str | bytes, reason: str, pointer: str | None
) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_schema(text)
    assert caught.value.reason == reason
    if pointer is not None:
        assert caught.value.pointer == pointer


def test_size_is_bounded() -> None:
    with pytest.raises(SchemaError, match="at most 10"):
        parse_schema('{"type":"object"}', limits=SchemaLimits(max_bytes=10))


def test_references_that_double_at_every_level_are_refused_before_they_are_followed() -> None:
    definitions = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(40)
    }
    text = json.dumps({"$ref": "#/$defs/d0", "$defs": {**definitions, "d40": {}}})
    with pytest.raises(SchemaError) as caught:
        parse_document(text)
    assert caught.value.reason == "TOO_MANY_REFERENCES"


def test_numbers_are_exact() -> None:
    document = parse_document('{"minimum":1.0,"maximum":0.1,"const":123456789012345678901}')
    assert document.root == {
        "minimum": 1,
        "maximum": Decimal("0.1"),
        "const": 123456789012345678901,
    }
    assert document.plain == {"minimum": 1, "maximum": 0.1, "const": 123456789012345678901}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"minimum":1.0}', '{"minimum":1}'),
        ('{"multipleOf":0.010}', '{"multipleOf":1e-2}'),
        ('{"required":["b","a"]}', '{"required":["a","b"]}'),
        ('{"enum":["B",1.0,"A"]}', '{"enum":["A","B",1]}'),
        ('{"type":["string"]}', '{"type":"string"}'),
        ('{"type":["null","string"]}', '{"type":["string","null"]}'),
        ('{"title":"x","properties":{"a":{"description":"y"}}}', '{"properties":{"a":{}}}'),
        ("{}", '{"$schema":"https://json-schema.org/draft/2020-12/schema"}'),
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
    ],
)
def test_texts_that_mean_the_same_share_a_fingerprint(one: str, other: str) -> None:
    assert parse_document(one).fingerprint == parse_document(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"properties":{"title":{}}}', '{"properties":{}}'),
        ('{"const":{"title":"a"}}', '{"const":{"title":"b"}}'),
        ('{"default":1}', '{"default":2}'),
        ('{"format":"date"}', "{}"),
        ('{"x-tick-calendar":"XNYS"}', "{}"),
        ('{"arrow":"int8"}', "{}"),
        ('{"prefixItems":[{},{"type":"null"}]}', '{"prefixItems":[{"type":"null"},{}]}'),
        ("{}", '{"$schema":"http://json-schema.org/draft-07/schema#"}'),
    ],
)
def test_texts_that_behave_differently_do_not(one: str, other: str) -> None:
    assert parse_document(one).fingerprint != parse_document(other).fingerprint


def test_a_pinned_reference_is_followed_bundled_and_part_of_the_fingerprint() -> None:
    text = '{"properties":{"px":{"$ref":"types.price"},"n":{"$ref":"types.price#/$defs/lots"}}}'
    price = parse_document('{"type":"number","$defs":{"lots":{"type":"integer"}}}')
    other = parse_document('{"type":"string","$defs":{"lots":{"type":"integer"}}}')
    document = parse_schema(text, references={"types.price": price})
    assert document.resolve("types.price#/$defs/lots") == {"type": "integer"}
    assert document.fingerprint != parse_schema(text, references={"types.price": other}).fingerprint
    from tickmesh.schema.oracle import validator_of

    validator = validator_of(document)
    assert validator.is_valid({"px": 1.5, "n": 1})
    assert not validator.is_valid({"px": "1.5"})
    assert not validator.is_valid({"n": 1.5})


def test_identifiers_and_anchors_inside_the_document_are_found() -> None:
    document = parse_document(
        '{"$id":"https://x.test/root","$defs":{"i":{"$id":"item","$anchor":"it","type":"integer"}},'
        '"properties":{"a":{"$ref":"item"},"b":{"$ref":"item#it"}}}'
    )
    assert isinstance(document.root, dict)
    for name in "ab":
        target = document.target_of(document.root["properties"][name])
        assert isinstance(target, dict)
        assert target["type"] == "integer"


def test_draft_07_ignores_what_stands_beside_a_reference() -> None:
    document = parse_schema(
        '{"$schema":"http://json-schema.org/draft-07/schema#","properties":'
        '{"a":{"$ref":"#/definitions/i","type":"string"}},"definitions":{"i":{"type":"integer"}}}'
    )
    from tickmesh.schema import project

    assert str(project(document).field("a").type) == "int64"


def test_references_of_references_are_bundled_once_and_followed() -> None:
    """Each level refers to both schemas of the level below: bundled naively, they would double."""
    lower = parse_document('{"type":"integer"}'), parse_document('{"type":"number"}')
    for level in range(12):
        pinned = {"left": lower[0], "right": lower[1]}
        text = f'{{"allOf":[{{"$ref":"left"}}],"x-level":{level}'
        lower = (
            parse_document(text + "}", references=pinned),
            parse_document(text + ',"x-right":true}', references=pinned),
        )
    document = parse_schema('{"properties":{"a":{"$ref":"left"}}}', references={"left": lower[0]})
    assert len(document.pinned_documents) == 25
    assert len(json.dumps(document.plain)) < 10_000
    from tickmesh.schema.oracle import validator_of

    assert validator_of(document).is_valid({"a": 1})
    assert not validator_of(document).is_valid({"a": 1.5})


def test_schemas_that_refer_to_too_many_others_are_refused() -> None:
    pinned = {f"s{n}": parse_document(f'{{"minimum":{n}}}') for n in range(257)}
    with pytest.raises(SchemaError) as caught:
        parse_schema("{}", references=pinned)
    assert caught.value.reason == "TOO_MANY_REFERENCES"
