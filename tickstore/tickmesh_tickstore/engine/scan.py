"""Snapshot reads: pruned, resolved and filtered into one C++ reader (T7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import acero

from tickmesh_tickstore.domain.errors import (
    FutureRevisionError,
    InvalidArgumentError,
    LimitExceededError,
    NoEventTimeError,
    SnapshotGoneError,
)
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.requests import Order, PlannedRange, ScanRequest, StampColumn
from tickmesh_tickstore.engine.batches import sliced_to
from tickmesh_tickstore.engine.chunk import Chunk, merge_chunks
from tickmesh_tickstore.engine.interface import ScanPlan
from tickmesh_tickstore.engine.resolver import Resolver
from tickmesh_tickstore.engine.selection import Selection

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Sequence

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.dataset import Dataset

__all__ = ["SnapshotRead"]

_SMALL_ROWS = 8_192
_JOINED_ROWS = 65_536
_LEAST_ENDPOINT_ROWS = 65_536
_STAMP_TYPES: dict[StampColumn, pa.DataType] = {
    StampColumn.SCHEMA_VERSION: pa.int32(),
    StampColumn.INGEST_TIME: pa.timestamp("ns", "UTC"),
    StampColumn.DATASET_REVISION: pa.int64(),
    StampColumn.PRODUCER_ID: pa.dictionary(pa.int32(), pa.string()),
    StampColumn.SEQUENCE: pa.int64(),
}


class SnapshotRead:
    """One read of one dataset at one revision."""

    def __init__(self, dataset: Dataset, request: ScanRequest, limits: EngineLimits) -> None:
        if request.dataset_id is not None and request.dataset_id != dataset.dataset_id:
            raise SnapshotGoneError(
                f"dataset {request.dataset!r} is no longer the one this range was planned for: "
                "plan the read again",
                metadata={"dataset": request.dataset},
            )
        if request.limit is not None and request.limit < 0:
            raise InvalidArgumentError("a limit is 0 or more rows, got less")
        self._dataset = dataset
        self._request = request
        self._limits = limits
        self._state = dataset.state
        self._revision = self._pinned_revision()
        self._after = request.after or START
        end = Position.after_revision(self._revision)
        self._through = min(end, request.through) if request.through else end
        reader = dataset.reader(request.reader_version)
        self._selection = Selection.of(
            reader, start_ns=request.start_ns, end_ns=request.end_ns, symbols=request.symbols
        )
        self._full_schema = reader.schema
        self._columns = self._checked_columns()
        self._resolver = Resolver(
            reader, self._working_columns(), dataset.layout, dataset=dataset.name
        )
        self._working_schema = self._resolver.schema
        # Spans were taken of the column that was the event time when the rows were written.
        self._prunable = self._selection.is_timed and all(
            map(self._resolver.keeps_event_time, dataset.layouts)
        )
        if request.order is Order.TIME and reader.event_time is None:
            raise NoEventTimeError(
                "order by time needs an event time: give a timestamp column the keyword "
                '"x-tick-role": "event_time", or read in order of arrival'
            )

    def _pinned_revision(self) -> int:
        asked = self._request.as_of_revision
        if asked is None:
            return self._state.revision
        if asked > self._state.revision:
            raise FutureRevisionError(
                f"revision {asked} is not reached yet, the newest is {self._state.revision}",
                metadata={"asked": str(asked), "newest": str(self._state.revision)},
            )
        return asked

    def _checked_columns(self) -> tuple[str, ...]:
        names = self._full_schema.names
        columns = self._request.columns
        if columns is None:
            return tuple(names)
        unknown = [name for name in columns if name not in names]
        if unknown:
            raise InvalidArgumentError(
                f"no column {', '.join(map(repr, unknown))}; there are {', '.join(names)}",
                metadata={"unknown": ",".join(unknown)},
            )
        return columns

    def _working_columns(self) -> list[str]:
        """The asked columns and those which rows are chosen or ordered by."""
        reader = self._selection.reader
        wanted = set(self._columns)
        if self._selection.is_timed or self._request.order is Order.TIME:
            wanted.add(reader.event_time or "")
        if self._selection.symbols is not None:
            wanted.add(reader.symbol or "")
        return [name for name in self._full_schema.names if name in wanted]

    @property
    def schema(self) -> pa.Schema:
        """The schema of the answer."""
        fields = [self._full_schema.field(name) for name in self._columns]
        fields += [pa.field(name.value, _STAMP_TYPES[name]) for name in self._request.stamps]
        return pa.schema(fields).with_metadata(self._full_schema.metadata)

    def plan(self, max_endpoints: int) -> ScanPlan:
        """Split the read; see `TickEngine.plan`."""
        pinned = replace(
            self._request,
            as_of_revision=self._revision,
            dataset_id=self._dataset.dataset_id,
            reader_version=self._resolver.reader.stamp.schema_version,
        )
        chunks = list(self._chosen_chunks())
        self._require_readable(chunks)
        rows = sum(chunk.batch.num_rows for chunk in chunks)
        count = min(max_endpoints, rows // _LEAST_ENDPOINT_ROWS)
        if pinned.stamps:
            # Stamped ranges are held at once: none may be over the limit.
            count = max(count, -(-rows // self._limits.materialised_rows))
        if count <= 1 or pinned.limit is not None or pinned.order is not Order.ARRIVAL:
            request = pinned.between(self._after, self._through)
            return ScanPlan(
                self.schema, self._revision, (PlannedRange(request.to_payload(), rows),)
            )
        cuts = [self._after, *_cuts(chunks, [rows * k // count for k in range(1, count)])]
        ends = [*cuts[1:], self._through]
        sizes = [rows * (k + 1) // count - rows * k // count for k in range(count)]
        return ScanPlan(
            self.schema,
            self._revision,
            tuple(
                PlannedRange(pinned.between(start, end).to_payload(), size)
                for start, end, size in zip(cuts, ends, sizes, strict=True)
            ),
        )

    def reader(self) -> pa.RecordBatchReader:
        """The rows; see `TickEngine.scan`."""
        request = self._request
        chunks = list(_coalesced(self._chosen_chunks()))
        self._require_readable(chunks)
        if request.order is Order.TIME:
            return self._in_time_order(chunks)
        if request.limit is not None:
            chunks = list(self._limited(chunks, request.limit))
        table = self._table(chunks)
        if not self._selection.is_filter or all(map(self._selection.wants_all, chunks)):
            return self._select(table).to_reader()
        return self._streamed(table)

    def _chosen_chunks(self) -> Iterator[Chunk]:
        """The chunks that may hold wanted rows, in arrival order."""
        selection = self._selection
        for part in self._state.parts_between(self._after, self._through):
            if self._prunable and not selection.may_hold(part.time_span):
                continue
            for chunk in part.chunks():
                if self._prunable and not selection.may_hold(chunk.time_span):
                    continue
                cut = chunk.between(self._after, self._through)
                if cut is not None:
                    yield cut

    def _require_readable(self, chunks: Iterable[Chunk]) -> None:
        self._resolver.require({chunk.stamp for chunk in chunks}, rows=self._rows_by_version)

    def _rows_by_version(self) -> Counter[Stamp]:
        """The rows of the snapshot, whatever is asked of it."""
        counts: Counter[Stamp] = Counter()
        for chunk in self._state.chunks_between(START, Position.after_revision(self._revision)):
            counts[chunk.stamp] += chunk.batch.num_rows
        return counts

    def _resolved(self, chunk: Chunk) -> pa.RecordBatch:
        batch = self._resolver.resolve(chunk.batch, chunk.stamp)
        if self._request.stamps:
            for name in self._request.stamps:
                batch = batch.append_column(
                    pa.field(name.value, _STAMP_TYPES[name]), _stamp_column(chunk, name)
                )
        return batch

    def _table(self, chunks: Sequence[Chunk]) -> pa.Table:
        if self._request.stamps:
            self._require_materialisable(chunks, "stamps are asked")
        schema = self._working_schema
        for name in self._request.stamps:
            schema = schema.append(pa.field(name.value, _STAMP_TYPES[name]))
        batches: list[pa.RecordBatch] = []
        for chunk in chunks:
            batch = self._resolved(chunk)
            if self._selection.has_symbol(batch):
                batches.extend(sliced_to(batch, self._limits.served_bytes))
        return pa.Table.from_batches(batches, schema)

    def _select(self, table: pa.Table) -> pa.Table:
        return table.select(self.schema.names)

    def _streamed(self, table: pa.Table) -> pa.RecordBatchReader:
        expression = self._selection.expression()
        assert expression is not None
        names = self.schema.names
        steps = [
            acero.Declaration("table_source", acero.TableSourceNodeOptions(table)),
            acero.Declaration("filter", acero.FilterNodeOptions(expression)),
            acero.Declaration(
                "project", acero.ProjectNodeOptions([pc.field(name) for name in names], names)
            ),
        ]
        # One thread keeps the order of arrival; the plan runs as it is read.
        reader = acero.Declaration.from_sequence(steps).to_reader(use_threads=False)
        # A projection forgets what is required and every metadata; the columns stay as they are.
        return reader.cast(self.schema)

    def _limited(self, chunks: Iterable[Chunk], limit: int) -> Iterator[Chunk]:
        """The chunks whose first `limit` wanted rows are all their wanted rows."""
        left = limit
        for chunk in chunks:
            if left <= 0:
                return
            if self._selection.wants_all(chunk):
                wanted = chunk.rows(0, min(left, chunk.batch.num_rows))
                if wanted is not None:
                    left -= wanted.batch.num_rows
                    yield wanted
                continue
            mask = self._selection.mask(self._resolver.resolve(chunk.batch, chunk.stamp))
            matching = pc.indices_nonzero(mask)
            wanted = chunk
            if len(matching) > left:
                last = matching[left - 1].as_py()
                wanted = chunk.rows(0, last + 1)
            left -= len(matching)
            if wanted is not None:
                yield wanted

    def _in_time_order(self, chunks: Sequence[Chunk]) -> pa.RecordBatchReader:
        self._require_materialisable(chunks, "order by time is asked")
        table = self._table(chunks)
        expression = self._selection.expression()
        if expression is not None:
            table = table.filter(expression)
        # Equal times stay in order of arrival: the sort is stable.
        event_time = self._selection.reader.event_time
        assert event_time is not None
        order = pc.sort_indices(table.column(event_time), sort_keys=[("", "ascending")])
        table = self._select(table.unify_dictionaries().take(order))
        if self._request.limit is not None:
            table = table.slice(0, self._request.limit)
        batches = [
            part
            for batch in table.combine_chunks().to_batches(max_chunksize=_JOINED_ROWS)
            for part in sliced_to(batch, self._limits.served_bytes)
        ]
        return pa.Table.from_batches(batches, table.schema).to_reader()

    def _require_materialisable(self, chunks: Iterable[Chunk], why: str) -> None:
        rows = sum(chunk.batch.num_rows for chunk in chunks)
        if rows > self._limits.materialised_rows:
            raise LimitExceededError(
                f"{rows} rows have to be held at once because {why}, "
                f"{self._limits.materialised_rows} may be: ask for a smaller range",
                metadata={"rows": str(rows), "limit": str(self._limits.materialised_rows)},
            )


def _coalesced(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks with small neighbours of one version joined, so that few batches are sent."""
    small: list[Chunk] = []
    rows = 0
    for chunk in chunks:
        fits = (
            chunk.batch.num_rows < _SMALL_ROWS
            and rows + chunk.batch.num_rows <= _JOINED_ROWS
            and (not small or small[0].stamp == chunk.stamp)
        )
        if small and not fits:
            yield merge_chunks(small) if len(small) > 1 else small[0]
            small, rows = [], 0
        if chunk.batch.num_rows < _SMALL_ROWS:
            small.append(chunk)
            rows += chunk.batch.num_rows
        else:
            yield chunk
    if small:
        yield merge_chunks(small) if len(small) > 1 else small[0]


