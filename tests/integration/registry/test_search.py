"""Searches by fields, labels, state and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.calls import assert_invalid
from tickmesh.api.registry.v1 import schema_pb2, search_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import RegistryProcess, Stub

TIME = {"type": "string", "format": "date-time"}
LEVEL = {"type": "object", "properties": {"bid": {"type": "number"}}, "required": ["bid"]}


async def register(stub: Stub, subject: str, properties: dict[str, Any], **labels: str) -> None:
    text = json.dumps({"type": "object", "properties": properties})
    await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject=subject, text=text, labels=labels, allow_breaking=True)
    )


async def register_all(stub: Stub) -> None:
    await register(stub, "quotes", {"quote": LEVEL, "ts": {"type": "integer"}}, team="fx")
    await register(stub, "trades", {"price": {"type": "number"}, "ts": TIME})
    await register(stub, "trades", {"price": {"type": "integer"}}, team="eq")
    await register(stub, "bars", {"open_price": {"type": ["number", "null"]}})


async def found(stub: Stub, *fields: dict[str, str], **request: Any) -> list[tuple[str, int]]:
    """Every page of a search, one hit a page."""
    hits: list[tuple[str, int]] = []
    token = ""
    while True:
        answer = await stub.SearchSchemas(
            search_pb2.SearchSchemasRequest(
                fields=[search_pb2.FieldCondition(**each) for each in fields],
                page_size=1,
                page_token=token,
                **request,
            )
        )
        hits += [(hit.schema.subject, hit.schema.version) for hit in answer.hits]
        token = answer.next_page_token
        if not token:
            return hits


async def test_versions_are_found_by_the_fields_they_have(stub: Stub) -> None:
    await register_all(stub)
    assert await found(stub, {"name": "price"}) == [("trades", 1), ("trades", 2)]
    assert await found(stub, {"name": "price", "type": "number"}) == [("trades", 1)]
    assert await found(stub, {"name": "*price", "type": "number"}) == [("bars", 1), ("trades", 1)]
    assert await found(stub, {"path": "/quote/bid"}) == [("quotes", 1)]
    assert await found(stub, {"role": "price"}, latest_only=True) == [("trades", 2)]
    assert await found(stub, {"role": "event_time"}, {"type": "string"}) == [("trades", 1)]
    assert await found(stub, {"type": "null"}) == [("bars", 1)]
    assert await found(stub, {"name": "nothing"}) == []


async def test_versions_are_found_by_labels_subject_and_text(stub: Stub) -> None:
    await register_all(stub)
    every = [("bars", 1), ("quotes", 1), ("trades", 1), ("trades", 2)]
    assert await found(stub) == every
    assert await found(stub, latest_only=True) == [every[0], every[1], every[3]]
    assert await found(stub, filter="labels.team:*") == [every[1], every[3]]
    assert await found(stub, filter="subject = t* AND version > 1") == [every[3]]
    assert await found(stub, {"name": "*price"}, filter='NOT text:"open_"') == every[2:]
    assert await found(stub, filter="schema_id = 1 OR state = deleted") == [every[1]]


async def test_a_hit_shows_its_fields_with_their_ids(stub: Stub) -> None:
    await register_all(stub)
    request = search_pb2.SearchSchemasRequest(
        fields=[search_pb2.FieldCondition(name="bid"), search_pb2.FieldCondition(name="ts")],
        view=schema_pb2.SCHEMA_VIEW_BASIC,
    )
    (hit,) = (await stub.SearchSchemas(request)).hits
    assert hit.schema.text == ""
    assert hit.schema.labels == {"team": "fx"}
    assert list(hit.fields) == [
        search_pb2.MatchedField(
            path="/quote/bid", field_id=2, types=["number"], arrow_type="double", required=True
        ),
        search_pb2.MatchedField(
            path="/ts", field_id=3, types=["integer"], arrow_type="int64", role="event_time"
        ),
    ]


async def test_a_search_after_a_restart_finds_the_same(registry: RegistryProcess) -> None:
    """What schemas say of their fields is worked out again from the store."""
    async with registry.stub() as stub:
        await register_all(stub)
        before = await found(stub, {"name": "*price"})
    await registry.stop()
    await registry.start()
    async with registry.stub() as stub:
        assert await found(stub, {"name": "*price"}) == before


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ([{}], "fields[0]"),
        ([{"type": "decimal"}], "fields[0].type"),
        ([{"role": "boss"}], "fields[0].role"),
        ([{"name": "x" * 9_999}], "fields[0].name"),
        ([{"name": "x"}] * 17, "fields"),
    ],
)
async def test_a_condition_that_cannot_be_is_named(
    stub: Stub, conditions: list[dict[str, str]], field: str
) -> None:
    fields = [search_pb2.FieldCondition(**each) for each in conditions]
    request = search_pb2.SearchSchemasRequest(fields=fields)
    await assert_invalid(stub.SearchSchemas(request), field=field)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (search_pb2.SearchSchemasRequest(filter="(" * 10_000), "filter"),
        (search_pb2.SearchSchemasRequest(filter="name = x"), "filter"),
        (search_pb2.SearchSchemasRequest(page_size=-1), "page_size"),
        (search_pb2.SearchSchemasRequest(page_token="x"), "page_token"),
    ],
)
async def test_what_a_search_cannot_take_is_named(
    stub: Stub, request_: search_pb2.SearchSchemasRequest, field: str
) -> None:
    await assert_invalid(stub.SearchSchemas(request_), field=field)
