"""Databases and lakes on the command line: a query in place of a file, a sink in place of ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tickmesh.cleaning_sinks import DatabaseSink, JobSink, ParquetSink, TickStoreSink
from tickmesh.cleaning_sources import Query

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = (
    click.option("--query", metavar="SQL", help="Clean the rows of a SELECT in place of a file."),
    click.option("--connection", metavar="NAME", help="Query: the database, as configured."),
    click.option("--key", metavar="COLUMN", help="Query: unique; brings only new rows."),
    click.option("--watermark", metavar="COLUMN", help="Query: grows with time."),
    click.option(
        "--overlap",
        type=click.FloatRange(min=0),
        help="Query: how far before the watermark a poll begins; seconds for times.",
    ),
    click.option("--to-parquet", metavar="DIR", help="Store in a Parquet dataset of the lake."),
    click.option(
        "--partition-by",
        multiple=True,
        metavar="COLUMN",
        help="Parquet: partition by this column, a time by its day; may be repeated.",
    ),
    click.option("--to-database", metavar="NAME", help="Store in a configured database."),
    click.option("--table", metavar="TABLE", help="Database: the table; made when it is missing."),
)


def database_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of queries and sinks to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query_source(file: object, settings: dict[str, Any]) -> Query | None:
    """The query that the options name, if they do; takes its settings out.

    Raises:
        click.UsageError: The options do not fit together.
    """
    query, connection, key, watermark, overlap = (
        settings.pop(name) for name in ("query", "connection", "key", "watermark", "overlap")
    )
    if (file is None) == (query is None):
        raise click.UsageError("name either SOURCE or --query")
    if query is None:
        if any(value is not None for value in (connection, key, watermark, overlap)):
            raise click.UsageError("--connection, --key, --watermark and --overlap need --query")
        return None
    if connection is None:
        raise click.UsageError("--query needs --connection")
    return Query(
        connection,
        query,
        key_column=key or "",
        watermark_column=watermark or "",
        overlap=overlap or 0.0,
        poll_interval_seconds=settings.pop("poll_interval_seconds"),
    )


def sink_of_options(settings: dict[str, Any]) -> JobSink:
    """The sink that the options name; takes their settings out.

    Raises:
        click.UsageError: The options do not fit together.
    """
    directory, columns, connection, table = (
        settings.pop(name) for name in ("to_parquet", "partition_by", "to_database", "table")
    )
    if directory is not None and connection is not None:
        raise click.UsageError("name either --to-parquet or --to-database")
    if columns and directory is None:
        raise click.UsageError("--partition-by needs --to-parquet")
    if (connection is None) != (table is None):
        raise click.UsageError("--to-database and --table go together")
    if directory is not None:
        return ParquetSink(directory, partition_by=columns)
    return TickStoreSink() if connection is None else DatabaseSink(connection, table)
