"""Where a job's good rows go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TickStoreSink:
    """The tick store, in the dataset of the subject's name."""


@dataclass(frozen=True, slots=True)
class ParquetSink:
    """A partitioned Parquet dataset below a lake root.

    Attributes:
        directory: The directory of the dataset, below a lake root.
        partition_by: Columns to partition by; a time column by its UTC day.
    """

    directory: str
    partition_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSink:
    """A table of a configured database; made when it is not there."""

    connection: str
    table: str


TICK_STORE = TickStoreSink()
"""The sink of jobs that name none."""

JobSink = TickStoreSink | ParquetSink | DatabaseSink
