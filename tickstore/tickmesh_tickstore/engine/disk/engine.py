"""The disk engine: opening a store, and what each of its datasets is made of."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import (
    DatasetDamagedError,
    DiskFullError,
    StoreFailedError,
    TickStoreError,
)
from tickmesh_tickstore.engine.chunk import join_spans
from tickmesh_tickstore.engine.dataset import Dataset
from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
from tickmesh_tickstore.engine.disk.filesystem import FileSystem, PosixFileSystem, make_directory
from tickmesh_tickstore.engine.disk.log import DiskJournal
from tickmesh_tickstore.engine.disk.logged import DecodedLogs
from tickmesh_tickstore.engine.disk.manifest import Manifest, StoredDataset
from tickmesh_tickstore.engine.disk.reclaiming import Reclaimer
from tickmesh_tickstore.engine.disk.recovery import RecoveryReport, recover
from tickmesh_tickstore.engine.disk.sealing import Sealer
from tickmesh_tickstore.engine.disk.segment import SegmentCache, SegmentPart, Tier
from tickmesh_tickstore.engine.disk.settling import Settler
from tickmesh_tickstore.engine.disk.staging import DiskStaging
from tickmesh_tickstore.engine.dropped import DroppedRows
from tickmesh_tickstore.engine.engine import DamagedDataset, DatasetEngine, random_id
from tickmesh_tickstore.engine.interface import DatasetInfo, DatasetStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.snapshots import Snapshot
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dropped import DroppedPart
    from tickmesh_tickstore.engine.uploads import Staging

__all__ = ["DiskEngine"]

_log = logging.getLogger(__name__)


class DiskEngine(DatasetEngine):
    """A store in a directory. One process at a time holds it.

    Attributes:
        recovery: What opening found, one report for each dataset. A damaged one does not keep the
            others from opening.
    """

    def __init__(
        self,
        root: Path,
        *,
        limits: EngineLimits | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
        files: FileSystem | None = None,
    ) -> None:
        """Open a store, creating it if there is none.

        Raises:
            StoreFailedError: Another process holds it, or it has another version's format.
            OSError: The directory cannot be used.
        """
        super().__init__(limits=limits, now_ns=now_ns, new_id=new_id)
        self._root = root
        self._files = files or PosixFileSystem()
        make_directory(root, self._files)
        self._lock_descriptor = _hold(root)
        try:
            self._manifest = Manifest(root / "manifest.sqlite")
        except BaseException:
            os.close(self._lock_descriptor)
            raise
        try:
            self._incarnation = self._manifest.begin_incarnation()
        except BaseException:
            self._manifest.close()
            os.close(self._lock_descriptor)
            raise
        self._cache = SegmentCache(limit=self._limits.open_segments)
        self._decoded = DecodedLogs(limit_bytes=self._limits.decoded_log_bytes)
        self._directories: dict[str, DatasetDirectory] = {}
        self._by_id: dict[str, Dataset] = {}
        self._reclaimer = Reclaimer(files=self._files, cache=self._cache)
        self._settler = Settler(
            manifest=self._manifest,
            files=self._files,
            cache=self._cache,
            reclaimer=self._reclaimer,
            limits=self._limits,
            new_id=new_id,
            datasets=lambda: [
                (dataset, self._directory_of(dataset.dataset_id))
                for dataset in self._datasets.values()
            ],
        )
        self._sealer = Sealer(
            manifest=self._manifest,
            files=self._files,
            cache=self._cache,
            decoded=self._decoded,
            unsealed_logs=self._limits.unsealed_logs,
            find=lambda dataset_id: (self._by_id[dataset_id], self._directories[dataset_id]),
            sealed=self._settler.segments_came,
        )
        self.recovery: tuple[RecoveryReport, ...] = ()
        try:
            stored = self._manifest.load()
            self._snapshots = {each.name: each for each in self._manifest.load_snapshots()}
            self._remove_deleted({each.dataset_id for each in stored})
            self.recovery = tuple(self._open_or_fence(each) for each in stored)
        except BaseException:
            self.close()
            raise
        self._settler.look()

    def _remove_deleted(self, known: Collection[str]) -> None:
        """Remove what is left of datasets whose deletion, or creation, a crash cut short.

        Rows that the manifest does not know, and nobody deleted, are a sign that the manifest is
        lost or old: they are left as they are.
        """
        datasets = self._root / "datasets"
        if datasets.exists():
            for path in datasets.iterdir():
                if path.name in known:
                    continue
                directory = self._directory_of(path.name)
                if directory.is_disposable:
                    directory.remove(self._files)
                else:
                    _log.critical("the manifest does not know %s: restore the manifest", path.name)

    def _open_or_fence(self, stored: StoredDataset) -> RecoveryReport:
        """Open a dataset; a damaged one is left as it is, to be looked at and restored."""
        try:
            return self._open_dataset(stored)
        except DatasetDamagedError as error:
            _log.critical("%s", error.message)
            return self._fence(stored, error.message)
        except OSError as error:
            _log.critical("dataset %s could not be opened: %s", stored.name, error)
            return self._fence(stored, _unopened(stored, error))

    def _fence(self, stored: StoredDataset, damage: str) -> RecoveryReport:
        self._damaged[stored.name] = _damaged(stored, damage)
        return RecoveryReport(stored.name, stored.sealed_revision, damage=damage)

    def _open_dataset(self, stored: StoredDataset) -> RecoveryReport:
        directory = self._directory_of(stored.dataset_id)
        directory.create(self._files)
        recovered = recover(
            stored,
            directory,
            files=self._files,
            cache=self._cache,
            decoded=self._decoded,
            producer_limit=self._limits.producers,
        )
        journal = DiskJournal(
            directory=directory,
            files=self._files,
            sealer=self._sealer,
            limits=self._limits,
            incarnation=self._incarnation,
            log_number=recovered.log_number,
            offset=recovered.offset,
            revision=recovered.state.revision,
            trims=recovered.trims,
        )
        dataset = Dataset(
            name=stored.name,
            dataset_id=stored.dataset_id,
            layouts=stored.layouts,
            state=recovered.state,
            ledger=recovered.ledger,
            journal=journal,
            limits=self._limits,
            now_ns=self._now_ns,
        )
        self._directories[stored.dataset_id] = directory
        self._by_id[stored.dataset_id] = dataset
        self._datasets = {**self._datasets, stored.name: dataset}
        for full in recovered.full_logs:
            self._sealer.submit(
                stored.dataset_id,
                log_number=full.log_number,
                through_revision=full.through_revision,
                producers=full.producers,
                trims=full.trims,
                recyclable=False,
            )
        report = recovered.report
        _log.info("dataset %s opened at revision %d", report.dataset, report.revision)
        return report

    def _make_dataset(self, name: str, layout: RowLayout) -> Dataset:
        dataset_id = self._new_id()
        stored = StoredDataset(dataset_id, name, 0, 0, (layout,), (), ())
        try:
            self._directory_of(dataset_id).create(self._files)
        except OSError as error:
            _log.critical("dataset %s could not be created: %s", name, error)
            raise _not_done("nothing was created", error) from error
        self._manifest.add_dataset(dataset_id, name, layout)
        try:
            self._open_dataset(stored)
        except OSError as error:
            # The manifest knows it by now: the next start opens it.
            _log.critical("dataset %s could not be opened: %s", name, error)
            self._fence(stored, _unopened(stored, error))
            raise DatasetDamagedError(
                self._damaged[name].info.damage, metadata={"dataset": name}
            ) from error
        return self._datasets[name]

    def _keep_version(self, dataset: Dataset, layout: RowLayout) -> None:
        self._manifest.add_version(dataset.dataset_id, layout)

    def _new_staging(self, dataset: Dataset, layout: RowLayout) -> Staging:
        return DiskStaging(
            upload_id=self._new_id(),
            layout=layout,
            directory=self._directories[dataset.dataset_id],
            files=self._files,
            cache=self._cache,
        )

    def _erase(self, dataset_id: str) -> None:
        self._sealer.forget(dataset_id)
        self._settler.forget(dataset_id)
        directory = self._directory_of(dataset_id)
        try:
            with directory.marked_deleted():
                self._manifest.delete_dataset(dataset_id)
        except OSError as error:
            _log.critical("dataset %s could not be deleted: %s", dataset_id, error)
            raise _not_done("nothing was deleted", error) from error
        self._by_id.pop(dataset_id, None)
        self._directories.pop(dataset_id, None)
        try:
            directory.remove(self._files)
        except OSError as error:
            _log.warning("files of dataset %s stay until the next start: %s", dataset_id, error)

    def _directory_of(self, dataset_id: str) -> DatasetDirectory:
        return DatasetDirectory(self._root / "datasets" / dataset_id, dataset_id)

    def _discard(self, dataset: Dataset, gone: Sequence[DroppedPart]) -> None:
        parts = [each.part for each in gone if isinstance(each.part, SegmentPart)]
        self._manifest.reclaim(
            dataset.dataset_id,
            segment_ids=[part.record.segment_id for part in parts],
            gone=dataset.state.dropped.without(gone).gone,
        )
        # From here on the files belong to nothing: a crash leaves them to the next start.
        dataset.forget_dropped(gone)
        self._reclaimer.retire(parts)

    def _keep_snapshot(self, snapshot: Snapshot) -> None:
        self._manifest.add_snapshot(snapshot)

    def _forget_snapshot(self, name: str) -> None:
        self._manifest.delete_snapshot(name)

    def _statistics_of(self, dataset: Dataset) -> DatasetStatistics:
        state = dataset.state
        segments = [
            part.record for part in (*state.sealed, *state.recent) if isinstance(part, SegmentPart)
        ]
        settled = [record for record in segments if record.tier is Tier.SETTLED]
        span = state.time_span()
        journal = dataset.journal
        assert isinstance(journal, DiskJournal)
        return DatasetStatistics(
            revision=state.revision,
            rows=state.row_count,
            segments=len(segments),
            unsealed_rows=state.row_count - sum(record.row_count for record in segments),
            log_bytes=journal.log_bytes,
            segment_bytes=sum(record.byte_count for record in segments),
            min_time_ns=None if span is None else span[0],
            max_time_ns=None if span is None else span[1],
            waiting_bytes=dataset.waiting_bytes,
            commit_groups=dataset.commit_groups,
            dropped_bytes=sum(each.part.byte_count for each in state.dropped.parts),
            retained_from_revision=state.dropped.first_kept_revision,
            failure=dataset.failure.message if dataset.failure else "",
            version_rows=state.version_rows(),
            settled_segments=len(settled),
            settled_rows=sum(record.row_count for record in settled),
            settled_bytes=sum(record.byte_count for record in settled),
            logs=len({part.log_number for part in state.recent}),
        )

    def flush(self, name: str, *, timeout_seconds: float) -> None:
        """See `TickEngine.flush`."""
        dataset = self._find(name)
        dataset.flush()
        if not self._sealer.wait_until_sealed(dataset.dataset_id, timeout_seconds):
            raise TimeoutError

    def compact(self, name: str, *, timeout_seconds: float) -> None:
        """See `TickEngine.compact`."""
        deadline = time.monotonic() + timeout_seconds
        self.flush(name, timeout_seconds=timeout_seconds)
        left = max(0.0, deadline - time.monotonic())
        self._settler.compact(self._find(name).dataset_id, timeout_seconds=left)

    def close(self) -> None:
        """See `TickEngine.close`."""
        if self._closed:
            return
        super().close()
        self._sealer.close()
        self._settler.close()
        self._manifest.close()
        os.close(self._lock_descriptor)


def _unopened(stored: StoredDataset, error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return (
        f"dataset {stored.name!r} could not be opened ({name}); nothing of it was lost: mend the "
        "disk, or make room on it, and start the store again"
    )


def _not_done(so: str, error: OSError) -> TickStoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(f"no space left on the store's disk; {so}: make room, then try again")
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return StoreFailedError(f"stable storage failed ({name}); {so}: mend the disk, then try again")


def _damaged(stored: StoredDataset, message: str) -> DamagedDataset:
    newest = stored.layouts[-1]
    version_rows: Counter[int] = Counter()
    for record in stored.segments:
        version_rows[record.stamp.schema_version] += record.row_count
    span = join_spans(record.time_span for record in stored.segments)
    rows = sum(record.row_count for record in stored.segments)
    counted = (
        f"{message}. Counted are the {rows} rows that the manifest records in segments, damaged or "
        "not; those of the write-ahead log are not counted"
    )
    return DamagedDataset(
        DatasetInfo(
            stored.name,
            stored.dataset_id,
            stored.sealed_revision,
            tuple((layout.stamp, layout.schema) for layout in stored.layouts),
            newest.event_time,
            newest.symbol,
            tuple(layout.generation for layout in stored.layouts),
            message,
        ),
        DatasetStatistics(
            revision=stored.sealed_revision,
            rows=rows,
            segments=len(stored.segments),
            unsealed_rows=0,
            log_bytes=0,
            segment_bytes=sum(record.byte_count for record in stored.segments),
            min_time_ns=None if span is None else span[0],
            max_time_ns=None if span is None else span[1],
            waiting_bytes=0,
            commit_groups=0,
            dropped_bytes=sum(each.record.byte_count for each in stored.dropped),
            retained_from_revision=DroppedRows(kept_from=stored.kept_from).first_kept_revision,
            failure=counted,
            version_rows=version_rows,
        ),
    )


def _hold(root: Path) -> int:
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreFailedError(
            "another process holds this store: stop it, or use another directory"
        ) from error
    return descriptor
