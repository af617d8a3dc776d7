"""Streams of messages: handed in one by one, answered once a commit group for all of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.group import AppendWork

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh_tickstore.engine.acknowledgement import Settlement
    from tickmesh_tickstore.engine.dataset import Dataset
    from tickmesh_tickstore.engine.group import Sender

__all__ = ["DatasetStream", "StreamProgress"]


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far a stream has come, cumulative.

    Attributes:
        messages: Messages stored, or found to be stored before.
        through_sequence: The greatest sequence among them; 0 without a producer.
        rows: Rows stored by this stream.
        duplicates: Messages that were stored before.
        dataset_revision: The newest dataset revision that holds one of them.
    """

    messages: int = 0
    through_sequence: int = 0
    rows: int = 0
    duplicates: int = 0
    dataset_revision: int = 0

    def plus(self, settlement: Settlement) -> StreamProgress:
        """The progress after some more messages."""
        appended = settlement.appended
        return StreamProgress(
            self.messages + settlement.messages,
            # A repeat of an earlier sequence takes nothing back.
            max(self.through_sequence, settlement.through_sequence),
            self.rows + (0 if appended.duplicate else settlement.rows),
            self.duplicates + (settlement.messages if appended.duplicate else 0),
            max(self.dataset_revision, appended.dataset_revision or 0),
        )


class DatasetStream:
    """See `AppendStream`. One thread sends; another may wait."""

    def __init__(self, dataset: Dataset, sender: Sender) -> None:
        self._dataset = dataset
        self._sender = sender
        self._work: AppendWork | None = None
        self._sent = 0
        self._failed = 0
        self._error: Exception | None = None
        self._received = self._durable = StreamProgress()
        self._changed = threading.Condition()
        self._woken = self._end_said = self._received_wanted = False

    @property
    def error(self) -> Exception | None:
        """See `AppendStream.error`."""
        return self._error

    @property
    def received(self) -> StreamProgress:
        """See `AppendStream.received`."""
        return self._received

    @property
    def durable(self) -> StreamProgress:
        """See `AppendStream.durable`."""
        return self._durable

    @property
    def decided(self) -> bool:
        """See `AppendStream.decided`."""
        return self._durable.messages + self._failed >= self._sent

    def send(self, batch: pa.RecordBatch, *, sequence: int = 0) -> None:
        """See `AppendStream.send`."""
        if self._error is not None:
            raise self._error
        size = self._dataset.require_size(batch)
        self._sent += 1
        work = self._work
        if work is None or not self._dataset.hand_in_with(work, batch, sequence, size):
            self._work = work = AppendWork(
                self._sender,
                self,
                [batch],
                [sequence] if self._sender.producer_id else [],
                batch.num_rows,
                size,
            )
            try:
                self._dataset.hand_in(work)
            except BaseException:
                self._sent -= 1
                raise

    def wait(self, seen: StreamProgress, timeout_seconds: float, *, durable: bool = True) -> None:
        """See `AppendStream.wait`."""
        with self._changed:
            self._received_wanted = not durable
            self._changed.wait_for(
                lambda: (
                    (self._durable if durable else self._received) != seen
                    or self._woken
                    or self._ends_unsaid()
                ),
                timeout_seconds,
            )
            self._woken = False
            self._end_said = self._end_said or self._ends_unsaid()

    def _ends_unsaid(self) -> bool:
        return self._error is not None and not self._end_said and self.decided

    def wait_until_decided(self) -> None:
        """See `AppendStream.wait_until_decided`."""
        with self._changed:
            self._changed.wait_for(lambda: self.decided)

    def wake(self) -> None:
        """See `AppendStream.wake`."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    # Told by the dataset's writer.

    def mark_received(self, settlement: Settlement) -> None:
        """See `Answer.mark_received`."""
        with self._changed:
            self._received = self._received.plus(settlement)
            if self._received_wanted:
                self._changed.notify_all()

    def mark_durable(self, settlement: Settlement) -> None:
        """See `Answer.mark_durable`."""
        with self._changed:
            self._durable = self._durable.plus(settlement)
            self._changed.notify_all()

    def fail(self, error: Exception, *, messages: int = 1) -> None:
        """See `Answer.fail`."""
        with self._changed:
            if self._error is None:
                self._error = error
            self._failed += messages
            self._changed.notify_all()
