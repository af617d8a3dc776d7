"""What this process did since it started."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_serving.clock import Clock

_RATE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Rows of committed batches since the start.

    Attributes:
        started_at_ns: When the process started.
        stored: Rows stored.
        quarantined: Rows quarantined.
        duplicates: Rows found to be duplicates.
        rows_per_second: Rows accounted for a second, over the last ten seconds.
    """

    started_at_ns: int
    stored: int
    quarantined: int
    duplicates: int
    rows_per_second: float


class Statistics:
    """Counts committed batches; written by any thread, read by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._stored = self._quarantined = self._duplicates = 0
        # (instant, rows) of the commits of the last seconds.
        self._lately: deque[tuple[int, int]] = deque()

    def committed(self, balance: Balance) -> None:
        """Count a batch."""
        with self._lock:
            self._stored += balance.stored
            self._quarantined += balance.quarantined
            self._duplicates += balance.duplicates
            self._lately.append((self._clock.monotonic_ns(), balance.rows_in))
            self._forget_old()

    def done(self) -> WorkDone:
        """All of it."""
        with self._lock:
            self._forget_old()
            rows = sum(rows for _, rows in self._lately)
            return WorkDone(
                self._started_at_ns,
                self._stored,
                self._quarantined,
                self._duplicates,
                rows / _RATE_SECONDS,
            )

    def _forget_old(self) -> None:
        oldest_ns = self._clock.monotonic_ns() - _RATE_SECONDS * 1_000_000_000
        while self._lately and self._lately[0][0] < oldest_ns:
            self._lately.popleft()
