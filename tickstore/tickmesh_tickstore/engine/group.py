"""Commit groups: waiting work is joined, judged and numbered here; nothing is written yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import RowsRefusedError, StoreFailedError, TickStoreError
from tickmesh_tickstore.domain.producers import (
    ProducerSequence,
    ProducerState,
    SequenceRun,
)
from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture
from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.dictionaries import compact_dictionaries
from tickmesh_tickstore.engine.dropped import Trim
from tickmesh_tickstore.engine.journal import (
    Entry,
    PartEntry,
    ProducerEntry,
    RowsEntry,
    TrimEntry,
)
from tickmesh_tickstore.engine.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from tickmesh_tickstore.domain.positions import Position
    from tickmesh_tickstore.domain.producers import ProducerLedger
    from tickmesh_tickstore.domain.stamps import Origin
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.interface import Judge
    from tickmesh_tickstore.engine.journal import StagedPart

__all__ = ["AppendWork", "CommitGroup", "FlushWork", "OpenWork", "TrimWork", "UploadWork", "Work"]

_JOINED_ROWS = 65_536
"""Larger messages gain nothing from being copied together; they still share one sync."""


@dataclass(slots=True)
class AppendWork:
    """One message that waits for the writer."""

    batch: pa.RecordBatch
    layout: RowLayout
    judge: Judge
    producer: ProducerSequence | None
    origin: Origin
    following: AppendFuture | None
    size: int
    future: AppendFuture = field(default_factory=AppendFuture)


@dataclass(slots=True)
class OpenWork:
    """A producer that waits to be opened."""

    producer_id: str
    size: int = 0
    state: ProducerState | None = None
    future: AppendFuture = field(default_factory=AppendFuture)


@dataclass(slots=True)
class UploadWork:
    """A complete atomic upload that waits to become visible."""

    staged: StagedPart
    layout: RowLayout
    producer: ProducerSequence | None
    origin: Origin
    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)


@dataclass(slots=True)
class FlushWork:
    """Someone who waits until everything before it is out of the active log."""

    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)


@dataclass(slots=True)
class TrimWork:
    """Retention that waits to be committed."""

    kept_from: Position
    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)


Work = AppendWork | OpenWork | UploadWork | FlushWork | TrimWork


class CommitGroup:
    """The entries that some waiting work becomes, and whom to answer afterwards.

    A message that is refused leaves no entry; its future fails at once. All others are answered
    when the entries are durable, duplicates too: their original may be in this very group.
    """

    def __init__(self, ledger: ProducerLedger, *, revision: int, ingest_time_ns: int) -> None:
        self.entries: list[Entry] = []
        self.flushes: list[FlushWork] = []
        self._ledger = ledger
        self._admission = ledger.admission()
        self._revision = revision
        self._ingest_time_ns = ingest_time_ns
        self._stored: list[tuple[AppendFuture, Appended]] = []
        self._duplicates: list[tuple[AppendFuture, ProducerSequence, int]] = []

    def add_all(self, works: Sequence[Work]) -> None:
        """Turn work into entries, in order; neighbours that may share an entry are joined."""
        start = 0
        while start < len(works):
            work = works[start]
            if isinstance(work, AppendWork):
                stop = self._end_of_joinable(works, start)
                self._add_appends(works[start:stop])  # type: ignore[arg-type]  # all are appends
                start = stop
                continue
            if isinstance(work, OpenWork):
                self._open(work)
            elif isinstance(work, UploadWork):
                self._upload(work)
            elif isinstance(work, TrimWork):
                self._trim(work)
            else:
                self.flushes.append(work)
            start += 1

    def _end_of_joinable(self, works: Sequence[Work], start: int) -> int:
        first = works[start]
        assert isinstance(first, AppendWork)
        rows = first.batch.num_rows
        stop = start + 1
        while stop < len(works):
            work = works[stop]
            if (
                not isinstance(work, AppendWork)
                or work.layout is not first.layout
                or work.judge is not first.judge
                or work.origin != first.origin
            ):
                break
            rows += work.batch.num_rows
            if rows > _JOINED_ROWS:
                break
            stop += 1
        return stop

    def _add_appends(self, works: Sequence[AppendWork]) -> None:
        checkpoint = self._admission.checkpoint()
        admitted = self._admit(works, each_judged=False)
        batch = _joined(admitted.fresh)
        if batch is not None and self._error_of(works[0].judge, batch) is not None:
            # One bad message must not take its neighbours down: begin again, one by one.
            self._admission.restore(checkpoint)
            admitted = self._admit(works, each_judged=True)
            batch = _joined(admitted.fresh)
        for future, error in admitted.failed.items():
            future.fail(error)
        self._duplicates.extend(admitted.duplicates)
        if batch is not None:
            self._store(admitted.fresh, batch)

    def _admit(self, works: Sequence[AppendWork], *, each_judged: bool) -> _Admitted:
        admitted = _Admitted()
        for work in works:
            producer = work.producer
            try:
                self._check_following(work, admitted.failed)
                if producer is not None and not self._admission.is_new(producer):
                    admitted.duplicates.append((work.future, producer, work.batch.num_rows))
                    continue
            except TickStoreError as error:
                admitted.failed[work.future] = error
                continue
            refused = self._error_of(work.judge, work.batch) if each_judged else None
            if refused is not None:
                admitted.failed[work.future] = refused
                continue
            if producer is not None:
                self._admission.admit(producer)
            admitted.fresh.append(work)
        return admitted

    @staticmethod
    def _check_following(work: AppendWork, failed: dict[AppendFuture, Exception]) -> None:
        if work.following is None:
            return
        error = work.following.error or failed.get(work.following)
        if isinstance(error, TickStoreError):
            raise error
        if error is not None:
            raise StoreFailedError(
                "the message before this one in the same stream failed: send both again"
            ) from error

    @staticmethod
    def _error_of(judge: Judge, batch: pa.RecordBatch) -> Exception | None:
        try:
            refusal = judge(batch)
        except Exception as error:  # noqa: BLE001  # a judge's bug belongs to its producer, not to the writer
            return error
        return None if refusal is None else RowsRefusedError(refusal)

    def _store(self, works: Sequence[AppendWork], batch: pa.RecordBatch) -> None:
        first = works[0]
        revision = self._next_revision()
        row = 0
        for work in works:
            rows = work.batch.num_rows
            self._stored.append((work.future, Appended(revision, row, rows)))
            row += rows
        sequences = _runs_of(work.producer for work in works)
        self.entries.append(
            RowsEntry(
                revision,
                self._ingest_time_ns,
                first.layout,
                first.origin,
                sequences,
                Messages.of((work.producer, work.batch.num_rows) for work in works),
                first.layout.time_span(batch),
                compact_dictionaries(batch),
            )
        )

    def _open(self, work: OpenWork) -> None:
        try:
            state = self._admission.open(work.producer_id)
        except TickStoreError as error:
            work.future.fail(error)
            return
        work.state = state
        revision = self._next_revision()
        self.entries.append(
            ProducerEntry(revision, self._ingest_time_ns, work.producer_id, state.epoch)
        )
        self._stored.append((work.future, Appended(revision, 0, 0)))

    def _upload(self, work: UploadWork) -> None:
        rows = work.staged.row_count
        try:
            if work.producer is not None and not self._admission.is_new(work.producer):
                work.staged.discard()
                self._duplicates.append((work.future, work.producer, rows))
                return
        except TickStoreError as error:
            work.staged.discard()
            work.future.fail(error)
            return
        if work.producer is not None:
            self._admission.admit(work.producer)
        revision = self._next_revision()
        self.entries.append(
            PartEntry(
                revision,
                self._ingest_time_ns,
                work.layout,
                work.origin,
                _runs_of((work.producer,)),
                work.staged,
            )
        )
        self._stored.append((work.future, Appended(revision, 0, rows)))

    def _trim(self, work: TrimWork) -> None:
        revision = self._next_revision()
        self.entries.append(TrimEntry(Trim(revision, self._ingest_time_ns, work.kept_from)))
        self._stored.append((work.future, Appended(revision, 0, 0)))

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    def mark_received(self) -> None:
        """The entries are written."""
        for future, appended in self._stored:
            future.mark_received(appended)

    def mark_durable(self) -> None:
        """The entries are on stable storage and in the ledger."""
        for future, _ in self._stored:
            future.mark_durable()
        for future, sequence, rows in self._duplicates:
            revision = self._ledger.revision_of(sequence)
            future.mark_received(Appended(revision, 0, rows, duplicate=True))
            future.mark_durable()

    def fail(self, error: Exception) -> None:
        """The entries could not be made durable."""
        # After a failed sync the log may tell of uploads after all: their files stay, and the next
        # start removes those it does not tell of.
        if not isinstance(error, StoreFailedError):
            for entry in self.entries:
                if isinstance(entry, PartEntry):
                    entry.staged.discard()
        for future, _ in self._stored:
            future.fail(error)
        for future, _, _ in self._duplicates:
            future.fail(error)
        for flush in self.flushes:
            flush.future.fail(error)


@dataclass(slots=True)
class _Admitted:
    fresh: list[AppendWork] = field(default_factory=list)
    duplicates: list[tuple[AppendFuture, ProducerSequence, int]] = field(default_factory=list)
    failed: dict[AppendFuture, Exception] = field(default_factory=dict)


def _joined(works: Sequence[AppendWork]) -> pa.RecordBatch | None:
    return join_batches([work.batch for work in works]) if works else None


def _runs_of(sequences: Iterable[ProducerSequence | None]) -> tuple[SequenceRun, ...]:
    runs: list[SequenceRun] = []
    current: ProducerSequence | None = None
    last = 0
    for sequence in sequences:
        if sequence is None:
            continue
        if (
            current is not None
            and sequence.sequence == last + 1
            and sequence.producer_id == current.producer_id
            and sequence.epoch == current.epoch
        ):
            last += 1
            continue
        if current is not None:
            runs.append(SequenceRun(current.producer_id, current.epoch, current.sequence, last))
        current, last = sequence, sequence.sequence
    if current is not None:
        runs.append(SequenceRun(current.producer_id, current.epoch, current.sequence, last))
    return tuple(runs)
