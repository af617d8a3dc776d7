"""All feeds of a cleaner: what they need, put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickmesh.decoding.source_spec import Format, SourceSpec, identity_spec
from tickmesh_cleaner.domain.errors import (
    FeedRefusedError,
    InvalidArgumentError,
    InvalidSourceSpecError,
)
from tickmesh_cleaner.domain.job import Job, JobState
from tickmesh_cleaner.domain.job_event import JobEvent
from tickmesh_cleaner.domain.job_source import HttpFeedSource, WebSocketFeedSource
from tickmesh_cleaner.feeds.answers import PageReader
from tickmesh_cleaner.feeds.hosts import name_of
from tickmesh_cleaner.feeds.http import HttpReceiver
from tickmesh_cleaner.feeds.http_client import FeedHttpClient
from tickmesh_cleaner.feeds.intake import Intake
from tickmesh_cleaner.feeds.json_pointer import names_of
from tickmesh_cleaner.feeds.websocket import WebSocketReceiver
from tickmesh_cleaner.sources.feed import FeedRecords
from tickmesh_cleaner.sources.feed_answers import AnswerCutter
from tickmesh_cleaner.sources.feed_messages import MessageCutter
from tickmesh_cleaner.sources.layout import parse_spec
from tickmesh_cleaner.spool import SpoolDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from yarl import URL

    from tickmesh_cleaner.feeds.hosts import FeedHosts
    from tickmesh_cleaner.feeds.loop import FeedLoop, Running
    from tickmesh_cleaner.spool import Spool, SpoolSpace
    from tickmesh_cleaner.store.jobs import JobStore
    from tickmesh_serving.clock import Clock

FeedSource = HttpFeedSource | WebSocketFeedSource

_MOST_SUBSCRIPTIONS = 64
_MOST_SUBSCRIPTION_CHARACTERS = 64 << 10


@dataclass(frozen=True, slots=True)
class Feeds:
    """Makes the sources of feed jobs.

    Attributes:
        space: Where their spools are.
        hosts: What may be connected.
        loop: Where they receive.
        jobs: Where their events are kept.
        clock: The clock.
        max_answer_bytes: The most an answer over HTTP may hold, unpacked.
        receiving: The latest receiver of each job.
    """

    space: SpoolSpace
    hosts: FeedHosts
    loop: FeedLoop
    jobs: JobStore
    clock: Clock
    max_answer_bytes: int
    receiving: dict[str, _Receiving] = field(default_factory=dict)

    def check(self, source: FeedSource, source_spec: str) -> str:
        """Refuse a feed that cannot be read; answers its name, which shows no query.

        Raises:
            InvalidArgumentError: The URL, a pointer or a subscription is wrong.
            HostNotAllowedError: The host is not configured.
            InvalidSourceSpecError: The spec is wrong, or fits no feed.
        """
        url = self._url(source)
        _check_fields(source)
        feed_spec(source, source_spec)
        return name_of(url)

    def spec(self, job: Job) -> SourceSpec:
        """The source spec a feed job's records are mapped by."""
        assert isinstance(job.source, HttpFeedSource | WebSocketFeedSource)
        return feed_spec(job.source, job.layout or job.source_spec)

    def source(self, job: Job) -> FeedRecords:
        """The records of a feed job.

        Raises:
            HostNotAllowedError: The host is not configured any more.
            FeedRefusedError: Its spool is damaged.
        """
        source, spec = job.source, self.spec(job)
        assert isinstance(source, HttpFeedSource | WebSocketFeedSource)
        url = self._url(source)
        try:
            spool = self.space.open(job.id)
        except SpoolDamagedError as error:
            raise FeedRefusedError(
                job.source_name,
                cause=f"its spool is damaged at offset {error.offset}; restore the cleaner's data "
                "directory, or make a new job",
            ) from error
        cutter: AnswerCutter | MessageCutter
        if isinstance(source, HttpFeedSource):
            cutter = AnswerCutter(
                spec,
                name=job.source_name,
                file_name=job.file_name,
                pages=PageReader(source, spec),
                column_names=job.column_names,
                note_names=lambda names: self._note_names(job, spec, names),
            )
        else:
            cutter = MessageCutter(spec, file_name=job.file_name)
        return FeedRecords(
            job.id,
            name=job.source_name,
            spool=spool,
            cutter=cutter,
            receive=lambda: self._receive(job, source, spec, url, spool),
        )

    def drop(self, job: Job, *, committed: str | None) -> None:
        """Free the spool of a job that has ended.

        Args:
            job: The job.
            committed: The position up to which its ledger stands; None when it committed nothing.
        """
        earlier = self.receiving.pop(job.id, None)
        if earlier is not None:
            earlier.stop()
        try:
            held = self.space.open(job.id).durable
        except SpoolDamagedError:
            held = 0
        left = held - (int(committed.partition(":")[0]) if committed else 0)
        if left > 0 and job.state is not JobState.SUCCEEDED:
            self._note_event(
                job, "DROPPED", f"{left} bytes that were received and not judged were dropped"
            )
        self.space.drop(job.id)

    def close(self) -> None:
        """Stop all receivers and close the spools; jobs go on from there after a restart."""
        for receiving in list(self.receiving.values()):
            receiving.stop()
        self.loop.close()
        self.space.close()

    def _receive(
        self, job: Job, source: FeedSource, spec: SourceSpec, url: URL, spool: Spool
    ) -> _Receiving:
        earlier = self.receiving.get(job.id)
        if earlier is not None:
            # Of a job that was paused and goes on: two may not fill one spool.
            earlier.stop()
        intake = Intake(
            spool,
            self.space,
            clock=self.clock,
            note_event=lambda code, message: self._note_event(job, code, message),
        )

        async def receive() -> None:
            async with intake:
                if isinstance(source, WebSocketFeedSource):
                    await WebSocketReceiver(
                        source,
                        url,
                        name=job.source_name,
                        hosts=self.hosts,
                        intake=intake,
                        clock=self.clock,
                    ).run()
                client = FeedHttpClient(
                    hosts=self.hosts,
                    name=job.source_name,
                    max_answer_bytes=self.max_answer_bytes,
                    clock=self.clock,
                )
                try:
                    await HttpReceiver(
                        source, name=job.source_name, spec=spec, client=client, intake=intake
                    ).run()
                finally:
                    await client.close()

        receiving = self.receiving[job.id] = _Receiving(self.loop, receive, intake)
        return receiving

    def _url(self, source: FeedSource) -> URL:
        if isinstance(source, HttpFeedSource):
            return self.hosts.check(source.url, schemes=("https", "http"), field="source.http.url")
        return self.hosts.check(source.url, schemes=("wss", "ws"), field="source.websocket.url")

    def _note_event(self, job: Job, code: str, message: str) -> None:
        event = JobEvent(code, message, self.clock.now_ns())
        self.jobs.note_event(job.id, event, owner=job.owner)

    def _note_names(self, job: Job, spec: SourceSpec, names: tuple[str, ...]) -> None:
        self.jobs.note_layout(job.id, owner=job.owner, layout=spec.to_toml(), names=names)


