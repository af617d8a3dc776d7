"""When a watcher's next PROGRESS is due: one timer for each mark, none for each wait."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class ProgressTimer:
    """Counts the silence of one watcher.

    Args:
        seconds: A mark is due before so many have passed.

    Attributes:
        due: Whether it is time for a mark.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.due = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def restart(self) -> None:
        """Begin anew, a little early and spread out, so that W14 holds and nobody marches."""
        self._stop()
        self.due = False
        seconds = self._seconds * random.uniform(0.8, 0.95)  # noqa: S311
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    async def wait(self, waiter: asyncio.Future[None]) -> None:
        """Wait for `waiter`, which is completed when the mark is due before it."""
        self._waiter = waiter
        try:
            if not self.due:
                await waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self.due = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
