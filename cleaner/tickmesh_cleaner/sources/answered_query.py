"""A query without a key: its whole answer is read once, kept, and only then cleaned.

Rows of two readings cannot be told apart, so a reading that broke off is begun again; none of its
rows was forwarded. The source is the answer: the same rows in the same order are the same source.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.decoding import tabular
from tickmesh.decoding.decoded import DecodeError, Position
from tickmesh_cleaner.databases.engine import DatabaseAwayError, DatabaseRefusedError
from tickmesh_cleaner.domain.errors import (
    QueryRefusedError,
    SourceChangedError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from tickmesh_cleaner.domain.identity import MOST_RECORDS
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.query_pages import cut_to_pages
from tickmesh_cleaner.sources.source import ReadProgress, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.databases.engine import Database
    from tickmesh_cleaner.sources.query_pages import QueryPages


def fetch_answer(
    database: Database,
    query: str,
    pages: QueryPages,
    *,
    name: str,
    refuse_more: Callable[[], None],
    checkpoint: Callable[[], None],
) -> None:
    """Read the whole answer into pages, unless they are all there.

    Args:
        database: Whom to ask.
        query: One SELECT.
        pages: Where the answer is kept.
        name: What reports call the query.
        refuse_more: Raises LimitExceededError when no more may be kept.
        checkpoint: Called between pages; may raise to stop.

    Raises:
        SourceUnavailableError: The database does not answer; what was read is dropped.
        QueryRefusedError: It refuses the query.
        LimitExceededError: The answer is larger than may be kept.
    """
    if pages.whole is not None:
        return
    pages.clear()
    digest = hashlib.sha256()
    try:
        with closing(database.connect()) as session:
            session.begin_reading()
            for page in cut_to_pages(session.stream(query)):
                checkpoint()
                refuse_more()
                if page.num_rows:
                    digest.update(pages.append(page))
                else:
                    digest.update(page.schema.serialize())
            session.rollback()
    except DatabaseAwayError as error:
        raise SourceUnavailableError(name) from error
    except DatabaseRefusedError as error:
        raise QueryRefusedError(name, cause=error.message) from error
    except pa.ArrowException as error:
        raise QueryRefusedError(name, cause=str(error).splitlines()[0][:300]) from error
    pages.complete(digest.hexdigest())


class AnsweredQuery:
    """The rows of an answer that was read as a whole. Positions are row numbers."""

    replayable = True
    live = False

    def __init__(self, pages: QueryPages, *, spec: SourceSpec, name: str) -> None:
        self.name = name
        self._pages = pages
        self._spec = spec

    def identify(self) -> SourceIdentity:
        """The digest of the rows; see `Source.identify`."""
        whole = self._pages.whole
        if whole is None:
            raise SourceChangedError(self.name)
        return SourceIdentity(digest=whole.digest, signature="", size_bytes=whole.size_bytes)

    def verify(self, identity: SourceIdentity) -> None:
        """Raise SourceChangedError when the answer is no longer kept."""
        if self.identify().digest != identity.digest:
            raise SourceChangedError(self.name)

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """Rows of the answer; see `Source.read`."""
        yield from read_pages(
            self._pages,
            spec=self._spec,
            name=self.name,
            start=start,
            end=end,
            batch_records=batch_records,
        )

    def progress(self, position: str) -> ReadProgress:  # noqa: ARG002 - the protocol's
        """Rows are no bytes."""
        return ReadProgress(0, 0)


def read_pages(
    pages: QueryPages,
    *,
    spec: SourceSpec,
    name: str,
    start: str | None,
    end: str | None,
    batch_records: int,
) -> Generator[SourceBatch, None, None]:
    """Rows of pages as batches of a source; see `Source.read`."""
    batches = tabular.batches(
        pages.read,
        start=Position() if start is None else Position.parse(start),
        end=None if end is None else Position.parse(end),
        batch_records=batch_records,
    )
    try:
        for decoded in batches:
            yield SourceBatch(
                start=decoded.start.token(),
                end=decoded.end.token(),
                decoded=decoded,
                spec=spec,
                file_name="",
            )
    except DecodeError as error:
        raise SourceUnreadableError(
            name, cause=f"{error.code}: {error.message}", offset=error.offset
        ) from error
