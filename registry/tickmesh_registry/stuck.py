"""How long a client may take nothing: a limit on every write of a stream, at one timer a stream.

A timeout around each write would cost as much as the write; so the time of the last one is noted,
and a timer that comes back once per limit looks at it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class WriteTimeoutError(Exception):
    """A write took longer than its stream allows."""


class WriteLimit:
    """Raises WriteTimeoutError in the task that entered it, when a write exceeds the limit.

    Args:
        seconds: The limit of one write.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._expired = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def begin(self) -> None:
        """A write begins."""
        self._since = self._loop.time()

    def end(self) -> None:
        """The write is done."""
        self._since = None

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._expired:
            return
        # Only its own cancellation becomes an error; one from outside goes on as it is.
        if self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise WriteTimeoutError from error

    def _look(self) -> None:
        now = self._loop.time()
        since = now if self._since is None else self._since
        if since + self._seconds <= now:
            self._expired = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_at(since + self._seconds, self._look)
