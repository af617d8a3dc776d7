"""The watch's state machine: whole revisions, loud gaps, resume after the last one handled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from tickmesh._registry.watch_connection import WatchConnection
from tickmesh.api.registry.v1 import change_pb2, compatibility_pb2, schema_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub
from tickmesh.errors import (
    EpochChangedError,
    OutOfRangeError,
    RevisionCompactedError,
    TickmeshError,
    UnavailableError,
)
from tickmesh.watch import LONGEST_DELAY_SECONDS, WatchCursor, WatchKind, follow, silence_limit

if TYPE_CHECKING:
    from tickmesh.registered import RegisteredSchema
    from tickmesh.watch import SyncWatchCall

Response = wire.WatchResponse


def nothing(_: schema_pb2.SchemaVersion) -> RegisteredSchema:
    raise AssertionError("no event here carries a schema")


def cursor(*, after: int = 5) -> WatchCursor:
    return WatchCursor(wire.WatchRequest(after_revision=after), complete=nothing)


def events(revision: int, *, prev: int, count: int = 1, fragment: bool = False) -> Response:
    response = Response(
        kind=Response.KIND_EVENTS,
        revision=revision,
        prev_revision=prev,
        token=f"e:{revision}",
        fragment=fragment,
    )
    for _ in range(count):
        event = response.events.add(
            revision=revision, subject="s", kind=change_pb2.CHANGE_KIND_POLICY_CHANGED
        )
        event.settings.mode = compatibility_pb2.COMPATIBILITY_MODE_FULL
        event.settings.policy = compatibility_pb2.COMPATIBILITY_POLICY_RECORD
        event.settings.undecided = compatibility_pb2.UNDECIDED_POLICY_REFUSE
    return response


def test_w4_fragments_of_one_revision_are_delivered_whole() -> None:
    watch = cursor()
    watch.next_request()

    assert watch.accept(events(6, prev=0, count=2, fragment=True)) is None
    message = watch.accept(events(6, prev=6, count=1))

    assert message is not None
    assert len(message.events) == 3


def test_w4_a_stream_that_breaks_inside_a_revision_resumes_before_it() -> None:
    watch = cursor()
    watch.next_request()
    watch.accept(events(6, prev=0))
    watch.accept(events(7, prev=6, fragment=True))

    assert watch.next_request().after_token == "e:6"
    message = watch.accept(events(7, prev=0, count=2))
    assert message is not None
    assert len(message.events) == 2


def test_a_missing_response_is_noticed_and_the_watch_resumes_after_the_last_whole_one() -> None:
    watch = cursor()
    watch.next_request()
    watch.accept(events(6, prev=0))

    with pytest.raises(UnavailableError, match="after revision 6"):
        watch.accept(events(8, prev=7))
    assert watch.next_request().after_token == "e:6"


def test_w2_a_revision_repeated_after_a_resume_is_not_delivered_twice() -> None:
    watch = cursor()
    watch.next_request()
    watch.accept(events(6, prev=0))
    watch.next_request()

    assert watch.accept(events(6, prev=0)) is None


def test_w7_a_snapshot_is_delivered_whole_at_its_revision() -> None:
    request = wire.WatchRequest()
    request.snapshot.SetInParent()
    watch = WatchCursor(request, complete=nothing)
    watch.next_request()

    part = events(9, prev=0)
    part.kind = Response.KIND_SNAPSHOT_PART
    assert watch.accept(part) is None
    end = Response(kind=Response.KIND_SNAPSHOT_END, revision=9, prev_revision=9, token="e:9")
    message = watch.accept(end)

    assert message is not None
    assert message.kind is WatchKind.SNAPSHOT
    assert len(message.events) == 1


def test_w6_progress_moves_the_resume_point() -> None:
    watch = cursor()
    watch.next_request()
    watch.accept(Response(kind=Response.KIND_PROGRESS, revision=20, token="e:20"))

    assert watch.next_request().after_token == "e:20"


@pytest.mark.parametrize(
    "error",
    [
        EpochChangedError("another store"),
        RevisionCompactedError("too old"),
        OutOfRangeError("ahead of the store", reason="REVISION_IN_FUTURE"),
    ],
    ids=lambda error: str(error.reason),
)
def test_w8_what_resuming_cannot_mend_is_raised(error: TickmeshError) -> None:
    with pytest.raises(type(error)):
        cursor().delay_after(error)


def test_waits_grow_up_to_a_bound_and_obey_the_server() -> None:
    watch = cursor()
    waits = [watch.delay_after(UnavailableError("away")) for _ in range(50)]
    assert max(waits) <= LONGEST_DELAY_SECONDS
    assert watch.delay_after(UnavailableError("away", retry_after_seconds=3.5)) == 3.5


def test_silence_is_three_progress_intervals() -> None:
    request = wire.WatchRequest()
    request.progress_interval.FromMilliseconds(1500)
    assert silence_limit(request) == 4.5


def test_a_client_closed_while_its_watch_opens_a_stream_ends_the_watch() -> None:
    channel = grpc.insecure_channel("127.0.0.1:1")
    stopped = threading.Event()

    class ClosedMeanwhile(WatchConnection):
        def open(self, request: wire.WatchRequest) -> SyncWatchCall:
            stopped.set()
            channel.close()
            return super().open(request)

    connection = ClosedMeanwhile(
        SchemaRegistryServiceStub(channel),
        open_channel=lambda: channel,
        on_open=lambda _: None,
    )
    assert list(follow(connection, cursor(), stopped=stopped)) == []
