"""One put while its stream is open: what its handler brings, and what its job has committed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tickmesh_cleaner.puts.position import PutPosition

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh_cleaner.domain.errors import CleanerError
    from tickmesh_cleaner.puts.spool import PutSpool

MOST_WAITING_BATCHES = 64
MOST_WAITING_BYTES = 64 << 20
"""What a stream may have spooled and not committed; beyond it, its sender waits."""


class LivePut:
    """Written by the stream's handler and by the job's threads."""

    def __init__(self, *, job_id: str, producer_id: str, spool: PutSpool) -> None:
        self.job_id = job_id
        self.producer_id = producer_id
        self._spool = spool
        self._condition = threading.Condition()
        self._begun: PutPosition | None = None
        self._committed: PutPosition | None = None
        # By sequence: the bytes of batches that are spooled and not committed.
        self._waiting: dict[int, int] = {}
        self._ended = False
        self._job_ended = False
        self._failure: CleanerError | None = None

    # For the handler --------------------------------------------------------------------------

    def add(self, sequence: int, batch: pa.RecordBatch) -> None:
        """Spool a batch, durably, once there is room for it.

        Raises:
            CleanerError: The stream was ended from here.
        """
        with self._condition:
            self._condition.wait_for(self._has_room)
            self._raise_failure()
        self._spool.write(sequence, batch)
        with self._condition:
            self._waiting[sequence] = batch.nbytes
            self._condition.notify_all()

    def await_begin(self) -> PutPosition:
        """Where the job goes on, once it has settled what earlier streams left.

        Raises:
            CleanerError: The stream was ended from here.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._begun is not None or self._over)
            if self._begun is None:
                self._raise_failure()
                return PutPosition()
            return self._begun

    def end(self) -> None:
        """No batch will follow."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def await_job(self, *, timeout_seconds: float) -> None:
        """Wait until the job has ended or stopped, but no longer than told."""
        with self._condition:
            self._condition.wait_for(lambda: self._job_ended, timeout_seconds)

    def await_news(
        self, known: PutPosition | None, *, end_is_known: bool = False, timeout_seconds: float
    ) -> PutPosition | None:
        """What is committed, once that is more than is known, the stream ends, or after a while.

        Args:
            known: What was committed when this was asked before.
            end_is_known: Whether it is no news that the stream was ended from here.
            timeout_seconds: How long to wait.
        """

        def there_is_news() -> bool:
            failed = self._failure is not None and not end_is_known
            return self._committed != known or self._job_ended or failed

        with self._condition:
            self._condition.wait_for(there_is_news, timeout_seconds)
            return self._committed

    @property
    def idle(self) -> bool:
        """Whether everything that was added is committed."""
        with self._condition:
            return not self._waiting

    @property
    def job_ended(self) -> bool:
        """Whether the job has ended or stopped."""
        with self._condition:
            return self._job_ended

    @property
    def failure(self) -> CleanerError | None:
        """Why the stream was ended from here."""
        with self._condition:
            return self._failure

    # For the job ------------------------------------------------------------------------------

    def fail(self, failure: CleanerError) -> None:
        """End the stream from here; what was spooled is cleaned all the same."""
        with self._condition:
            self._failure = self._failure or failure
            self._ended = True
            self._condition.notify_all()

    def note_job_ended(self) -> None:
        """The job works on the stream no more."""
        with self._condition:
            self._job_ended = True
            self._condition.notify_all()

    def begin(self, start: PutPosition) -> None:
        """The job goes on from a position; called again when it was paused in between."""
        with self._condition:
            if self._begun is None:
                # Spooled by a stream that broke off before any intent named it: sent again now.
                self._spool.keep_between(0, start.sequence + (1 if start.row else 0))
                self._begun = self._committed = start
            self._condition.notify_all()

    def take(self, sequence: int, *, timeout_seconds: float) -> pa.RecordBatch | None:
        """A batch, which stays spooled until it is committed; None when it has not come."""
        with self._condition:
            self._condition.wait_for(
                lambda: sequence in self._waiting or self._ended, timeout_seconds
            )
            if sequence not in self._waiting:
                return None
        return self._spool.read(sequence)

    def has_ended_before(self, sequence: int) -> bool:
        """Whether the stream ended and a batch will never come."""
        with self._condition:
            return self._ended and sequence not in self._waiting

    def note_committed(self, position: PutPosition) -> None:
        """Everything before a position is committed."""
        with self._condition:
            self._committed = position
            for sequence in [known for known in self._waiting if known < position.sequence]:
                del self._waiting[sequence]
            self._condition.notify_all()

    @property
    def _over(self) -> bool:
        return self._failure is not None or self._job_ended

    def _has_room(self) -> bool:
        size = sum(self._waiting.values())
        full = len(self._waiting) >= MOST_WAITING_BATCHES or size >= MOST_WAITING_BYTES
        return self._over or not full

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
