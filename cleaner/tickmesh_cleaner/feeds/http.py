"""A feed polled over HTTP: each new answer is taken into the spool whole, with where to go on.

With paging, a walk goes from page to page until one has no next. The next poll asks for that last
page again: what it holds beyond what was taken is new, and only that. Without paging every poll
asks for the same URL, and an answer is new when it is not the one that was taken last.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from tickmesh.decoding.source_spec import Format
from tickmesh_cleaner.domain.job_source import HttpPaging
from tickmesh_cleaner.feeds.answers import AnswerOrigin, Page, PageReader, digest_of, size_of
from tickmesh_cleaner.feeds.backoff import Backoff
from tickmesh_cleaner.feeds.http_client import Answer, FeedHttpClient, TryAgainError

if TYPE_CHECKING:
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job_source import HttpFeedSource
    from tickmesh_cleaner.feeds.intake import Intake


@dataclass(frozen=True, slots=True)
class _Taken:
    """An answer looked at: its origin if there is something to keep, and where to go on."""

    origin: AnswerOrigin | None
    next_url: URL
    walk_ended: bool


class HttpReceiver:
    """Polls one feed."""

    def __init__(
        self,
        source: HttpFeedSource,
        *,
        name: str,
        spec: SourceSpec,
        client: FeedHttpClient,
        intake: Intake,
        backoff: Backoff | None = None,
    ) -> None:
        """Go on where the spool says the feed was left.

        Args:
            source: The feed.
            name: What messages call it.
            spec: How its bodies are decoded.
            client: What asks.
            intake: Where answers go.
            backoff: How long to wait after a failure.
        """
        self._source = source
        self._name = name
        self._grows = source.paging is not HttpPaging.NONE and spec.format in {
            Format.JSONL,
            Format.CSV,
        }
        self._pages = PageReader(source, spec)
        self._client = client
        self._intake = intake
        self._backoff = backoff or Backoff()
        last = intake.spool.last()
        self._last = AnswerOrigin.from_bytes(last.origin) if last else None
        self._url = URL(self._last.next_url if self._last else source.url)

    async def run(self) -> None:
        """Poll until the feed is at its end, or for ever.

        Raises:
            CleanerError: The feed refuses, or leads elsewhere.
        """
        while not self._at_end():
            await self._intake.room()
            try:
                answer = await self._client.get(self._url, **self._known())
            except TryAgainError as error:
                wait_seconds = self._backoff.failed(error.retry_after_seconds)
                self._intake.waiting = (
                    f"{self._name}: {error.message}; asked again in {wait_seconds:.1f} s"
                )
                await asyncio.sleep(wait_seconds)
                continue
            self._backoff.succeeded()
            self._intake.waiting = ""
            if answer is None or not await self._take(answer):
                await asyncio.sleep(self._backoff.spread(self._source.poll_interval_seconds))

    def _at_end(self) -> bool:
        most, last = self._source.max_answers, self._last
        if not most or last is None:
            return False
        paged = self._source.paging is not HttpPaging.NONE
        return (last.walks if paged else last.answer) >= most

    def _known(self) -> dict[str, str]:
        if self._last is None or self._last.request != str(self._url):
            return {}
        if self._source.paging is HttpPaging.LINK:
            # An ETag speaks of the body: a full last page that gets a next one would stay the same.
            return {}
        return {"etag": self._last.etag, "modified": self._last.modified}

    async def _take(self, answer: Answer) -> bool:
        """Keep what is new in an answer; answers whether to ask on at once."""
        taken = await asyncio.to_thread(self._look_at, answer)
        if taken.origin is not None:
            self._intake.take(answer.body, origin=taken.origin.to_bytes())
            # Nothing is asked for under a state that a crash would forget.
            await self._intake.durable()
            self._last = taken.origin
        self._url = taken.next_url
        return not taken.walk_ended

    def _look_at(self, answer: Answer) -> _Taken:
        digest = hashlib.sha256(answer.body).hexdigest()
        last = self._last
        same_page = last is not None and last.request == str(self._url)
        page = self._pages.page(answer.body, answer.content_type)
        next_url = self._next(page, answer)
        walk_ended = next_url == self._url
        if same_page and last is not None and last.digest == digest:
            return _Taken(None, next_url, walk_ended=walk_ended)
        size = size_of(page)
        skip = last.taken if same_page and last and self._has_grown(page, last, size) else 0
        nothing_new = last is not None and not page.code and skip == size and walk_ended
        # That a walk has ended is news where the job ends with it, even if its last page is empty.
        if nothing_new and (same_page or not self._source.max_answers):
            return _Taken(None, next_url, walk_ended=True)
        origin = AnswerOrigin(
            answer=(last.answer if last else 0) + 1,
            walks=(last.walks if last else 0) + (walk_ended and not page.code),
            request=str(self._url),
            etag=answer.etag,
            modified=answer.modified,
            digest=digest,
            next_url=str(next_url),
            # A body without records must not make the records of a sound one look taken, or new.
            taken=last.taken if page.code and same_page and last else size,
            taken_digest=last.taken_digest
            if page.code and same_page and last
            else digest_of(page, size),
            skip=skip,
            code=page.code,
            message=page.message,
        )
        return _Taken(origin, next_url, walk_ended)

    def _has_grown(self, page: Page, last: AnswerOrigin, size: int) -> bool:
        if not self._grows or page.code or not last.taken or size < last.taken:
            return False
        body = b"".join(page.records) if not page.count else b""
        if body and body[last.taken - 1 : last.taken] != b"\n":
            return False
        return digest_of(page, last.taken) == last.taken_digest

    def _next(self, page: Page, answer: Answer) -> URL:
        if self._source.paging is HttpPaging.LINK and answer.next_url is not None:
            return answer.next_url
        if self._source.paging is HttpPaging.CURSOR and page.cursor:
            return URL(self._source.url).update_query({self._source.cursor_parameter: page.cursor})
        return self._url
