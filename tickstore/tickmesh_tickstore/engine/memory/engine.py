"""The memory engine: everything but durability."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.producers import ProducerLedger
from tickmesh_tickstore.engine.chunk import Chunk, Runs, TimeSpan, join_spans
from tickmesh_tickstore.engine.dataset import Dataset
from tickmesh_tickstore.engine.engine import DatasetEngine
from tickmesh_tickstore.engine.interface import DatasetStatistics
from tickmesh_tickstore.engine.parts import DatasetState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_tickstore.domain.snapshots import Snapshot
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dropped import DroppedPart
    from tickmesh_tickstore.engine.journal import Entry

__all__ = ["MemoryEngine"]


class MemoryEngine(DatasetEngine):
    """A store that is gone when the process ends."""

    def _make_dataset(self, name: str, layout: RowLayout) -> Dataset:
        return Dataset(
            name=name,
            dataset_id=self._new_id(),
            layouts=(layout,),
            state=DatasetState(0),
            ledger=ProducerLedger(limit=self._limits.producers),
            journal=_MemoryJournal(),
            limits=self._limits,
            now_ns=self._now_ns,
        )

    def _keep_version(self, dataset: Dataset, layout: RowLayout) -> None:
        """The dataset itself remembers it."""

    def _new_staging(self, dataset: Dataset, layout: RowLayout) -> _MemoryStaging:  # noqa: ARG002  # a disk needs them
        return _MemoryStaging()

    def _erase(self, dataset_id: str) -> None:
        """Its rows go with the dataset itself."""

    def _discard(self, dataset: Dataset, gone: Sequence[DroppedPart]) -> None:
        dataset.forget_dropped(gone)

    def _keep_snapshot(self, snapshot: Snapshot) -> None:
        """The engine itself remembers it."""

    def _forget_snapshot(self, name: str) -> None:
        """The engine itself forgets it."""

    def flush(self, name: str, *, timeout_seconds: float) -> None:  # noqa: ARG002  # nothing to wait for
        """See `TickEngine.flush`."""
        dataset = self._find(name)
        dataset.flush()
        with self._lock:
            state = dataset.state
            full = [part for part in state.recent if part.log_number < dataset.journal.log_number]
            if full:
                dataset.replace_log(full[-1].log_number, full)

    def compact(self, name: str, *, timeout_seconds: float) -> None:
        """See `TickEngine.compact`: memory has one tier only."""
        self.flush(name, timeout_seconds=timeout_seconds)

    def _statistics_of(self, dataset: Dataset) -> DatasetStatistics:
        state = dataset.state
        span = state.time_span()
        return DatasetStatistics(
            revision=state.revision,
            rows=state.row_count,
            segments=len(state.sealed),
            unsealed_rows=sum(part.row_count for part in state.recent),
            log_bytes=sum(part.byte_count for part in state.recent),
            segment_bytes=sum(part.byte_count for part in state.sealed),
            min_time_ns=None if span is None else span[0],
            max_time_ns=None if span is None else span[1],
            waiting_bytes=dataset.waiting_bytes,
            commit_groups=dataset.commit_groups,
            dropped_bytes=sum(each.part.byte_count for each in state.dropped.parts),
            retained_from_revision=state.dropped.first_kept_revision,
            failure=dataset.failure.message if dataset.failure else "",
            version_rows=state.version_rows(),
            logs=len({part.log_number for part in state.recent}),
        )


class _MemoryJournal:
    def __init__(self) -> None:
        self._log_number = 1

    @property
    def log_number(self) -> int:
        return self._log_number

    def write(self, entries: Sequence[Entry]) -> None:
        """Rows are kept by the dataset's state."""

    def sync(self) -> None:
        """Nothing outlives the process."""

    def is_full(self) -> bool:
        return False

    def begin_log(self, *, revision: int, ledger: ProducerLedger) -> None:  # noqa: ARG002  # a disk needs them
        """Nothing is written, but flushes tell what came before them."""
        self._log_number += 1

    def close(self) -> None:
        """Nothing is open."""


class _MemoryStaging:
    def __init__(self) -> None:
        self._chunks: list[Chunk] = []

    @property
    def row_count(self) -> int:
        return sum(chunk.batch.num_rows for chunk in self._chunks)

    def add(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)

    def complete(self) -> _MemoryStaging:
        return self

    def discard(self) -> None:
        self._chunks.clear()

    def place(self, *, revision: int, ingest_time_ns: int, log_number: int) -> _MemoryPart:
        chunks = []
        for chunk in self._chunks:
            runs = Runs.single(
                revision=revision, rows=chunk.batch.num_rows, ingest_time_ns=ingest_time_ns
            )
            chunks.append(replace(chunk, runs=runs))
        return _MemoryPart(log_number, revision, tuple(chunks))


@dataclass(frozen=True, slots=True)
class _MemoryPart:
    log_number: int
    first_revision: int
    held: tuple[Chunk, ...]

    @property
    def last_revision(self) -> int:
        return self.first_revision

    @property
    def row_count(self) -> int:
        return sum(chunk.batch.num_rows for chunk in self.held)

    @property
    def byte_count(self) -> int:
        return sum(chunk.batch.nbytes for chunk in self.held)

    @property
    def time_span(self) -> TimeSpan | None:
        return join_spans(chunk.time_span for chunk in self.held)

    def version_rows(self) -> Mapping[int, int]:
        counts: Counter[int] = Counter()
        for chunk in self.held:
            counts[chunk.stamp.schema_version] += chunk.row_count
        return counts

    def chunks(self) -> Sequence[Chunk]:
        return self.held
