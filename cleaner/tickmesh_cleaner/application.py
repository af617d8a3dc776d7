"""What the cleaner does for its callers, on whatever transport they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from tickmesh_cleaner.domain.errors import (
    InvalidArgumentError,
    LimitExceededError,
    QuarantineEmptyError,
    RegistryUnavailableError,
)
from tickmesh_cleaner.domain.job import (
    MAX_LATENCY_SECONDS,
    Job,
    JobState,
    SchemaChangePolicy,
)
from tickmesh_cleaner.domain.job_sink import TICK_STORE, JobSink
from tickmesh_cleaner.domain.job_source import (
    DatabaseSource,
    FileSource,
    FilesSource,
    FollowedSource,
    HttpFeedSource,
    JobSource,
    QuarantineSource,
    UploadedSource,
    WebSocketFeedSource,
)
from tickmesh_cleaner.domain.quarantine import (
    Discard,
    QuarantinedRow,
    QuarantineFilter,
    QuarantineState,
    ReasonCount,
)
from tickmesh_cleaner.followed_jobs import check_lines
from tickmesh_cleaner.judging import rules_of
from tickmesh_cleaner.quarantine_reading import QuarantineReader
from tickmesh_cleaner.sources.layout import parse_spec, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.auditing import Auditor
    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_cleaner.jobs import JobRunner
    from tickmesh_cleaner.progress import Moment
    from tickmesh_cleaner.schema_following import Schemas
    from tickmesh_cleaner.uploads import UploadSession
    from tickmesh_cleaner.work import Workshop
    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.identifiers import IdGenerator

MAX_SPEC_BYTES = 64 << 10
MAX_PAGE = 1_000
DEFAULT_PAGE = 100
MAX_COMMENT_CHARACTERS = 1_000

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.application")


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a caller wants cleaned.

    Attributes:
        subject: The subject to judge under.
        source: Where records come from.
        source_spec: The source spec, TOML; empty when names are the schema's.
        schema_change_policy: What a breaking change does.
        again: Whether rows an earlier run stored are stored again.
        request_id: Makes a retry safe.
        file_name: The file name to go by; the source's own when empty.
        sink: Where good rows go.
        max_latency_seconds: How long a row of a source without end waits for its batch to fill.
    """

    subject: str
    source: JobSource
    source_spec: str = ""
    schema_change_policy: SchemaChangePolicy = SchemaChangePolicy.QUARANTINE
    again: bool = False
    request_id: str = ""
    file_name: str = ""
    sink: JobSink = TICK_STORE
    max_latency_seconds: float = MAX_LATENCY_SECONDS


@dataclass(frozen=True, slots=True)
class JobMoment:
    """A job and where it is now.

    Attributes:
        job: The job.
        moment: Where it is.
        registry_stale_since_ns: Since when the registry does not answer; 0 while it does.
        is_ending: Whether it has ended and still frees what it held: rows, uploads, spools.
    """

    job: Job
    moment: Moment
    registry_stale_since_ns: int
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class DescribedReason:
    """A reason with the rows that serve as its examples."""

    count: ReasonCount
    examples: tuple[QuarantinedRow, ...]


