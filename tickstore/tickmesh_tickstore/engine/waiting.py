"""What waits for a dataset's writer, and whether a group of it is worth its price yet."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.group import JOINED_ROWS, LARGE_ROWS, AppendWork

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.engine.group import Work

__all__ = ["WaitingWork"]

_POURING_MESSAGES = 16
"""A stream with so many messages waiting does not wait for their acknowledgements."""
_LOOK_SECONDS = 0.001
_MESSAGES_A_LOOK = 8
"""With fewer in that time nothing pours in."""
_SMALL_BYTES = 8_192
"""Of messages that are smaller on average, what a group costs beside them decides."""


class WaitingWork:
    """Work in the order it came. Used under the dataset's lock.

    Attributes:
        size: Bytes of all.
        messages: How many messages they hold.
    """

    def __init__(self, limits: EngineLimits) -> None:
        self.size = self.messages = 0
        self._limits = limits
        self._works: deque[Work] = deque()
        self._longest = 0

    def __len__(self) -> int:
        return len(self._works)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may wait too (T11); the first always may."""
        return not self.size or self.size + size <= self._limits.waiting_bytes

    def add(self, work: Work) -> None:
        """Put work behind the rest."""
        self._works.append(work)
        self.size += work.size
        self.messages += len(work.batches) if isinstance(work, AppendWork) else 1

    def add_to(self, work: AppendWork, batch: pa.RecordBatch, sequence: int, size: int) -> bool:
        """Put a message behind those of its stream that wait; `False` where that cannot be."""
        rows, limits = batch.num_rows, self._limits
        if (
            work.taken
            or work.is_large
            or rows >= LARGE_ROWS
            or work.rows + rows > JOINED_ROWS
            or work.size + size > limits.group_bytes
            or self.size + size > limits.waiting_bytes
        ):
            return False
        work.batches.append(batch)
        if work.sequences:
            work.sequences.append(sequence)
        work.rows += rows
        work.size += size
        self.size += size
        self.messages += 1
        self._longest = max(self._longest, len(work.batches))
        return True

    @property
    def enough(self) -> bool:
        """Whether the next group is worth judging while another one is synced."""
        return self.size >= self._limits.overlapped_bytes

    def gather(
        self, wait: Callable[[float], object], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Let a group grow while small messages pour in.

        Judging beside a stream that is read slows both down, by as much for ten messages as for
        five hundred: they take turns at the interpreter. A stream with few messages in flight is
        never made to wait longer, and one that fills its window and stops by one look.

        Args:
            wait: Waits for so many seconds, in which work may be added.
            now: The clock, in seconds.
        """
        until = now() + self._limits.gathering_seconds
        while self._pours_in() and now() < until:
            before = self.messages
            wait(_LOOK_SECONDS)
            if self.messages < before + _MESSAGES_A_LOOK:
                return

    def _pours_in(self) -> bool:
        return (
            self._longest >= _POURING_MESSAGES
            and self.messages < self._limits.gathered_messages
            and self.size < self.messages * _SMALL_BYTES
            and all(isinstance(work, AppendWork) for work in self._works)
        )

    def take(self) -> list[Work]:
        """The next commit group; nothing may be added to what it holds."""
        limits = self._limits
        group: list[Work] = []
        rows = size = 0
        while self._works and rows < limits.group_rows and size < limits.group_bytes:
            work = self._works.popleft()
            if isinstance(work, AppendWork):
                work.taken = True
                rows += work.rows
                self.messages -= len(work.batches)
            else:
                self.messages -= 1
            size += work.size
            group.append(work)
        self.size -= size
        self._longest = 0
        return group

    def clear(self) -> list[Work]:
        """Nothing waits any more; what did."""
        works = list(self._works)
        for work in works:
            if isinstance(work, AppendWork):
                work.taken = True
        self._works.clear()
        self.size = self.messages = self._longest = 0
        return works
