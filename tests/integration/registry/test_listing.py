"""Listings: filters, orders, views, pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.calls import assert_invalid, failure_of
from tests.support.registry_schemas import TRADES, trades
from tickmesh.api.registry.v1 import schema_pb2, selector_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.support.registry_process import Stub

HOSTILE = ["(" * 10_000, "NOT " * 10_000, "-" * 10_000, "a" * 1_000_000]


async def register(stub: Stub, subject: str, count: int = 1, **labels: str) -> None:
    for number in range(count):
        text = json.dumps({**json.loads(TRADES), "title": f"{subject} {number}"})
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject=subject, text=text, labels={"number": str(number), **labels}
            )
        )


async def subjects(stub: Stub, page_size: int = 0, **request: Any) -> list[str]:
    """Every page of a listing of subjects."""
    found: list[str] = []
    token = ""
    while True:
        answer = await stub.ListSubjects(
            pb.ListSubjectsRequest(page_size=page_size, page_token=token, **request)
        )
        found += [subject.name for subject in answer.subjects]
        token = answer.next_page_token
        if not token:
            return found


async def versions(stub: Stub, subject: str, page_size: int = 0, **request: Any) -> list[int]:
    """Every page of a listing of versions."""
    found: list[int] = []
    token = ""
    while True:
        answer = await stub.ListVersions(
            pb.ListVersionsRequest(
                subject=subject, page_size=page_size, page_token=token, **request
            )
        )
        found += [version.version for version in answer.versions]
        token = answer.next_page_token
        if not token:
            return found


@pytest.mark.parametrize("page_size", [0, 1, 2, 3])
async def test_subjects_list_filtered_and_in_any_order(stub: Stub, page_size: int) -> None:
    for subject, count in (("ticks.b", 2), ("ticks.a", 1), ("bars", 3), ("ticks.c", 2)):
        await register(stub, subject, count)
    assert await subjects(stub, page_size) == ["bars", "ticks.a", "ticks.b", "ticks.c"]
    assert await subjects(stub, page_size, prefix="ticks.") == ["ticks.a", "ticks.b", "ticks.c"]
    assert await subjects(stub, page_size, order_by="name desc") == [
        *("ticks.c", "ticks.b", "ticks.a", "bars"),
    ]
    assert await subjects(stub, page_size, order_by="revision desc") == [
        *("ticks.c", "bars", "ticks.a", "ticks.b"),
    ]
    assert await subjects(stub, page_size, order_by="version_count") == [
        *("ticks.a", "ticks.b", "ticks.c", "bars"),
    ]
    wanted = 'name = "*s*" AND (version_count = 2 OR version_count = 3) AND NOT name:bar'
    assert await subjects(stub, page_size, filter=wanted) == ["ticks.b", "ticks.c"]
    assert await subjects(stub, page_size, filter="latest_version > 9") == []


@pytest.mark.parametrize("page_size", [0, 1, 2])
async def test_versions_list_filtered_and_in_any_order(stub: Stub, page_size: int) -> None:
    await register(stub, "s", 4, team="eq")
    imported = pb.RegisterSchemaRequest(subject="s", text=trades(x={}), labels={"team": "fx"})
    imported.effective_from.seconds = 1_000
    await stub.RegisterSchema(imported)
    assert await versions(stub, "s", page_size) == [1, 2, 3, 4, 5]
    assert await versions(stub, "s", page_size, order_by="version desc") == [5, 4, 3, 2, 1]
    assert await versions(stub, "s", page_size, order_by="effective_from") == [5, 1, 2, 3, 4]
    assert await versions(stub, "s", page_size, filter="labels.number = 2 OR labels.team = fx") == [
        *(3, 5),
    ]
    assert await versions(stub, "s", page_size, filter='text:"s 3" AND version > 1') == [4]
    assert await versions(stub, "s", page_size, filter="effective_from < 2000-01-01T00:00:00Z") == [
        5
    ]
    assert await versions(stub, "s", page_size, filter="action = first state = active") == [1]


async def test_a_basic_view_leaves_the_texts_out_and_nothing_else(stub: Stub) -> None:
    await register(stub, "s", 2)
    whole = await stub.ListVersions(pb.ListVersionsRequest(subject="s"))
    basic = await stub.ListVersions(
        pb.ListVersionsRequest(subject="s", view=schema_pb2.SCHEMA_VIEW_BASIC)
    )
    for version in whole.versions:
        assert version.text
        assert version.canonical_text
        assert version.arrow_schema
        version.ClearField("text")
        version.ClearField("canonical_text")
        version.ClearField("arrow_schema")
    assert whole.versions == basic.versions


async def test_pages_of_large_schemas_can_be_read_by_any_client(stub: Stub) -> None:
    """A client reads 4 MiB unless told otherwise; a page ends before that."""
    for number in range(6):
        note = {"description": f"{number}" * 900_000}
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=trades(x=note)))
    assert await versions(stub, "s") == [1, 2, 3, 4, 5, 6]
    answer = await stub.ListVersions(pb.ListVersionsRequest(subject="s"))
    assert 1 <= len(answer.versions) < 6
    assert answer.ByteSize() < 3.5 * (1 << 20)
    basic = pb.ListVersionsRequest(subject="s", view=schema_pb2.SCHEMA_VIEW_BASIC)
    assert len((await stub.ListVersions(basic)).versions) == 6


async def test_a_token_is_good_for_its_own_listing_only(stub: Stub) -> None:
    await register(stub, "s", 3)
    await register(stub, "t", 3)
    first = pb.ListVersionsRequest(subject="s", page_size=1)
    token = (await stub.ListVersions(first)).next_page_token
    for request in (
        pb.ListVersionsRequest(subject="t", page_token=token),
        pb.ListVersionsRequest(subject="s", page_token=token, filter="version > 0"),
        pb.ListVersionsRequest(subject="s", page_token=token, order_by="version desc"),
        pb.ListVersionsRequest(subject="s", page_token="garbage"),
        pb.ListVersionsRequest(subject="s", page_token="x" * 100_000),
    ):
        await assert_invalid(stub.ListVersions(request), field="page_token")
    await assert_invalid(
        stub.ListSubjects(pb.ListSubjectsRequest(page_token=token)), field="page_token"
    )
    larger = pb.ListVersionsRequest(subject="s", page_token=token, page_size=2)
    assert [v.version for v in (await stub.ListVersions(larger)).versions] == [2, 3]


async def test_what_a_listing_cannot_take_is_named(stub: Stub) -> None:
    await register(stub, "s")
    listed = stub.ListSubjects
    for filter_ in HOSTILE:
        await assert_invalid(listed(pb.ListSubjectsRequest(filter=filter_)), field="filter")
    unknown = pb.ListSubjectsRequest(filter="price > 1")
    await assert_invalid(listed(unknown), field="filter", says="name, latest_version")
    await assert_invalid(
        listed(pb.ListSubjectsRequest(order_by="price")), field="order_by", says="version_count"
    )
    await assert_invalid(listed(pb.ListSubjectsRequest(page_size=-1)), field="page_size")
    await assert_invalid(listed(pb.ListSubjectsRequest(prefix="é")), field="prefix")
    wrong_view = pb.ListVersionsRequest(subject="s", view=9)  # type: ignore[arg-type] # no such view
    await assert_invalid(stub.ListVersions(wrong_view), field="view")
    await assert_invalid(
        stub.ListVersions(pb.ListVersionsRequest(subject="s", filter="registered_at > yesterday")),
        field="filter",
        says="RFC 3339",
    )
    missing = await failure_of(stub.ListVersions(pb.ListVersionsRequest(subject="none")))
    assert (missing.code, missing.reason) == ("NOT_FOUND", "SUBJECT_NOT_FOUND")


def one(subject: str, version: int) -> pb.GetSchemaRequest:
    return pb.GetSchemaRequest(
        subject=selector_pb2.SubjectSelector(subject=subject, version=version)
    )


async def test_a_batch_answers_each_alone_as_of_one_revision(stub: Stub) -> None:
    await register(stub, "s", 2)
    answer = await stub.BatchGetSchemas(
        pb.BatchGetSchemasRequest(
            requests=[
                one("s", 2),
                one("s", 3),
                one("none", 1),
                pb.GetSchemaRequest(schema_id=1),
                pb.GetSchemaRequest(schema_id=-1),
                pb.GetSchemaRequest(
                    subject=selector_pb2.SubjectSelector(
                        subject="s", latest=selector_pb2.LatestSelector()
                    )
                ),
            ],
            min_revision=2,
            view=schema_pb2.SCHEMA_VIEW_BASIC,
        )
    )
    assert answer.revision == 2
    assert [
        (result.schema.version, result.error.code, result.error.reason) for result in answer.results
    ] == [
        (2, 0, ""),
        (0, 5, "VERSION_NOT_FOUND"),
        (0, 5, "SUBJECT_NOT_FOUND"),
        (1, 0, ""),
        (0, 3, "INVALID_ARGUMENT"),
        (2, 0, ""),
    ]
    assert not answer.results[0].schema.text
    assert answer.results[1].error.metadata == {"subject": "s", "version": "3"}


async def test_a_batch_is_bounded_in_number_and_bytes(stub: Stub) -> None:
    for number in range(5):
        note = {"description": f"{number}" * 900_000}
        await stub.RegisterSchema(pb.RegisterSchemaRequest(subject="s", text=trades(x=note)))
    whole = [one("s", number) for number in range(1, 6)]
    answer = await stub.BatchGetSchemas(pb.BatchGetSchemasRequest(requests=whole))
    reasons = [result.error.reason for result in answer.results]
    assert reasons[0] == ""
    assert reasons[-1] == "LIMIT_EXCEEDED"
    for requests in ([], [one("s", 1)] * 101):
        await assert_invalid(
            stub.BatchGetSchemas(pb.BatchGetSchemasRequest(requests=requests)), field="requests"
        )
    await assert_invalid(
        stub.BatchGetSchemas(
            pb.BatchGetSchemasRequest(requests=[one("s", 1), pb.GetSchemaRequest()])
        ),
        field="requests[1].selector",
    )
    late = await failure_of(
        stub.BatchGetSchemas(
            pb.BatchGetSchemasRequest(requests=[one("s", 1)], min_revision=99), timeout=0.5
        )
    )
    assert late.code == "DEADLINE_EXCEEDED"
