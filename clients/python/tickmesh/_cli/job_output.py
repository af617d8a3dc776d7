"""Jobs, their progress and their balance, as commands print them."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from tickmesh._cli import FAILURE, FINDINGS
from tickmesh._cli.output import (
    Output,
    command_line,
    counted,
    instant,
    print_json,
)
from tickmesh._registry.messages import timestamp_ns
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENDED = frozenset(
    {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
)
_BAR_STEPS = 1_000
_BAR_WIDTH = 16
_BAR_COLUMNS = _BAR_WIDTH + 26
"""What the bar takes with its brackets, percentage and time to go."""


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
        "flagged": dict(balance.flagged),
        "repaired": dict(balance.repaired),
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
            elif job.state not in _ENDED and shown != (
                news := (job.state, job.message, job.balance.rows_in)
            ):
                shown = news
                click.echo(_line(moment), err=True)
    return job


def print_outcome(job: job_pb2.Job, *, output: Output) -> None:
    """Print where a job stands or how it ended: its account, and what to do next."""
    if output is Output.JSON:
        print_json(job_facts(job))
        return
    balance = job.balance
    click.echo(f"{state_name(job.state)}: {balance_line(balance)}")
    if job.message:
        click.echo(f"  {job.message}" + (f" ({job.error_reason})" if job.error_reason else ""))
    versions = ", ".join(str(version) for version in job.schema_versions)
    under = f"version {versions} of " if versions else ""
    click.echo(f"  {job.source_name}, under {under}{job.subject}, job {job.id}")
    for title, counts in (
        ("records skipped as the source spec says", balance.skipped),
        ("fields that the schema does not declare, not stored", balance.extras),
        ("values changed as the source spec says", balance.coercions),
        ("stored rows that tick rules flagged", balance.flagged),
        ("values that tick rules repaired", balance.repaired),
    ):
        if counts:
            parts = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))
            click.echo(f"  {title}: {parts}")
    for line in _next_commands(job):
        click.echo(f"next: {line}")


def exit_code(job: job_pb2.Job) -> int:
    """0 when every row of an ended job was stored, 3 when some were quarantined, else 1."""
    if job.state != job_pb2.JOB_STATE_SUCCEEDED:
        return FAILURE
    return FINDINGS if job.balance.quarantined else 0


def balance_line(balance: job_pb2.Balance) -> str:
    """The account on one line."""
    sign = "=" if balance.holds else "≠"
    return (
        f"{counted(balance.rows_in, 'row')} in {sign} {balance.stored:,} stored + "
        f"{balance.quarantined:,} quarantined + "
        f"{counted(balance.duplicates, 'duplicate')}"
    )


def _next_commands(job: job_pb2.Job) -> list[str]:
    if job.state == job_pb2.JOB_STATE_PAUSED:
        return [command_line("job", "resume", job.id)]
    if job.state not in _ENDED:
        return [command_line("job", "watch", job.id)]
    balance = job.balance
    if balance.quarantined:
        # A replayed row stays with the job that held it back.
        replay = job.source.HasField("quarantine")
        rows = ("--subject", job.subject) if replay else ("--job", job.id)
        return [command_line("quarantine", "describe", *rows)]
    if job.state != job_pb2.JOB_STATE_SUCCEEDED:
        return [command_line("job", "balance", job.id)] if balance.rows_in else []
    lines = [command_line("ticks", "get", job.dataset)]
    if balance.rows_in and balance.duplicates == balance.rows_in:
        lines.append("tickmesh clean with --again stores the same rows once more")
    return lines


def _bar(moments: Iterable[job_pb2.JobProgress]) -> job_pb2.Job:
    job = job_pb2.Job()
    with click.progressbar(
        length=_BAR_STEPS,
        width=_BAR_WIDTH,
        file=sys.stderr,
        item_show_func=lambda text: text or "",
    ) as bar:
        for moment in moments:
            job = moment.job
            done = _BAR_STEPS if job.state == job_pb2.JOB_STATE_SUCCEEDED else 0
            if moment.bytes_total:
                share = _BAR_STEPS * moment.bytes_read // moment.bytes_total
                done = max(done, min(_BAR_STEPS, share))
            bar.update(max(0, done - bar.pos), _beside_bar(moment))
    return job


def _beside_bar(moment: job_pb2.JobProgress) -> str:
    """What fits beside the bar: a line that wraps cannot be drawn over."""
    balance = moment.job.balance
    text = f"{counted(balance.rows_in, 'row')}, {balance.quarantined:,} quarantined"
    if moment.job.state not in {job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_SUCCEEDED}:
        text = f"{state_name(moment.job.state)}, {text}"
    if moment.job.message:
        text = f"{state_name(moment.job.state)}: {moment.job.message}"
    return text[: max(0, shutil.get_terminal_size().columns - _BAR_COLUMNS)]


def _line(moment: job_pb2.JobProgress) -> str:
    balance = moment.job.balance
    line = (
        f"{state_name(moment.job.state)}: {counted(balance.rows_in, 'row')}, "
        f"{balance.stored:,} stored, {balance.quarantined:,} quarantined"
    )
    if moment.rows_per_second:
        line += f", {moment.rows_per_second:,.0f} rows/s"
    if moment.schema_version:
        line += f", schema version {moment.schema_version}"
    # How it ended is said in full below the progress.
    ended = moment.job.state in _ENDED
    return line if ended or not moment.job.message else f"{line} - {moment.job.message}"


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
