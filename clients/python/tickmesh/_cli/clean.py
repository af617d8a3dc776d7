"""`tickmesh clean`: judge a file or a feed, store its good rows, quarantine the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tickmesh._cli import INTERRUPTED
from tickmesh._cli.database_options import database_options, query_source, sink_of_options
from tickmesh._cli.feed_options import FileOrFeed, feed_options, feed_source
from tickmesh._cli.job_output import exit_code, follow_progress, print_outcome
from tickmesh._cli.output import Output, output_option
from tickmesh._cli.text_files import read_text
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning_sources import HttpFeed, Query, WebSocketFeed
from tickmesh.errors import NotFoundError

if TYPE_CHECKING:
    from tickmesh.cleaning import CleanerClient
    from tickmesh.cleaning_sinks import JobSink

_POLICIES = ("quarantine", "pin", "pause")


@click.command(short_help="Judge a file or feed: good rows are stored, bad ones quarantined.")
@click.argument("file", type=FileOrFeed(), required=False)
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
@click.option("--again", is_flag=True, help="Store the rows again, even if an earlier run did.")
@click.option("--detach", is_flag=True, help="Start the job and return at once.")
@feed_options
@database_options
@output_option
def clean(
    *,
    file: Path | str | None,
    subject: str,
    spec: Path | None,
    on_breaking_change: str,
    again: bool,
    detach: bool,
    output: Output,
    **settings: Any,
) -> int:
    """Judge every row of FILE under SUBJECT: good rows are stored, bad ones quarantined.

    A file that the cleaner cannot read in place is sent to it. FILE may be the URL of a feed
    (https, http, wss or ws) on a host the cleaner is configured for; such a job goes on until it is
    cancelled, unless --max-answers ends it. --query takes the place of FILE. Ctrl-C detaches; the
    job goes on.
    With --output json: one line a moment, then the job as it ended. Exit code 3 says that rows
    were quarantined.
    """
    from tickmesh.cleaning import CleanerClient

    query, sink = query_source(file, settings), sink_of_options(settings)
    feed = feed_source(file or Path(), settings)
    with CleanerClient() as client:
        job = _create(
            client,
            query or feed or file or "",
            subject=subject,
            sink=sink,
            source_spec=read_text(spec) if spec else "",
            schema_change_policy=on_breaking_change,
            again=again,
        )
        if detach:
            print_outcome(job, output=output)
            return 0
        try:
            job = follow_progress(client.watch_job(job.id), output=output)
        except KeyboardInterrupt:
            click.echo(f"\ndetached, the job goes on; next: tickmesh job watch {job.id}", err=True)
            return INTERRUPTED
    print_outcome(job, output=output)
    nothing_read = job.state == job_pb2.JOB_STATE_FAILED and not job.balance.rows_in
    if nothing_read and spec is None and query is None and feed is None and output is Output.TABLE:
        click.echo(f"next: tickmesh schema infer {file} --subject {subject}")
    return exit_code(job)


def _create(
    client: CleanerClient,
    source: Path | str | HttpFeed | WebSocketFeed | Query,
    *,
    subject: str,
    sink: JobSink,
    source_spec: str,
    schema_change_policy: str,
    again: bool,
) -> job_pb2.Job:
    """Name the source to the cleaner, or send a file that the cleaner may not read."""
    if isinstance(source, HttpFeed | WebSocketFeed | Query):
        return client.create_job(
            subject,
            source=source,
            sink=sink,
            source_spec=source_spec,
            schema_change_policy=schema_change_policy,
            again=again,
        )
    file = Path(source)
    try:
        return client.create_job(
            subject,
            path=file.resolve(),
            sink=sink,
            source_spec=source_spec,
            schema_change_policy=schema_change_policy,
            again=again,
        )
    except NotFoundError as error:
        if error.reason != "SOURCE_NOT_FOUND":
            raise
    click.echo(f"the cleaner cannot read {file.name} in place: sending it", err=True)
    upload_id = client.upload(file)
    return client.create_job(
        subject,
        upload_id=upload_id,
        sink=sink,
        file_name=file.name,
        source_spec=source_spec,
        schema_change_policy=schema_change_policy,
        again=again,
    )
