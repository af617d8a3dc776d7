"""The sinks the configuration allows: from what a job names to where its rows go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.job_sink import DatabaseSink, ParquetSink, TickStoreSink
from tickmesh_cleaner.sinks import database, parquet, tick_store
from tickmesh_cleaner.sinks.partitioning import Partitioning
from tickmesh_cleaner.stored_rows import TickStoreRows
from tickmesh_cleaner.traces import JobTrace

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Mapping

    import pyarrow as pa

    from tickmesh._ticks.connection import TickConnection
    from tickmesh_cleaner.auditing import RowCounter
    from tickmesh_cleaner.databases.connections import Connections
    from tickmesh_cleaner.databases.engine import Database, TableName
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.domain.job_sink import JobSink
    from tickmesh_cleaner.sinks.lake import LakeRoots, Place
    from tickmesh_cleaner.sinks.sink import Sink


class ConfiguredSinks:
    """Makes sinks, checks what jobs ask for, and counts what sinks hold."""

    def __init__(
        self, *, connection: TickConnection, lake_roots: LakeRoots, databases: Connections
    ) -> None:
        """Name what there is.

        Args:
            connection: The tick store. Shared; not closed here.
            lake_roots: Where Parquet datasets may be.
            databases: The databases jobs may name.
        """
        self._connection = connection
        self._lake_roots = lake_roots
        self._databases = databases

    def open(self, job: Job) -> Sink:
        """The sink of a job; nothing is connected yet.

        Raises:
            ConnectionNotFoundError: The configuration names no such database any more.
            InvalidSinkError: The directory is below no lake root any more.
        """
        source = job.identity.digest if job.identity else ""
        match job.sink:
            case TickStoreSink():
                return tick_store.TickStoreSink(
                    self._connection,
                    dataset=job.dataset,
                    source=source,
                    on_behalf_of=job.principal,
                    trace=JobTrace(job.id, job.traceparent),
                )
            case ParquetSink(directory, partition_by):
                return parquet.ParquetSink(
                    self._lake_roots.place(directory),
                    partitioning=Partitioning(partition_by),
                    subject=job.subject,
                    source=source,
                )
            case DatabaseSink(connection, table):
                return database.DatabaseSink(
                    self._databases.database(connection), database.table_name(table)
                )

    def check(self, sink: JobSink, schema: pa.Schema | None) -> None:
        """Refuse a sink that cannot take rows.

        Args:
            sink: What a job asks for.
            schema: The rows it will have; None while that is not known.

        Raises:
            ConnectionNotFoundError: The configuration names no such database.
            InvalidSinkError: A directory, table, column or type it cannot take.
        """
        match sink:
            case ParquetSink(directory, partition_by):
                self._lake_roots.place(directory)
                partitioning = Partitioning(partition_by)
                if schema is not None:
                    parquet.check_columns(partitioning, schema)
            case DatabaseSink(connection, table):
                there = self._databases.database(connection)
                database.table_name(table)
                if schema is not None:
                    database.check_columns(there, schema)

    def destination(self, job: Job) -> str:
        """Where a job's rows go, in words that differ wherever the place does."""
        match job.sink:
            case TickStoreSink():
                return job.dataset
            case ParquetSink(directory):
                return f"{job.subject} parquet {self._lake_roots.place(directory).directory}"
            case DatabaseSink(connection, table):
                return f"{job.subject} table {connection} {table}"

    def rows_of(self, job: Job) -> RowCounter:
        """What counts the rows of the job's sink."""
        match job.sink:
            case TickStoreSink():
                return TickStoreRows(self._connection)
            case ParquetSink(directory):
                return LakeRows(self._lake_roots.place(directory))
            case DatabaseSink(connection, table):
                return TableRows(self._databases.database(connection), database.table_name(table))


class LakeRows:
    """Counts rows by the footers of a dataset's files."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def rows_by_sequence(
        self, _dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        """The rows of producers by batch; see `RowCounter.rows_by_sequence`."""
        return {name: parquet.rows_by_sequence(self._place, name) for name in producer_ids}


class TableRows:
    """Counts rows in a table by the batch each of them names."""

    def __init__(self, there: Database, table: TableName) -> None:
        self._database = there
        self._table = table

    def rows_by_sequence(
        self, _dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        """The rows of producers by batch; see `RowCounter.rows_by_sequence`."""
        return {
            name: database.rows_by_sequence(self._database, self._table, name)
            for name in producer_ids
        }
