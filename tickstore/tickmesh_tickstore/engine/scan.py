"""Snapshot reads: pruned, resolved and filtered as they are read (T7)."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import (
    FutureRevisionError,
    InvalidArgumentError,
    NoEventTimeError,
    SnapshotGoneError,
)
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.requests import Order, PlannedRange, ScanRequest
from tickmesh_tickstore.engine.batches import joined, limited, tables
from tickmesh_tickstore.engine.chunk import Chunk, join_spans
from tickmesh_tickstore.engine.implied_bounds import Bounds, bounds_of
from tickmesh_tickstore.engine.interface import ScanPlan
from tickmesh_tickstore.engine.resolver import Resolver
from tickmesh_tickstore.engine.row_stream import RowStream
from tickmesh_tickstore.engine.selection import Selection
from tickmesh_tickstore.engine.stamp_columns import STAMP_TYPES, stamp_column
from tickmesh_tickstore.engine.time_order import in_time_order, require_streamable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.chunk import TimeSpan
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["SnapshotRead"]

_LEAST_ENDPOINT_ROWS = 65_536


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
        self._state = self._state.as_of(self._revision)
        self._after = request.after or START
        dataset.require_kept(self._after, as_of=self._revision)
        end = Position.after_revision(self._revision)
        self._through = min(end, request.through) if request.through else end
        reader = dataset.reader(request.reader_version)
        bounds = _bounds(request, reader)
        self._symbols = None if bounds.symbols is None else tuple(bounds.symbols)
        self._selection = Selection.of(
            reader,
            start_ns=bounds.start_ns,
            end_ns=bounds.end_ns,
            symbols=self._symbols,
            wanted=request.filter,
        )
        self._full_schema = reader.schema
        self._columns = self._checked_columns()
        self._resolver = Resolver(
            reader, self._working_columns(), dataset.layout, dataset=dataset.name
        )
        self._chooser = Resolver(
            reader, dict.fromkeys(self._selection.columns), dataset.layout, dataset=dataset.name
        )
        # Spans were taken of the column that was the event time when the rows were written.
        self._spans_known = reader.event_time in self._working_columns() and all(
            map(self._resolver.keeps_event_time, dataset.layouts)
        )
        self._prunable = self._selection.is_timed and self._spans_known
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
        wanted = {*self._columns, *self._selection.columns}
        if self._request.order is Order.TIME:
            wanted.add(self._selection.reader.event_time or "")
        return [name for name in self._full_schema.names if name in wanted]

    @property
    def schema(self) -> pa.Schema:
        """The schema of the answer."""
        fields = [self._full_schema.field(name) for name in self._columns]
        fields += [pa.field(name.value, STAMP_TYPES[name]) for name in self._request.stamps]
        return pa.schema(fields).with_metadata(self._full_schema.metadata)

    def plan(self, max_endpoints: int) -> ScanPlan:
        """Split the read; see `TickEngine.plan`."""
        pinned = replace(
            self._request,
            as_of_revision=self._revision,
            dataset_id=self._dataset.dataset_id,
            reader_version=self._resolver.reader.stamp.schema_version,
        )
        chosen = list(self._chosen())
        self._require_readable(chosen)
        rows = sum(stored.row_count for stored in chosen)
        count = min(max_endpoints, rows // _LEAST_ENDPOINT_ROWS)
        if count <= 1 or pinned.limit is not None or pinned.order is not Order.ARRIVAL:
            request = pinned.between(self._after, self._through)
            spans = [stored.time_span for stored in chosen]
            return ScanPlan(
                self.schema,
                self._revision,
                (PlannedRange(request.to_payload(), rows, self._newest_time_ns(spans)),),
            )
        parts = _split(chosen, [rows * part // count for part in range(1, count)])
        cuts = [self._after, *(part.end for part in parts[:-1]), self._through]
        return ScanPlan(
            self.schema,
            self._revision,
            tuple(
                PlannedRange(
                    pinned.between(start, end).to_payload(),
                    part.row_count,
                    self._newest_time_ns(part.time_spans),
                )
                for part, start, end in zip(parts, cuts, cuts[1:], strict=False)
            ),
        )

    def _newest_time_ns(self, spans: Iterable[TimeSpan | None]) -> int | None:
        span = join_spans(spans) if self._spans_known else None
        return None if span is None else span[1]

    def rows(self) -> RowStream:
        """The rows; see `TickEngine.scan`."""
        request = self._request
        chosen = list(self._chosen())
        self._require_readable(chosen)
        if request.order is Order.TIME:
            return RowStream(self.schema, self._in_time_order(chosen))
        if all(map(self._selection.wants_all, chosen)):
            chosen = list(_first(chosen, request.limit))
            held = self._held(chosen)
            if held is not None:
                return RowStream.held(held)
        batches = joined(
            limited(self._found(chosen, self.schema.names), request.limit),
            most_bytes=self._limits.served_bytes,
        )
        return RowStream(
            self.schema,
            tables(batches, self.schema, about_bytes=self._limits.read_ahead_bytes),
        )

    def _require_readable(self, chosen: Iterable[StoredRows]) -> None:
        """See that every version among some rows can be read, before any row is."""
        self._resolver.require({stored.stamp for stored in chosen}, rows=self._rows_by_version)

    def _rows_by_version(self) -> Counter[Stamp]:
        """The rows of the snapshot, whatever is asked of it."""
        counts: Counter[Stamp] = Counter()
        for stored in self._state.rows_between(START, Position.after_revision(self._revision)):
            counts[stored.stamp] += stored.row_count
        return counts

    def _is_of_generation(self, stamp: Stamp) -> bool:
        asked = self._request.generation
        return asked is None or self._dataset.layout(stamp).generation == asked

    def _chosen(self) -> Iterator[StoredRows]:
        """The rows that may be wanted, in order of arrival; nothing is read yet."""
        selection = self._selection
        for part in self._state.parts_between(self._after, self._through):
            if self._prunable and not selection.may_hold(part.time_span):
                continue
            for stored in part.chunks():
                if not self._is_of_generation(stored.stamp):
                    continue
                if self._prunable and not selection.may_hold(stored.time_span):
                    continue
                if not self._may_have_symbol(stored):
                    continue
                cut = stored.between(self._after, self._through)
                if cut is not None:
                    yield cut

    def _may_have_symbol(self, stored: StoredRows) -> bool:
        symbols = self._symbols
        reader, written = self._selection.reader, self._dataset.layout(stored.stamp)
        return symbols is None or written.symbol != reader.symbol or stored.may_have(symbols)

    def _held(self, chosen: Sequence[StoredRows]) -> pa.Table | None:
        """All rows as they lie in memory or in mapped files; `None` if they have to be worked on.

        Small neighbours are copied together, so that few batches are sent.
        """
        if self._request.stamps:
            return None
        schema, resolver = self.schema, self._resolver
        stamps = {stored.stamp for stored in chosen}
        if not all(map(resolver.is_same, stamps)):
            return None
        moved = {stamp for stamp in stamps if resolver.moves_columns(stamp)}
        batches: list[pa.RecordBatch] = []
        for stored in chosen:
            if not isinstance(stored, Chunk):
                return None
            batch = stored.batch
            if stored.stamp in moved or not batch.schema.equals(schema):
                batch = resolver.resolve(batch, stored.stamp).select(list(self._columns))
            batches.append(batch)
        return pa.Table.from_batches(joined(batches, most_bytes=self._limits.served_bytes), schema)

    def _found(
        self, chosen: Iterable[StoredRows], columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The wanted rows with their stamps, read as they are asked for."""
        for stored in chosen:
            batch = self._wanted(stored, columns)
            if batch.num_rows:
                yield batch

    def _wanted(self, stored: StoredRows, columns: Sequence[str]) -> pa.RecordBatch:
        """The wanted ones among some rows, with these columns."""
        selection, resolver, stamps = self._selection, self._resolver, self._request.stamps
        names = resolver.needs(stored.stamp)
        if selection.wants_all(stored):
            found = stored.read(names)
            batch, places = resolver.resolve(found.batch, stored.stamp), found.places
        else:
            found = stored.read(names, where=self._where(stored.stamp))
            deciding, places = self._chooser.resolve(found.batch, stored.stamp), found.places
            if selection.has_symbol(deciding):
                mask = selection.mask(deciding)
            else:
                mask = pa.repeat(pa.scalar(value=False), deciding.num_rows)
            # Only wanted rows are resolved: what is left out refuses nothing, wherever it is kept.
            batch = resolver.resolve(found.batch.filter(mask), stored.stamp)
            if stamps:
                places = pc.indices_nonzero(mask) if places is None else places.filter(mask)
        for name in stamps:
            column = stamp_column(stored, name, places)
            batch = batch.append_column(pa.field(name.value, STAMP_TYPES[name]), column)
        return batch.select(list(columns))

    def _where(self, stamp: Stamp) -> pc.Expression | None:
        """The wanted rows as a condition on columns as they were written, if it can be said."""
        resolution = self._resolver.resolution(stamp)
        for name in self._selection.columns:
            if resolution.source(name) != name or not resolution.is_unchanged(name):
                return None
        return self._selection.expression()

    def _in_time_order(self, chosen: Sequence[StoredRows]) -> Iterator[pa.Table]:
        selection, limits = self._selection, self._limits
        event_time = selection.reader.event_time
        assert event_time is not None
        if all(map(selection.wants_all, chosen)):
            require_streamable(
                chosen,
                spans_known=self._spans_known,
                most_rows=limits.materialised_rows,
                limit=self._request.limit,
            )
        # The event time may not be asked for: it is needed until the rows are ordered.
        names = list(dict.fromkeys((*self.schema.names, event_time)))
        ordered = in_time_order(
            chosen,
            lambda stored: self._wanted(stored, names),
            event_time=event_time,
            unit_ns=selection.reader.time_unit_ns,
            spans_known=self._spans_known,
            most_rows=limits.materialised_rows,
        )
        found = (batch.select(self.schema.names) for batch in ordered)
        return tables(
            joined(limited(found, self._request.limit), most_bytes=limits.served_bytes),
            self.schema,
            about_bytes=limits.read_ahead_bytes,
        )


