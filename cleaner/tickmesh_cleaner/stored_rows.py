"""The rows the tick store holds, asked of the tick store itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh._ticks.commands import ReadOptions, read_command
from tickmesh._ticks.reading import stream_batches
from tickmesh.api.tickstore.v1 import tick_store_service_pb2
from tickmesh.errors import DeadlineExceededError, NotFoundError, UnavailableError
from tickmesh_cleaner.domain.errors import TickStoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tickmesh._ticks.connection import TickConnection
    from tickmesh.api.tickstore.v1 import dataset_pb2

_PRODUCER_STAMP = "_producer_id"
_SEQUENCE_STAMP = "_sequence"
_CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StoredBatches:
    """Rows of one snapshot of a dataset, to be read once.

    Attributes:
        revision: The dataset revision; 0 when there is no such dataset.
        batches: The rows, in order of arrival.
        rows_left_out: Earlier rows that are not among them.
    """

    revision: int
    batches: Iterator[pa.RecordBatch]
    rows_left_out: int


class TickStoreRows:
    """Reads rows, and counts them by the stamps each of them carries."""

    def __init__(self, connection: TickConnection) -> None:
        self._connection = connection

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        """The rows of producers by sequence; see `RowCounter.rows_by_sequence`."""
        counted: dict[str, Counter[int]] = {}
        wanted = pa.array(producer_ids, pa.string())
        try:
            for batch in self._generations(self._dataset(dataset), stamps=True):
                producers = batch.column(_PRODUCER_STAMP).cast(pa.string())
                own = pc.is_in(producers, value_set=wanted)
                stamps = pa.table(
                    [producers.filter(own), batch.column(_SEQUENCE_STAMP).filter(own)],
                    names=["producer", "sequence"],
                )
                found = stamps.group_by(["producer", "sequence"]).aggregate([([], "count_all")])
                for row in found.to_pylist():
                    of_producer = counted.setdefault(row["producer"], Counter())
                    of_producer[row["sequence"]] += row["count_all"]
        except NotFoundError:
            return counted
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error
        return counted

    def newest(
        self,
        dataset: str,
        *,
        start_ns: int | None,
        end_ns: int | None,
        columns: Sequence[str],
        max_rows: int,
        check: Callable[[], None],
    ) -> StoredBatches:
        """The rows of a range of event times that were stored last, in bounded memory.

        Args:
            dataset: The dataset.
            start_ns: Event times from here on.
            end_ns: Event times before here.
            columns: Columns wanted, of those that it has; all when it has none of them.
            max_rows: At most this many rows.
            check: Raises when nobody waits for the rows any more.

        Raises:
            TickStoreUnavailableError: The tick store does not answer.
        """
        try:
            held = self._dataset(dataset)
        except NotFoundError:
            return StoredBatches(0, iter(()), 0)
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error

        def read() -> Iterator[pa.RecordBatch]:
            return self._read(held, columns, check, start_ns=start_ns, end_ns=end_ns)

        left_out = 0
        if held.row_count > max_rows:
            rows = held.row_count
            if start_ns is not None or end_ns is not None:
                rows = sum(batch.num_rows for batch in read())
            left_out = max(0, rows - max_rows)
        return StoredBatches(held.revision, _behind(read(), left_out), left_out)

    def _dataset(self, dataset: str) -> dataset_pb2.Dataset:
        request = tick_store_service_pb2.GetDatasetRequest(dataset=dataset)
        found = self._connection.call("GetDataset", request, timeout_seconds=_CALL_SECONDS)
        held: dataset_pb2.Dataset = found.dataset
        return held

    def _read(
        self,
        held: dataset_pb2.Dataset,
        columns: Sequence[str],
        check: Callable[[], None],
        *,
        start_ns: int | None,
        end_ns: int | None,
    ) -> Iterator[pa.RecordBatch]:
        wanted = set(columns)
        try:
            for batch in self._generations(
                held, start=start_ns, end=end_ns, as_of=held.revision or None, wanted=wanted
            ):
                check()
                yield batch
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error

    def _generations(
        self,
        held: dataset_pb2.Dataset,
        *,
        wanted: Collection[str] = (),
        **options: Unpack[ReadOptions],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of each generation under its own newest version: all of them can be read so.

        Args:
            held: The dataset.
            wanted: Columns wanted, of those that there are; all when there is none of them.
            options: What else is asked of a read.
        """
        for generation in held.generations:
            command = read_command(held.name, **options)
            command.generation = generation.number
            if wanted:
                # Reading the schema alone costs a plan and no rows.
                names = stream_batches(self._connection, command).schema.names
                command.columns.extend([name for name in names if name in wanted])
            yield from stream_batches(self._connection, command)


def _behind(batches: Iterator[pa.RecordBatch], skip: int) -> Iterator[pa.RecordBatch]:
    """The rows behind the first so many."""
    for batch in batches:
        if skip < batch.num_rows:
            yield batch.slice(skip)
        skip = max(0, skip - batch.num_rows)
