"""How long a client may take nothing: a limit on every write of a stream, at one timer a stream.

A timeout around each write would cost as much as the write; so the time of the last one is noted,
and a timer that comes back once per limit looks at it. A timer that is late itself proves nothing
of the client: this process stood still, and what the client took meanwhile is not known yet.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


_LATE_SHARE = 0.1
"""Of the limit: a timer as late as that was kept from its work."""


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
        self._due = 0.0
        self._forgiven = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._look_at(self._loop.time() + self._seconds)
        return self

    def begin(self) -> None:
        """A write begins."""
        self._since = self._loop.time()
        self._forgiven = False

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
        if since + self._seconds > now:
            self._look_at(since + self._seconds)
        elif now - self._due > _LATE_SHARE * self._seconds and not self._forgiven:
            self._forgiven = True
            self._look_at(now + self._seconds)
        else:
            self._expired = True
            self._task.cancel()

    def _look_at(self, instant: float) -> None:
        self._due = instant
        self._timer = self._loop.call_at(instant, self._look)
