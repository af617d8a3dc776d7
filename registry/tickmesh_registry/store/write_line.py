"""The one line every write of a process stands in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tickmesh_registry.domain.errors import LimitExceededError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tickmesh_registry.domain.changes import Revision

    from . import Committed, Head, Result

_MAX_WAITING = 1_024


class WriteLine:
    """Runs transactions one after the other and tells the listener of each in commit order.

    A transaction that has begun runs to its end even when its caller is cancelled: otherwise a
    commit could become durable without the watchers hearing of it.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[Callable[[Revision, Head], None]] = []
        self._head_listeners: list[Callable[[Head], None]] = []
        self._closed = False

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Add a listener; it must neither block nor raise."""
        self._listeners.append(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Add a listener for work that made no revision; it must neither block nor raise."""
        self._head_listeners.append(listener)

    async def run(self, work: Callable[[], Awaitable[Committed[Result]]]) -> Committed[Result]:
        """Run `work` when every earlier one has ended.

        Raises:
            StoreUnavailableError: The store is closing.
            LimitExceededError: Too many writes wait already.
        """
        if self._closed:
            raise StoreUnavailableError(
                "the store is closing; retry at another replica or later", retry_after_seconds=1.0
            )
        if len(self._tasks) >= _MAX_WAITING:
            raise LimitExceededError(
                f"{_MAX_WAITING} writes wait already; retry later",
                metadata={"limit": str(_MAX_WAITING)},
                retry_after_seconds=1.0,
            )
        task = asyncio.create_task(self._alone(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Take no more work and wait for what has begun."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _alone(self, work: Callable[[], Awaitable[Committed[Result]]]) -> Committed[Result]:
        async with self._lock:
            committed = await work()
            if committed.revision is None:
                for head_listener in self._head_listeners:
                    head_listener(committed.head)
            else:
                for listener in self._listeners:
                    listener(committed.revision, committed.head)
            return committed

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen by the caller, unless it was cancelled and nobody asks
