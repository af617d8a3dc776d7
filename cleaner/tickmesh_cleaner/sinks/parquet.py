"""A Parquet dataset as a sink: batch n of a producer is one file a partition, named by both.

A file is written apart, synchronised and moved into its place; once all files of batch n are, the
producer's state says n. So a batch that is written again, after whatever end of the process, puts
the same files over themselves, and one that the state knows is not written at all.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tickmesh_cleaner.domain.errors import FencedError, InvalidSinkError, LakeUnavailableError
from tickmesh_cleaner.durable_files import publish
from tickmesh_cleaner.sinks import stamps
from tickmesh_cleaner.sinks.lake import LakeDataset, ProducerState, reported
from tickmesh_cleaner.sinks.ordered_writes import OrderedWrites
from tickmesh_cleaner.sinks.sink import OpenedProducer, Written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.sinks.lake import Place
    from tickmesh_cleaner.sinks.partitioning import Partitioning

_ADDED = (stamps.SCHEMA_VERSION, stamps.PRODUCER_ID, stamps.SEQUENCE)


class ParquetSink:
    """Writes one job's good rows to a dataset."""

    def __init__(
        self, place: Place, *, partitioning: Partitioning, subject: str, source: str
    ) -> None:
        """Name the dataset; nothing is written yet.

        Args:
            place: Where it is.
            partitioning: How it is partitioned.
            subject: Whose rows it holds.
            source: The source's digest: what ranges in the files' metadata refer to.
        """
        self._dataset = LakeDataset(place)
        self._partitioning = partitioning
        self._subject = subject
        self._source = source
        self._writes = OrderedWrites(stopped=LakeUnavailableError("the sink was closed"))
        self._producer_id = ""
        self._epoch = 0
        self._known_versions: set[int] = set()

    def open(self, producer_id: str) -> OpenedProducer:
        """Open a new epoch; see `Sink.open`.

        Raises:
            InvalidSinkError: The directory holds another dataset, or may not be written.
        """
        self._writes.stop()
        self._dataset.describe(
            {"subject": self._subject, "partition_by": list(self._partitioning.columns)}
        )
        state = self._dataset.open(producer_id)
        self._producer_id = producer_id
        self._epoch = state.epoch
        self._writes.start()
        return OpenedProducer(epoch=state.epoch, last_n=state.last_n)

    def write(
        self, n: int, batch: pa.RecordBatch, *, schema: RegisteredSchema, start: str, end: str
    ) -> Future[Written]:
        """Write batch n; see `Sink.write`."""
        return self._writes.submit(lambda: self._write(n, batch, schema, start, end))

    def close(self) -> None:
        """Take no more; what is being written is finished."""
        self._writes.stop()

    def _write(
        self, n: int, batch: pa.RecordBatch, schema: RegisteredSchema, start: str, end: str
    ) -> Written:
        def change(state: ProducerState) -> ProducerState | None:
            if state.epoch != self._epoch:
                raise FencedError(epoch=self._epoch, current=state.epoch)
            if n <= state.last_n:
                return None
            if n != state.last_n + 1:
                raise InvalidSinkError(
                    f"batch {n} came after batch {state.last_n} of its producer",
                    expected=str(state.last_n + 1),
                    sequence=str(n),
                )
            rows = plain(batch.cast(schema.arrow_schema))
            self._take_up_schema(rows.schema, schema.version)
            self._write_files(n, rows, schema, {"start": start, "end": end})
            return ProducerState(state.epoch, n)

        self._dataset.write(self._producer_id, change)
        return Written(dataset_revision=0)

    def _write_files(
        self, n: int, rows: pa.RecordBatch, schema: RegisteredSchema, source: Mapping[str, str]
    ) -> None:
        metadata = {
            b"tickmesh.producer_id": self._producer_id.encode(),
            b"tickmesh.sequence": str(n).encode(),
            b"tickmesh.source": self._source.encode(),
            b"tickmesh.source_start": source["start"].encode(),
            b"tickmesh.source_end": source["end"].encode(),
        }
        directories = set()
        for partition in self._partitioning.partitions(rows):
            table = pa.Table.from_batches(
                [self._stamped(partition.rows, n=n, version=schema.version)]
            ).replace_schema_metadata({**(rows.schema.metadata or {}), **metadata})
            directory = Path(partition.directory)
            name = f"{self._producer_id}-{n:010d}.parquet"
            self._dataset.publish_file(directory / name, table)
            directories.add(directory)
        self._dataset.synchronise_directories(directories)

    def _stamped(self, rows: pa.RecordBatch, *, n: int, version: int) -> pa.RecordBatch:
        values = (version, self._producer_id, n)
        for field, value in zip(_STAMP_FIELDS, values, strict=True):
            rows = rows.append_column(field, stamps.constant(value, field.type, rows.num_rows))
        return rows

    def _take_up_schema(self, schema: pa.Schema, version: int) -> None:
        """Join a version's columns to those of all files; refuse what no reader could join."""
        if version in self._known_versions:
            return
        check_columns(self._partitioning, schema)
        fields = (*self._partitioning.file_schema(schema), *_STAMP_FIELDS)
        # Nullable throughout: files of other versions may lack any column.
        joined = pa.schema([field.with_nullable(True) for field in fields])
        with self._dataset.schema_lock():
            path = self._dataset.schema_path
            if path.exists():
                known = pq.read_schema(path)
                try:
                    joined = pa.unify_schemas(
                        [known.remove_metadata(), joined], promote_options="permissive"
                    )
                except pa.ArrowException as error:
                    raise InvalidSinkError(
                        f"version {version} of {self._subject!r} has a column whose type cannot be "
                        f"read together with earlier files: {str(error).splitlines()[0][:300]}; "
                        "use another directory",
                        version=str(version),
                    ) from error
            if not path.exists() or not joined.equals(pq.read_schema(path)):
                buffer = pa.BufferOutputStream()
                pq.write_metadata(joined, buffer)
                publish(path, buffer.getvalue().to_pybytes())
        self._known_versions.add(version)


def check_columns(partitioning: Partitioning, schema: pa.Schema) -> None:
    """Refuse a schema whose rows the dataset cannot hold.

    Raises:
        InvalidSinkError: It cannot; the column is named.
    """
    stamps.check_names(schema.names, added=_ADDED)
    partitioning.check(schema)


def rows_by_sequence(place: Place, producer_id: str) -> Counter[int]:
    """A producer's rows in a dataset by the batch their file is named after, by the footers.

    Raises:
        LakeUnavailableError: The directory cannot be read.
    """
    counted: Counter[int] = Counter()
    with reported():
        for path in LakeDataset(place).files_of(producer_id):
            counted[int(path.stem.rpartition("-")[2])] += pq.read_metadata(path).num_rows
    return counted


_STAMP_FIELDS: tuple[pa.Field[pa.DataType], ...] = (
    pa.field(stamps.SCHEMA_VERSION, pa.int32(), nullable=False),
    pa.field(stamps.PRODUCER_ID, pa.string(), nullable=False),
    pa.field(stamps.SEQUENCE, pa.int64(), nullable=False),
)


def plain(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with dictionaries as their values: files compress them alike, readers join them."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            values = rows.column(index).cast(field.type.value_type)
            rows = rows.set_column(index, field.with_type(field.type.value_type), values)
    return rows
