"""`tickmesh quarantine`: see what was held back and why, judge it again, give it up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tickmesh._cli import INTERRUPTED
from tickmesh._cli.job_output import exit_code, follow_progress, print_outcome
from tickmesh._cli.output import (
    Output,
    command_line,
    counted,
    instant,
    output_option,
    print_json,
    print_rows,
)
from tickmesh._cli.text_files import read_text
from tickmesh._registry.messages import timestamp_ns
from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.api.cleaner.v1 import quarantine_pb2

_P = ParamSpec("_P")
_R = TypeVar("_R")

_STATES = ("quarantined", "released", "discarded")


def _filter_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    for option in (
        click.option(
            "--state",
            type=click.Choice(_STATES),
            default="quarantined",
            show_default=True,
            help="Only rows that stand so.",
        ),
        click.option("--reason", help="Only rows with a reason of this code."),
        click.option("--subject", help="Only rows judged under this subject."),
        click.option("--job", "job_id", help="Only rows of this job."),
        click.option(
            "--row", "row_ids", type=int, multiple=True, help="Only this row; repeatable."
        ),
    ):
        command = option(command)
    return command


def _filter(
    *,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
) -> job_pb2.QuarantineFilter:
    return job_pb2.QuarantineFilter(
        job_id=job_id or "",
        subject=subject or "",
        reason=reason or "",
        row_ids=row_ids,
        state=job_pb2.QuarantineState.Value(f"QUARANTINE_STATE_{state.upper()}"),
    )


@click.group()
def quarantine() -> None:
    """See what was held back and why, and judge it again."""


@quarantine.command("list")
@_filter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most so many rows.",
)
@output_option
def list_(
    *,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
    limit: int,
    output: Output,
) -> None:
    """List rows with all their reasons."""
    from tickmesh.cleaning import CleanerClient

    wanted = _filter(job_id=job_id, row_ids=row_ids, subject=subject, reason=reason, state=state)
    with CleanerClient() as client:
        rows = client.list_quarantine(wanted, limit=limit + 1)
    columns = ["row", "line", "reasons", "raw"]
    shown = [_facts(row) for row in rows[:limit]]
    print_rows(shown, columns=columns, output=output, empty=_empty(state))
    if len(rows) > limit and output is Output.TABLE:
        click.echo(f"the first {counted(limit, 'row')}; more with --limit")


@quarantine.command()
@_filter_options
@output_option
def describe(
    *,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
    output: Output,
) -> None:
    """Count rows by reason, with an example of each."""
    from tickmesh.cleaning import CleanerClient

    wanted = _filter(job_id=job_id, row_ids=row_ids, subject=subject, reason=reason, state=state)
    with CleanerClient() as client:
        answer = client.describe_quarantine(wanted)
    rows = [
        {
            "code": found.code,
            "field": found.instance_path or "-",
            "rows": found.rows,
            "example": _facts(found.examples[0])["raw"] if found.examples else None,
        }
        for found in answer.reasons
    ]
    if output is Output.JSON:
        print_json({"rows": answer.rows, "reasons": rows})
        return
    if not answer.rows:
        click.echo(_empty(state))
        return
    click.echo(f"{counted(answer.rows, 'row')} {state}")
    print_rows(rows, columns=["code", "field", "rows", "example"], output=output)
    if state == "quarantined":
        chosen = (("--job", job_id), ("--subject", subject), ("--reason", reason))
        words = [word for option, value in chosen if value for word in (option, value)]
        replay = command_line("quarantine", "replay", *(words or ["--subject", "SUBJECT"]))
        click.echo(f"next, after a better version or with a mended --source: {replay}")


@quarantine.command()
@_filter_options
@click.option("--version", type=int, help="Judge under this version; the one in force if absent.")
@click.option(
    "--source",
    "spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A mended source spec; each row's own if absent.",
)
@output_option
def replay(
    *,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
    version: int | None,
    spec: Path | None,
    output: Output,
) -> int:
    """Judge rows of one subject again.

    What passes is stored once and released, the rest stays. Ctrl-C detaches; the job goes on. Exit
    code 3 says that rows stayed.
    """
    from tickmesh.cleaning import CleanerClient

    wanted = _filter(job_id=job_id, row_ids=row_ids, subject=subject, reason=reason, state=state)
    with CleanerClient() as client:
        started = client.replay_quarantine(
            wanted,
            schema_version=version,
            source_spec=read_text(spec) if spec else "",
        )
        try:
            ended = follow_progress(client.watch_job(started.id), output=output)
        except KeyboardInterrupt:
            click.echo(
                f"\ndetached, the job goes on; next: tickmesh job watch {started.id}", err=True
            )
            return INTERRUPTED
    print_outcome(ended, output=output)
    return exit_code(ended)


@quarantine.command()
@_filter_options
@click.option("--comment", required=True, help="Why, for the record.")
@output_option
def discard(
    *,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
    comment: str,
    output: Output,
) -> None:
    """Give rows up, for the record.

    They stay readable as discarded, with who did it and why. Name a job, a subject, a reason or
    rows. Rows that a replay holds are left alone.
    """
    from tickmesh.cleaning import CleanerClient

    wanted = _filter(job_id=job_id, row_ids=row_ids, subject=subject, reason=reason, state=state)
    with CleanerClient() as client:
        rows = client.discard_quarantine(wanted, comment=comment)
    if output is Output.JSON:
        print_json({"rows": rows})
    else:
        click.echo(f"discarded {counted(rows, 'row')}")


@quarantine.command()
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@_filter_options
@output_option
def export(
    *,
    file: Path,
    job_id: str | None,
    row_ids: tuple[int, ...],
    subject: str | None,
    reason: str | None,
    state: str,
    output: Output,
) -> None:
    """Write rows to FILE.parquet or FILE.jsonl.

    With all their columns. FILE appears when all of them are there.
    """
    from tickmesh._cli.quarantine_export import write_rows
    from tickmesh.cleaning import CleanerClient

    wanted = _filter(job_id=job_id, row_ids=row_ids, subject=subject, reason=reason, state=state)
    with CleanerClient() as client:
        rows = write_rows(client.stream_quarantine(wanted), file)
    if output is Output.JSON:
        print_json({"rows": rows, "file": str(file)})
    else:
        click.echo(f"wrote {counted(rows, 'row')} to {file}")


def _empty(state: str) -> str:
    return "nothing is quarantined here" if state == "quarantined" else f"no rows {state}"


def _facts(row: quarantine_pb2.QuarantinedRow) -> dict[str, object]:
    return {
        "row": row.id,
        "job": row.job_id,
        "subject": row.subject,
        "source": row.source,
        "offset": row.offset,
        "line": row.line,
        "raw": row.raw.decode("utf-8", errors="backslashreplace"),
        "document": row.document or None,
        "reasons": [f"{reason.code} {reason.instance_path}".strip() for reason in row.reasons],
        "messages": [reason.message for reason in row.reasons],
        "schema_version": row.schema_version,
        "first_seen_at": instant(timestamp_ns(row.first_seen_at)),
        "state": job_pb2.QuarantineState.Name(row.state).removeprefix("QUARANTINE_STATE_").lower(),
        "discard": {
            "by": row.discard.principal,
            "comment": row.discard.comment,
            "at": instant(timestamp_ns(row.discard.at)),
        }
        if row.HasField("discard")
        else None,
    }
