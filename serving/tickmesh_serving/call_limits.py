"""How long calls may run, at one timer for all of them.

A timer a call, as `asyncio.timeout` takes one, costs more than all policies together; hardly any
call ever reaches its limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class CallLimits:
    """The calls of one event loop that have a limit."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[CallLimit] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> CallLimit:
        """A context that raises TimeoutError in its task when it is still open by then."""
        if self._loop is None:  # asking for it is a system call each time
            self._loop = asyncio.get_running_loop()
        return CallLimit(self, self._loop, seconds)

    def enter(self, limit: CallLimit) -> None:
        """A call begins."""
        self._running.add(limit)
        if self._timer is not None:
            if self._timer.when() <= limit.ends_at:
                return
            self._timer.cancel()
        self._timer = limit.loop.call_at(limit.ends_at, self._look)

    def leave(self, limit: CallLimit) -> None:
        """A call is done."""
        self._running.discard(limit)

    def _look(self) -> None:
        self._timer = None
        still_running, self._running = self._running, set()
        for limit in still_running:
            if limit.ends_at <= limit.loop.time():
                limit.expire()
            else:
                self.enter(limit)


class CallLimit:
    """One call under its limit."""

    __slots__ = ("_cancelling", "_expired", "_limits", "_seconds", "_task", "ends_at", "loop")

    def __init__(self, limits: CallLimits, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._limits = limits
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self.loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self.ends_at = self.loop.time() + self._seconds
        self._limits.enter(self)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._limits.leave(self)
        if not self._expired:
            return
        # Only its own cancellation becomes a timeout; one from outside goes on as it is.
        if self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def expire(self) -> None:
        """End the call."""
        self._expired = True
        self._task.cancel()
