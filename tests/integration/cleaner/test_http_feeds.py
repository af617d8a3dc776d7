"""Feeds over HTTP from a real server: whatever it does, nothing is lost and nothing doubled."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.cleaner.feeds import TOKEN, rows_of, start_feed
from tests.support.blemished_trades import SCHEMA
from tests.support.command_line import CommandLine
from tests.support.mesh import kill
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import HttpFeed
from tickmesh.errors import InvalidArgumentError, PermissionDeniedError

if TYPE_CHECKING:
    from tests.integration.cleaner.conftest import Services
    from tests.support.feed_server import FeedServer

pytestmark = pytest.mark.integration

KILLS = 3


def pages(feed: FeedServer, *, max_answers: int = 0) -> HttpFeed:
    return HttpFeed(
        feed.url("/pages"),
        poll_interval_seconds=0.1,
        paging="cursor",
        cursor_path="/next",
        cursor_parameter="cursor",
        records_path="/data/records",
        max_answers=max_answers,
    )


def test_a_feed_with_a_cursor_is_read_to_its_end_and_goes_on_as_it_grows(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=25)
    job = start_feed(feed_services, subject, pages(feed))
    job.until_rows(25)
    feed.tell(available=73)
    job.until_rows(73)
    ended = job.cancel()
    assert job.rows() == rows_of(range(73))
    assert (ended.balance.stored, ended.balance.quarantined) == (73, 0)
    assert feed_services.cleaner.audit(job.id) == ended.balance


def test_of_a_last_page_that_grew_only_what_is_new_is_taken(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=14)
    source = HttpFeed(feed.url("/linked"), poll_interval_seconds=0.1, paging="link")
    job = start_feed(feed_services, subject, source)
    for available in (14, 15, 19, 20, 21, 44):
        feed.tell(available=available)
        job.until_rows(available)
    job.cancel()
    assert job.rows() == rows_of(range(44))


def test_one_walk_over_all_pages_ends_the_job(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=33)
    job = start_feed(feed_services, subject, pages(feed, max_answers=1))
    ended = job.ended()
    assert ended.state == job_pb2.JOB_STATE_SUCCEEDED, ended.message
    assert job.rows() == rows_of(range(33))


@pytest.mark.parametrize("etags", [True, False])
def test_an_answer_that_was_taken_is_not_taken_again(
    feed_services: Services, feed: FeedServer, subject: str, etags: bool
) -> None:
    """By its ETag where the server has one, else by its content."""
    feed.tell(available=1, etags=etags)
    source = HttpFeed(feed.url("/snapshot.csv"), poll_interval_seconds=0.1, max_answers=3)
    job = start_feed(feed_services, subject, source)
    for available in (1, 2, 3):
        feed.tell(available=available)
        job.until_rows(available)
        if available < 3:
            feed.await_requests(len(feed.log()) + 2)
    assert job.ended().state == job_pb2.JOB_STATE_SUCCEEDED
    assert job.rows() == rows_of(range(3))
    assert any("If-None-Match" in entry["headers"] for entry in feed.log()) == etags


MENDED: dict[str, dict[str, Any]] = {
    "503 with Retry-After": {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    "429": {"kind": "status", "status": 429},
    "a reset within the body": {"kind": "reset"},
    "a truncated gzip": {"kind": "truncated gzip"},
}


@pytest.mark.parametrize("fault", MENDED.values(), ids=MENDED)
def test_a_broken_answer_is_asked_for_again_and_nothing_of_it_is_taken(
    feed_services: Services, feed: FeedServer, subject: str, fault: dict[str, Any]
) -> None:
    none = {"kind": "none"}
    feed.tell(available=42, faults=[none, fault, fault, none, fault])
    job = start_feed(feed_services, subject, pages(feed))
    ended = job.until_rows(42)
    ended = job.cancel()
    assert job.rows() == rows_of(range(42))
    assert ended.balance.quarantined == 0
    cursors = [entry["path"].partition("=")[2] for entry in feed.log()]
    assert cursors[:7] == ["", "10", "10", "10", "20", "20", "30"]


def test_a_server_that_asks_for_patience_is_given_it_and_the_job_says_so(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    headers = {"Retry-After": "3600"}
    feed.tell(available=5, faults=[{"kind": "status", "status": 503, "headers": headers}])
    job = start_feed(feed_services, subject, pages(feed))
    job.until_waiting("answered 503 Service Unavailable; asked again in 3600.0 s")
    assert len(feed.log()) == 1
    job.cancel()


GARBAGE: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"kind": "body", "body": '{"data": {"records": [{"ts": 1'}, "MALFORMED"),
    "no records": ({"kind": "body", "body": '{"error": "try later"}'}, "NO_RECORDS"),
    "bytes": ({"kind": "body", "body": "\x00\xff\xfe" * 100}, "BAD_UTF8"),
    "a page for people": (
        {"kind": "body", "body": "<html>Sign in</html>", "content_type": "text/html"},
        "WRONG_CONTENT_TYPE",
    ),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_quarantined_whole_and_the_feed_goes_on_where_it_was(
    feed_services: Services, feed: FeedServer, subject: str, name: str
) -> None:
    fault, code = GARBAGE[name]
    feed.tell(available=32, faults=[{"kind": "none"}, fault, fault])
    job = start_feed(feed_services, subject, pages(feed))
    job.until_rows(33)
    ended = job.cancel()
    assert job.rows() == rows_of(range(32))
    assert job.held() == [(fault["body"].encode("latin-1"), [code])]
    assert (ended.balance.stored, ended.balance.quarantined) == (32, 1)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "404": ({"kind": "status", "status": 404}, "answered 404 Not Found"),
    "an endless body": ({"kind": "endless"}, "more than 200000 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_stops_the_job_at_a_checkpoint_with_its_words(
    feed_services: Services, feed: FeedServer, subject: str, name: str
) -> None:
    fault, words = REFUSED[name]
    feed.tell(available=42, faults=[{"kind": "none"}, {"kind": "none"}, fault])
    job = start_feed(feed_services, subject, pages(feed))
    ended = job.ended()
    assert ended.state == job_pb2.JOB_STATE_FAILED
    assert ended.error_reason == "SOURCE_UNREADABLE"
    assert words in ended.message
    assert "what was received before is committed" in ended.message
    assert ended.balance.holds
    assert job.rows() == rows_of(range(20))


def test_redirects_are_followed_to_configured_hosts_and_not_in_circles(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=1, redirect_to=feed.url("/snapshot.csv"))
    spec = 'format = "csv"'
    once = HttpFeed(feed.url("/elsewhere"), max_answers=1)
    job = start_feed(feed_services, subject, once, source_spec=spec)
    assert job.ended().state == job_pb2.JOB_STATE_SUCCEEDED
    assert job.rows() == rows_of([0])

    feed.tell(redirect_to=feed.url("/elsewhere"))
    job = start_feed(feed_services, f"{subject}.circle", once, source_spec=spec)
    assert "more than 5 redirects" in job.ended().message

    feed.tell(redirect_to="http://localhost:1/")
    job = start_feed(feed_services, f"{subject}.away", once, source_spec=spec)
    ended = job.ended()
    assert ended.error_reason == "HOST_NOT_ALLOWED"
    assert "localhost:1" in ended.message


def test_hosts_that_are_not_configured_and_urls_with_passwords_are_refused(
    feed_services: Services, subject: str
) -> None:
    with pytest.raises(PermissionDeniedError) as refused:
        start_feed(feed_services, subject, HttpFeed("https://feed.example.com/ticks"))
    assert refused.value.reason == "HOST_NOT_ALLOWED"
    for url in ("http://user:word@127.0.0.1/x", "ftp://127.0.0.1/x", "http://", "no url"):
        with pytest.raises(InvalidArgumentError) as wrong:
            feed_services.cleaner.create_job(subject, source=HttpFeed(url))
        assert "word@" not in str(wrong.value)


def test_what_a_host_is_shown_is_shown_to_nobody_else(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=3, faults=[{"kind": "none"}, {"kind": "status", "status": 401}])
    job = start_feed(feed_services, subject, pages(feed))
    told = str(job.ended())
    assert {entry["headers"]["Authorization"] for entry in feed.log()} == {TOKEN}
    secret = TOKEN.partition(" ")[2]
    assert secret not in told
    for directory, _, names in os.walk(feed_services.mesh.home):
        for name in names:
            with suppress(FileNotFoundError):  # a service at work lets go of files
                assert secret.encode() not in Path(directory, name).read_bytes(), name


def test_a_server_that_is_gone_for_a_while_is_waited_for(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=15)
    job = start_feed(feed_services, subject, pages(feed))
    job.until_rows(15)
    feed.stop()
    job.until_waiting("the connection failed: Connection refused")
    # A server that knew nothing yet would answer with a cursor to its beginning.
    feed.start_with(available=31)
    job.until_rows(31)
    job.cancel()
    assert job.rows() == rows_of(range(31))


def test_kill_9_of_the_cleaner_loses_and_doubles_nothing(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    total, step = 400, 100
    feed.tell(available=step)
    job = start_feed(feed_services, subject, pages(feed))
    killed_at: list[int] = []

    def kill_now_and_then(job: job_pb2.Job) -> bool:
        rows = job.balance.rows_in
        if len(killed_at) < KILLS and rows >= step * len(killed_at) + step // 2:
            killed_at.append(rows)
            feed.tell(available=step * (len(killed_at) + 1))
            kill(feed_services.mesh, "cleaner")
        return rows >= total

    job.until(kill_now_and_then)
    assert len(killed_at) == KILLS
    ended = job.cancel()
    assert job.rows() == rows_of(range(total))
    assert feed_services.cleaner.audit(job.id) == ended.balance


def test_a_paused_feed_is_not_read_and_a_resumed_one_goes_on(
    feed_services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=12)
    job = start_feed(feed_services, subject, pages(feed))
    job.until_rows(12)
    feed_services.cleaner.pause_job(job.id)
    job.until(lambda job: job.state == job_pb2.JOB_STATE_PAUSED)
    asked = len(feed.log())
    feed.tell(available=24)
    assert len(feed.log()) == asked
    feed_services.cleaner.resume_job(job.id)
    job.until_rows(24)
    job.cancel()
    assert job.rows() == rows_of(range(24))


def test_the_command_line_takes_the_url_of_a_feed(
    feed_services: Services, feed: FeedServer, subject: str, tmp_path: Path
) -> None:
    feed_services.registry.register(subject, SCHEMA)
    feed.tell(available=23)
    command = CommandLine(feed_services.mesh.client_environment, tmp_path)
    paging = ["--paging", "cursor", "--cursor-path", "/next", "--cursor-parameter", "cursor"]
    done = command.run(
        "clean",
        feed.url("/pages"),
        *("--subject", subject, "--records-path", "/data/records", "--max-answers", "1", *paging),
    )
    assert done.code == 0, done.text
    assert "23 rows in = 23 stored" in done.out
    misplaced = command.run(
        "clean", feed.url("/pages"), "--subject", subject, "--subscribe", "everything"
    )
    assert misplaced.code == 2
    assert "--subscribe does not go with a feed over HTTP" in misplaced.err
    refused = command.run("clean", "https://feed.example.com/x", "--subject", subject)
    assert "feed.example.com:443" in refused.err
    assert "sources.hosts" in refused.err
