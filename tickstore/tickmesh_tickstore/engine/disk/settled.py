"""Settled segments as parts of a dataset: Parquet, decoded a few groups of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.chunk import join_spans
from tickmesh_tickstore.engine.columns import ARRIVAL_COLUMN
from tickmesh_tickstore.engine.disk.segment import SegmentPart, unreadable
from tickmesh_tickstore.engine.disk.settled_outline import Outline
from tickmesh_tickstore.engine.stored_rows import FoundRows, StoredRows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tickmesh_tickstore.domain.stamps import Origin, Stamp
    from tickmesh_tickstore.engine.chunk import Runs, TimeSpan
    from tickmesh_tickstore.engine.messages import Messages

__all__ = ["SettledPart", "SettledRows"]

_MOST_OVERLAP = 2
"""Rows that did not arrive in order are read in windows of arrival while that decodes no row more
often than this; otherwise all rows of the segment are read together."""


@dataclass(frozen=True, slots=True)
class SettledPart(SegmentPart):
    """A settled segment's rows as a part of a dataset.

    Attributes:
        schema: What the rows were written under.
    """

    schema: pa.Schema

    def chunks(self) -> Sequence[StoredRows]:
        """The rows; only the footer is read."""
        return self.cache.rows(self.path, lambda: _OpenSegment(self).rows)


class _OpenSegment:
    """A segment's footer, its file mapped: readable even after the file was removed."""

    def __init__(self, part: SettledPart) -> None:
        self._record = part.record
        self.schema = part.schema
        try:
            self._file = pa.memory_map(str(part.path))
            # The stubs promise any format's fragment only.
            fragment: Any = ds.ParquetFileFormat().make_fragment(
                str(part.path), filesystem=fs.LocalFileSystem(use_mmap=True)
            )
            fragment.ensure_complete_metadata()
            self._fragment = fragment
            self._metadata: pq.FileMetaData = fragment.metadata
            outline = Outline.from_metadata(self._metadata.metadata)
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise unreadable(self._record, error) from error
        self.groups = outline.groups
        self.row_count = part.record.row_count
        self.origins = outline.stamps.origins
        self.in_order = outline.in_order
        self._dictionaries = [
            field.name for field in part.schema if pa.types.is_dictionary(field.type)
        ]
        whole = SettledRows(
            segment=self,
            stamp=part.record.stamp,
            time_span=part.record.time_span,
            first_row=outline.stamps.first_row,
            runs=outline.stamps.runs,
            messages=outline.stamps.messages,
            start=0,
            row_groups=tuple(range(len(self.groups))),
        )
        self.rows = tuple(self._windows(whole))

    def _windows(self, whole: SettledRows) -> list[SettledRows]:
        """Neighbours in order of arrival, each with the row groups where it is found."""
        groups = self.groups
        windows: list[SettledRows] = []
        start = 0
        for group in groups:
            stop = start + group.row_count
            window = whole.rows(start, stop)
            assert isinstance(window, SettledRows)
            found = tuple(
                index
                for index, other in enumerate(groups)
                if other.arrivals[0] < stop and other.arrivals[1] > start
            )
            span = join_spans(groups[index].time_span for index in found)
            windows.append(replace(window, time_span=span, row_groups=found))
            start = stop
        decoded = sum(groups[index].row_count for each in windows for index in each.row_groups)
        return windows if decoded <= _MOST_OVERLAP * start else [whole]

    def matching(self, row_groups: Sequence[int], where: pc.Expression) -> list[int]:
        """The row groups that may hold rows for which a condition is true, by their statistics."""
        subset = self._fragment.subset(row_group_ids=list(row_groups))
        return [group.id for group in subset.subset(where).row_groups]

    def decode(self, row_groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Whole row groups.

        Raises:
            DatasetDamagedError: The file's content is not what was written.
        """
        try:
            file = pq.ParquetFile(
                self._file,
                metadata=self._metadata,
                read_dictionary=self._dictionaries,
                page_checksum_verification=True,
            )
            return file.read_row_groups(list(row_groups), columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self._record, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRows(StoredRows):
    """Neighbours in order of arrival within a settled segment.

    Attributes:
        segment: Where they are.
        stamp: See `StoredRows`.
        time_span: See `StoredRows`; maybe of more rows than these.
        first_row: See `StoredRows`.
        runs: See `StoredRows`.
        messages: See `StoredRows`.
        start: The first row's place in the segment's order of arrival.
        row_groups: Which row groups of the file hold them.
    """

    segment: _OpenSegment
    stamp: Stamp
    time_span: TimeSpan | None
    first_row: int
    runs: Runs
    messages: Messages
    start: int
    row_groups: tuple[int, ...]

    @property
    def row_count(self) -> int:
        """See `StoredRows.row_count`."""
        return self.runs.row_ends[-1]

    @property
    def byte_count(self) -> int:
        """See `StoredRows.byte_count`."""
        groups = [self.segment.groups[index] for index in self.row_groups]
        rows = sum(group.row_count for group in groups)
        return sum(group.byte_count for group in groups) * self.row_count // rows

    @property
    def is_read_whole(self) -> bool:
        """See `StoredRows.is_read_whole`."""
        return not self.segment.in_order and len(self.row_groups) == len(self.segment.groups)

    def rows(self, start: int, stop: int) -> SettledRows | None:
        """See `StoredRows.rows`."""
        if start >= stop:
            return None
        if start == 0 and stop == self.row_count:
            return self
        return replace(
            self,
            start=self.start + start,
            runs=self.runs.sliced(start, stop),
            messages=self.messages.sliced(start, stop),
            first_row=self.position_at(start).row,
        )

    def may_have(self, symbols: Collection[str]) -> bool:
        """See `StoredRows.may_have`."""
        return any(self._group_may_have(index, symbols) for index in self.row_groups)

    def _group_may_have(self, index: int, symbols: Collection[str]) -> bool:
        known = self.segment.groups[index].symbols
        return known is None or not known.isdisjoint(symbols)

    def read(
        self, columns: Sequence[str] | None = None, *, where: pc.Expression | None = None
    ) -> FoundRows:
        """See `StoredRows.read`."""
        schema = self.segment.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        row_groups: Sequence[int] = self.row_groups
        if where is not None:
            row_groups = self.segment.matching(row_groups, where)
            if not row_groups:
                nothing = pa.RecordBatch.from_pylist([], schema)
                return FoundRows(nothing, pa.array([], pa.int64()))
        if self.segment.in_order:
            return self._read_in_order(row_groups, schema)
        return self._read_by_arrival(row_groups, schema)

    def _read_in_order(self, row_groups: Sequence[int], schema: pa.Schema) -> FoundRows:
        begins = self.segment.groups[row_groups[0]].arrivals[0]
        batch = _one_batch(self.segment.decode(row_groups, schema.names), schema)
        return FoundRows(batch.slice(self.start - begins, self.row_count), None)

    def _read_by_arrival(self, row_groups: Sequence[int], schema: pa.Schema) -> FoundRows:
        table = self.segment.decode(row_groups, [*schema.names, ARRIVAL_COLUMN])
        places: pa.Array[Any] = table.column(ARRIVAL_COLUMN).combine_chunks()
        batch = _one_batch(table.select(schema.names), schema)
        start = pa.scalar(self.start, pa.int64())
        if self.row_count != self.segment.row_count:
            stop = pa.scalar(self.start + self.row_count, pa.int64())
            here = pc.and_(pc.greater_equal(places, start), pc.less(places, stop))
            batch, places = batch.filter(here), places.filter(here)
        places = pc.subtract(places, start)
        if batch.num_rows == self.row_count:
            # All of them: where each one stands is a permutation, and undone without sorting.
            order = pc.call_function("inverse_permutation", [places])
            return FoundRows(batch.take(order), None)
        order = pc.sort_indices(places)
        return FoundRows(batch.take(order), places.take(order))

    def origins(self) -> Sequence[tuple[int, Origin]]:
        """See `StoredRows.origins`."""
        stop = self.start + self.row_count
        return [
            (min(end, stop) - self.start, origin)
            for begins, (end, origin) in zip(
                (0, *(end for end, _ in self.segment.origins)), self.segment.origins, strict=False
            )
            if end > self.start and begins < stop
        ]


def _one_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    """Decoded rows as they were written: Parquet has no seconds, and its own names in lists."""
    columns = [
        column if column.type.equals(field.type) else column.cast(field.type)
        for field, column in ((field, table.column(field.name)) for field in schema)
    ]
    return join_batches(pa.Table.from_arrays(columns, schema=schema).to_batches())
