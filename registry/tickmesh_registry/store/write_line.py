"""The one line every write of a process stands in."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tickmesh_registry.domain.errors import LimitExceededError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tickmesh_registry.domain.changes import Revision

    from . import Committed, Head, Result, Transaction

    Body = Callable[[Transaction], Awaitable[Any]]
    CommitGroup = Callable[[Sequence[Body]], Awaitable[Sequence[Committed[Any] | Exception]]]

_MAX_WAITING = 1_024
_GROUP_BODIES = 32


class _Waiting(NamedTuple):
    """A body in the line, and where its outcome goes."""

    body: Body
    outcome: asyncio.Future[Committed[Any]]


class WriteLine:
    """Runs transactions one after the other and tells the listener of each in commit order.

    Bodies that wait while another commit is under way are committed together, each with a revision
    of its own: making them durable costs as much as for one.

    A transaction that has begun runs to its end even when its caller is cancelled: otherwise a
    commit could become durable without the watchers hearing of it.

    Args:
        commit_group: Runs bodies one after the other and commits them together; an outcome each.
    """

    def __init__(self, commit_group: CommitGroup) -> None:
        self._commit_group = commit_group
        self._lock = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._drainer: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Revision, Head], None]] = []
        self._head_listeners: list[Callable[[Head], None]] = []
        self._closed = False

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Add a listener; it must neither block nor raise."""
        self._listeners.append(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Add a listener for work that made no revision; it must neither block nor raise."""
        self._head_listeners.append(listener)

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run a body when every earlier one has ended, perhaps together with others.

        Raises:
            StoreUnavailableError: The store is closing.
            LimitExceededError: Too many writes wait already.
        """
        self._admit()
        outcome: asyncio.Future[Committed[Any]] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_seen)
        self._waiting.append(_Waiting(body, outcome))
        if self._drainer is None:
            self._drainer = self._begin(self._drain())
        return await asyncio.shield(outcome)

    async def run(self, work: Callable[[], Awaitable[Committed[Result]]]) -> Committed[Result]:
        """Run work of its own kind when every earlier one has ended.

        Raises:
            StoreUnavailableError: The store is closing.
            LimitExceededError: Too many writes wait already.
        """
        self._admit()
        return await asyncio.shield(self._begin(self._alone(work)))

    async def close(self) -> None:
        """Take no more work and wait for what has begun."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _admit(self) -> None:
        if self._closed:
            raise StoreUnavailableError(
                "the store is closing; retry at another replica or later", retry_after_seconds=1.0
            )
        if len(self._waiting) + len(self._tasks) >= _MAX_WAITING:
            raise LimitExceededError(
                f"{_MAX_WAITING} writes wait already; retry later",
                metadata={"limit": str(_MAX_WAITING)},
                retry_after_seconds=1.0,
            )

    def _begin(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_seen)
        return task

    async def _drain(self) -> None:
        while self._waiting:
            async with self._lock:
                size = min(len(self._waiting), _GROUP_BODIES)
                await self._commit([self._waiting.popleft() for _ in range(size)])
        self._drainer = None

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._commit_group([waiting.body for waiting in group])
        except Exception as error:  # noqa: BLE001 - belongs to those who wait for it
            outcomes = [error] * len(group)
        for outcome in outcomes:
            if not isinstance(outcome, Exception):
                self._tell(outcome)
        for waiting, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                waiting.outcome.set_exception(outcome)
            else:
                waiting.outcome.set_result(outcome)

    async def _alone(self, work: Callable[[], Awaitable[Committed[Result]]]) -> Committed[Result]:
        async with self._lock:
            committed = await work()
            self._tell(committed)
            return committed

    def _tell(self, committed: Committed[Any]) -> None:
        if committed.revision is None:
            for head_listener in self._head_listeners:
                head_listener(committed.head)
        else:
            for listener in self._listeners:
                listener(committed.revision, committed.head)


def _seen(outcome: asyncio.Future[Any]) -> None:
    """Look at a failure: its caller may have been cancelled, and then nobody asks."""
    if not outcome.cancelled():
        outcome.exception()
