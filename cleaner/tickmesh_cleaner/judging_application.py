"""What the cleaner judges for its callers without storing anything: backtests, documents, plans."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tickmesh_cleaner.backtesting import Backtester, BacktestOrder
from tickmesh_cleaner.candidates import Candidate, schema_of
from tickmesh_cleaner.domain.errors import (
    DrainingError,
    InvalidArgumentError,
    LimitExceededError,
)
from tickmesh_cleaner.explaining import explain
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.row_validation import verdicts_on
from tickmesh_cleaner.sources.layout import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh.schema.validation import SelfCheck
    from tickmesh_cleaner.backtesting import BacktestReport, StoredRows
    from tickmesh_cleaner.domain.quarantine import RowReason
    from tickmesh_cleaner.explaining import Explained
    from tickmesh_cleaner.quarantine_reading import QuarantineReader
    from tickmesh_cleaner.statistics import Statistics, WorkDone
    from tickmesh_cleaner.work import Workshop
    from tickmesh_serving.call_context import CallContext

MAX_BACKTESTS = 2
"""Backtests, and explanations that read stored rows, at a time."""
MAX_BACKTEST_ROWS = 1_000_000_000
DEFAULT_BACKTEST_ROWS = 10_000_000
MAX_DOCUMENTS = 1_000
MAX_DOCUMENT_BYTES = 1 << 20
MAX_SPEC_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class BacktestQuestion:
    """What a BacktestSchema asks; see there."""

    subject: str
    candidate: Candidate
    start_ns: int | None = None
    end_ns: int | None = None
    max_rows: int = 0
    source_spec: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A backtest's report, under what, and when it was made."""

    report: BacktestReport
    schema: RegisteredSchema
    made_at_ns: int


class RegistryCache(Protocol):
    """How lookups of schemas went."""

    @property
    def stale_since_ns(self) -> int:
        """Since when the registry does not answer; 0 while it does."""
        ...

    @property
    def lookups(self) -> tuple[int, int]:
        """Lookups answered from the cache, and those that asked the registry."""
        ...


@dataclass(frozen=True, slots=True)
class CleanerStats:
    """What this cleaner did, and what it holds; see GetStats."""

    work: WorkDone
    jobs_running: int
    jobs_unfinished: int
    cache_hits: int
    cache_misses: int
    registry_stale_since_ns: int
    rows_checked: int
    disagreements: int
    quarantine_rows: int
    quarantine_bytes: int
    spool_bytes: int


