"""Commit groups: waiting work is joined, judged and numbered here; nothing is written yet.

What is done for each message is done when it is handed in. Here the unit of work is all that waits
of one sender, and of several senders together where they may share an entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import StoreFailedError, TickStoreError
from tickmesh_tickstore.domain.producers import (
    ProducerSequence,
    ProducerState,
    SequenceRun,
)
from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture, Settlement
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
from tickmesh_tickstore.engine.sifting import joined_rows, sift

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from tickmesh_tickstore.domain.positions import Position
    from tickmesh_tickstore.domain.producers import ProducerLedger
    from tickmesh_tickstore.domain.stamps import Origin
    from tickmesh_tickstore.engine.acknowledgement import Answer
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.interface import Judge, Prepare
    from tickmesh_tickstore.engine.journal import StagedPart

__all__ = [
    "JOINED_ROWS",
    "LARGE_ROWS",
    "AppendWork",
    "CommitGroup",
    "FlushWork",
    "OpenWork",
    "Sender",
    "TrimWork",
    "UploadWork",
    "Work",
]

LARGE_ROWS = 65_536
"""Messages of so many rows gain nothing from being copied together; they still share one sync."""
JOINED_ROWS = 131_072
"""The most rows of smaller ones that are copied together, judged at once and written as one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """Whose messages they are, and how they are judged.

    Attributes:
        layout: Their schema version.
        judge: See `Judge`.
        origin: Who writes.
        producer_id: The producer; empty without one.
        epoch: The epoch it writes under; 0 without a producer.
        prepare: See `Prepare`.
    """

    layout: RowLayout
    judge: Judge
    origin: Origin
    producer_id: str = ""
    epoch: int = 0
    prepare: Prepare | None = None


@dataclass(slots=True, eq=False)
class AppendWork:
    """Consecutive messages of one sender that wait for the writer.

    Attributes:
        sender: Whose they are.
        answer: Who waits for them.
        batches: The messages.
        sequences: Their sequences; none without a producer.
        rows: Rows of all.
        size: Bytes of all.
        taken: The writer has it: no message may be added any more.
    """

    sender: Sender
    answer: Answer
    batches: list[pa.RecordBatch]
    sequences: list[int]
    rows: int
    size: int
    taken: bool = False

    @property
    def is_large(self) -> bool:
        """Whether it is a message that is not joined with others."""
        return len(self.batches) == 1 and self.rows >= LARGE_ROWS

    def fail(self, error: Exception) -> None:
        """None of them is stored."""
        self.answer.fail(_own(error), messages=len(self.batches))


@dataclass(slots=True, eq=False)
class OpenWork:
    """A producer that waits to be opened."""

    producer_id: str
    size: int = 0
    state: ProducerState | None = None
    future: AppendFuture = field(default_factory=AppendFuture)

    def fail(self, error: Exception) -> None:
        """It is not opened."""
        self.future.fail(_own(error))


@dataclass(slots=True, eq=False)
class UploadWork:
    """A complete atomic upload that waits to become visible."""

    staged: StagedPart
    layout: RowLayout
    producer: ProducerSequence | None
    origin: Origin
    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)

    def fail(self, error: Exception) -> None:
        """It does not become visible."""
        self.future.fail(_own(error))


@dataclass(slots=True, eq=False)
class FlushWork:
    """Someone who waits until everything before it is out of the active log."""

    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)

    def fail(self, error: Exception) -> None:
        """The log goes on."""
        self.future.fail(_own(error))


@dataclass(slots=True, eq=False)
class TrimWork:
    """Retention that waits to be committed."""

    kept_from: Position
    size: int = 0
    future: AppendFuture = field(default_factory=AppendFuture)

    def fail(self, error: Exception) -> None:
        """Nothing is dropped."""
        self.future.fail(_own(error))


Work = AppendWork | OpenWork | UploadWork | FlushWork | TrimWork


