"""Domain values as messages of the contract, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from tickmesh.api.cleaner.v1 import cleaner_service_pb2, job_pb2, quarantine_pb2
from tickmesh_cleaner.application import JobOrder
from tickmesh_cleaner.domain.errors import InvalidArgumentError
from tickmesh_cleaner.domain.job import MAX_LATENCY_SECONDS, JobState, SchemaChangePolicy
from tickmesh_cleaner.domain.quarantine import QuarantineFilter, QuarantineState
from tickmesh_cleaner.source_messages import (
    duration,
    seconds_of,
    sink_message,
    sink_of,
    source_message,
    source_of,
)

if TYPE_CHECKING:
    from tickmesh_cleaner.application import DescribedReason, JobMoment
    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.domain.quarantine import QuarantinedRow

MAX_ROW_IDS = 10_000
_MAX_RAW_BYTES = 64 << 10


def timestamp(instant_ns: int) -> Timestamp:
    """An instant as the contract has it."""
    seconds, nanos = divmod(instant_ns, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def balance_message(balance: Balance) -> job_pb2.Balance:
    """A balance."""
    return job_pb2.Balance(
        records=balance.records,
        rows_in=balance.rows_in,
        stored=balance.stored,
        quarantined=balance.quarantined,
        duplicates=balance.duplicates,
        skipped=balance.skipped,
        extras=balance.extras,
        coercions=balance.coercions,
        flagged=balance.flagged,
        repaired=balance.repaired,
        holds=balance.holds,
    )


def job_message(job: Job) -> job_pb2.Job:
    """A job."""
    return job_pb2.Job(
        id=job.id,
        subject=job.subject,
        dataset=job.dataset,
        source=source_message(job.source),
        source_name=job.source_name,
        source_spec=job.source_spec,
        schema_change_policy=job_pb2.SchemaChangePolicy.Value(
            f"SCHEMA_CHANGE_POLICY_{job.schema_change_policy.name}"
        ),
        state=state_message(job.state),
        message=job.message,
        error_reason=job.error_reason,
        balance=balance_message(job.balance),
        schema_versions=job.schema_versions,
        principal=job.principal,
        on_behalf_of=job.on_behalf_of,
        created_at=timestamp(job.created_at_ns),
        ended_at=timestamp(job.ended_at_ns) if job.ended_at_ns else None,
        producer_id=job.producer_id,
        sink=sink_message(job.sink),
        events=[
            job_pb2.JobEvent(code=event.code, message=event.message, at=timestamp(event.at_ns))
            for event in job.events
        ],
        max_latency=duration(job.max_latency_seconds),
    )


def state_message(state: JobState) -> job_pb2.JobState.ValueType:
    """A job's state."""
    return job_pb2.JobState.Value(f"JOB_STATE_{state.name}")


def state_of(message: job_pb2.JobState.ValueType) -> JobState | None:
    """The state a message names; None when it names none."""
    if message == job_pb2.JOB_STATE_UNSPECIFIED:
        return None
    try:
        name = job_pb2.JobState.Name(message)
    except ValueError:
        raise InvalidArgumentError("state", f"{message} is no job state") from None
    return JobState[name.removeprefix("JOB_STATE_")]


def progress_message(now: JobMoment) -> job_pb2.JobProgress:
    """A moment of a job."""
    return job_pb2.JobProgress(
        job=job_message(now.job),
        bytes_read=now.moment.read.bytes_read,
        bytes_total=now.moment.read.bytes_total,
        rows_per_second=now.moment.rows_per_second,
        remaining_seconds=now.moment.remaining_seconds,
        schema_version=now.moment.schema_version,
        schema_change_delay_ns=now.moment.schema_change_delay_ns,
        registry_stale_since_ns=now.registry_stale_since_ns,
        batches_in_flight=now.moment.batches_in_flight,
    )


def order_of(request: cleaner_service_pb2.CreateJobRequest) -> JobOrder:
    """What a CreateJob asks for.

    Raises:
        InvalidArgumentError: It names no source, or one that is incomplete.
    """
    latency = MAX_LATENCY_SECONDS
    if request.HasField("max_latency"):
        latency = seconds_of(request.max_latency, shortest=0.0, longest=1.0)
    return JobOrder(
        subject=request.subject,
        source=source_of(request.source),
        source_spec=request.source_spec,
        schema_change_policy=_policy_of(request.schema_change_policy),
        again=request.again,
        request_id=request.request_id,
        file_name=request.file_name,
        sink=sink_of(request.sink),
        max_latency_seconds=latency,
    )


def filter_of(message: job_pb2.QuarantineFilter) -> QuarantineFilter:
    """Which quarantined rows a message selects."""
    if len(message.row_ids) > MAX_ROW_IDS:
        raise InvalidArgumentError("filter.row_ids", f"expected at most {MAX_ROW_IDS} ids")
    state = QuarantineState.QUARANTINED
    if message.state != job_pb2.QUARANTINE_STATE_UNSPECIFIED:
        try:
            name = job_pb2.QuarantineState.Name(message.state)
        except ValueError:
            raise InvalidArgumentError("filter.state", f"{message.state} is no state") from None
        state = QuarantineState[name.removeprefix("QUARANTINE_STATE_")]
    return QuarantineFilter(
        job_id=message.job_id,
        subject=message.subject,
        reason=message.reason,
        state=state,
        row_ids=tuple(message.row_ids),
    )


def row_message(row: QuarantinedRow) -> quarantine_pb2.QuarantinedRow:
    """A quarantined row; a record too long for a message is cut (Flight serves it whole)."""
    entry, record = row.entry, row.record
    return quarantine_pb2.QuarantinedRow(
        id=entry.id,
        job_id=entry.job_id,
        subject=entry.subject,
        source=record.source,
        offset=record.offset,
        line=record.line,
        raw=record.raw[:_MAX_RAW_BYTES],
        document=record.document if len(record.document) <= _MAX_RAW_BYTES else "",
        reasons=[
            quarantine_pb2.QuarantineReason(
                code=reason.code,
                instance_path=reason.instance_path,
                schema_path=reason.schema_path,
                message=reason.message,
            )
            for reason in record.reasons
        ],
        schema_id=record.schema_id,
        schema_version=record.schema_version,
        rule_set_fingerprint=record.rule_set_fingerprint,
        engine=record.engine,
        first_seen_at=timestamp(record.first_seen_ns),
        state=_quarantine_state_message(entry.state),
        replay_job_id=entry.replay_job_id,
    )


def reason_message(described: DescribedReason) -> quarantine_pb2.ReasonCount:
    """A reason with its count and examples."""
    return quarantine_pb2.ReasonCount(
        code=described.count.code,
        instance_path=described.count.instance_path,
        rows=described.count.rows,
        examples=[row_message(row) for row in described.examples],
    )


def _policy_of(message: job_pb2.SchemaChangePolicy.ValueType) -> SchemaChangePolicy:
    if message == job_pb2.SCHEMA_CHANGE_POLICY_UNSPECIFIED:
        return SchemaChangePolicy.QUARANTINE
    try:
        name = job_pb2.SchemaChangePolicy.Name(message)
    except ValueError:
        raise InvalidArgumentError("schema_change_policy", f"{message} is no policy") from None
    return SchemaChangePolicy[name.removeprefix("SCHEMA_CHANGE_POLICY_")]


def _quarantine_state_message(state: QuarantineState) -> job_pb2.QuarantineState.ValueType:
    return job_pb2.QuarantineState.Value(f"QUARANTINE_STATE_{state.name}")
