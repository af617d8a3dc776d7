"""Jobs as rows of the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.job import Job, JobRequest, JobState, SchemaChangePolicy
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.store.source_rows import (
    events_from_text,
    sink_from_text,
    source_from_text,
    text_of,
    text_of_events,
)

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def row_of_job(job: Job) -> dict[str, object]:
    """The column values of a job, all but its number."""
    return {
        "id": job.id,
        "request_id": job.request_id or None,
        "subject": job.subject,
        "dataset": job.dataset,
        "source": text_of(job.source),
        "source_name": job.source_name,
        "source_spec": job.source_spec,
        "file_name": job.file_name,
        "schema_change_policy": job.schema_change_policy.value,
        "again": int(job.again),
        "principal": job.principal,
        "on_behalf_of": job.on_behalf_of,
        "created_at_ns": job.created_at_ns,
        "state": job.state.value,
        "requested": job.requested.value,
        "message": job.message,
        "error_reason": job.error_reason,
        "balance": json.dumps(job.balance.to_json()),
        "schema_versions": json.dumps(job.schema_versions),
        "ended_at_ns": job.ended_at_ns,
        "producer_id": job.producer_id,
        "identity": json.dumps(asdict(job.identity)) if job.identity else "",
        "layout": job.layout,
        "column_names": json.dumps(job.column_names),
        "approved_version": job.approved_version,
        "stored_before": job.stored_before,
        "owner": job.owner,
        "sink": text_of(job.sink),
        "events": text_of_events(job.events),
        "max_latency_seconds": job.max_latency_seconds,
        "traceparent": job.traceparent,
    }


def job_of_row(row: RowMapping) -> Job:
    """The job a row holds."""
    return Job(
        id=row["id"],
        request_id=row["request_id"] or "",
        subject=row["subject"],
        dataset=row["dataset"],
        source=source_from_text(row["source"]),
        source_name=row["source_name"],
        source_spec=row["source_spec"],
        file_name=row["file_name"],
        schema_change_policy=SchemaChangePolicy(row["schema_change_policy"]),
        again=bool(row["again"]),
        principal=row["principal"],
        on_behalf_of=row["on_behalf_of"],
        created_at_ns=row["created_at_ns"],
        state=JobState(row["state"]),
        requested=JobRequest(row["requested"]),
        message=row["message"],
        error_reason=row["error_reason"],
        balance=Balance.from_json(json.loads(row["balance"])),
        schema_versions=tuple(json.loads(row["schema_versions"])),
        ended_at_ns=row["ended_at_ns"],
        producer_id=row["producer_id"],
        identity=SourceIdentity(**json.loads(row["identity"])) if row["identity"] else None,
        layout=row["layout"],
        column_names=tuple(json.loads(row["column_names"])),
        approved_version=row["approved_version"],
        stored_before=row["stored_before"],
        owner=row["owner"],
        sink=sink_from_text(row["sink"]),
        events=events_from_text(row["events"]),
        max_latency_seconds=row["max_latency_seconds"],
        traceparent=row["traceparent"],
    )
