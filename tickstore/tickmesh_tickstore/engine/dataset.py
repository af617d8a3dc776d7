"""One dataset: its single writer, its visible state, and whoever waits for either."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_tickstore.domain.errors import (
    DatasetNotFoundError,
    LimitExceededError,
    PositionExpiredError,
    SchemaVersionNotFoundError,
    StoreClosedError,
    StoreFailedError,
    TickStoreError,
    WrongColumnsError,
)
from tickmesh_tickstore.domain.positions import START
from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture, Settlement
from tickmesh_tickstore.engine.chunk import Chunk
from tickmesh_tickstore.engine.columns import require_columns
from tickmesh_tickstore.engine.group import (
    AppendWork,
    CommitGroup,
    FlushWork,
    OpenWork,
    Sender,
    TrimWork,
    UploadWork,
    Work,
)
from tickmesh_tickstore.engine.interface import DatasetInfo
from tickmesh_tickstore.engine.journal import (
    Entry,
    PartEntry,
    ProducerEntry,
    RowsEntry,
    TrimEntry,
)
from tickmesh_tickstore.engine.syncing import GroupSync
from tickmesh_tickstore.engine.waiting import WaitingWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.positions import Position
    from tickmesh_tickstore.domain.producers import ProducerLedger, ProducerSequence, ProducerState
    from tickmesh_tickstore.domain.stamps import Origin, Stamp
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dropped import DroppedPart
    from tickmesh_tickstore.engine.interface import Judge
    from tickmesh_tickstore.engine.journal import Journal, StagedPart
    from tickmesh_tickstore.engine.parts import DatasetState, Part

__all__ = ["Dataset"]

_log = logging.getLogger(__name__)
_MESSAGE_BYTES = 512
"""What a message takes beside its rows, about."""


class Dataset:
    """A dataset of any engine; what differs between engines is its journal.

    All writes go through one thread, which runs only while there is work. Readers take `state`,
    an immutable value, and never wait for the writer.
    """

    def __init__(
        self,
        *,
        name: str,
        dataset_id: str,
        layouts: Sequence[RowLayout],
        state: DatasetState,
        ledger: ProducerLedger,
        journal: Journal,
        limits: EngineLimits,
        now_ns: Callable[[], int],
    ) -> None:
        self.name = name
        self.dataset_id = dataset_id
        self._layouts = {layout.stamp: layout for layout in layouts}
        self._readers: dict[int, RowLayout] = {}
        self._state = state
        self._ledger = ledger
        self._journal = journal
        self._limits = limits
        self._now_ns = now_ns
        self._last_ingest_time_ns = 0
        self._written_revision = state.revision
        self._syncing = GroupSync(self._settle, name=name)
        self._commit_groups = 0
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._room_came = threading.Condition(self._lock)
        self._state_changed = threading.Condition(self._lock)
        self._waiting = WaitingWork(limits)
        self._writer: threading.Thread | None = None
        self._failure: TickStoreError | None = None
        self._ended: TickStoreError | None = None
        self.changing_segments = threading.Lock()
        """Held by whoever drops sealed parts, or puts others in their place."""

    # What readers see.

    @property
    def state(self) -> DatasetState:
        """Everything visible."""
        return self._state

    @property
    def journal(self) -> Journal:
        """Where entries go."""
        return self._journal

    @property
    def waiting_bytes(self) -> int:
        """Appends that wait for the writer."""
        return self._waiting.size

    @property
    def commit_groups(self) -> int:
        """Commit groups written since the start."""
        return self._commit_groups

    @property
    def failure(self) -> TickStoreError | None:
        """Why no more writes are taken."""
        return self._failure

    @property
    def newest(self) -> RowLayout:
        """The newest schema version."""
        return max(self._layouts.values(), key=lambda layout: layout.stamp.schema_version)

    def info(self) -> DatasetInfo:
        """The dataset as it stands."""
        layouts = sorted(self._layouts.values(), key=lambda layout: layout.stamp.schema_version)
        newest = layouts[-1]
        return DatasetInfo(
            self.name,
            self.dataset_id,
            self._state.revision,
            tuple((layout.stamp, layout.schema) for layout in layouts),
            newest.event_time,
            newest.symbol,
            tuple(layout.generation for layout in layouts),
        )

    def wait_for_change(
        self, seen: DatasetState, timeout_seconds: float, ended: threading.Event
    ) -> None:
        """Wait until more than `seen` is visible, the time is over, or the reader has ended.

        Raises:
            StoreClosedError: The store was closed.
            DatasetNotFoundError: The dataset was deleted.
        """
        with self._lock:
            self._state_changed.wait_for(
                lambda: (
                    self._state.revision > seen.revision
                    or self._ended is not None
                    or ended.is_set()
                ),
                timeout_seconds,
            )
        self.require_open()

    def require_open(self) -> None:
        """Raise what ended the dataset, if anything did.

        Raises:
            StoreClosedError: The store was closed.
            DatasetNotFoundError: The dataset was deleted.
        """
        if self._ended is not None:
            raise self._ended.twin()

    def require_kept(self, after: Position, *, as_of: int | None = None) -> None:
        """Raise if rows behind a position were dropped, so that going on would skip them (T8).

        Raises:
            PositionExpiredError: Some were; says from where on rows are kept.
        """
        state = self._state
        if not START < after < state.dropped.kept_from:
            return
        kept_from = state.dropped.kept_from_at(state.revision if as_of is None else as_of)
        if after < kept_from:
            token = f"{self.dataset_id}:{kept_from.token()}"
            raise PositionExpiredError(
                f"rows of dataset {self.name!r} behind the position were dropped by retention: "
                f"start without a position, or go on from the first row kept, {token}",
                metadata={"dataset": self.name, "positionToken": token},
            )

    def wake_readers(self) -> None:
        """Let waiting readers look whether they were closed."""
        with self._lock:
            self._state_changed.notify_all()

    # Versions.

    @property
    def layouts(self) -> tuple[RowLayout, ...]:
        """Every schema version."""
        return tuple(self._layouts.values())

    def layout(self, stamp: Stamp) -> RowLayout:
        """The columns of a schema version.

        Raises:
            SchemaVersionNotFoundError: The dataset takes no rows of it.
        """
        layout = self._layouts.get(stamp)
        if layout is None:
            raise SchemaVersionNotFoundError(
                f"dataset {self.name!r} does not know schema version {stamp.schema_version}: "
                "add it first",
                metadata={
                    "dataset": self.name,
                    "schema_id": stamp.schema_id,
                    "schema_version": str(stamp.schema_version),
                },
            )
        return layout

    def reader(self, version: int | None) -> RowLayout:
        """The columns of a version to read under; of the newest one that rows are taken of.

        Raises:
            SchemaVersionNotFoundError: It is neither among those nor among the readers.
        """
        if version is None:
            return self.newest
        known = (each for each in self._layouts.values() if each.stamp.schema_version == version)
        layout = next(known, None) or self._readers.get(version)
        if layout is None:
            raise SchemaVersionNotFoundError(
                f"dataset {self.name!r} is not read under schema version {version}: "
                "name a registered version of its subject",
                metadata={"dataset": self.name, "schema_version": str(version)},
            )
        return layout

    def take_reader(self, layout: RowLayout) -> None:
        """Be read under a version that no row was written under."""
        self._readers = {**self._readers, layout.stamp.schema_version: layout}

    def find_version(self, layout: RowLayout) -> bool:
        """Whether the version is known already.

        Raises:
            WrongColumnsError: It is known with another schema.
        """
        for known in self._layouts.values():
            if known.stamp.schema_version != layout.stamp.schema_version:
                continue
            if known.stamp != layout.stamp or not known.schema.equals(
                layout.schema, check_metadata=True
            ):
                raise WrongColumnsError(
                    f"dataset {self.name!r} knows schema version {layout.stamp.schema_version} "
                    "with another schema: versions are immutable, register a new one",
                    metadata={
                        "dataset": self.name,
                        "schema_version": str(layout.stamp.schema_version),
                    },
                )
            return True
        return False

    def take_version(self, layout: RowLayout) -> None:
        """Take rows of a further version from now on."""
        self._layouts = {**self._layouts, layout.stamp: layout}

    # Writing.

    def append(
        self,
        batch: pa.RecordBatch,
        *,
        stamp: Stamp,
        judge: Judge,
        producer: ProducerSequence | None,
        origin: Origin,
    ) -> AppendFuture:
        """Hand one message to the writer; see `TickEngine.append`."""
        layout = self.layout(stamp)
        require_columns(layout, batch)
        size = self.require_size(batch)
        future = AppendFuture()
        if producer is None:
            sender, sequences = Sender(layout, judge, origin), []
        else:
            sender = Sender(layout, judge, origin, producer.producer_id, producer.epoch)
            sequences = [producer.sequence]
        self.hand_in(AppendWork(sender, future, [batch], sequences, batch.num_rows, size, True))
        return future

    def require_size(self, batch: pa.RecordBatch) -> int:
        """What a message takes in memory, in bytes.

        Raises:
            LimitExceededError: Its rows take more than a message may.
        """
        size: int = batch.get_total_buffer_size()
        limit = self._limits.message_bytes
        # A slice holds all of what it was cut from: its own rows may be few.
        if size > limit and (own := pa.ipc.get_record_batch_size(batch)) > limit:
            raise LimitExceededError(
                f"a message of {own} bytes is over the limit of {limit}: send smaller batches",
                metadata={"bytes": str(own), "limit": str(limit)},
            )
        return size + _MESSAGE_BYTES

    def open_producer(self, producer_id: str) -> ProducerState:
        """Open a producer; see `TickEngine.open_producer`."""
        work = OpenWork(producer_id)
        self.hand_in(work)
        work.future.result()
        assert work.state is not None
        return work.state

    def flush(self) -> None:
        """Begin a new log behind everything handed in so far."""
        work = FlushWork()
        self.hand_in(work)
        work.future.result()

    def trim(self, kept_from: Position) -> None:
        """Drop every sealed part before a cut, under a dataset revision of its own; durable.

        The caller holds `changing_segments`, so that the cut stays one between parts.
        """
        work = TrimWork(kept_from)
        self.hand_in(work)
        work.future.result()

    def forget_dropped(self, gone: Collection[DroppedPart]) -> None:
        """The files of dropped parts go."""
        with self._lock:
            self._state = replace(self._state, dropped=self._state.dropped.without(gone))

    def commit_upload(
        self,
        staged: StagedPart,
        *,
        layout: RowLayout,
        producer: ProducerSequence | None,
        origin: Origin,
    ) -> AppendFuture:
        """Make staged rows visible, or drop them if their sequence is a duplicate."""
        work = UploadWork(staged, layout, producer, origin)
        self.hand_in(work)
        return work.future

    def hand_in(self, work: Work) -> None:
        """Let work wait for the writer; blocks while too much is waiting (T11).

        Raises:
            StoreFailedError, StoreClosedError: It was not taken.
        """
        with self._lock:
            while (
                not self._waiting.has_room(work.size)
                and self._failure is None
                and self._ended is None
            ):
                self._room_came.wait()
            self._require_sound()
            self.require_open()
            self._waiting.add(work)
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._write_until_idle, name=f"writer-{self.name}", daemon=True
                )
                self._writer.start()
            elif len(self._waiting) == 1:
                self._work_came.notify()

    def hand_in_with(
        self, work: AppendWork, batch: pa.RecordBatch, sequence: int, size: int
    ) -> bool:
        """Add a message to work that still waits; `False` where that cannot be."""
        with self._lock:
            return self._ended is None and self._waiting.add_to(work, batch, sequence, size)

    def _write_until_idle(self) -> None:
        while works := self._take_waiting():
            self._commit(works)
            if not self._waiting.enough:
                self._syncing.wait_until_idle()
        self._syncing.end()

    def _take_waiting(self) -> list[Work]:
        with self._lock:
            if not self._waiting and self._ended is None:
                self._work_came.wait(self._limits.writer_idle_seconds)
            self._waiting.gather(self._work_came.wait)
            works = self._waiting.take()
            if not works:
                # Under the lock: whoever hands in work next starts a new thread.
                self._writer = None
            self._room_came.notify_all()
            return works

    def _commit(self, works: Sequence[Work]) -> None:
        """Judge, number and write a group; it is synced and shown while the next one is judged."""
        ingest_time_ns = max(self._now_ns(), self._last_ingest_time_ns)
        self._last_ingest_time_ns = ingest_time_ns
        group = CommitGroup(
            self._ledger,
            revision=self._written_revision,
            ingest_time_ns=ingest_time_ns,
        )
        try:
            self._require_sound()
            group.add_all(works)
            if group.entries:
                self._journal.write(group.entries)
        except StoreFailedError as error:
            self._syncing.wait_until_idle()
            _fail(works, error)
            self._stop(error)
            return
        except TickStoreError as error:
            group.fail(error)
            # A log that has grown too far takes nothing any more: go on in another, once there is
            # room for one.
            if self._journal.is_full():
                self._go_on_in_new_log(())
            return
        except Exception as error:  # noqa: BLE001  # a thread that dies in silence would hang its producers
            self._syncing.wait_until_idle()
            failure = self._broken(error)
            _fail(works, failure)
            self._stop(failure)
            return
        self._written_revision = group.revision
        group.mark_received()
        self._syncing.submit(group, meanwhile=self._waiting.enough)
        if group.flushes or self._journal.is_full():
            self._go_on_in_new_log(group.flushes)

    def _settle(self, groups: Sequence[CommitGroup]) -> None:
        """Bring written groups onto stable storage with one sync, show them, and answer."""
        try:
            self._require_sound()
            entries = [entry for group in groups for entry in group.entries]
            if entries:
                self._journal.sync()
                self._commit_groups += len(groups)
                self._publish(entries)
        except StoreFailedError as error:
            failure: TickStoreError = error
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
            failure = self._broken(error)
        else:
            for group in groups:
                group.mark_durable()
            return
        for group in groups:
            group.fail(failure)
        self._stop(failure)

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise self._failure.twin()

    def _broken(self, error: Exception) -> StoreFailedError:
        # Unknown how much is written: go no further, and let no producer wait for ever.
        _log.error("the writer of dataset %s broke", self.name, exc_info=error)
        failure = StoreFailedError(
            f"the writer of dataset {self.name!r} broke: restart the store",
            metadata={"dataset": self.name},
        )
        failure.__cause__ = error
        return failure

    def _go_on_in_new_log(self, flushes: Sequence[FlushWork]) -> None:
        # The present log is closed: all that was written to it has to be on stable storage.
        self._syncing.wait_until_idle()
        if self._failure is not None:
            _fail(flushes, self._failure)
            return
        try:
            self._journal.begin_log(revision=self._state.revision, ledger=self._ledger)
        except StoreFailedError as error:
            self._stop(error)
            _fail(flushes, error)
        except TickStoreError as error:
            _log.warning("dataset %s keeps its present log: %s", self.name, error.message)
            _fail(flushes, error)
        done = Settlement(1, 0, 0, Appended(self._state.revision, 0, 0))
        for flush in flushes:
            if flush.future.error is None:
                flush.future.mark_received(done)
                flush.future.mark_durable(done)

    def _publish(self, entries: Sequence[Entry]) -> None:
        log_number = self._journal.log_number
        placed = [self._placed(entry, log_number) for entry in entries]
        with self._lock:
            state = self._state
            for entry, rows in zip(entries, placed, strict=True):
                if isinstance(entry, TrimEntry):
                    state = state.trimmed(entry.trim)
                elif rows is None:
                    state = state.at_revision(entry.revision)
                elif isinstance(rows, Chunk):
                    state = state.with_chunk(rows, log_number=log_number)
                else:
                    state = state.with_part(rows)
            self._state = state
            self._state_changed.notify_all()

    def _placed(self, entry: Entry, log_number: int) -> Chunk | Part | None:
        if isinstance(entry, ProducerEntry):
            self._ledger.record_opened(entry.producer_id, entry.epoch)
            return None
        if isinstance(entry, TrimEntry):
            return None
        self._ledger.record_stored(entry.sequences, revision=entry.revision)
        if isinstance(entry, PartEntry):
            part = entry.staged.place(
                revision=entry.revision,
                ingest_time_ns=entry.ingest_time_ns,
                log_number=log_number,
            )
            return part if part.row_count else None
        return chunk_of(entry)

    def replace_parts(self, parts: Sequence[Part], replacing: Sequence[Part]) -> None:
        """The rows of neighbouring sealed parts now live in others.

        The caller holds `changing_segments`, from looking at the parts until state and manifest
        agree.
        """
        with self._lock:
            self._state = self._state.with_replaced(parts, replacing)

    def replace_log(self, log_number: int, parts: Sequence[Part]) -> None:
        """The rows of a log now live in other parts."""
        with self._lock:
            self._state = self._state.with_sealed(log_number, parts)

    def _stop(self, error: TickStoreError) -> None:
        _log.critical("dataset %s takes no more writes: %s", self.name, error.message)
        with self._lock:
            self._failure = self._failure or error
            waiting = self._waiting.clear()
            self._room_came.notify_all()
        _fail(waiting, error)

    def close(self) -> None:
        """Write what was handed in, then release the journal."""
        self._end(
            StoreClosedError(
                "the store is shutting down: write again, or read on from your position, when it "
                "is back"
            )
        )

    def delete(self) -> None:
        """Refuse what was handed in and whatever comes, then release the journal."""
        deleted = DatasetNotFoundError(
            f"dataset {self.name!r} was deleted; put its first rows to begin it anew",
            metadata={"dataset": self.name},
        )
        with self._lock:
            waiting = self._waiting.clear()
        _fail(waiting, deleted)
        self._end(deleted)

    def _end(self, why: TickStoreError) -> None:
        with self._lock:
            self._ended = why
            writer = self._writer
            self._work_came.notify_all()
            self._room_came.notify_all()
            self._state_changed.notify_all()
        if writer is not None:
            writer.join()
        self._syncing.wait_until_idle()
        self._journal.close()


def _fail(works: Sequence[Work], error: Exception) -> None:
    for work in works:
        work.fail(error)


def chunk_of(entry: RowsEntry) -> Chunk | None:
    """The chunk an entry's rows become; `None` without rows."""
    if entry.batch.num_rows == 0:
        return None
    return Chunk.arrived(
        entry.batch,
        entry.layout.stamp,
        revision=entry.revision,
        ingest_time_ns=entry.ingest_time_ns,
        origin=entry.origin,
        messages=entry.messages,
        time_span=entry.time_span,
    )
