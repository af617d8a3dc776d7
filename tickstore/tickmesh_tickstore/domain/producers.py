"""Exactly once (T4): what a dataset remembers of its producers.

A producer is opened before it writes. Opening starts a new epoch, fences every older one, and tells
the last sequence stored, so that a restarted producer goes on at `last_sequence + 1`. Sequences
start at 1 and run on densely across epochs.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import (
    LimitExceededError,
    ProducerFencedError,
    ProducerNotOpenError,
    SequenceGapError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "REMEMBERED_SEQUENCES",
    "Admission",
    "ProducerLedger",
    "ProducerRecord",
    "ProducerSequence",
    "ProducerState",
    "SequenceRun",
]

REMEMBERED_SEQUENCES = 4096
"""A duplicate among so many last sequences is answered with its dataset revision."""

_RUN = struct.Struct("<QQQ")


@dataclass(frozen=True, slots=True)
class ProducerSequence:
    """The name of one message: which producer, which life of it, which message."""

    producer_id: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What opening a producer tells it.

    Attributes:
        epoch: The epoch now open; older ones are fenced.
        last_sequence: The last sequence stored, 0 when none; go on with the next.
    """

    epoch: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class SequenceRun:
    """Consecutive sequences of one producer that share a dataset revision."""

    producer_id: str
    epoch: int
    first: int
    last: int


@dataclass(slots=True)
class ProducerRecord:
    """One producer's row of the ledger: recent sequences as (first, last, revision)."""

    epoch: int
    last_sequence: int
    recent: deque[tuple[int, int, int]]

    def pack_recent(self) -> bytes:
        """The recent sequences as bytes for a manifest."""
        return b"".join(_RUN.pack(*run) for run in self.recent)

    @staticmethod
    def unpack_recent(packed: bytes) -> deque[tuple[int, int, int]]:
        """Undo `pack_recent`."""
        return deque(_RUN.iter_unpack(packed))

    def revision_of(self, sequence: int) -> int | None:
        """The dataset revision a sequence was stored in, `None` when forgotten."""
        for first, last, revision in reversed(self.recent):
            if first <= sequence <= last:
                return revision
            if last < sequence:
                break
        return None


class ProducerLedger:
    """The producers of one dataset.

    It runs ahead of stable storage: what a commit group let in counts for the next one as soon as
    it is written (`Admission.keep`), and is recorded once it is durable.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._records: dict[str, ProducerRecord] = {}
        self._written: dict[str, ProducerState] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._records)

    def restore(self, producer_id: str, record: ProducerRecord) -> None:
        """Take over a record read back from storage."""
        self._records[producer_id] = record

    def admission(self) -> Admission:
        """Begin to judge the sequences of one commit group; nothing is recorded by it."""
        return Admission(self, self._written)

    def state(self, producer_id: str) -> ProducerState | None:
        """Where a producer stands on stable storage; `None` when it was never opened."""
        record = self._records.get(producer_id)
        return None if record is None else ProducerState(record.epoch, record.last_sequence)

    def require_room(self) -> None:
        """See that one more producer may be remembered.

        Raises:
            LimitExceededError: The dataset remembers as many producers as it may.
        """
        if len(self._records) >= self._limit:
            raise LimitExceededError(
                f"the dataset remembers {self._limit} producers already: reuse producer ids",
                metadata={"limit": str(self._limit), "what": "producers"},
            )

    def record_opened(self, producer_id: str, epoch: int) -> None:
        """An epoch is durable."""
        record = self._records.setdefault(producer_id, ProducerRecord(0, 0, deque()))
        record.epoch = epoch
        self._changed.add(producer_id)

    def record_stored(self, runs: Iterable[SequenceRun], *, revision: int) -> None:
        """Sequences are durable under a dataset revision."""
        for run in runs:
            record = self._records.setdefault(
                run.producer_id, ProducerRecord(run.epoch, 0, deque())
            )
            record.epoch = max(record.epoch, run.epoch)
            record.last_sequence = run.last
            record.recent.append((run.first, run.last, revision))
            oldest = run.last - REMEMBERED_SEQUENCES + 1
            while record.recent[0][1] < oldest:
                record.recent.popleft()
            self._changed.add(run.producer_id)

    def revision_of(self, sequence: ProducerSequence) -> int | None:
        """The dataset revision of a stored sequence, `None` when it lies too far back."""
        record = self._records.get(sequence.producer_id)
        return None if record is None else record.revision_of(sequence.sequence)

    def take_changed(self) -> list[tuple[str, ProducerRecord]]:
        """Copies of the records changed since the last call, for the manifest."""
        changed = []
        for name in sorted(self._changed):
            record = self._records[name]
            copy = ProducerRecord(record.epoch, record.last_sequence, record.recent.copy())
            changed.append((name, copy))
        self._changed.clear()
        return changed


class Admission:
    """Sequences and epochs let into a commit group which is not durable yet."""

    def __init__(self, ledger: ProducerLedger, written: dict[str, ProducerState]) -> None:
        self._ledger = ledger
        self._written = written
        self._changed: dict[str, ProducerState] = {}

    def _state(self, producer_id: str) -> ProducerState | None:
        return (
            self._changed.get(producer_id)
            or self._written.get(producer_id)
            or self._ledger.state(producer_id)
        )

    def expected(self, producer_id: str, epoch: int) -> int:
        """The sequence that a producer has to send next.

        Raises:
            ProducerNotOpenError: The producer, or that epoch, was never opened.
            ProducerFencedError: A newer epoch is open.
        """
        state = self._state(producer_id)
        if state is None or epoch > state.epoch:
            raise ProducerNotOpenError(producer_id=producer_id, epoch=epoch)
        if epoch < state.epoch:
            raise ProducerFencedError(
                producer_id=producer_id, epoch=epoch, current_epoch=state.epoch
            )
        return state.last_sequence + 1

    def is_new(self, sequence: ProducerSequence) -> bool:
        """Whether the sequence is the producer's next; `False` for a duplicate.

        Raises:
            ProducerNotOpenError: The producer, or that epoch, was never opened.
            ProducerFencedError: A newer epoch is open.
            SequenceGapError: Sequences before this one are missing.
        """
        expected = self.expected(sequence.producer_id, sequence.epoch)
        if sequence.sequence > expected:
            raise SequenceGapError(
                producer_id=sequence.producer_id, expected=expected, got=sequence.sequence
            )
        return sequence.sequence == expected

    def admit(self, producer_id: str, epoch: int, *, through: int) -> None:
        """Count new sequences, up to one, as taken for the rest of the group."""
        self._changed[producer_id] = ProducerState(epoch, through)

    def keep(self) -> None:
        """The group is written: the next one goes on where it ended."""
        self._written.update(self._changed)

    def open(self, producer_id: str) -> ProducerState:
        """Begin a new epoch of a producer; the older ones are fenced for the rest of the group.

        Raises:
            LimitExceededError: The dataset remembers as many producers as it may.
        """
        state = self._state(producer_id)
        if state is None:
            self._ledger.require_room()
            state = ProducerState(0, 0)
        opened = ProducerState(state.epoch + 1, state.last_sequence)
        self._changed[producer_id] = opened
        return opened

    def checkpoint(self) -> dict[str, ProducerState]:
        """What `restore` takes to forget everything let in since."""
        return dict(self._changed)

    def restore(self, checkpoint: dict[str, ProducerState]) -> None:
        """Forget everything let in since the checkpoint."""
        self._changed = checkpoint
