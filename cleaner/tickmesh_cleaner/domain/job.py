"""A cleaning job: what it reads, under which subject it judges, where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.errors import JobStateError
from tickmesh_cleaner.domain.job_sink import TICK_STORE, JobSink

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.job_event import JobEvent
    from tickmesh_cleaner.domain.job_source import JobSource, SourceIdentity

MAX_LATENCY_SECONDS = 0.005
"""How long a row of a source without end waits for its batch to fill, unless told otherwise."""


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job will never run again."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


class SchemaChangePolicy(StrEnum):
    """What a job does when a breaking schema change arrives while it runs."""

    QUARANTINE = "quarantine"
    PIN = "pin"
    PAUSE = "pause"


class JobRequest(StrEnum):
    """What was last asked of a job; obeyed at its next checkpoint."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Job:
    """One cleaning job.

    Attributes:
        id: Its id.
        subject: The subject rows are judged under.
        dataset: The dataset good rows go to; equals the subject.
        source: Where records come from.
        source_name: The source in words, without secrets.
        source_spec: The source spec, TOML; empty when names are the schema's.
        file_name: The file name that the format and constants are taken from.
        schema_change_policy: What a breaking change does.
        again: Whether rows stored by an earlier run over this source are stored again.
        request_id: The caller's key for safe retries; empty without one.
        principal: Who made it.
        on_behalf_of: On whose behalf; empty for itself.
        created_at_ns: When it was made.
        state: Where it stands.
        requested: What was last asked of it.
        message: Why it failed, waits or is paused.
        error_reason: The reason code of a failure.
        balance: The account of its committed batches.
        schema_versions: The versions its batches were judged under, ascending.
        ended_at_ns: When it ended; 0 before.
        producer_id: The producer its rows are stored under; empty until it first ran.
        identity: What the source held when it first ran.
        layout: The source spec in effect, TOML, once the job first ran: what was detected where
            none was given.
        column_names: The names a header gave; empty where there is none.
        approved_version: The newest version a resumed job may judge under.
        stored_before: The tick store's last sequence of the producer when this job first opened it:
            what lies at or below it was stored by an earlier run. None until then.
        owner: The process that runs it; empty when none does.
        sink: Where good rows go.
        events: What happened to its source or schema lately, oldest first.
        max_latency_seconds: How long a row of a source without end waits for its batch to fill.
        traceparent: The trace context of the call that made it; empty when it had none.
    """

    id: str
    subject: str
    dataset: str
    source: JobSource
    source_name: str
    created_at_ns: int
    source_spec: str = ""
    file_name: str = ""
    schema_change_policy: SchemaChangePolicy = SchemaChangePolicy.QUARANTINE
    again: bool = False
    request_id: str = ""
    principal: str = "anonymous"
    on_behalf_of: str = ""
    state: JobState = JobState.PENDING
    requested: JobRequest = JobRequest.RUN
    message: str = ""
    error_reason: str = ""
    balance: Balance = field(default_factory=Balance)
    schema_versions: tuple[int, ...] = ()
    ended_at_ns: int = 0
    producer_id: str = ""
    identity: SourceIdentity | None = None
    layout: str = ""
    column_names: tuple[str, ...] = ()
    approved_version: int = 0
    stored_before: int | None = None
    owner: str = ""
    sink: JobSink = TICK_STORE
    events: tuple[JobEvent, ...] = ()
    max_latency_seconds: float = MAX_LATENCY_SECONDS
    traceparent: str = ""


def check_can_pause(job: Job) -> None:
    """Raise JobStateError when the job has ended."""
    if job.state.ended:
        raise JobStateError(
            f"job {job.id} is {job.state}; only a job that has not ended can be paused",
            jobId=job.id,
            state=job.state.value,
        )


def check_can_resume(job: Job, *, left_something: bool) -> None:
    """Raise JobStateError when the job has ended and left nothing open.

    One that ended while the fate of some rows was unknown may be resumed to settle them, and one
    that failed at one of its files may go on once that file is mended.
    """
    if job.state is JobState.SUCCEEDED or (job.state.ended and not left_something):
        raise JobStateError(
            f"job {job.id} is {job.state} and left nothing open; make a new job: "
            "rows already stored are counted as duplicates",
            jobId=job.id,
            state=job.state.value,
        )


def check_can_cancel(job: Job) -> None:
    """Raise JobStateError when the job has ended otherwise than by a cancel."""
    if job.state.ended and job.state is not JobState.CANCELLED:
        raise JobStateError(
            f"job {job.id} is {job.state} already; there is nothing to cancel",
            jobId=job.id,
            state=job.state.value,
        )
