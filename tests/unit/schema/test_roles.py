"""Roles: stated on a field, else by the usual names."""

from __future__ import annotations

import json

import pytest

from tickmesh.schema import Roles, SchemaError, parse_document, roles_of


def _roles(properties: dict[str, object]) -> Roles:
    return roles_of(parse_document(json.dumps({"type": "object", "properties": properties})))


def test_the_usual_names_have_their_roles() -> None:
    names = ("ts", "symbol", "price", "size", "side", "seq")
    assert _roles({key: {} for key in names}) == Roles(
        event_time="ts", symbol="symbol", price="price", size="size", side="side", sequence="seq"
    )


def test_a_stated_role_beats_a_name_and_a_field_plays_one_role() -> None:
    roles = _roles(
        {"ts": {}, "time": {"x-tick-role": "event_time"}, "size": {"x-tick-role": "price"}}
    )
    assert roles == Roles(event_time="time", price="size")


def test_a_role_is_found_behind_a_reference() -> None:
    document = parse_document(
        '{"properties":{"t":{"$ref":"#/$defs/t"}},"$defs":{"t":{"x-tick-role":"event_time"}}}'
    )
    assert roles_of(document).event_time == "t"


def test_two_fields_cannot_play_one_role() -> None:
    with pytest.raises(SchemaError) as caught:
        _roles({"a": {"x-tick-role": "price"}, "b": {"x-tick-role": "price"}})
    assert caught.value.reason == "DUPLICATE_ROLE"
