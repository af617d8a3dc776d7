"""What receivers do at the edges: silence, full spools, certificates, bombs; real servers."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from tests.support.certificates import write_certificates
from tests.support.feed_server import FeedServer, record
from tests.unit.cleaner.feed_parts import feeds_of
from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.domain.job import Job
from tickmesh_cleaner.domain.job_source import HttpFeedSource, WebSocketFeedSource
from tickmesh_cleaner.feeds.hosts import FeedHosts
from tickmesh_cleaner.feeds.http_client import Answer, FeedHttpClient, TryAgainError
from tickmesh_cleaner.feeds.intake import MOST_PENDING_BYTES
from tickmesh_cleaner.sources.source import Quiet
from tickmesh_cleaner.spool import SpoolSpace
from tickmesh_cleaner.store import CleanerStore
from tickmesh_serving.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tickmesh_cleaner.feeds.feeds import Feeds
    from tickmesh_cleaner.sources.source import SourceBatch

pytestmark = pytest.mark.integration

SEGMENT_BYTES = 4_096
ROOM_BYTES = 40_000


async def ask(url: str, *, silence_seconds: float = 30.0) -> Answer | None:
    client = FeedHttpClient(
        hosts=FeedHosts(["127.0.0.1:*"], {}),
        name="feed",
        max_answer_bytes=1 << 20,
        clock=SystemClock(),
        silence_seconds=silence_seconds,
    )
    try:
        return await client.get(URL(url))
    finally:
        await client.close()


async def test_an_answer_that_stands_still_is_given_up(feed: FeedServer) -> None:
    feed.tell(available=9, faults=[{"kind": "stall"}])
    with pytest.raises(TryAgainError, match=r"0\.2 s without a byte"):
        await ask(feed.url("/pages"), silence_seconds=0.2)


async def test_packed_answers_are_unpacked_and_bombs_are_not(feed: FeedServer) -> None:
    feed.tell(available=9, packed=True)
    answer = await ask(feed.url("/pages"))
    assert answer is not None
    assert len(json.loads(answer.body)["data"]["records"]) == 9
    file = gzip.compress(b"one") + gzip.compress(b"two")
    feed.tell(packed=False, faults=[{"kind": "body", "body": file.decode("latin-1")}])
    answer = await ask(feed.url("/pages"))
    assert answer is not None
    assert answer.body == b"onetwo"
    bomb = gzip.compress(bytes(4 << 20))
    assert len(bomb) < 1 << 16
    feed.tell(faults=[{"kind": "body", "body": bomb.decode("latin-1")}])
    with pytest.raises(FeedRefusedError, match="more than 1048576 bytes"):
        await ask(feed.url("/pages"))
    feed.tell(faults=[{"kind": "body", "body": bomb[:-9].decode("latin-1")}])
    with pytest.raises((FeedRefusedError, TryAgainError)):
        await ask(feed.url("/pages"))


async def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_certificates(tmp_path)
    with FeedServer(certificate=files / "server.pem", key=files / "server.key") as feed:
        feed.tell(available=3)
        with pytest.raises(TryAgainError, match="certificate of the host is not valid"):
            await ask(feed.url("/pages", scheme="https"))
        monkeypatch.setenv("SSL_CERT_FILE", str(files / "ca.pem"))
        assert await ask(feed.url("/pages", scheme="https")) is not None


async def test_a_host_that_is_not_there_is_named_without_its_address() -> None:
    with pytest.raises(TryAgainError) as failed:
        await ask("http://127.0.0.1:1/")
    assert failed.value.message == "the connection failed: Connection refused"


@pytest.fixture
def feeds(tmp_path: Path) -> Iterator[Feeds]:
    store = CleanerStore(tmp_path / "cleaner")
    space = SpoolSpace(
        tmp_path / "feeds",
        max_bytes=MOST_PENDING_BYTES + ROOM_BYTES,
        segment_bytes=SEGMENT_BYTES,
    )
    made = feeds_of(tmp_path, store, clock=SystemClock(), hosts=["127.0.0.1:*"], space=space)
    yield made
    made.close()
    store.close()


def job_of(feeds: Feeds, source: HttpFeedSource | WebSocketFeedSource) -> Job:
    job = Job("job", "ticks.trades", "ticks.trades", source, "feed", 1)
    feeds.jobs.create(job)
    return feeds.jobs.take_over("job", "owner")


def next_batch(
    items: Generator[SourceBatch | Quiet, None, None], *, until_quiet: str = ""
) -> SourceBatch | None:
    """The next batch; None once the source says what a test waits for."""
    for item in items:
        if not isinstance(item, Quiet):
            return item
        if until_quiet and until_quiet in item.message:
            return None
    raise AssertionError("the feed ended")


def test_a_full_spool_holds_the_feed_back_and_loses_nothing(feeds: Feeds, feed: FeedServer) -> None:
    """The socket is not read on; what is committed makes room, and every message comes."""
    source = WebSocketFeedSource(feed.url("/stream", scheme="ws"), ("go",), "/seq")
    records = feeds.source(job_of(feeds, source))
    items = records.follow(start=None)
    next(items)
    feed.await_sockets(1)
    total = 1_200
    batches = []
    # The first half is more than there is room for; the rest comes once the cleaner has seen it.
    for numbers in (range(total // 2), range(total // 2, total)):
        feed.say({"seq": number, **record(number)} for number in numbers)
        while (batch := next_batch(items, until_quiet="the spool is full")) is not None:
            batches.append(batch)
    assert sum(batch.decoded.record_count for batch in batches) < total
    while sum(batch.decoded.record_count for batch in batches) < total:
        records.committed(batches[-1].end)
        batch = next_batch(items)
        assert batch is not None
        batches.append(batch)
    items.close()
    texts = [text for batch in batches for text in batch.decoded.columns["json"].to_pylist()]
    assert [json.loads(str(text))["seq"] for text in texts] == list(range(total))
    assert feeds.jobs.get("job").events == ()


def test_what_was_received_and_not_judged_is_counted_when_it_is_dropped(
    feeds: Feeds, feed: FeedServer
) -> None:
    source = WebSocketFeedSource(feed.url("/stream", scheme="ws"), ("go",))
    job = job_of(feeds, source)
    items = feeds.source(job).follow(start=None)
    next(items)
    feed.await_sockets(1)
    feed.say([record(1), record(2)])
    assert next_batch(items) is not None
    items.close()
    held = feeds.space.size_bytes
    feeds.drop(job, committed=None)
    (event,) = feeds.jobs.get("job").events
    assert event.code == "DROPPED"
    assert f"{held} bytes" in event.message
    assert feeds.space.size_bytes == 0


def test_one_job_never_has_two_receivers(feeds: Feeds, feed: FeedServer) -> None:
    source = WebSocketFeedSource(feed.url("/stream", scheme="ws"), ("go",))
    job = job_of(feeds, source)
    first, second = feeds.source(job).follow(start=None), feeds.source(job).follow(start=None)
    next(first)
    feed.await_sockets(1)
    next(second)
    # Both have asked and subscribed, and only one is there: not the first one, still to be missed.
    feed.await_requests(4)
    feed.await_sockets(1)
    feed.say([record(1)])
    batch = next_batch(second)
    assert batch is not None
    assert batch.decoded.record_count == 1
    first.close()
    second.close()
