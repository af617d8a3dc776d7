"""Jobs as rows of the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.job import (
    FileSource,
    Job,
    JobRequest,
    JobSource,
    JobState,
    QuarantineSource,
    SchemaChangePolicy,
    SourceIdentity,
    UploadedSource,
)
from tickmesh_cleaner.domain.quarantine import QuarantineFilter, QuarantineState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import RowMapping


def row_of_job(job: Job) -> dict[str, object]:
    """The column values of a job, all but its number."""
    return {
        "id": job.id,
        "request_id": job.request_id or None,
        "subject": job.subject,
        "dataset": job.dataset,
        "source": json.dumps(_source_to_json(job.source)),
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
    }


def job_of_row(row: RowMapping) -> Job:
    """The job a row holds."""
    return Job(
        id=row["id"],
        request_id=row["request_id"] or "",
        subject=row["subject"],
        dataset=row["dataset"],
        source=_source_from_json(json.loads(row["source"])),
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
    )


def _source_to_json(source: JobSource) -> dict[str, object]:
    return {"kind": type(source).__name__, **asdict(source)}


def _source_from_json(data: Mapping[str, Any]) -> JobSource:
    values = {name: value for name, value in data.items() if name != "kind"}
    if data["kind"] == FileSource.__name__:
        return FileSource(**values)
    if data["kind"] == UploadedSource.__name__:
        return UploadedSource(**values)
    selected = values["filter"]
    return QuarantineSource(
        filter=QuarantineFilter(
            job_id=selected["job_id"],
            subject=selected["subject"],
            reason=selected["reason"],
            state=QuarantineState(selected["state"]),
            row_ids=tuple(selected["row_ids"]),
        ),
        schema_version=values["schema_version"],
        mended_spec=values["mended_spec"],
    )
