"""Feeds over HTTP from a real server: whatever it does, nothing is lost and nothing doubled."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.conftest import Services
from tests.integration.cleaner.feeds import TOKEN, rows_of, start_feed
from tests.support.feed_server import FeedServer
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.cleaning_sources import HttpFeed
from tickmesh.config import load_client_config
from tickmesh.errors import InvalidArgumentError, PermissionDeniedError
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("home")
    settings = {
        "cleaner.sources.hosts": "127.0.0.1:*",
        "cleaner.feeds.headers.127.0.0.1": f"Authorization: {TOKEN}",
        "cleaner.feeds.max_answer_bytes": "200000",
        "cleaner.jobs.max_running": "4",
    }
    with Mesh(home, free_ports=True, settings=settings) as mesh:
        config = load_client_config(home=home, environ=mesh.client_environment)
        with (
            RegistryClient(config.registry) as registry,
            CleanerClient(config=config) as cleaner,
            TickClient(config=config) as ticks,
        ):
            yield Services(mesh, registry, cleaner, ticks, home)


@pytest.fixture
def feed() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


@pytest.fixture
def subject() -> str:
    return f"ticks.f{uuid.uuid4().hex[:8]}"


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
    services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=25)
    job = start_feed(services, subject, pages(feed))
    job.until_rows(25)
    feed.tell(available=73)
    job.until_rows(73)
    ended = job.cancel()
    assert job.rows() == rows_of(range(73))
    assert (ended.balance.stored, ended.balance.quarantined) == (73, 0)
    assert services.cleaner.audit(job.id) == ended.balance


def test_of_a_last_page_that_grew_only_what_is_new_is_taken(
    services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=14)
    source = HttpFeed(feed.url("/linked"), poll_interval_seconds=0.1, paging="link")
    job = start_feed(services, subject, source)
    for available in (14, 15, 19, 20, 21, 44):
        feed.tell(available=available)
        job.until_rows(available)
    job.cancel()
    assert job.rows() == rows_of(range(44))


def test_one_walk_over_all_pages_ends_the_job(
    services: Services, feed: FeedServer, subject: str
) -> None:
    feed.tell(available=33)
    job = start_feed(services, subject, pages(feed, max_answers=1))
    ended = job.ended()
    assert ended.state == job_pb2.JOB_STATE_SUCCEEDED, ended.message
    assert job.rows() == rows_of(range(33))


@pytest.mark.parametrize("etags", [True, False])
def test_an_answer_that_was_taken_is_not_taken_again(
    services: Services, feed: FeedServer, subject: str, etags: bool
) -> None:
    """By its ETag where the server has one, else by its content."""
    feed.tell(available=1, etags=etags)
    source = HttpFeed(feed.url("/snapshot.csv"), poll_interval_seconds=0.1, max_answers=3)
    job = start_feed(services, subject, source)
    for available in (1, 2, 3):
        feed.tell(available=available)
        job.until_rows(available)
        asked = len(feed.log())
        job.until(lambda _, asked=asked: len(feed.log()) > asked + 2 or available == 3)  # type: ignore[misc]  # a default is how a loop's value is kept
    assert job.ended().state == job_pb2.JOB_STATE_SUCCEEDED
    assert job.rows() == rows_of(range(3))
    assert any("If-None-Match" in entry["headers"] for entry in feed.log()) == etags
