"""`tickmesh clean`: judge files and feeds, store their good rows, quarantine the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from tickmesh._cli import FAILURE, INTERRUPTED
from tickmesh._cli.clean_sources import LocalSource, followed, local_source
from tickmesh._cli.database_options import database_options, query_source, sink_of_options
from tickmesh._cli.feed_options import feed, feed_options
from tickmesh._cli.job_output import exit_code, follow_progress, print_outcome
from tickmesh._cli.output import Output, output_option
from tickmesh._cli.text_files import read_text
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import Upload
from tickmesh.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tickmesh.cleaning import CleanerClient
    from tickmesh.cleaning_sinks import JobSink

_POLICIES = ("quarantine", "pin", "pause")


class _Choices(TypedDict):
    """What holds for every job of one command."""

    subject: str
    source_spec: str
    schema_change_policy: str
    again: bool
    sink: JobSink


@click.command(short_help="Judge files and feeds: good rows are stored, bad ones quarantined.")
@click.argument("sources", metavar="SOURCE", nargs=-1)
@click.option("--subject", required=True, help="The subject to judge under.")
@click.option(
    "--source",
    "spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The source spec (TOML); not needed where column names are the schema's.",
)
@click.option(
    "--on-breaking-change",
    type=click.Choice(_POLICIES),
    default="quarantine",
    show_default=True,
    help="What a breaking schema change does while the job runs.",
)
@click.option("--follow", is_flag=True, help="Go on with what is appended, until cancelled.")
@click.option(
    "--start-at",
    type=click.Choice(["beginning", "end"]),
    default="beginning",
    show_default=True,
    help="With --follow: begin with what is there, or with what comes.",
)
@click.option("--again", is_flag=True, help="Store the rows again, even if an earlier run did.")
@click.option("--detach", is_flag=True, help="Start the job and return at once.")
@feed_options
@database_options
@output_option
def clean(
    *,
    sources: Sequence[str],
    subject: str,
    spec: Path | None,
    on_breaking_change: str,
    follow: bool,
    start_at: str,
    again: bool,
    detach: bool,
    output: Output,
    **settings: Any,
) -> int:
    """Judge every row of SOURCE under SUBJECT: good rows are stored, bad ones quarantined.

    SOURCE is a file, a directory (its files) or a quoted pattern with *, ?, [...] and ** for any
    number of directories; the files of a directory or pattern are one job. What the cleaner cannot
    read in place is sent to it, file by file. With --follow, SOURCE is a file that need not exist
    yet; the cleaner must be able to read it. SOURCE may be the URL of a feed (https, http, wss, ws)
    on a host the cleaner is configured for: such a job goes on until it is cancelled, unless
    --max-answers ends it. --query takes the place of SOURCE. Ctrl-C detaches; the job goes on.
    With --output json: one line a moment, then the job as it ended. Exit code 3 says that rows
    were quarantined.
    """
    from tickmesh.cleaning import CleanerClient

    if follow and len(sources) > 1:
        raise click.UsageError("one job follows one file: give a single SOURCE with --follow")
    query = query_source(sources or None, settings)
    sink = sink_of_options(settings)
    found = [
        feed(given, settings)
        or (followed(given, start_at=start_at) if follow else local_source(given))
        for given in sources
    ]
    if query is not None:
        found.append(LocalSource("--query", query, ()))
    choices = _Choices(
        subject=subject,
        source_spec=read_text(spec) if spec else "",
        schema_change_policy=on_breaking_change,
        again=again,
        sink=sink,
    )
    codes = []
    with CleanerClient() as client:
        for source in found:
            for job in _jobs(client, source, choices):
                if detach:
                    print_outcome(job, output=output)
                    codes.append(0)
                    continue
                try:
                    ended = follow_progress(client.watch_job(job.id), output=output)
                except KeyboardInterrupt:
                    next_command = f"tickmesh job watch {job.id}"
                    click.echo(f"\ndetached, the job goes on; next: {next_command}", err=True)
                    return INTERRUPTED
                print_outcome(ended, output=output)
                nothing_read = ended.state == job_pb2.JOB_STATE_FAILED and not ended.balance.rows_in
                if nothing_read and source.files and spec is None and output is Output.TABLE:
                    click.echo(f"next: tickmesh schema infer {source.given} --subject {subject}")
                codes.append(exit_code(ended))
    return FAILURE if FAILURE in codes else max(codes)


def _jobs(
    client: CleanerClient, local: LocalSource, choices: _Choices
) -> Generator[job_pb2.Job, None, None]:
    """Name the source to the cleaner, or send its files when the cleaner may not read it."""
    try:
        job = client.create_job(source=local.source, **choices)
    except NotFoundError as error:
        if error.reason != "SOURCE_NOT_FOUND" or not local.files:
            raise
    else:
        yield job
        return
    for file in local.files:
        click.echo(f"the cleaner cannot read {file.name} in place: sending it", err=True)
        upload_id = client.upload(file)
        yield client.create_job(source=Upload(upload_id), file_name=file.name, **choices)