class CleanerApplication:
    """All functions of the cleaner, each told which call it serves.

    They block; a caller with a loop gives them a thread.
    """

    def __init__(
        self,
        workshop: Workshop,
        runner: JobRunner,
        *,
        schemas: Schemas,
        auditor: Auditor,
        ids: IdGenerator,
        max_unfinished: int,
    ) -> None:
        """Put the parts together.

        Args:
            workshop: What jobs have in common.
            runner: Runs jobs.
            schemas: The registry.
            auditor: Recomputes balances.
            ids: Names jobs.
            max_unfinished: Jobs that may be unfinished.
        """
        self._workshop = workshop
        self._store = workshop.store
        self._runner = runner
        self._schemas = schemas
        self._auditor = auditor
        self._ids = ids
        self._max_unfinished = max_unfinished
        self._reader = QuarantineReader(workshop.store.quarantine, workshop.quarantine)

    # Jobs -------------------------------------------------------------------------------------

    def create_job(self, call: CallContext, order: JobOrder) -> Job:
        """Make a job and start it; see CreateJob."""
        known = self._store.jobs.by_request_id(order.request_id) if order.request_id else None
        if known is not None:
            return known
        if not order.subject:
            raise InvalidArgumentError("subject", "expected a subject, it was empty")
        self._check_spec_size(order.source_spec)
        schema = self._check_subject(order.subject)
        self._workshop.sinks.check(order.sink, schema.arrow_schema if schema else None)
        name, file_name = self._check_source(order)
        self._check_room()
        job = self._store.jobs.create(
            Job(
                id=self._ids.new_id(),
                subject=order.subject,
                dataset=order.subject,
                source=order.source,
                source_name=name,
                source_spec=order.source_spec,
                file_name=file_name,
                schema_change_policy=order.schema_change_policy,
                again=order.again,
                request_id=order.request_id,
                principal=call.principal.name,
                on_behalf_of=call.principal.on_behalf_of or "",
                created_at_ns=self._workshop.clock.now_ns(),
                traceparent=call.traceparent or "",
                sink=order.sink,
                max_latency_seconds=order.max_latency_seconds,
            )
        )
        self._runner.submit(job)
        return job

    def job(self, _call: CallContext, job_id: str) -> Job:
        """One job."""
        return self._store.jobs.get(job_id)

    def audit(self, _call: CallContext, job_id: str) -> Balance:
        """A job's balance recomputed from the tick store and the quarantine."""
        return self._auditor.audit(self._store.jobs.get(job_id))

    def jobs(
        self,
        _call: CallContext,
        *,
        page_size: int,
        before: int | None,
        state: JobState | None,
        subject: str,
    ) -> tuple[list[Job], int | None]:
        """A page of jobs, newest first, and where the next page begins."""
        return self._store.jobs.page(
            limit=_page(page_size), before_number=before, state=state, subject=subject
        )

    def pause_job(self, _call: CallContext, job_id: str) -> Job:
        """Halt a job at its next checkpoint."""
        return self._runner.pause(job_id)

    def resume_job(self, _call: CallContext, job_id: str) -> Job:
        """Let a paused job go on, under the version in force now."""
        job = self._store.jobs.get(job_id)
        try:
            approved = self._schemas.in_force(job.subject).version
        except RegistryUnavailableError:
            approved = job.approved_version
        return self._runner.resume(job_id, approved_version=approved)

    def cancel_job(self, _call: CallContext, job_id: str) -> Job:
        """End a job at its next checkpoint."""
        return self._runner.cancel(job_id)

    def moment(self, _call: CallContext, job_id: str) -> JobMoment:
        """A job and where it is now."""
        at_work, moment = self._runner.is_at_work(job_id), self._runner.moment(job_id)
        job = self._store.jobs.get(job_id)
        return JobMoment(
            job,
            moment,
            self._schemas.stale_since_ns,
            is_ending=at_work and job.state.ended,
        )

    def listen(
        self, _call: CallContext, job_id: str, listener: Callable[[], None]
    ) -> Callable[[], None]:
        """Call `listener` when a job stops working; returns how to stop that."""
        return self._runner.listen(job_id, listener)

    # Uploads ----------------------------------------------------------------------------------

    def begin_upload(
        self, call: CallContext, *, file_name: str, size_bytes: int, upload_id: str, offset: int
    ) -> UploadSession:
        """Begin or go on with an upload."""
        return self._workshop.uploads.begin(
            file_name=file_name,
            size_bytes=size_bytes,
            upload_id=upload_id,
            offset=offset,
            principal=call.principal.name,
        )

    # Quarantine -------------------------------------------------------------------------------

    def quarantined(
        self, _call: CallContext, selected: QuarantineFilter, *, after_id: int, page_size: int
    ) -> tuple[list[QuarantinedRow], int | None]:
        """A page of quarantined rows by id, and the id the next page begins after."""
        limit = _page(page_size)
        entries = self._store.quarantine.page(selected, after_id=after_id, limit=limit + 1)
        rows = self._reader.rows(entries[:limit])
        return rows, entries[limit - 1].id if len(entries) > limit else None

    def describe_quarantine(
        self, _call: CallContext, selected: QuarantineFilter
    ) -> tuple[int, Sequence[DescribedReason]]:
        """How many rows match, and how many by reason, with examples."""
        described = []
        for count in self._store.quarantine.describe(selected):
            examples = tuple(self._reader.rows(self._store.quarantine.by_ids(count.examples)))
            described.append(DescribedReason(count, examples))
        return self._store.quarantine.count(selected), described

    def replay_quarantine(
        self,
        call: CallContext,
        selected: QuarantineFilter,
        *,
        schema_version: int,
        source_spec: str,
        request_id: str,
    ) -> Job:
        """Judge quarantined rows again, as a job."""
        known = self._store.jobs.by_request_id(request_id) if request_id else None
        if known is not None:
            return known
        if selected.state is not QuarantineState.QUARANTINED:
            raise InvalidArgumentError(
                "filter.state", f"only rows held back can be replayed, not {selected.state} ones"
            )
        self._check_spec_size(source_spec)
        if source_spec:
            parse_spec(source_spec)
        subjects = self._store.quarantine.subjects_of(selected)
        if not subjects:
            raise QuarantineEmptyError
        if len(subjects) > 1:
            raise InvalidArgumentError(
                "filter.subject",
                f"the rows belong to {len(subjects)} subjects ({', '.join(subjects[:5])}); "
                "name one: a replay judges under one",
            )
        (subject,) = subjects
        self._check_subject(subject)
        if schema_version:
            self._schemas.get(subject, version=schema_version)
        self._check_room()
        job = self._store.quarantine.claim_for_replay(
            Job(
                id=self._ids.new_id(),
                subject=subject,
                dataset=subject,
                source=QuarantineSource(selected, schema_version, source_spec),
                source_name=_words_of(selected),
                source_spec=source_spec,
                request_id=request_id,
                principal=call.principal.name,
                on_behalf_of=call.principal.on_behalf_of or "",
                created_at_ns=self._workshop.clock.now_ns(),
                traceparent=call.traceparent or "",
            ),
            selected,
        )
        self._runner.submit(job)
        return job

    def discard_quarantine(
        self, call: CallContext, selected: QuarantineFilter, *, comment: str
    ) -> int:
        """Give rows up, for the record; how many. See DiscardQuarantine."""
        if selected.state is not QuarantineState.QUARANTINED:
            raise InvalidArgumentError(
                "filter.state", f"only rows held back can be discarded, not {selected.state} ones"
            )
        if not (selected.job_id or selected.subject or selected.reason or selected.row_ids):
            raise InvalidArgumentError(
                "filter", "expected a job, a subject, a reason or rows: not everything at once"
            )
        comment = comment.strip()
        if not 0 < len(comment) <= MAX_COMMENT_CHARACTERS:
            raise InvalidArgumentError(
                "comment",
                f"expected why, in 1 to {MAX_COMMENT_CHARACTERS} characters; it had {len(comment)}",
            )
        rows = self._store.quarantine.discard(
            selected,
            Discard(
                principal=call.principal.name,
                on_behalf_of=call.principal.on_behalf_of or "",
                comment=comment,
                at_ns=self._workshop.clock.now_ns(),
            ),
        )
        self._workshop.metrics.removed(cause="discard", rows=rows)
        _log.info("quarantine.discarded", rows=rows, principal=call.principal.name, comment=comment)
        return rows

    # Inside -----------------------------------------------------------------------------------

    def _check_source(self, order: JobOrder) -> tuple[str, str]:
        """What to call the source of an order, and the file name its records go by."""
        match order.source:
            case UploadedSource(upload_id):
                path, upload = self._workshop.uploads.path(upload_id)
                name = upload.file_name
            case FileSource(given):
                path = self._workshop.roots.resolve(given)
                name = path.name
            case FilesSource(pattern):
                self._check_files(pattern, order)
                return Path(pattern).name, ""
            case FollowedSource(given):
                self._workshop.roots.resolve_awaited(given)
                if order.source_spec:
                    check_lines(parse_spec(order.source_spec))
                name = Path(given).name
                return name, order.file_name or name
            case HttpFeedSource() | WebSocketFeedSource():
                name = self._workshop.feeds.check(order.source, order.source_spec)
                return name, order.file_name or name.rpartition("/")[2]
            case DatabaseSource():
                name = self._workshop.queries.check(order.source, order.source_spec)
                return name, name
            case QuarantineSource():
                raise InvalidArgumentError(
                    "source", "quarantined rows are judged again by a replay"
                )
        file_name = order.file_name or name
        spec_of(order.source_spec, path=path, file_name=file_name)
        return name, file_name

    def _check_files(self, pattern: str, order: JobOrder) -> None:
        if order.file_name:
            raise InvalidArgumentError(
                "file_name", "each of several files goes by its own name; leave it empty"
            )
        first = self._workshop.roots.match(pattern)[0].path
        spec_of(order.source_spec, path=first, file_name=first.name)

    def _check_subject(self, subject: str) -> RegisteredSchema | None:
        """The version in force; None while the registry is away."""
        try:
            # Not from the cache: who registers a version and then makes a job means that version.
            self._schemas.refresh(subject)
            schema = self._schemas.in_force(subject)
            rules_of(schema)
            return schema
        except RegistryUnavailableError:
            # The job waits for the registry by itself.
            return None

    def _check_room(self) -> None:
        if self._store.jobs.count_unfinished() >= self._max_unfinished:
            raise LimitExceededError("unfinished jobs", limit=self._max_unfinished)

    @staticmethod
    def _check_spec_size(source_spec: str) -> None:
        if len(source_spec.encode()) > MAX_SPEC_BYTES:
            raise InvalidArgumentError("source_spec", f"expected at most {MAX_SPEC_BYTES} bytes")


def _page(page_size: int) -> int:
    if page_size < 0:
        raise InvalidArgumentError("page_size", f"expected 0 or more, it was {page_size}")
    return min(page_size or DEFAULT_PAGE, MAX_PAGE)


def _words_of(selected: QuarantineFilter) -> str:
    parts = [
        f"{name} {value}"
        for name, value in (
            ("job", selected.job_id),
            ("subject", selected.subject),
            ("reason", selected.reason),
        )
        if value
    ]
    if selected.row_ids:
        parts.append(f"{len(selected.row_ids)} rows")
    return "quarantine: " + (", ".join(parts) or "all rows")
