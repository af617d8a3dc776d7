"""Settling: segments as they arrived become sorted, compressed ones, off the ingest path."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import (
    DatasetDamagedError,
    DiskFullError,
    StoreFailedError,
    TickStoreError,
)
from tickmesh_tickstore.engine.chunk import join_spans
from tickmesh_tickstore.engine.disk.segment import SegmentPart, SegmentRecord, Tier
from tickmesh_tickstore.engine.disk.settled_writer import write_settled
from tickmesh_tickstore.engine.disk.settling_policy import next_to_settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.manifest import Manifest
    from tickmesh_tickstore.engine.disk.reclaiming import Reclaimer
    from tickmesh_tickstore.engine.disk.segment import SegmentCache
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["Settler"]

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 10.0
_NICENESS = 10


@dataclass(slots=True)
class _Request:
    """Somebody waits until a dataset is settled."""

    done: threading.Event = field(default_factory=threading.Event)
    error: TickStoreError | None = None


class Settler:
    """The one thread of an engine that settles and merges segments, at low priority.

    A segment is replaced by one transaction of the manifest, after its rows are synced elsewhere:
    a crash at any point leaves either the old segments or the new ones as the truth, and whatever
    the manifest does not name goes at the next start.
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        files: FileSystem,
        cache: SegmentCache,
        reclaimer: Reclaimer,
        limits: EngineLimits,
        new_id: Callable[[], str],
        datasets: Callable[[], Sequence[tuple[Dataset, DatasetDirectory]]],
    ) -> None:
        self._manifest = manifest
        self._files = files
        self._cache = cache
        self._reclaimer = reclaimer
        self._limits = limits
        self._new_id = new_id
        self._datasets = datasets
        self._changed = threading.Condition()
        self._ripe_at: dict[str, float] = {}
        self._refused: set[str] = set()
        self._requests: dict[str, list[_Request]] = {}
        self._settling: str | None = None
        self._forgotten: set[str] = set()
        self._retry_at = 0.0
        self._looked = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Datasets were opened: settle what is left of the last time."""
        self.segments_came(())

    def segments_came(self, records: Sequence[SegmentRecord]) -> None:
        """Segments were sealed: they are settled after a while, not while rows still pour in."""
        ripe_at = time.monotonic() + self._limits.settle_after_seconds
        with self._changed:
            self._ripe_at.update((record.segment_id, ripe_at) for record in records)
            self._looked = False
            self._changed.notify_all()

    def compact(self, dataset_id: str, *, timeout_seconds: float) -> None:
        """Settle every segment of a dataset now.

        Raises:
            TimeoutError: It goes on in the background.
            DiskFullError, StoreFailedError: It could not be done; every row is where it was.
        """
        request = _Request()
        with self._changed:
            self._requests.setdefault(dataset_id, []).append(request)
            self._looked = False
            self._changed.notify_all()
        if not request.done.wait(timeout_seconds):
            raise TimeoutError
        if request.error is not None:
            raise request.error

    def forget(self, dataset_id: str) -> None:
        """Settle nothing more of a dataset that is deleted; waits for the segments at hand."""
        with self._changed:
            self._forgotten.add(dataset_id)
            self._changed.wait_for(lambda: self._settling != dataset_id)

    def close(self) -> None:
        """Finish the segments at hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        for request in (each for waiting in self._requests.values() for each in waiting):
            request.done.set()

    def _run(self) -> None:
        with suppress(OSError):
            # Of the thread alone: Linux keeps priorities by thread.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while self._wait_for_work():
            with self._changed:
                self._looked = True
                self._retry_at = 0.0
                requests, self._requests = self._requests, {}
            for dataset, directory in self._datasets():
                waiting = requests.pop(dataset.dataset_id, [])
                if self._begin(dataset.dataset_id):
                    self._settle_dataset(dataset, directory, waiting)
                    self._end()
                for request in waiting:
                    request.done.set()
            for request in (each for waiting in requests.values() for each in waiting):
                request.done.set()

    def _wait_for_work(self) -> bool:
        with self._changed:
            while not self._closed and self._looked:
                due = [*self._ripe_at.values(), *([self._retry_at] if self._retry_at else [])]
                left = max(0.0, min(due) - time.monotonic()) if due else None
                if left == 0.0:
                    break
                self._changed.wait(left)
            now = time.monotonic()
            self._ripe_at = {name: at for name, at in self._ripe_at.items() if at > now}
            return not self._closed

    def _begin(self, dataset_id: str) -> bool:
        with self._changed:
            if dataset_id in self._forgotten:
                return False
            self._settling = dataset_id
            return True

    def _end(self) -> None:
        with self._changed:
            self._settling = None
            self._changed.notify_all()

    def _settle_dataset(
        self, dataset: Dataset, directory: DatasetDirectory, requests: Sequence[_Request]
    ) -> None:
        error: TickStoreError | None = None
        at_once = bool(requests)
        try:
            while parts := self._next(dataset, at_once=at_once):
                self._replace(dataset, directory, parts)
        except Exception as failure:  # noqa: BLE001  # every row is still where it was: try again later
            _log.exception("segments of dataset %s stay as they are for now", dataset.name)
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            error = _not_settled(failure)
        for request in requests:
            request.error = error

    def _next(self, dataset: Dataset, *, at_once: bool) -> Sequence[SegmentPart]:
        with self._changed:
            if self._closed or dataset.dataset_id in self._forgotten:
                return ()
            waiting = set() if at_once else set(self._ripe_at)
        parts = [part for part in dataset.state.sealed if isinstance(part, SegmentPart)]
        return next_to_settle(
            parts,
            full_rows=self._limits.settled_rows,
            is_ripe=lambda part: (
                part.record.segment_id not in waiting
                and part.record.segment_id not in self._refused
            ),
            at_once=at_once,
        )

    def _replace(
        self, dataset: Dataset, directory: DatasetDirectory, parts: Sequence[SegmentPart]
    ) -> None:
        records: list[SegmentRecord] = []
        try:
            # One after the other: what was written is to be known if the next one fails.
            for unit in self._units(parts):
                record = self._write(dataset, directory, parts[-1].log_number, unit)
                records.append(record)
            self._files.sync_directory(directory.segments)
        except (pa.ArrowException, DatasetDamagedError) as error:
            if isinstance(error.__cause__, OSError):
                # The disk may give them the next time.
                self._forget(directory, records)
                raise
            # Neither will go away: the rows stay as they are, whoever reads them is told.
            _log.exception("segments of dataset %s cannot be settled", dataset.name)
            self._refused.update(part.record.segment_id for part in parts)
            self._forget(directory, records)
            return
        except BaseException:
            self._forget(directory, records)
            raise
        schema = dataset.layout(parts[0].record.stamp).schema
        replacing = [directory.part(record, schema, self._cache) for record in records]
        with dataset.changing_segments:
            if not dataset.state.holds(parts):
                self._forget(directory, records)
                return
            self._manifest.replace_segments(
                dataset.dataset_id,
                replaced=[part.record.segment_id for part in parts],
                segments=records,
            )
            dataset.replace_parts(parts, replacing)
        self._reclaimer.retire(parts)

    def _forget(self, directory: DatasetDirectory, records: Sequence[SegmentRecord]) -> None:
        for record in records:
            self._files.remove(directory.segments / record.file_name)

    def _units(self, parts: Sequence[SegmentPart]) -> Iterator[list[StoredRows]]:
        """The rows of each new segment: as many in each, within the bounds."""
        rows = sum(part.row_count for part in parts)
        count = max(1, round(rows / self._limits.settled_rows))
        wanted = -(-rows // count)
        unit: list[StoredRows] = []
        left, size = wanted, 0
        for part in parts:
            for stored in part.chunks():
                rest: StoredRows | None = stored
                while rest is not None:
                    taken = rest.rows(0, _end_of_unit(rest, left, wanted))
                    assert taken is not None
                    rest = rest.rows(taken.row_count, rest.row_count)
                    unit.append(taken)
                    left -= taken.row_count
                    size += taken.byte_count
                    full = rest is not None or left <= 0 or size >= self._limits.settled_bytes
                    if full:
                        yield unit
                        unit, left, size = [], wanted, 0
        if unit:
            yield unit

    def _write(
        self,
        dataset: Dataset,
        directory: DatasetDirectory,
        log_number: int,
        unit: Sequence[StoredRows],
    ) -> SegmentRecord:
        segment_id = f"settled-{self._new_id()}"
        staged = directory.settling(segment_id)
        layout = dataset.layout(unit[0].stamp)
        try:
            size = write_settled(
                staged, layout, unit, files=self._files, group_bytes=self._limits.served_bytes
            )
            record = SegmentRecord(
                segment_id,
                log_number,
                layout.stamp,
                unit[0].first_position.revision,
                unit[-1].last_revision,
                sum(stored.row_count for stored in unit),
                size,
                join_spans(stored.time_span for stored in unit),
                first_row=unit[0].first_row,
                tier=Tier.SETTLED,
            )
            self._files.rename(staged, directory.segments / record.file_name)
        except BaseException:
            self._files.remove(staged)
            raise
        return record


def _end_of_unit(stored: StoredRows, left: int, wanted: int) -> int:
    """How many of some rows still go into a segment that has room for so many of them.

    Between two revisions if one ends near enough: retention drops revisions as a whole.
    """
    if left >= stored.row_count:
        return stored.row_count
    ends = stored.runs.row_ends
    before = bisect_right(ends, left)
    fitting = ends[before - 1] if before else 0
    return fitting if fitting and (left - fitting) * 4 <= wanted else left


def _not_settled(error: Exception) -> TickStoreError:
    if isinstance(error, TickStoreError):
        return error
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(
            "no space left on the store's disk; every row is where it was: make room, then try "
            "again"
        )
    return StoreFailedError(
        "segments could not be settled; every row is where it was: see the store's log"
    )