class CommitGroup:
    """The entries that some waiting work becomes, and whom to answer afterwards.

    A message that is refused leaves no entry; its sender is told at once. All others are answered
    when the entries are durable, duplicates too: their original may be in this very group.
    """

    def __init__(self, ledger: ProducerLedger, *, revision: int, ingest_time_ns: int) -> None:
        self.entries: list[Entry] = []
        self.flushes: list[FlushWork] = []
        self.revision = revision
        self._ledger = ledger
        self._admission = ledger.admission()
        self._ingest_time_ns = ingest_time_ns
        self._stored: list[tuple[Answer, Settlement]] = []
        self._duplicates: list[tuple[Answer, ProducerSequence, int]] = []

    def add_all(self, works: Sequence[Work]) -> None:
        """Turn work into entries, in order; neighbours that may share an entry are joined."""
        start = 0
        while start < len(works):
            work = works[start]
            if isinstance(work, AppendWork):
                appends = _joinable(works, start)
                if not self._add_whole(appends):
                    self._add_each(appends)
                start += len(appends)
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

    def _add_whole(self, works: Sequence[AppendWork]) -> bool:
        """Store all messages of some work; `False`, and nothing done, if one needs a look."""
        checkpoint = self._admission.checkpoint()
        if not all(map(self._admit_whole, works)):
            self._admission.restore(checkpoint)
            return False
        batch = joined_rows(works)
        if batch is None:
            self._admission.restore(checkpoint)
            return False
        self._store(works, batch)
        return True

    def _admit_whole(self, work: AppendWork) -> bool:
        if work.answer.error is not None:
            return False
        sender, sequences = work.sender, work.sequences
        if not sender.producer_id:
            return True
        try:
            expected = self._admission.expected(sender.producer_id, sender.epoch)
        except TickStoreError:
            return False
        if sequences != list(range(expected, expected + len(sequences))):
            return False
        self._admission.admit(sender.producer_id, sender.epoch, through=sequences[-1])
        return True

    def _add_each(self, works: Sequence[AppendWork]) -> None:
        """Decide message by message, so that a bad one does not take its neighbours down."""
        sifted = sift(works, wanted=self._may_be_new)
        fresh: list[AppendWork] = []
        for work in works:
            taken: list[int] = []
            for place in range(len(work.batches)):
                error = self._error_of(work, place, sifted.errors.get((work, place)))
                if error is not None:
                    work.answer.fail(error, messages=len(work.batches) - place)
                    break
                if self._is_fresh(work, place):
                    taken.append(place)
            if taken:
                fresh.append(sifted.only(work, taken))
        if fresh:
            batch = joined_rows(fresh, judged=True)
            assert batch is not None, "each of them was judged"
            self._store(fresh, batch)

    def _may_be_new(self, work: AppendWork, place: int) -> bool:
        """Whether a message is neither a duplicate nor fenced before any of the group is taken."""
        sender = work.sender
        if not sender.producer_id:
            return True
        try:
            expected = self._admission.expected(sender.producer_id, sender.epoch)
        except TickStoreError:
            return False
        return work.sequences[place] >= expected

    def _error_of(
        self, work: AppendWork, place: int, refused: Exception | None
    ) -> Exception | None:
        sender = work.sender
        earlier = work.answer.error
        if earlier is not None:
            return _own(earlier)
        if sender.producer_id:
            sequence = ProducerSequence(sender.producer_id, sender.epoch, work.sequences[place])
            try:
                self._admission.is_new(sequence)
            except TickStoreError as error:
                return error
        return refused

    def _is_fresh(self, work: AppendWork, place: int) -> bool:
        sender = work.sender
        if not sender.producer_id:
            return True
        sequence = ProducerSequence(sender.producer_id, sender.epoch, work.sequences[place])
        if not self._admission.is_new(sequence):
            self._duplicates.append((work.answer, sequence, work.batches[place].num_rows))
            return False
        self._admission.admit(sender.producer_id, sender.epoch, through=sequence.sequence)
        return True

    def _store(self, works: Sequence[AppendWork], batch: pa.RecordBatch) -> None:
        first = works[0].sender
        revision = self._next_revision()
        row = 0
        runs: list[SequenceRun] = []
        for work in works:
            through = 0
            if work.sequences:
                through = work.sequences[-1]
                _extend(runs, work)
            appended = Appended(revision, row, work.rows)
            self._stored.append(
                (work.answer, Settlement(len(work.batches), through, work.rows, appended))
            )
            row += work.rows
        self.entries.append(
            RowsEntry(
                revision,
                self._ingest_time_ns,
                first.layout,
                first.origin,
                tuple(runs),
                Messages.of(map(_messages_of, works)),
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
        self._stored.append((work.future, Settlement(1, 0, 0, Appended(revision, 0, 0))))

    def _upload(self, work: UploadWork) -> None:
        rows = work.staged.row_count
        producer = work.producer
        try:
            if producer is not None and not self._admission.is_new(producer):
                work.staged.discard()
                self._duplicates.append((work.future, producer, rows))
                return
        except TickStoreError as error:
            work.staged.discard()
            work.future.fail(error)
            return
        runs: tuple[SequenceRun, ...] = ()
        if producer is not None:
            name, epoch, sequence = producer.producer_id, producer.epoch, producer.sequence
            self._admission.admit(name, epoch, through=sequence)
            runs = (SequenceRun(name, epoch, sequence, sequence),)
        revision = self._next_revision()
        self.entries.append(
            PartEntry(revision, self._ingest_time_ns, work.layout, work.origin, runs, work.staged)
        )
        self._stored.append((work.future, Settlement(1, 0, rows, Appended(revision, 0, rows))))

    def _trim(self, work: TrimWork) -> None:
        revision = self._next_revision()
        self.entries.append(TrimEntry(Trim(revision, self._ingest_time_ns, work.kept_from)))
        self._stored.append((work.future, Settlement(1, 0, 0, Appended(revision, 0, 0))))

    def _next_revision(self) -> int:
        self.revision += 1
        return self.revision

    def mark_received(self) -> None:
        """The entries are written: the next group counts on what this one let in."""
        self._admission.keep()
        for answer, settlement in self._stored:
            answer.mark_received(settlement)

    def mark_durable(self) -> None:
        """The entries are on stable storage and in the ledger."""
        for answer, settlement in self._stored:
            answer.mark_durable(settlement)
        for answer, sequence, rows in self._duplicates:
            appended = Appended(self._ledger.revision_of(sequence), 0, rows, duplicate=True)
            settlement = Settlement(1, sequence.sequence, rows, appended)
            answer.mark_received(settlement)
            answer.mark_durable(settlement)

    def fail(self, error: Exception) -> None:
        """The entries could not be made durable."""
        # After a failed sync the log may tell of uploads after all: their files stay, and the next
        # start removes those it does not tell of.
        if not isinstance(error, StoreFailedError):
            for entry in self.entries:
                if isinstance(entry, PartEntry):
                    entry.staged.discard()
        for answer, settlement in self._stored:
            answer.fail(_own(error), messages=settlement.messages)
        for answer, _, _ in self._duplicates:
            answer.fail(_own(error))
        for flush in self.flushes:
            flush.fail(error)


def _joinable(works: Sequence[Work], start: int) -> list[AppendWork]:
    """The work at `start` with whatever behind it may share its entry."""
    first = works[start]
    assert isinstance(first, AppendWork)
    found = [first]
    if first.is_large:
        return found
    sender, rows = first.sender, first.rows
    for place in range(start + 1, len(works)):
        work = works[place]
        if not isinstance(work, AppendWork):
            break
        other = work.sender
        rows += work.rows
        if (
            rows > JOINED_ROWS
            or work.is_large
            or other.layout is not sender.layout
            or other.judge is not sender.judge
            or other.origin != sender.origin
        ):
            break
        found.append(work)
    return found


def _extend(runs: list[SequenceRun], work: AppendWork) -> None:
    """Put the sequences of some work, which are dense, behind others."""
    sender = work.sender
    first, last = work.sequences[0], work.sequences[-1]
    if runs:
        before = runs[-1]
        if (before.producer_id, before.epoch, before.last + 1) == (
            sender.producer_id,
            sender.epoch,
            first,
        ):
            runs[-1] = SequenceRun(sender.producer_id, sender.epoch, before.first, last)
            return
    runs.append(SequenceRun(sender.producer_id, sender.epoch, first, last))


def _messages_of(work: AppendWork) -> tuple[str, Sequence[int], Sequence[int]]:
    if not work.sequences:
        return "", (), (work.rows,)
    return work.sender.producer_id, work.sequences, [batch.num_rows for batch in work.batches]


def _own(error: Exception) -> Exception:
    """The error for one more sender: each adds to it what only it knows."""
    return error.twin() if isinstance(error, TickStoreError) else error
