"""The moment of a running job, kept in memory for those who watch it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tickmesh_cleaner.sources.source import ReadProgress

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock

_RATE_WINDOW_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a running job is.

    Attributes:
        read: How far its source was read.
        rows_per_second: Rows accounted for a second, over the last seconds.
        remaining_seconds: Seconds to the end at the present rate of bytes; 0 when unknown.
        schema_version: The version of the latest batch; 0 before the first.
        schema_change_delay_ns: From the commit of the latest schema change to the first batch
            judged under it; 0 when none came.
        batches_in_flight: Batches handed to the sink and not yet committed.
    """

    read: ReadProgress = field(default_factory=lambda: ReadProgress(0, 0))
    rows_per_second: float = 0.0
    remaining_seconds: float = 0.0
    schema_version: int = 0
    schema_change_delay_ns: int = 0
    batches_in_flight: int = 0


class Progress:
    """Written by the job's thread, read by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moment = Moment()
        # (instant, rows, bytes read) of the commits of the last seconds.
        self._commits: deque[tuple[int, int, int]] = deque()

    def moment(self) -> Moment:
        """The latest moment."""
        with self._lock:
            return self._moment

    def judged(self, *, schema_version: int, change_delay_ns: int | None) -> None:
        """Note the version a batch was judged under, and how late a change was acted on."""
        with self._lock:
            self._moment = replace(self._moment, schema_version=schema_version)
            if change_delay_ns is not None:
                self._moment = replace(self._moment, schema_change_delay_ns=change_delay_ns)

    def in_flight(self, batches: int) -> None:
        """Note how many batches wait for their commit."""
        with self._lock:
            self._moment = replace(self._moment, batches_in_flight=batches)

    def committed(self, *, rows: int, read: ReadProgress) -> None:
        """Note a commit."""
        with self._lock:
            now_ns = self._clock.monotonic_ns()
            self._commits.append((now_ns, rows, read.bytes_read))
            while self._commits[0][0] < now_ns - _RATE_WINDOW_NS:
                self._commits.popleft()
            first_ns, first_rows, first_bytes = self._commits[0]
            seconds = (now_ns - first_ns) / 1e9
            rows_per_second = remaining_seconds = 0.0
            if seconds > 0:
                counted = sum(rows for _, rows, _ in self._commits) - first_rows
                rows_per_second = counted / seconds
                bytes_per_second = (read.bytes_read - first_bytes) / seconds
                if read.bytes_total and bytes_per_second > 0:
                    left = max(read.bytes_total - read.bytes_read, 0)
                    remaining_seconds = left / bytes_per_second
            self._moment = replace(
                self._moment,
                read=read,
                rows_per_second=rows_per_second,
                remaining_seconds=remaining_seconds,
            )