class JudgingApplication:
    """Functions that judge and keep nothing, each told which call it serves. They block."""

    def __init__(
        self,
        workshop: Workshop,
        *,
        reader: QuarantineReader,
        stored: StoredRows,
        cache: RegistryCache,
        statistics: Statistics,
        self_check: SelfCheck,
        spool_bytes: Callable[[], int],
    ) -> None:
        """Put the parts together.

        Args:
            workshop: What jobs have in common.
            reader: Reads quarantined rows.
            stored: Reads stored rows.
            cache: Tells how lookups of schemas went.
            statistics: Counts what was done.
            self_check: Judges samples of all jobs' verdicts again.
            spool_bytes: Bytes of uploads and feeds.
        """
        self._workshop = workshop
        self._stored = stored
        self._cache = cache
        self._statistics = statistics
        self._self_check = self_check
        self._spool_bytes = spool_bytes
        self._rooms = threading.BoundedSemaphore(MAX_BACKTESTS)
        self._backtester = Backtester(
            stored=stored,
            index=workshop.store.quarantine,
            reader=reader,
            clock=workshop.clock,
            engine=workshop.engine,
        )

    def backtest(
        self, call: CallContext, question: BacktestQuestion, *, cancelled: threading.Event
    ) -> Answered:
        """Judge what is there under a candidate; see BacktestSchema.

        Args:
            call: The call.
            question: What is asked.
            cancelled: Set when the caller has gone.
        """
        self._check_backtest(question)
        schemas = self._workshop.schemas
        if question.candidate.text:
            # Rows of a subject that nobody registered: there are none, and a typo is told.
            schemas.in_force(question.subject)
        schema = schema_of(question.candidate, subject=question.subject, schemas=schemas)
        order = BacktestOrder(
            subject=question.subject,
            start_ns=question.start_ns,
            end_ns=question.end_ns,
            max_rows=question.max_rows or DEFAULT_BACKTEST_ROWS,
            format_of=lambda job_id, part: self._workshop.format_of(
                job_id, part, question.source_spec
            ),
        )
        with self._room():
            report = self._backtester.run(order, schema, check=self._checking(call, cancelled))
        return Answered(report, schema, self._workshop.clock.now_ns())

    def validate(
        self,
        _call: CallContext,
        *,
        subject: str,
        candidate: Candidate,
        documents: Sequence[str],
    ) -> tuple[RegisteredSchema, list[tuple[RowReason, ...]]]:
        """Judge a few documents; for each the reasons against it. See ValidateRows."""
        _check_documents(documents, field="documents")
        schema = schema_of(candidate, subject=subject, schemas=self._workshop.schemas)
        judge = BatchJudge(
            source_name="",
            rule_set_fingerprint="",
            engine=self._workshop.engine,
            clock=self._workshop.clock,
        )
        return schema, verdicts_on(documents, schema, judge)

    def explain(
        self,
        call: CallContext,
        *,
        subject: str,
        candidate: Candidate,
        sample: Sequence[str],
        cancelled: threading.Event,
    ) -> tuple[RegisteredSchema, Explained]:
        """Show what a schema became; see ExplainSchema."""
        _check_documents(sample, field="sample")
        schema = schema_of(candidate, subject=subject, schemas=self._workshop.schemas)
        with self._room():
            check = self._checking(call, cancelled)
            return schema, explain(schema, documents=sample, stored=self._stored, check=check)

    def stats(self, _call: CallContext) -> CleanerStats:
        """Count; see GetStats."""
        store, check = self._workshop.store, self._self_check
        hits, misses = self._cache.lookups
        return CleanerStats(
            work=self._statistics.done(),
            jobs_running=store.jobs.count_running(),
            jobs_unfinished=store.jobs.count_unfinished(),
            cache_hits=hits,
            cache_misses=misses,
            registry_stale_since_ns=self._cache.stale_since_ns,
            rows_checked=check.rows_checked,
            disagreements=check.disagreements,
            quarantine_rows=store.quarantine.held_rows(),
            quarantine_bytes=self._workshop.quarantine.size_bytes(),
            spool_bytes=self._spool_bytes(),
        )

    def _check_backtest(self, question: BacktestQuestion) -> None:
        if not question.subject:
            raise InvalidArgumentError("subject", "expected the subject whose rows are judged")
        if not (question.candidate.text or question.candidate.version):
            raise InvalidArgumentError("candidate", "expected a version, or a text")
        if not 0 <= question.max_rows <= MAX_BACKTEST_ROWS:
            raise InvalidArgumentError(
                "max_rows", f"expected 0 to {MAX_BACKTEST_ROWS}, it was {question.max_rows}"
            )
        start_ns, end_ns = question.start_ns, question.end_ns
        if start_ns is not None and end_ns is not None and start_ns >= end_ns:
            raise InvalidArgumentError("to_time", "expected a time after from_time")
        if len(question.source_spec.encode()) > MAX_SPEC_BYTES:
            raise InvalidArgumentError("source_spec", f"expected at most {MAX_SPEC_BYTES} bytes")
        if question.source_spec:
            parse_spec(question.source_spec)

    @contextmanager
    def _room(self) -> Iterator[None]:
        if not self._rooms.acquire(blocking=False):
            raise LimitExceededError("backtests and explanations at a time", limit=MAX_BACKTESTS)
        try:
            yield
        finally:
            self._rooms.release()

    def _checking(self, call: CallContext, cancelled: threading.Event) -> Callable[[], None]:
        def check() -> None:
            if call.draining:
                raise DrainingError("ask again in a moment")
            deadline_ns = call.deadline_ns
            late = deadline_ns is not None and self._workshop.clock.now_ns() >= deadline_ns
            if late or cancelled.is_set():
                raise TimeoutError

        return check


def _check_documents(documents: Sequence[str], *, field: str) -> None:
    if len(documents) > MAX_DOCUMENTS:
        raise InvalidArgumentError(
            field, f"expected at most {MAX_DOCUMENTS} documents, there were {len(documents)}"
        )
    size = sum(len(text.encode("utf-8", errors="surrogatepass")) for text in documents)
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidArgumentError(
            field, f"expected at most {MAX_DOCUMENT_BYTES} bytes in all, there were {size}"
        )