def _cuts(chunks: Sequence[Chunk], targets: Sequence[int]) -> list[Position]:
    """The positions behind so many rows of the chunks; targets ascend."""
    cuts: list[Position] = []
    before = 0
    left = list(targets)
    for chunk in chunks:
        while left and left[0] < before + chunk.batch.num_rows:
            cuts.append(chunk.position_at(left.pop(0) - before))
        before += chunk.batch.num_rows
    return cuts


def _stamp_column(chunk: Chunk, name: StampColumn) -> pa.Array[Any]:
    runs = chunk.runs
    if name is StampColumn.SCHEMA_VERSION:
        value = pa.scalar(chunk.stamp.schema_version, pa.int32())
        return pa.repeat(value, chunk.batch.num_rows)
    if name in {StampColumn.PRODUCER_ID, StampColumn.SEQUENCE}:
        return _message_column(chunk, name)
    values = runs.ingest_times if name is StampColumn.INGEST_TIME else runs.revisions
    return _spread(runs.row_ends, pa.array(values, pa.int64())).cast(_STAMP_TYPES[name])


def _message_column(chunk: Chunk, name: StampColumn) -> pa.Array[Any]:
    """Null where no producer was named."""
    messages = chunk.messages
    places = pa.array(messages.producers, pa.int32())
    known = pc.greater_equal(places, pa.scalar(0, pa.int32()))
    if name is StampColumn.SEQUENCE:
        sequences = pa.array(messages.sequences, pa.int64())
        return _spread(messages.row_ends, pc.if_else(known, sequences, None))
    codes = _spread(messages.row_ends, pc.if_else(known, places, None))
    return pa.DictionaryArray.from_arrays(codes, pa.array(messages.producer_ids, pa.string()))


def _spread(row_ends: array[int], values: pa.Array[Any]) -> pa.Array[Any]:
    """One value a row of one value a run."""
    encoded: pa.Array[Any] = pa.RunEndEncodedArray.from_arrays(
        pa.array(row_ends, pa.int64()), values
    )
    decoded: pa.Array[Any] = pc.call_function("run_end_decode", [encoded])
    return decoded