class _Receiving:
    """A receiver on the loop, with what it says of itself."""

    def __init__(
        self, loop: FeedLoop, receive: Callable[[], Coroutine[None, None, None]], intake: Intake
    ) -> None:
        self._intake = intake
        self._running: Running = loop.start(receive)

    @property
    def ended(self) -> bool:
        return self._running.ended

    @property
    def waiting(self) -> str:
        return self._intake.waiting

    def raise_failure(self) -> None:
        self._running.raise_failure()

    def stop(self) -> None:
        self._running.stop()


def feed_spec(source: FeedSource, text: str) -> SourceSpec:
    """The spec given, or the one of a feed whose names are the schema's.

    Raises:
        InvalidSourceSpecError: It is wrong, or its format does not come as this feed's records.
    """
    if not text:
        csv = isinstance(source, HttpFeedSource) and source.url.partition("?")[0].endswith(
            (".csv", ".csv.gz")
        )
        return identity_spec(Format.CSV if csv else Format.JSONL)
    spec = parse_spec(text)
    if isinstance(source, WebSocketFeedSource):
        if spec.format not in {Format.JSONL, Format.CSV}:
            raise InvalidSourceSpecError(
                f"messages are JSON or CSV, not {spec.format.value}", key="format"
            )
        if spec.format is Format.CSV and not spec.csv.names:
            raise InvalidSourceSpecError(
                "messages have no header: give the names of their columns", key="csv.names"
            )
    elif (source.records_path or source.cursor_path) and spec.format is not Format.JSONL:
        raise InvalidSourceSpecError(
            f"records_path and cursor_path need JSON, not {spec.format.value}", key="format"
        )
    return spec


def _check_fields(source: FeedSource) -> None:
    if isinstance(source, HttpFeedSource):
        _check_pointer(source.records_path, "source.http.records_path")
        _check_pointer(source.cursor_path, "source.http.cursor_path")
        return
    _check_pointer(source.sequence_path, "source.websocket.sequence_path")
    characters = sum(map(len, source.subscribe))
    if len(source.subscribe) > _MOST_SUBSCRIPTIONS or characters > _MOST_SUBSCRIPTION_CHARACTERS:
        raise InvalidArgumentError(
            "source.websocket.subscribe",
            f"expected at most {_MOST_SUBSCRIPTIONS} messages of together "
            f"{_MOST_SUBSCRIPTION_CHARACTERS} characters",
        )


def _check_pointer(pointer: str, field: str) -> None:
    try:
        names_of(pointer)
    except ValueError as error:
        raise InvalidArgumentError(field, str(error)) from None
