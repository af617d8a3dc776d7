"""Takes put streams in: checks what they ask for, makes their jobs, tells their account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import (
    DrainingError,
    InvalidArgumentError,
    LimitExceededError,
    PutHaltedError,
)
from tickmesh_cleaner.domain.job import Job, JobState
from tickmesh_cleaner.domain.job_source import PutSource
from tickmesh_cleaner.sources.layout import put_spec
from tickmesh_cleaner.sources.put import put_digest, put_producer

if TYPE_CHECKING:
    from tickmesh_cleaner.jobs import JobRunner
    from tickmesh_cleaner.puts.live_put import LivePut
    from tickmesh_cleaner.puts.putting import PutOrder, PutStreams
    from tickmesh_cleaner.work import Workshop
    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.identifiers import IdGenerator

MAX_SPEC_BYTES = 64 << 10
MAX_NAME_CHARACTERS = 255


class PutDesk:
    """Opens and closes put streams."""

    def __init__(
        self, workshop: Workshop, runner: JobRunner, *, ids: IdGenerator, max_unfinished: int
    ) -> None:
        """Put the parts together.

        Args:
            workshop: What jobs have in common; takes puts.
            runner: Runs jobs.
            ids: Names jobs.
            max_unfinished: Jobs that may be unfinished.
        """
        assert workshop.puts is not None
        self.workshop = workshop
        self._streams: PutStreams = workshop.puts
        self._runner = runner
        self._ids = ids
        self._max_unfinished = max_unfinished

    def open(self, call: CallContext, order: PutOrder) -> LivePut:
        """Make the job of a stream and start it.

        Raises:
            SubjectNotFoundError: The registry knows no such subject.
            InvalidSourceSpecError: The source spec is wrong.
            LimitExceededError: There are too many unfinished jobs.
        """
        self.check(order)
        jobs = self.workshop.store.jobs
        if jobs.count_unfinished() >= self._max_unfinished:
            raise LimitExceededError("unfinished jobs", limit=self._max_unfinished)
        job_id = self._ids.new_id()
        named = order.producer_id or job_id
        live = self._streams.open(
            job_id=job_id,
            producer=put_producer(put_digest(named), dataset=order.subject),
            producer_id=named,
        )
        job = jobs.create(
            Job(
                id=job_id,
                subject=order.subject,
                dataset=order.subject,
                source=PutSource(named, order.schema_version),
                source_name=f"put {order.producer_id}".strip(),
                source_spec=order.source_spec,
                principal=call.principal.name,
                on_behalf_of=call.principal.on_behalf_of or "",
                created_at_ns=self.workshop.clock.now_ns(),
                traceparent=call.traceparent or "",
            )
        )
        self._runner.listen(job_id, lambda: self._tell(live))
        self._runner.submit(job)
        return live

    def check(self, order: PutOrder) -> None:
        """Raise what is wrong with an order."""
        for field, text in (("subject", order.subject), ("producer_id", order.producer_id)):
            if len(text) > MAX_NAME_CHARACTERS or not text.isprintable():
                raise InvalidArgumentError(
                    field, f"expected at most {MAX_NAME_CHARACTERS} printable characters"
                )
        if not order.subject:
            raise InvalidArgumentError("subject", "expected a subject, it was empty")
        if len(order.source_spec.encode()) > MAX_SPEC_BYTES:
            raise InvalidArgumentError("source_spec", f"expected at most {MAX_SPEC_BYTES} bytes")
        put_spec(order.source_spec)
        schemas = self.workshop.schemas
        if order.schema_version:
            schemas.get(order.subject, version=order.schema_version)
        else:
            schemas.refresh(order.subject)
            schemas.in_force(order.subject)

    def account(self, live: LivePut) -> tuple[Job, int]:
        """The job that keeps a stream's account, and the dataset revision of its last rows."""
        store = self.workshop.store
        return store.jobs.get(live.job_id), store.ledger.dataset_revision(live.job_id)

    def _tell(self, live: LivePut) -> None:
        """The job stopped working: for good, at the end of the process, or for a pause."""
        job = self.workshop.store.jobs.get(live.job_id)
        if job.state is JobState.PAUSED:
            return
        if not job.state.ended:
            live.fail(DrainingError("send what is not acknowledged again in a moment"))
        elif job.state is not JobState.SUCCEEDED:
            live.fail(
                PutHaltedError(
                    job.id,
                    state=job.state.value,
                    message=job.message,
                    job_reason=job.error_reason,
                )
            )
        live.note_job_ended()
        self._streams.close(live)
