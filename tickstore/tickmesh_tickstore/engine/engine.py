"""What every engine does alike: find the dataset, hand the call on."""

from __future__ import annotations

import threading
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import (
    DatasetAlreadyExistsError,
    DatasetDamagedError,
    DatasetHeldError,
    DatasetNotFoundError,
    InvalidArgumentError,
    SnapshotExistsError,
    SnapshotNotFoundError,
    StoreClosedError,
    TickStoreError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.requests import RangePayload, ScanRequest
from tickmesh_tickstore.domain.snapshots import Snapshot, checked_snapshot_name
from tickmesh_tickstore.domain.stamps import ANONYMOUS, Origin, Stamp
from tickmesh_tickstore.engine.columns import RowLayout, require_storable
from tickmesh_tickstore.engine.dropped import expired_parts, is_older
from tickmesh_tickstore.engine.field_rules import NO_RULES, FieldRules
from tickmesh_tickstore.engine.follow import TailFollower
from tickmesh_tickstore.engine.group import Sender
from tickmesh_tickstore.engine.scan import SnapshotRead
from tickmesh_tickstore.engine.streams import DatasetStream
from tickmesh_tickstore.engine.uploads import AtomicUpload, Staging, StagingBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.domain.producers import ProducerSequence, ProducerState
    from tickmesh_tickstore.domain.retention import Retention
    from tickmesh_tickstore.engine.acknowledgement import AppendFuture
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.dropped import DroppedPart
    from tickmesh_tickstore.engine.interface import (
        AppendStream,
        DatasetInfo,
        DatasetStatistics,
        Follower,
        Judge,
        Prepare,
        ScanPlan,
        Upload,
    )
    from tickmesh_tickstore.engine.row_stream import RowStream

__all__ = ["DatasetEngine"]

_LONGEST_NAME = 255
_FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DamagedDataset:
    """What can still be told of a dataset that neither takes nor gives rows."""

    info: DatasetInfo
    statistics: DatasetStatistics


def random_id() -> str:
    """An id nobody else has."""
    return uuid.uuid4().hex


class DatasetEngine(ABC):
    """See `TickEngine`. Engines differ in how a dataset comes to be and where uploads wait."""

    def __init__(
        self,
        *,
        limits: EngineLimits | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._limits = limits or EngineLimits()
        self._now_ns = now_ns
        self._new_id = new_id
        self._lock = threading.Lock()
        self._datasets: dict[str, Dataset] = {}
        self._damaged: dict[str, DamagedDataset] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._staging_budget = StagingBudget(
            limit=self._limits.staged_bytes, limit_of_one=self._limits.staged_bytes_per_principal
        )
        self._closed = False

    @abstractmethod
    def _make_dataset(self, name: str, layout: RowLayout) -> Dataset:
        """Create a dataset, durably."""

    @abstractmethod
    def _keep_version(self, dataset: Dataset, layout: RowLayout) -> None:
        """Remember a further version, durably."""

    @abstractmethod
    def _new_staging(self, dataset: Dataset, layout: RowLayout) -> Staging:
        """Room for an atomic upload."""

    @abstractmethod
    def _erase(self, dataset_id: str) -> None:
        """Remove everything of a dataset that takes no more calls, durably.

        Raises:
            DiskFullError, StoreFailedError: It is as it was.
        """

    @abstractmethod
    def _discard(self, dataset: Dataset, gone: Sequence[DroppedPart]) -> None:
        """Remove dropped parts for good, durably; the dataset forgets them."""

    @abstractmethod
    def _keep_snapshot(self, snapshot: Snapshot) -> None:
        """Remember a named snapshot, durably."""

    @abstractmethod
    def _forget_snapshot(self, name: str) -> None:
        """Forget a named snapshot, durably."""

    @abstractmethod
    def flush(self, name: str, *, timeout_seconds: float) -> None:
        """See `TickEngine.flush`."""

    @abstractmethod
    def compact(self, name: str, *, timeout_seconds: float) -> None:
        """See `TickEngine.compact`."""

    @abstractmethod
    def _statistics_of(self, dataset: Dataset) -> DatasetStatistics:
        """Figures of a sound dataset."""

    @property
    def limits(self) -> EngineLimits:
        """See `TickEngine.limits`."""
        return self._limits

    def create_dataset(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> DatasetInfo:
        """See `TickEngine.create_dataset`."""
        if not 0 < len(name) <= _LONGEST_NAME:
            raise InvalidArgumentError(
                f"a dataset's name has 1 to {_LONGEST_NAME} characters, got {len(name)}"
            )
        require_storable(schema)
        layout = RowLayout.of(stamp, schema, rules=rules, generation=generation)
        with self._lock:
            self._require_open()
            if name in self._datasets or name in self._damaged:
                raise DatasetAlreadyExistsError(
                    f"dataset {name!r} exists already: add a version to it instead",
                    metadata={"dataset": name},
                )
            dataset = self._make_dataset(name, layout)
            self._datasets = {**self._datasets, name: dataset}
        return dataset.info()

    def add_version(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> DatasetInfo:
        """See `TickEngine.add_version`."""
        require_storable(schema)
        layout = RowLayout.of(stamp, schema, rules=rules, generation=generation)
        with self._lock:
            self._require_open()
            dataset = self._find(name)
            if not dataset.find_version(layout):
                self._keep_version(dataset, layout)
                dataset.take_version(layout)
        return dataset.info()

    def add_reader(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> None:
        """See `TickEngine.add_reader`."""
        layout = RowLayout.of(stamp, schema, rules=rules, generation=generation)
        with self._lock:
            self._require_open()
            dataset = self._find(name)
            if not dataset.find_version(layout):
                dataset.take_reader(layout)

    def reader_schema(self, name: str, *, reader_version: int | None = None) -> pa.Schema:
        """See `TickEngine.reader_schema`."""
        return self._find(name).reader(reader_version).schema

    def dataset(self, name: str) -> DatasetInfo:
        """See `TickEngine.dataset`."""
        damaged = self._damaged.get(name)
        return self._find(name).info() if damaged is None else damaged.info

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """See `TickEngine.datasets`."""
        found = {name: dataset.info() for name, dataset in self._datasets.items()}
        found |= {name: damaged.info for name, damaged in self._damaged.items()}
        return tuple(found[name] for name in sorted(found))

    def statistics(self, name: str) -> DatasetStatistics:
        """See `TickEngine.statistics`."""
        damaged = self._damaged.get(name)
        return self._statistics_of(self._find(name)) if damaged is None else damaged.statistics

    def delete_dataset(self, name: str) -> int:
        """See `TickEngine.delete_dataset`."""
        with self._lock:
            self._require_open()
            info, statistics = self.dataset(name), self.statistics(name)
            holders = [each.name for each in self._snapshots.values() if name in each.revisions]
            if holders:
                raise DatasetHeldError(
                    f"dataset {name!r} is held by {len(holders)} named snapshots, the first is "
                    f"{min(holders)!r}: delete them first",
                    metadata={
                        "dataset": name,
                        "snapshots": str(len(holders)),
                        "snapshot": min(holders),
                    },
                )
            dataset = self._datasets.get(name)
            self._datasets = {key: each for key, each in self._datasets.items() if key != name}
            self._damaged.pop(name, None)
            if dataset is not None:
                dataset.delete()
            try:
                self._erase(info.dataset_id)
            except TickStoreError:
                # It takes no more calls by now, and is on disk as it was.
                damage = (
                    f"dataset {name!r} could not be deleted: delete it again, or restart the store "
                    "to have it back"
                )
                self._damaged[name] = DamagedDataset(
                    replace(info, damage=damage), replace(statistics, failure=damage)
                )
                raise
        return statistics.rows

    def create_snapshot(self, name: str, *, datasets: Sequence[str] = ()) -> Snapshot:
        """See `TickEngine.create_snapshot`."""
        checked_snapshot_name(name)
        with self._lock:
            self._require_open()
            if name in self._snapshots:
                raise SnapshotExistsError(
                    f"snapshot {name!r} exists already: delete it, or choose another name",
                    metadata={"snapshot": name},
                )
            wanted = datasets or sorted({*self._datasets, *self._damaged})
            revisions = {each: self._find(each).state.revision for each in wanted}
            snapshot = Snapshot(name, self._now_ns(), revisions)
            self._keep_snapshot(snapshot)
            self._snapshots = {**self._snapshots, name: snapshot}
        return snapshot

    def snapshot(self, name: str) -> Snapshot:
        """See `TickEngine.snapshot`."""
        snapshot = self._snapshots.get(name)
        if snapshot is None:
            raise SnapshotNotFoundError(
                f"there is no snapshot {name!r}: list those there are",
                metadata={"snapshot": name},
            )
        return snapshot

    def snapshots(self) -> tuple[Snapshot, ...]:
        """See `TickEngine.snapshots`."""
        found = self._snapshots
        return tuple(found[name] for name in sorted(found))

    def delete_snapshot(self, name: str) -> None:
        """See `TickEngine.delete_snapshot`."""
        with self._lock:
            self._require_open()
            self.snapshot(name)
            self._forget_snapshot(name)
            self._snapshots = {key: each for key, each in self._snapshots.items() if key != name}

    def append(
        self,
        name: str,
        batch: pa.RecordBatch,
        *,
        stamp: Stamp,
        judge: Judge,
        producer: ProducerSequence | None = None,
        origin: Origin = ANONYMOUS,
    ) -> AppendFuture:
        """See `TickEngine.append`."""
        return self._find(name).append(
            batch, stamp=stamp, judge=judge, producer=producer, origin=origin
        )

    def open_stream(
        self,
        name: str,
        *,
        stamp: Stamp,
        judge: Judge,
        prepare: Prepare | None = None,
        producer_id: str = "",
        epoch: int = 0,
        origin: Origin = ANONYMOUS,
    ) -> AppendStream:
        """See `TickEngine.open_stream`."""
        dataset = self._find(name)
        sender = Sender(dataset.layout(stamp), judge, origin, producer_id, epoch, prepare)
        return DatasetStream(dataset, sender)

    def open_producer(self, name: str, producer_id: str) -> ProducerState:
        """See `TickEngine.open_producer`."""
        return self._find(name).open_producer(producer_id)

    def begin_upload(
        self,
        name: str,
        *,
        stamp: Stamp,
        judge: Judge,
        producer: ProducerSequence | None = None,
        origin: Origin = ANONYMOUS,
    ) -> Upload:
        """See `TickEngine.begin_upload`."""
        dataset = self._find(name)
        layout = dataset.layout(stamp)
        return AtomicUpload(
            dataset,
            self._new_staging(dataset, layout),
            self._staging_budget,
            layout=layout,
            judge=judge,
            producer=producer,
            origin=origin,
        )

    def plan(self, request: ScanRequest, *, max_endpoints: int = 1) -> ScanPlan:
        """See `TickEngine.plan`."""
        read = SnapshotRead(self._find(request.dataset), request, self._limits)
        return read.plan(max_endpoints)

    def scan(self, request: ScanRequest | RangePayload) -> RowStream:
        """See `TickEngine.scan`."""
        if not isinstance(request, ScanRequest):
            request = ScanRequest.from_payload(request)
        return SnapshotRead(self._find(request.dataset), request, self._limits).rows()

    def follow(
        self,
        name: str,
        *,
        after: Position = START,
        symbols: Sequence[str] | None = None,
        wanted: Filter | None = None,
        columns: Sequence[str] | None = None,
        reader_version: int | None = None,
        generation: int | None = None,
    ) -> Follower:
        """See `TickEngine.follow`."""
        return TailFollower(
            self._find(name),
            self._limits,
            after=after,
            symbols=symbols,
            wanted=wanted,
            columns=columns,
            reader_version=reader_version,
            generation=generation,
        )

    def trim(self, name: str, retention: Retention) -> int:
        """See `TickEngine.trim`."""
        dataset = self._find(name)
        oldest_ns = self._now_ns() - retention.max_age_ns if retention.max_age_ns else None
        if oldest_ns is not None:
            state = dataset.state
            if state.recent and all(
                is_older(part, oldest_ns) for part in (*state.sealed, state.recent[0])
            ):
                self.flush(name, timeout_seconds=_FLUSH_SECONDS)
        with dataset.changing_segments:
            sealed = dataset.state.sealed
            held = sum(part.byte_count for part in sealed)
            expired = expired_parts(
                sealed,
                is_expired=lambda part: oldest_ns is not None and is_older(part, oldest_ns),
                surplus_bytes=held - retention.max_bytes if retention.max_bytes else 0,
            )
            if expired:
                dataset.trim(expired[-1].chunks()[-1].end_position())
        return sum(part.row_count for part in expired)

    def reclaim(self, name: str, *, dropped_before_ns: int) -> int:
        """See `TickEngine.reclaim`."""
        # Under the lock: no snapshot is made meanwhile, and the dataset stays.
        with self._lock:
            self._require_open()
            dataset = self._find(name)
            pinned = [
                each.revisions[name] for each in self._snapshots.values() if name in each.revisions
            ]
            gone = dataset.state.dropped.reclaimable(
                dropped_before_ns=dropped_before_ns, pinned=pinned
            )
            if gone:
                self._discard(dataset, gone)
        return sum(each.part.byte_count for each in gone)

    def close(self) -> None:
        """See `TickEngine.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for dataset in self._datasets.values():
            dataset.close()

    def _find(self, name: str) -> Dataset:
        dataset = self._datasets.get(name)
        if name in self._damaged:
            raise DatasetDamagedError(self._damaged[name].info.damage, metadata={"dataset": name})
        if dataset is None:
            raise DatasetNotFoundError(
                f"there is no dataset {name!r}; create it, or put its first rows",
                metadata={"dataset": name},
            )
        return dataset

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosedError("the store is shutting down: try again when it is back")
