"""`tickmesh job`: look after cleaning jobs."""

from __future__ import annotations

import click

from tickmesh._cli import FINDINGS
from tickmesh._cli.job_output import (
    balance_facts,
    balance_line,
    exit_code,
    follow_progress,
    job_facts,
    print_outcome,
)
from tickmesh._cli.output import (
    Output,
    counted,
    output_option,
    print_facts,
    print_json,
    print_rows,
)
from tickmesh.api.cleaner.v1 import job_pb2

_STATES = [
    name.removeprefix("JOB_STATE_").lower()
    for name in job_pb2.JobState.keys()  # noqa: SIM118 - an enum wrapper, no mapping
    if name != "JOB_STATE_UNSPECIFIED"
]


@click.group()
def job() -> None:
    """Look after cleaning jobs."""


@job.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only jobs in this state.")
@click.option("--subject", help="Only jobs of this subject.")
@output_option
def list_(*, state: str | None, subject: str | None, output: Output) -> None:
    """List jobs, newest first."""
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        jobs = client.list_jobs(state=state, subject=subject)
    columns = ["job", "state", "created_at", "rows_in", "stored", "quarantined", "subject"]
    empty = "no such job" if state or subject else "no jobs yet; next: tickmesh clean FILE"
    rows = [job_facts(found) for found in jobs]
    print_rows(rows, columns=[*columns, "source"], output=output, empty=empty)


@job.command()
@click.argument("job_id")
@output_option
def get(*, job_id: str, output: Output) -> None:
    """Print everything known of a job."""
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        print_facts(job_facts(client.get_job(job_id)), output=output)


@job.command(short_help="Follow a job until it ends.")
@click.argument("job_id")
@output_option
def watch(*, job_id: str, output: Output) -> int:
    """Follow a job until it ends; exit codes as those of `tickmesh clean`.

    Ctrl-C stops following; the job goes on.
    """
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        ended = follow_progress(client.watch_job(job_id), output=output)
    print_outcome(ended, output=output)
    return exit_code(ended)


@job.command()
@click.argument("job_id")
@output_option
def cancel(*, job_id: str, output: Output) -> None:
    """End a job at its next checkpoint; what was committed stays."""
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        print_outcome(client.cancel_job(job_id), output=output)


@job.command()
@click.argument("job_id")
@output_option
def pause(*, job_id: str, output: Output) -> None:
    """Halt a job at its next checkpoint."""
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        print_outcome(client.pause_job(job_id), output=output)


@job.command()
@click.argument("job_id")
@output_option
def resume(*, job_id: str, output: Output) -> None:
    """Let a paused job go on."""
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        print_outcome(client.resume_job(job_id), output=output)


@job.command()
@click.argument("job_id")
@output_option
def balance(*, job_id: str, output: Output) -> int:
    """Recompute a job's account from the tick store and the quarantine.

    Exit code 3 says that it does not hold: report that.
    """
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        audited = client.audit(job_id)
    if output is Output.JSON:
        print_json(balance_facts(audited) | {"expired": audited.expired})
    else:
        verdict = "the balance holds" if audited.holds else "the balance does not hold"
        click.echo(f"{verdict}: {balance_line(audited)}")
        if audited.expired:
            rows = counted(audited.expired, "quarantined row")
            click.echo(f"retention has removed {rows} since; see the events of the job")
    return 0 if audited.holds else FINDINGS
