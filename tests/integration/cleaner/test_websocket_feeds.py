"""Feeds over WebSockets from a real server: each message once, and gaps told, never filled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.feeds import TOKEN, rows_of, start_feed
from tests.support.feed_server import FeedServer, record
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import WebSocketFeed
from tickmesh.errors import InvalidArgumentError, PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.cleaner.conftest import Services

pytestmark = pytest.mark.integration

SUBSCRIPTION = '{"subscribe": "trades"}'


def stream(
    feed: FeedServer, *, sequence_path: str = "/seq", stall_timeout_seconds: float | None = None
) -> WebSocketFeed:
    return WebSocketFeed(
        feed.url("/stream", scheme="ws"),
        subscribe=(SUBSCRIPTION,),
        sequence_path=sequence_path,
        stall_timeout_seconds=stall_timeout_seconds,
    )


def numbered(numbers: Iterable[int]) -> list[object]:
    return [{"seq": number, **record(number)} for number in numbers]


def test_every_message_is_one_record_whether_text_or_binary(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed))
    feed.await_sockets(1)
    feed.say(numbered(range(50)))
    feed.say(numbered(range(50, 60)), binary=True)
    feed.say([json.dumps(message, indent=2) for message in numbered(range(60, 70))])
    job.until_rows(70)
    ended = job.cancel()
    assert job.rows() == rows_of(range(70))
    assert dict(ended.balance.extras) == {"seq": 70}
    assert feed_services.cleaner.audit(job.id) == ended.balance
    assert {"said": SUBSCRIPTION} in feed.log()
    assert feed.log()[0]["headers"]["Authorization"] == TOKEN


def test_messages_that_cannot_be_decoded_are_quarantined_as_they_came(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed, sequence_path=""))
    feed.await_sockets(1)
    bad = ["{", "", "[1, 2]", '{"ts": 1', '{"ts": 1}\n{"ts": ', "null"]
    for number, message in enumerate(bad):
        feed.say([record(number), message])
    feed.say(["\xff\xfe\x00", "\x1f\x8b\x08"], binary=True)
    feed.say([record(len(bad))])
    job.until_rows(len(bad) * 2 + 4)
    ended = job.cancel()
    assert job.rows() == rows_of(range(len(bad) + 1))
    held = job.held()
    assert len(held) == ended.balance.quarantined == len(bad) + 3
    raw = [each for each, _ in held]
    assert {b"{", b"", b"[1, 2]", b"null", b"\xff\xfe\x00", b"\x1f\x8b\x08"} <= set(raw)
    codes = {code for _, found in held for code in found}
    assert {"MALFORMED", "NOT_AN_OBJECT", "BAD_UTF8"} <= codes


def test_a_jump_in_the_feeds_numbers_is_told_as_a_gap_and_never_filled(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed))
    feed.await_sockets(1)
    feed.say(numbered([1, 2, 3, 8]))
    message = job.until_event("GAP")
    assert "4 messages were not received" in message
    assert "4 to 7" in message
    job.until_rows(4)
    job.cancel()
    assert job.rows() == rows_of([1, 2, 3, 8])


def test_a_reset_is_mended_and_what_is_sent_again_is_not_doubled(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed))
    feed.await_sockets(1)
    feed.say(numbered(range(1, 20)))
    job.until_rows(19)
    feed.drop_sockets()
    assert "the last number was 19" in job.until_event("RECONNECTED")
    feed.await_sockets(1)
    feed.say(numbered(range(15, 26)))
    feed.say(numbered([30]))
    assert "26 to 29" in job.until_event("GAP")
    job.until_rows(26)
    job.cancel()
    assert job.rows() == rows_of([*range(1, 26), 30])


def test_a_feed_that_goes_silent_is_connected_anew(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    # Sent by the server itself: a connection lasts no longer than its silence.
    feed.tell(greeting=numbered([1]))
    job = start_feed(feed_services, subject, stream(feed, stall_timeout_seconds=1.0))
    assert "no message for 1 s" in job.until_event("STALLED")
    job.until_event("RECONNECTED")
    feed.tell(greeting=numbered([2]))
    job.until_rows(2)
    job.cancel()
    assert job.rows() == rows_of([1, 2])


def test_without_numbers_a_break_says_that_what_was_missed_is_not_known(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed, sequence_path=""))
    feed.await_sockets(1)
    feed.drop_sockets()
    assert "how much that is is not known" in job.until_event("RECONNECTED")
    job.cancel()


def test_kill_9_of_the_cleaner_doubles_nothing_and_tells_what_was_missed(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    job = start_feed(feed_services, subject, stream(feed))
    feed.await_sockets(1)
    feed.say(numbered(range(1, 200)))
    job.until_rows(50)
    # The cleaner that comes back is kept out until it has missed something.
    feed.tell(faults=[{"kind": "status", "status": 503}] * 1_000)
    kill(feed_services.mesh, "cleaner")
    feed.await_sockets(0)
    feed.say(numbered(range(200, 210)))
    feed.tell(faults=[])
    feed.await_sockets(1)
    # It sends again from where a client may have been cut off, as feeds with recovery do.
    feed.say(numbered(range(100, 200)))
    feed.say(numbered(range(210, 260)))
    assert "200 to 209" in job.until_event("GAP")
    job.until_rows(249)
    ended = job.cancel()
    assert job.rows() == rows_of([*range(1, 200), *range(210, 260)])
    assert feed_services.cleaner.audit(job.id) == ended.balance


def test_a_refused_handshake_stops_the_job_and_a_busy_one_is_tried_again(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(faults=[{"kind": "status", "status": 503}])
    job = start_feed(feed_services, subject, stream(feed))
    feed.await_sockets(1)
    feed.say(numbered([1]))
    job.until_rows(1)
    feed.tell(faults=[{"kind": "status", "status": 403}])
    feed.drop_sockets()
    ended = job.ended()
    assert ended.state == job_pb2.JOB_STATE_FAILED
    assert "answered 403" in ended.message
    assert job.rows() == rows_of([1])


def test_a_feed_job_does_not_keep_others_from_their_work(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    jobs = [start_feed(feed_services, f"{subject}.s{n}", stream(feed)) for n in range(4)]
    feed.await_sockets(len(jobs))
    feed.say(numbered(range(1, 6)))
    for job in jobs:
        job.until_rows(5)
    for job in jobs:
        job.cancel()
        assert job.rows() == rows_of(range(1, 6))


def test_what_fits_no_websocket_is_refused(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    with pytest.raises(PermissionDeniedError, match=r"sources\.hosts"):
        start_feed(feed_services, subject, WebSocketFeed("wss://feed.example.com/x"))
    for source, spec, words in (
        (WebSocketFeed("http://127.0.0.1/x"), "", "wss://"),
        (WebSocketFeed("ws://127.0.0.1/x", sequence_path="seq"), "", "JSON Pointer"),
        (stream(feed), 'format = "parquet"', "messages are JSON or CSV"),
        (stream(feed), 'format = "csv"', "no header"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            feed_services.cleaner.create_job(subject, source=source, source_spec=spec)
