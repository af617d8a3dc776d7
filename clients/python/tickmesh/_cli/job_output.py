"""Jobs, their progress and their balance, as commands print them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, instant, print_facts, print_json
from tickmesh._registry.messages import timestamp_ns
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENDED = frozenset(
    {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
)


def state_name(state: job_pb2.JobState.ValueType) -> str:
    """The state in lower case."""
    return job_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()


def balance_facts(balance: job_pb2.Balance) -> dict[str, object]:
    """The account: rows in = stored + quarantined + duplicates."""
    return {
        "records": balance.records,
        "rows_in": balance.rows_in,
        "stored": balance.stored,
        "quarantined": balance.quarantined,
        "duplicates": balance.duplicates,
        "skipped": dict(balance.skipped),
        "extras": dict(balance.extras),
        "coercions": dict(balance.coercions),
        "balance_holds": balance.holds,
    }


def job_facts(job: job_pb2.Job) -> dict[str, object]:
    """A job with its balance."""
    return {
        "job": job.id,
        "state": state_name(job.state),
        "message": job.message or None,
        "reason": job.error_reason or None,
        "subject": job.subject,
        "dataset": job.dataset,
        "source": job.source_name,
        "schema_versions": list(job.schema_versions),
        "principal": job.principal,
        "on_behalf_of": job.on_behalf_of or None,
        "created_at": instant(timestamp_ns(job.created_at)),
        "ended_at": instant(timestamp_ns(job.ended_at)) if job.HasField("ended_at") else None,
        **balance_facts(job.balance),
    }


def follow_progress(moments: Iterable[job_pb2.JobProgress], *, output: Output) -> job_pb2.Job:
    """Show a job's progress until it ends: a bar on a terminal, plain or JSON lines elsewhere."""
    job = job_pb2.Job()
    if output is Output.TABLE and sys.stderr.isatty():
        job = _bar(moments)
    else:
        shown = None
        for moment in moments:
            job = moment.job
            if output is Output.JSON:
                print_json(_moment_facts(moment))
            elif shown != (news := (job.state, job.message, job.balance.rows_in)):
                shown = news
                click.echo(_line(moment), err=True)
    return job


def print_outcome(job: job_pb2.Job, *, output: Output) -> None:
    """Print how a job ended, and what to do next."""
    print_facts(job_facts(job), output=output)
    if output is Output.JSON:
        return
    if job.balance.quarantined:
        click.echo(f"next: tickmesh quarantine describe --job {job.id}")
    elif job.state == job_pb2.JOB_STATE_SUCCEEDED:
        click.echo(f"next: tickmesh ticks get {job.dataset}")


def _bar(moments: Iterable[job_pb2.JobProgress]) -> job_pb2.Job:
    job = job_pb2.Job()
    with click.progressbar(
        length=1_000, label="cleaning", file=sys.stderr, item_show_func=lambda text: text or ""
    ) as bar:
        for moment in moments:
            job = moment.job
            done = 1_000 if job.state == job_pb2.JOB_STATE_SUCCEEDED else 0
            if moment.bytes_total:
                done = max(done, min(1_000, 1_000 * moment.bytes_read // moment.bytes_total))
            bar.update(max(0, done - bar.pos), _line(moment))
    return job


def _line(moment: job_pb2.JobProgress) -> str:
    balance = moment.job.balance
    line = (
        f"{state_name(moment.job.state)}: {balance.rows_in:,} rows, {balance.stored:,} stored, "
        f"{balance.quarantined:,} quarantined"
    )
    if moment.rows_per_second:
        line += f", {moment.rows_per_second:,.0f} rows/s"
    if moment.schema_version:
        line += f", schema version {moment.schema_version}"
    return f"{line} - {moment.job.message}" if moment.job.message else line


def _moment_facts(moment: job_pb2.JobProgress) -> dict[str, object]:
    return {
        **job_facts(moment.job),
        "bytes_read": moment.bytes_read,
        "bytes_total": moment.bytes_total,
        "rows_per_second": round(moment.rows_per_second),
        "schema_version": moment.schema_version,
        "schema_change_delay_ms": moment.schema_change_delay_ns / 1e6,
        "registry_away_since": instant(moment.registry_stale_since_ns),
    }