def _bounds(request: ScanRequest, reader: RowLayout) -> Bounds:
    """The range and symbols that are asked for, narrowed by what the filter implies."""
    symbols = None if request.symbols is None else frozenset(request.symbols)
    asked = Bounds(request.start_ns, request.end_ns, symbols)
    if request.filter is None:
        return asked
    return asked.within(
        bounds_of(request.filter, event_time=reader.event_time, symbol=reader.symbol)
    )


def _first(chosen: Iterable[StoredRows], limit: int | None) -> Iterator[StoredRows]:
    """The first rows, all of which are wanted."""
    left = limit
    for stored in chosen:
        wanted = stored if left is None else stored.rows(0, min(left, stored.row_count))
        if wanted is None:
            return
        if left is not None:
            left -= wanted.row_count
        yield wanted


@dataclass(slots=True)
class _Part:
    """Neighbours in order of arrival, and where they end."""

    end: Position
    row_count: int = 0
    time_spans: list[TimeSpan | None] = field(default_factory=list)

    def add(self, stored: StoredRows, rows: int, end: Position) -> None:
        self.end = end
        self.row_count += rows
        self.time_spans.append(stored.time_span)


def _split(chosen: Iterable[StoredRows], targets: Sequence[int]) -> list[_Part]:
    """Cut rows behind about so many of them each; targets ascend.

    What is only read whole is not cut, since each part would read all of it.
    """
    parts = [_Part(START)]
    before = 0
    left = deque(targets)
    for stored in chosen:
        count = stored.row_count
        start = 0
        while left and left[0] < before + count:
            cut = left.popleft() - before
            if stored.is_read_whole:
                cut = 0 if cut * 2 <= count else count
            if cut > start:
                end = stored.position_at(cut) if cut < count else stored.end_position()
                parts[-1].add(stored, cut - start, end)
                start = cut
            if parts[-1].row_count:
                parts.append(_Part(START))
        if start < count:
            parts[-1].add(stored, count - start, stored.end_position())
        before += count
    return [part for part in parts if part.row_count]
