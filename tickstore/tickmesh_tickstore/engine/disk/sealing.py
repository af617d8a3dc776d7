"""Sealing: full logs become segments, in the background and in order."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.chunk import join_spans
from tickmesh_tickstore.engine.disk.logged import LoggedPart
from tickmesh_tickstore.engine.disk.segment import (
    SegmentPart,
    SegmentRecord,
    SegmentWriter,
    sealed_groups,
)
from tickmesh_tickstore.engine.parts import TailPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh_tickstore.domain.producers import ProducerRecord
    from tickmesh_tickstore.engine.chunk import Chunk
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.disk.directory import DatasetDirectory
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.logged import DecodedLogs
    from tickmesh_tickstore.engine.disk.manifest import Manifest
    from tickmesh_tickstore.engine.disk.segment import SegmentCache
    from tickmesh_tickstore.engine.dropped import Trim
    from tickmesh_tickstore.engine.parts import Part

__all__ = ["Sealer"]

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_SPARE_LOGS = 2


@dataclass(frozen=True, slots=True)
class _Task:
    dataset_id: str
    log_number: int
    through_revision: int
    producers: Sequence[tuple[str, ProducerRecord]]
    trims: Sequence[Trim]
    recyclable: bool


class Sealer:
    """The one thread of an engine that turns full logs into segments.

    A log is removed only after its segments are synced and the manifest's transaction is durable,
    so a crash at any point leaves either the log or the segments as the truth.
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        files: FileSystem,
        cache: SegmentCache,
        decoded: DecodedLogs,
        unsealed_logs: int,
        find: Callable[[str], tuple[Dataset, DatasetDirectory]],
        sealed: Callable[[Sequence[SegmentRecord]], None],
    ) -> None:
        self._manifest = manifest
        self._files = files
        self._cache = cache
        self._decoded = decoded
        self._unsealed_logs = unsealed_logs
        self._find = find
        self._sealed = sealed
        self._changed = threading.Condition()
        self._tasks: deque[_Task] = deque()
        self._pending: Counter[str] = Counter()
        self._running: _Task | None = None
        self._failing = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._thread.start()

    def has_room(self, dataset_id: str) -> bool:
        """Wait until a further log of the dataset may be handed in.

        `False` when sealing fails or ends: the present log has to go on.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._pending[dataset_id] < self._unsealed_logs or self._failing or self._closed
                )
            )
            return self._pending[dataset_id] < self._unsealed_logs and not self._closed

    def submit(
        self,
        dataset_id: str,
        *,
        log_number: int,
        through_revision: int,
        producers: Sequence[tuple[str, ProducerRecord]],
        trims: Sequence[Trim],
        recyclable: bool,
    ) -> None:
        """Hand in a full log whose last revision is `through_revision`.

        A recyclable log is read by nobody once its rows are sealed, and may be written over.
        """
        task = _Task(dataset_id, log_number, through_revision, producers, trims, recyclable)
        with self._changed:
            self._tasks.append(task)
            self._pending[dataset_id] += 1
            self._changed.notify_all()

    def wait_until_sealed(self, dataset_id: str, timeout_seconds: float) -> bool:
        """Wait until nothing of a dataset is left to seal; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending[dataset_id] == 0, timeout_seconds)

    def forget(self, dataset_id: str) -> None:
        """Seal nothing more of a dataset that is deleted; waits for the log at hand."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._running is None or self._running.dataset_id != dataset_id
            )
            self._tasks = deque(task for task in self._tasks if task.dataset_id != dataset_id)
            del self._pending[dataset_id]
            self._changed.notify_all()

    def close(self) -> None:
        """Finish the log at hand; the others are sealed after the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._closed)
                if self._closed:
                    return
                task = self._running = self._tasks.popleft()
            try:
                self._seal(task)
            except Exception:  # noqa: BLE001  # the log still holds every row: try again later
                _log.exception("a log of dataset %s could not be sealed", task.dataset_id)
                with self._changed:
                    self._failing = True
                    self._running = None
                    self._tasks.appendleft(task)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed, _RETRY_SECONDS)
                continue
            with self._changed:
                self._failing = False
                self._running = None
                self._pending[task.dataset_id] -= 1
                self._changed.notify_all()

    def _seal(self, task: _Task) -> None:
        dataset, directory = self._find(task.dataset_id)
        parts: list[Part] = []
        records: list[SegmentRecord] = []
        logged = (part for part in dataset.state.recent if part.log_number == task.log_number)
        for uploaded, neighbours in groupby(logged, lambda part: isinstance(part, SegmentPart)):
            if uploaded:
                for part in neighbours:
                    assert isinstance(part, SegmentPart)
                    records.append(part.record)
                    parts.append(part)
                continue
            for group in sealed_groups(chain.from_iterable(map(_logged_chunks, neighbours))):
                record = self._write(directory, dataset, task.log_number, group)
                records.append(record)
                schema = dataset.layout(record.stamp).schema
                parts.append(directory.part(record, schema, self._cache))
        self._files.sync_directory(directory.segments)
        self._manifest.seal(
            task.dataset_id,
            through_revision=task.through_revision,
            through_log=task.log_number,
            segments=records,
            producers=task.producers,
            trims=task.trims,
        )
        dataset.replace_log(task.log_number, parts)
        self._sealed(records)
        self._decoded.forget(directory.log(task.log_number))
        self._put_away(directory, task)

    def _put_away(self, directory: DatasetDirectory, task: _Task) -> None:
        log = directory.log(task.log_number)
        if task.recyclable and len(directory.spares()) < _SPARE_LOGS:
            self._files.rename(log, directory.spare(task.log_number))
        else:
            self._files.remove(log)

    def _write(
        self,
        directory: DatasetDirectory,
        dataset: Dataset,
        log_number: int,
        chunks: Sequence[Chunk],
    ) -> SegmentRecord:
        first = chunks[0]
        segment_id = f"{first.first_position.revision:019d}"
        path = directory.segment(segment_id)
        writer = SegmentWriter(path, dataset.layout(first.stamp).schema, self._files)
        try:
            writer.write(chunks)
            size = writer.close()
        finally:
            writer.abandon()
        return SegmentRecord(
            segment_id,
            log_number,
            first.stamp,
            first.first_position.revision,
            chunks[-1].last_revision,
            sum(chunk.batch.num_rows for chunk in chunks),
            size,
            join_spans(chunk.time_span for chunk in chunks),
        )


def _logged_chunks(part: Part) -> Sequence[Chunk]:
    assert isinstance(part, TailPart | LoggedPart), "a log holds uploads and these"
    return part.chunks()
