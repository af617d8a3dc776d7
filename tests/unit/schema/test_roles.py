"""Roles: stated on a field, else by the usual names of fields whose types fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import Roles, SchemaError, parse_document, roles_of

TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def playing(role: str, schema: dict[str, Any] = NUMBER) -> dict[str, Any]:
    return {**schema, "x-tick-role": role}


def roles(properties: dict[str, object]) -> Roles:
    return roles_of(parse_document(json.dumps({"type": "object", "properties": properties})))


def refusal(properties: dict[str, object]) -> SchemaError:
    with pytest.raises(SchemaError) as caught:
        roles(properties)
    return caught.value


def test_the_usual_names_have_their_roles() -> None:
    found = roles(
        {
            "ts": {"type": "string", "format": "date-time"},
            "symbol": {"enum": ["A", "B", None]},
            "price": {"type": "number", "arrow": "decimal128(18, 4)"},
            "size": INTEGER,
            "side": TEXT,
            "seq": INTEGER,
        }
    )
    assert found == Roles(
        event_time="ts", symbol="symbol", price="price", size="size", side="side", sequence="seq"
    )


def test_a_usual_name_of_a_type_that_cannot_play_the_role_plays_none() -> None:
    assert roles({"ts": TEXT, "price": {}, "size": {"type": ["integer", "string"]}}) == Roles()


def test_a_stated_role_beats_a_name_and_a_field_plays_one_role() -> None:
    found = roles({"ts": INTEGER, "time": playing("event_time", INTEGER), "size": playing("price")})
    assert found == Roles(event_time="time", price="size")


@pytest.mark.parametrize(
    "place",
    [
        '{"$ref":"#/$defs/t"}',
        '{"allOf":[{"$ref":"#/$defs/t"}]}',
        '{"anyOf":[{"$ref":"#/$defs/t"},{"type":"null"}]}',
    ],
)
def test_a_role_is_found_behind_references_and_in_unions(place: str) -> None:
    document = parse_document(
        f'{{"properties":{{"t":{place}}},'
        '"$defs":{"t":{"type":"integer","x-tick-role":"event_time"}}}'
    )
    assert roles_of(document).event_time == "t"


def test_two_fields_cannot_play_one_role() -> None:
    error = refusal({"a": playing("price"), "b": playing("price")})
    assert (error.reason, error.pointer) == ("DUPLICATE_ROLE", "/properties/b/x-tick-role")


def test_one_field_cannot_play_two_roles() -> None:
    error = refusal({"a": {**playing("price"), "allOf": [playing("size")]}})
    assert (error.reason, error.pointer) == ("DUPLICATE_ROLE", "/properties/a/allOf/0/x-tick-role")


@pytest.mark.parametrize(
    ("role", "schema"),
    [
        ("event_time", NUMBER),
        ("event_time", TEXT),
        ("symbol", INTEGER),
        ("price", TEXT),
        ("price", {}),
        ("size", {"type": "boolean"}),
        ("side", NUMBER),
        ("sequence", NUMBER),
    ],
)
def test_a_role_stated_on_a_field_that_cannot_play_it_is_refused(
    role: str, schema: dict[str, Any]
) -> None:
    error = refusal({"f": playing(role, schema)})
    assert (error.reason, error.pointer) == ("INVALID_ROLE", "/properties/f/x-tick-role")


@pytest.mark.parametrize("role", ["colour", "", 7, None, ["price"]])
def test_an_unknown_role_is_refused_with_those_that_are_known(role: Any) -> None:
    error = refusal({"f": {"x-tick-role": role}})
    assert (error.reason, error.pointer) == ("UNKNOWN_ROLE", "/properties/f/x-tick-role")
    assert "event_time" in error.message
