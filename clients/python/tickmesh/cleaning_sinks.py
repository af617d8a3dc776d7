"""Where a cleaning job's good rows go: the `sink` of `CleanerClient.create_job`.

    from tickmesh.cleaning import CleanerClient
    from tickmesh.cleaning_sinks import ParquetSink

    with CleanerClient() as cleaner:
        sink = ParquetSink("trades", partition_by=["ts", "symbol"])
        job = cleaner.create_job("ticks.trades", path="/data/trades.csv", sink=sink)

Directories and connections are those of the cleaner, as its configuration allows them.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from tickmesh.api.cleaner.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["DatabaseSink", "JobSink", "ParquetSink", "TickStoreSink", "sink_message"]


@dataclass(frozen=True, slots=True)
class TickStoreSink:
    """The tick store, in the dataset of the subject's name: the default."""


@dataclass(frozen=True, slots=True)
class ParquetSink:
    """A partitioned Parquet dataset below one of the cleaner's lake roots.

    Attributes:
        directory: The directory of the dataset; a relative path begins at the first lake root.
        partition_by: Columns to partition by, hive style, outermost first; a time column by its
            UTC day.
    """

    directory: str | Path
    _: KW_ONLY
    partition_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSink:
    """A table of a database the cleaner is configured for.

    Attributes:
        connection: The name of the connection in the cleaner's configuration.
        table: The table, or SCHEMA.TABLE; made when it is not there.
    """

    connection: str
    table: str


JobSink = TickStoreSink | ParquetSink | DatabaseSink
"""What `CleanerClient.create_job` takes as `sink`."""


def sink_message(sink: JobSink) -> job_pb2.JobSink:
    """The sink as the contract has it."""
    match sink:
        case TickStoreSink():
            return job_pb2.JobSink(tick_store=job_pb2.TickStoreSink())
        case ParquetSink(directory=directory, partition_by=columns):
            return job_pb2.JobSink(
                parquet=job_pb2.ParquetSink(directory=str(directory), partition_by=columns)
            )
        case DatabaseSink(connection, table):
            return job_pb2.JobSink(
                database=job_pb2.DatabaseSink(connection=connection, table=table)
            )
