"""Queries as sources: checked when a job is made, asked when it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tickmesh.decoding.source_spec import Format, identity_spec
from tickmesh_cleaner.domain.errors import (
    InvalidArgumentError,
    InvalidSourceSpecError,
    LimitExceededError,
)
from tickmesh_cleaner.domain.job_source import DatabaseSource
from tickmesh_cleaner.sources.answered_query import AnsweredQuery, fetch_answer
from tickmesh_cleaner.sources.keyed_query import KeyedQuery
from tickmesh_cleaner.sources.layout import parse_spec
from tickmesh_cleaner.sources.query_pages import QueryPages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.databases.connections import Connections
    from tickmesh_cleaner.domain.job import Job

_LONGEST_QUERY: Final = 64 << 10
_SELECT = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(?:select|with)\b", re.IGNORECASE | re.DOTALL
)


class Queries:
    """The queries of jobs, on configured databases."""

    def __init__(
        self,
        databases: Connections,
        directory: Path,
        *,
        max_bytes: int,
        taken_elsewhere: Callable[[], int] = lambda: 0,
    ) -> None:
        """Name what there is.

        Args:
            databases: The databases jobs may name.
            directory: Where answers are kept until they are cleaned.
            max_bytes: The most that answers and what counts with them may hold.
            taken_elsewhere: Bytes that count with them.
        """
        self._databases = databases
        self._directory = directory
        self._max_bytes = max_bytes
        self._taken_elsewhere = taken_elsewhere

    def check(self, source: DatabaseSource, source_spec: str) -> str:
        """Refuse what cannot be asked; answers what to call the query.

        Raises:
            ConnectionNotFoundError: The configuration names no such database.
            InvalidArgumentError: The query is no SELECT, or its columns do not fit together.
            InvalidSourceSpecError: The source spec is not one of columns.
        """
        self._databases.database(source.connection)
        if len(source.query.encode()) > _LONGEST_QUERY:
            raise InvalidArgumentError("source.database.query", f"at most {_LONGEST_QUERY} bytes")
        if not _SELECT.match(source.query):
            raise InvalidArgumentError("source.database.query", "expected one SELECT")
        if not source.key_column:
            for name in ("watermark_column", "overlap", "poll_interval_seconds"):
                if getattr(source, name):
                    raise InvalidArgumentError(
                        "source.database.key_column",
                        f"{name} needs a key column: without one no row is told from another",
                    )
        if not 0 <= source.overlap < float("inf"):
            raise InvalidArgumentError("source.database.overlap", "expected 0 or more")
        _spec(source_spec)
        return f"query on {source.connection}"

    def spec(self, job: Job) -> SourceSpec:
        """How the columns of an answer become fields."""
        return _spec(job.layout or job.source_spec)

    def fetch(self, job: Job, *, checkpoint: Callable[[], None]) -> None:
        """Read the whole answer of a query without a key, unless it is there.

        Args:
            job: The job.
            checkpoint: Called between pages; may raise to stop.

        Raises:
            SourceUnavailableError: The database does not answer.
            QueryRefusedError: It refuses the query.
            LimitExceededError: The answer is larger than may be kept.
        """
        source = job.source
        if isinstance(source, DatabaseSource) and not source.key_column:
            fetch_answer(
                self._databases.database(source.connection),
                source.query.strip().rstrip(";"),
                self._pages(job.id),
                name=job.source_name,
                refuse_more=self._refuse_more,
                checkpoint=checkpoint,
            )

    def source(self, job: Job) -> AnsweredQuery | KeyedQuery:
        """The source of a job."""
        source = job.source
        assert isinstance(source, DatabaseSource)
        if not source.key_column:
            return AnsweredQuery(self._pages(job.id), spec=self.spec(job), name=job.source_name)
        return KeyedQuery(
            source,
            database=self._databases.database(source.connection),
            # Not the job's: the next job that asks the same goes on behind this one.
            pages=self._pages(job.producer_id or job.id),
            spec=self.spec(job),
            name=job.source_name,
            refuse_more=self._refuse_more,
        )

    def drop(self, job: Job) -> None:
        """Free the answer of a job that will not read it again."""
        if isinstance(job.source, DatabaseSource) and not job.source.key_column:
            self._pages(job.id).clear()

    def _pages(self, name: str) -> QueryPages:
        return QueryPages(self._directory / name)

    def _refuse_more(self) -> None:
        """Raise LimitExceededError when no more may be kept."""
        kept = sum(path.stat().st_size for path in self._directory.glob("*/*.arrow"))
        if kept + self._taken_elsewhere() > self._max_bytes:
            raise LimitExceededError(
                "bytes of uploads and of answers kept (sources.max_spool_bytes)",
                limit=self._max_bytes,
            )


def _spec(text: str) -> SourceSpec:
    if not text:
        return identity_spec(Format.ARROW)
    spec = parse_spec(text)
    if spec.format is not Format.ARROW:
        raise InvalidSourceSpecError(
            f'a query answers in columns: expected format = "arrow", was {spec.format.value!r}',
            key="format",
        )
    return spec
