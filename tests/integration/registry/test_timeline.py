"""Timelines over the wire, in effective time and as known at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.calls import assert_invalid, failure_of
from tests.support.registry_schemas import TRADES
from tickmesh.api.registry.v1 import schema_pb2, timeline_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import NotFoundError
from tickmesh.registered import Knowledge

if TYPE_CHECKING:
    from tests.support.registry_process import RegistryProcess, Stub

AT_INSTANT = timeline_pb2.TIMELINE_KNOWLEDGE_AT_INSTANT
SECOND = 1_000_000_000


async def register(stub: Stub, *effective_from: int) -> list[schema_pb2.SchemaVersion]:
    """One version for each instant (seconds), registered now."""
    made = []
    for number, seconds in enumerate(effective_from):
        text = json.dumps({**json.loads(TRADES), "title": str(number)})
        request = pb.RegisterSchemaRequest(subject="s", text=text)
        request.effective_from.seconds = seconds
        made.append((await stub.RegisterSchema(request)).schema)
    return made


async def spans(
    stub: Stub, page_size: int = 0, **request: Any
) -> list[tuple[int, int, int | None]]:
    """Every page of a timeline: version, start and end in seconds."""
    found: list[tuple[int, int, int | None]] = []
    token = ""
    while True:
        answer = await stub.GetTimeline(
            timeline_pb2.GetTimelineRequest(
                subject="s", page_size=page_size, page_token=token, **request
            )
        )
        found += [
            (
                span.schema.version,
                span.start_time.seconds,
                span.end_time.seconds if span.HasField("end_time") else None,
            )
            for span in answer.spans
        ]
        token = answer.next_page_token
        if not token:
            return found


async def test_spans_follow_the_effective_times(stub: Stub) -> None:
    await register(stub, 100, 300, 200, 300)
    whole = [(1, 100, 200), (3, 200, 300), (4, 300, None)]
    for page_size in (0, 1, 2):
        assert await spans(stub, page_size) == whole
    assert await spans(
        stub, 1, start_time=Timestamp(seconds=150), end_time=Timestamp(seconds=250)
    ) == [(1, 150, 200), (3, 200, 250)]
    before = Timestamp(seconds=1)
    assert await spans(stub, knowledge=AT_INSTANT, known_at=before) == []
    assert await spans(stub, start_time=before, end_time=before) == []


async def test_a_view_says_how_much_of_each_version_comes(stub: Stub) -> None:
    await register(stub, 100)
    request = timeline_pb2.GetTimelineRequest(subject="s", view=schema_pb2.SCHEMA_VIEW_BASIC)
    (span,) = (await stub.GetTimeline(request)).spans
    assert span.schema.version == 1
    assert span.schema.text == ""


async def test_the_clients_timeline_agrees_with_its_own_in_force(
    registry: RegistryProcess, process_stub: Stub
) -> None:
    versions = await register(process_stub, 100, 4_000_000_000, 200, 150)
    registered_ns = versions[0].registered_at.ToNanoseconds()
    async with AsyncRegistryClient(registry.address) as client:
        for knowledge in (Knowledge.NOW, Knowledge.AT_EACH_INSTANT):
            timeline = await client.get_timeline("s", knowledge=knowledge)
            edges = [
                edge + nudge
                for span in timeline
                for edge in (span.start_ns, span.end_ns or span.start_ns)
                for nudge in (-1, 0, 1)
            ]
            for at_ns in (50 * SECOND, 175 * SECOND, registered_ns, *edges):
                known_at_ns = 2**62 if knowledge is Knowledge.NOW else at_ns
                try:
                    expected = [
                        (await client.in_force("s", at_ns=at_ns, known_at_ns=known_at_ns)).version
                    ]
                except NotFoundError:
                    expected = []
                assert [
                    span.schema.version
                    for span in timeline
                    if span.start_ns <= at_ns and (span.end_ns is None or at_ns < span.end_ns)
                ] == expected


async def test_what_a_timeline_cannot_take_is_named(stub: Stub) -> None:
    await register(stub, 100)
    ask = timeline_pb2.GetTimelineRequest
    at = Timestamp(seconds=5)
    for request, field in (
        (ask(subject="s", knowledge=AT_INSTANT), "known_at"),
        (ask(subject="s", known_at=at), "known_at"),
        (ask(subject="s", start_time=at, end_time=Timestamp(seconds=4)), "end_time"),
        (ask(subject="s", start_time=Timestamp(seconds=10**12)), "start_time"),
        (ask(subject="s", page_token="x"), "page_token"),
        (ask(subject="s", page_size=-1), "page_size"),
        (ask(subject="no such name"), "subject"),
    ):
        await assert_invalid(stub.GetTimeline(request), field=field)
    missing = await failure_of(stub.GetTimeline(ask(subject="none")))
    assert (missing.code, missing.reason) == ("NOT_FOUND", "SUBJECT_NOT_FOUND")
