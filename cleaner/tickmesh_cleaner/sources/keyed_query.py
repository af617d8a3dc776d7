"""A query with a key as a source: new rows only, once or poll after poll.

What was read is the source's own memory: another job with the same query, key and destination goes
on behind it.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Final

from tickmesh.decoding.decoded import Position
from tickmesh.decoding.tabular import position_of_row
from tickmesh_cleaner.databases.engine import DatabaseAwayError, DatabaseRefusedError
from tickmesh_cleaner.domain.errors import (
    QueryRefusedError,
    SourceChangedError,
    SourceUnavailableError,
)
from tickmesh_cleaner.domain.identity import MOST_RECORDS
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.answered_query import read_pages
from tickmesh_cleaner.sources.keyed_pages import KeyedPages
from tickmesh_cleaner.sources.source import QUIET_SECONDS, Quiet, ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.databases.engine import Database
    from tickmesh_cleaner.domain.job_source import DatabaseSource
    from tickmesh_cleaner.sources.query_pages import QueryPages
    from tickmesh_cleaner.sources.source import SourceBatch

_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 10.0


class KeyedQuery:
    """The rows of a query in order of its key. Positions are row numbers."""

    replayable = True
    live = True

    def __init__(
        self,
        source: DatabaseSource,
        *,
        database: Database,
        pages: QueryPages,
        spec: SourceSpec,
        name: str,
        refuse_more: Callable[[], None],
    ) -> None:
        """Name the parts; nothing is asked yet.

        Args:
            source: What the job asks for.
            database: Whom to ask.
            pages: Where answers are kept until they are committed.
            spec: How columns become fields.
            name: What reports call the query.
            refuse_more: Raises LimitExceededError when no more may be kept.
        """
        self.name = name
        self._source = source
        self._pages = pages
        self._spec = spec
        self._refuse_more = refuse_more
        self._fetching = KeyedPages(database, source, pages)

    def identify(self) -> SourceIdentity:
        """The query itself: whoever asks it again means its new rows."""
        source = self._source
        asked = [source.connection, source.query, source.key_column, source.watermark_column]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return SourceIdentity(digest=digest, signature="", size_bytes=0)

    def verify(self, identity: SourceIdentity) -> None:
        """A query that is asked again has more rows, never others."""

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """Rows that were fetched; see `Source.read`."""
        yield from read_pages(
            self._pages,
            spec=self._spec,
            name=self.name,
            start=start,
            end=end,
            batch_records=batch_records,
        )

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        """Rows that were fetched, then new ones; ends after one reading unless the query is polled.

        See `LiveSource.follow`.
        """
        position = start or position_of_row(0).token()
        if Position.parse(position).record > self._pages.end:
            raise SourceChangedError(self.name)
        away_seconds = 0.0
        ended = False
        try:
            while True:
                for batch in self.read(start=position, end=None):
                    yield batch
                    position = batch.end
                if ended and not self._source.poll_interval_seconds:
                    return
                if ended:
                    yield from _quiet(self._source.poll_interval_seconds)
                try:
                    ended = self._fetch()
                except SourceUnavailableError as error:
                    self._fetching.close()
                    away_seconds = min(
                        max(away_seconds * 2, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS
                    )
                    yield from _quiet(away_seconds, message=error.message)
                    ended = False
                else:
                    away_seconds = 0.0
        finally:
            self._fetching.close()

    def committed(self, position: str) -> None:
        """Forget rows that are committed; see `LiveSource.committed`."""
        self._fetching.committed(Position.parse(position).record)

    def progress(self, position: str) -> ReadProgress:  # noqa: ARG002 - the protocol's
        """Rows are no bytes."""
        return ReadProgress(0, 0)

    def _fetch(self) -> bool:
        self._refuse_more()
        try:
            return self._fetching.fetch()
        except DatabaseAwayError as error:
            raise SourceUnavailableError(self.name) from error
        except DatabaseRefusedError as error:
            raise QueryRefusedError(self.name, cause=error.message) from error


def _quiet(seconds: float, *, message: str = "") -> Generator[Quiet, None, None]:
    """Nothing for a while, in short pieces."""
    until = time.monotonic() + seconds
    while True:
        yield Quiet(message)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, QUIET_SECONDS))
