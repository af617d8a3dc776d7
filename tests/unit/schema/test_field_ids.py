"""Field ids: given once to a path of names, kept through removal and return."""

from __future__ import annotations

from tickmesh.schema import FieldIds, parse_schema, project

_FIRST = '{"properties":{"a":{},"n":{"type":"object","properties":{"x.y":{"type":"integer"}}}}}'
_SECOND = '{"properties":{"b":{},"n":{"type":"object","properties":{"z":{}}}}}'


def test_ids_are_kept_through_removal_and_return() -> None:
    first = FieldIds().extended(parse_schema(_FIRST))
    assert first.ids == {"a": 1, "n": 2, r"n.x\.y": 3}
    second = first.extended(parse_schema(_SECOND))
    assert second.ids == {"a": 1, "n": 2, r"n.x\.y": 3, "b": 4, "n.z": 5}
    assert second.extended(parse_schema(_FIRST)).ids == second.ids
    assert FieldIds.from_json(second.to_json()).ids == second.ids


def test_ids_roles_and_version_stand_in_the_metadata() -> None:
    document = parse_schema('{"properties":{"ts":{"type":"integer"}}}')
    ids = FieldIds().extended(document)
    schema = project(document, subject="ticks.trades", version=3, field_ids=ids)
    assert schema.metadata == {b"tickmesh.subject": b"ticks.trades", b"tickmesh.version": b"3"}
    assert schema.field("ts").metadata == {
        b"tickmesh.field_id": b"1",
        b"tickmesh.role": b"event_time",
    }
