"""The live tail: read from storage behind a position, then wait for more (T8)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import InvalidArgumentError, StoreClosedError
from tickmesh_tickstore.domain.positions import Position
from tickmesh_tickstore.engine.interface import Followed
from tickmesh_tickstore.engine.resolver import Resolver
from tickmesh_tickstore.engine.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.parts import DatasetState, Part
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["TailFollower"]

_MOST_ROWS = 65_536


class TailFollower:
    """See `Follower`."""

    def __init__(
        self,
        dataset: Dataset,
        limits: EngineLimits,
        *,
        after: Position,
        symbols: Sequence[str] | None,
        wanted: Filter | None,
        columns: Sequence[str] | None,
        reader_version: int | None,
        generation: int | None = None,
    ) -> None:
        end = Position.after_revision(dataset.state.revision)
        if after > end:
            raise InvalidArgumentError(
                f"position {after.token()} is behind the end of dataset {dataset.name!r}: "
                "use a token this dataset gave out",
                metadata={"position": after.token(), "end": end.token()},
            )
        dataset.require_kept(after)
        self._dataset = dataset
        self._limits = limits
        self._position = after
        self._generation = generation
        self._loaded: tuple[StoredRows, pa.RecordBatch] | None = None
        reader = dataset.reader(reader_version)
        self._selection = Selection.of(reader, symbols=symbols, wanted=wanted)
        full = reader.schema
        self._columns = list(full.names if columns is None else columns)
        unknown = [name for name in self._columns if name not in full.names]
        if unknown:
            raise InvalidArgumentError(
                f"no column {', '.join(map(repr, unknown))}; there are {', '.join(full.names)}",
                metadata={"unknown": ",".join(unknown)},
            )
        needed = {*self._columns, *self._selection.columns}
        working = [name for name in full.names if name in needed]
        self._resolver = Resolver(reader, working, dataset.layout, dataset=dataset.name)
        self._chooser = Resolver(
            reader, dict.fromkeys(self._selection.columns), dataset.layout, dataset=dataset.name
        )
        self._schema = pa.schema([full.field(name) for name in self._columns]).with_metadata(
            full.metadata
        )
        self._closed = threading.Event()

    @property
    def schema(self) -> pa.Schema:
        """See `Follower.schema`."""
        return self._schema

    @property
    def position(self) -> Position:
        """See `Follower.position`."""
        return self._position

    def lag_rows(self) -> int:
        """See `Follower.lag_rows`."""
        state = self._dataset.state
        rows = 0
        for part in state.parts_between(self._position, Position.after_revision(state.revision)):
            if part.first_revision > self._position.revision:
                rows += self._wanted_rows(part)
            else:
                rows += sum(
                    stored.row_count - stored.rows_before(self._position)
                    for stored in part.chunks()
                    if self._may_give(stored.stamp)
                )
        return rows

    def _wanted_rows(self, part: Part) -> int:
        if self._generation is None:
            return part.row_count
        wanted = {
            layout.stamp.schema_version
            for layout in self._dataset.layouts
            if layout.generation == self._generation
        }
        return sum(rows for version, rows in part.version_rows().items() if version in wanted)

    def _may_give(self, stamp: Stamp) -> bool:
        """Whether rows of a version are of the generation that is followed."""
        return (
            self._generation is None or self._dataset.layout(stamp).generation == self._generation
        )

    def wait(self, timeout_seconds: float) -> Followed | None:
        """See `Follower.wait`."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            if self._closed.is_set():
                raise StoreClosedError("the follower is closed")
            self._dataset.require_open()
            state = self._dataset.state
            if self._load_next(state):
                followed = self._give()
                if followed is not None:
                    return followed
                if time.monotonic() < deadline:
                    continue
                return None
            self._position = max(self._position, Position.after_revision(state.revision))
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._dataset.wait_for_change(state, left, self._closed)

    def _load_next(self, state: DatasetState) -> bool:
        """See that rows are loaded, if there are any more; those read together go out in turns."""
        if self._loaded is None:
            self._dataset.require_kept(self._position)
            stored = next(
                (each for each in state.rows_between(self._position) if self._may_give(each.stamp)),
                None,
            )
            if stored is None:
                return False
            self._loaded = stored, stored.read(self._resolver.needs(stored.stamp)).batch
        return True

    def _give(self) -> Followed | None:
        assert self._loaded is not None
        stored, loaded = self._loaded
        rows = min(loaded.num_rows, self._affordable_rows(loaded))
        given = stored.rows(0, rows)
        assert given is not None
        batch = loaded.slice(0, rows)
        if self._selection.is_filter:
            mask = self._selection.mask(self._chooser.resolve(batch, stored.stamp))
            batch = batch.filter(mask)
        # Only wanted rows are resolved: what is left out refuses nothing, wherever it is kept.
        batch = self._resolver.resolve(batch, stored.stamp)
        left = stored.rows(rows, loaded.num_rows)
        self._loaded = None if left is None else (left, loaded.slice(rows))
        self._position = given.end_position()
        if batch.num_rows == 0:
            return None
        return Followed(batch.select(self._columns), self._position, stored.stamp)

    def _affordable_rows(self, batch: pa.RecordBatch) -> int:
        size = pa.ipc.get_record_batch_size(batch)
        fitting = self._limits.served_bytes * batch.num_rows // max(size, 1)
        return max(1, min(_MOST_ROWS, fitting))

    def close(self) -> None:
        """See `Follower.close`."""
        self._closed.set()
        self._dataset.wake_readers()
