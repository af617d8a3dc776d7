"""The watch: every change, in order, to everybody who asked, without a queue for anybody.

Writers publish into one ring and never wait. A watcher is a cursor: within the ring it reads
memory, below it it reads the log, below the log it is told so (W8). What a watcher has not taken
exists once, in the ring or the log, so a stuck one costs nothing but its stream (W13).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .cache import BoundedCache
from .domain.errors import DeadlineExceededError, LimitExceededError
from .domain.versions import VersionState
from .feed import LOG_PAGE_CHANGES, Feed, draining_error, may_see_everything
from .ring import EncodedRevision, Ring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.principal import Principal

    from .domain.changes import Change, Revision
    from .feed import Authorizer, Delivery, WatchOrder
    from .ring import ChangeEncoder
    from .store import Head, SchemaStore

_SHARED_BYTES = 4 << 20


class WatchHub:
    """Publishes revisions to watchers, and knows which revision this process has reached."""

    def __init__(
        self,
        store: SchemaStore,
        *,
        encode: ChangeEncoder,
        clock: Clock,
        max_watchers: int = 10_000,
        ring_revisions: int = 4_096,
        ring_bytes: int = 16 << 20,
        may_see: Authorizer = may_see_everything,
    ) -> None:
        self.store = store
        self.encode = encode
        self.clock = clock
        self._max_watchers = max_watchers
        self.may_see = may_see
        self._ring_revisions = ring_revisions
        self.ring = Ring(max_revisions=ring_revisions, max_bytes=ring_bytes)
        self._waiting: set[asyncio.Future[None]] = set()
        self.draining = False
        self._listeners: list[Callable[[Revision], None]] = []
        self._jump_listeners: list[Callable[[], None]] = []
        self.epoch = ""
        self.compact_revision = 0
        self.watchers = 0
        self.log_reads = 0
        # By revision and whether for who asked for everything. Watchers at one place who ask the
        # same are sent the same; who asks for less is only given it if it is as much.
        self.shared: BoundedCache[tuple[int, bool], tuple[EncodedRevision, Delivery]] = (
            BoundedCache(
                max_weight=_SHARED_BYTES,
                weigh=lambda shared: 2 * sum(map(len, shared[1].events)),
            )
        )

    @property
    def revision(self) -> int:
        """The last revision published in this process."""
        return self.ring.head

    @property
    def waiting(self) -> int:
        """How many wait for the next revision."""
        return len(self._waiting)

    def stands_at(self, head: Head) -> bool:
        """Whether what was read at `head` is all that was published here, and no more."""
        return (head.epoch, head.revision) == (self.epoch, self.revision)

    def on_publish(self, listener: Callable[[Revision], None]) -> None:
        """Name who hears of every revision before any watcher does."""
        self._listeners.append(listener)

    def on_jump(self, listener: Callable[[], None]) -> None:
        """Name who hears that the store moved on without its revisions being published here."""
        self._jump_listeners.append(listener)

    async def start(self) -> None:
        """Take the store's head and fill the ring with the end of its log."""
        head = await self.store.head()
        self.epoch = head.epoch
        self.compact_revision = head.compact_revision
        self.ring.reset(max(head.compact_revision, head.revision - self._ring_revisions))
        while self.ring.head < head.revision:
            page = await self.store.changes_after(self.ring.head, limit=LOG_PAGE_CHANGES)
            for revision in page.revisions:
                if revision.revision > self.ring.head:  # not published meanwhile
                    self.ring.append(EncodedRevision(revision, self.encode))

    def publish(self, revision: Revision, head: Head) -> None:
        """Take a committed revision; never waits."""
        if revision.revision <= self.ring.head:
            return  # read from the log at the start
        self.epoch = head.epoch
        self.compact_revision = head.compact_revision
        for listener in self._listeners:
            listener(revision)
        if any(_removes(change) for change in revision.changes):
            # Earlier events may quote the version; the log no longer does.
            self.ring.reset(revision.revision - 1)
        self.ring.append(EncodedRevision(revision, self.encode))
        self._wake()

    def move_to(self, head: Head) -> None:
        """Take a head that no revision led to: the log was compacted, or the store restored."""
        self.compact_revision = head.compact_revision
        if head.epoch == self.epoch and head.compact_revision <= self.ring.head:
            return
        self.epoch = head.epoch
        self.shared.clear()
        self.ring.reset(head.revision)
        for listener in self._jump_listeners:
            listener()
        self._wake()

    async def drain(self) -> None:
        """Send every watcher away, each with the place to resume from."""
        self.draining = True
        self._wake()

    async def wait_for(self, revision: int, *, deadline_ns: int | None) -> None:
        """Wait until this process has reached `revision` (W11).

        Raises:
            DeadlineExceededError: It did not by the deadline.
        """
        try:
            async with asyncio.timeout(self._seconds_until(deadline_ns)):
                while self.revision < revision:
                    waiter = self.waiter()
                    try:
                        await waiter
                    finally:
                        self.forget(waiter)
        except TimeoutError:
            raise DeadlineExceededError(
                f"revision {revision} was not reached by the deadline: this registry stands at "
                f"{self.revision}",
                metadata={
                    "minRevision": str(revision),
                    "currentRevision": str(self.revision),
                },
            ) from None

    def watch(self, order: WatchOrder, principal: Principal) -> AsyncGenerator[Delivery]:
        """Deliver what was ordered until the registry drains.

        Raises:
            EpochChangedError: The token belongs to another history.
            RevisionCompactedError: The log no longer reaches back to the cursor.
            RevisionInFutureError: The store has not reached the start.
            LimitExceededError: Too many watchers.
            DrainingError: The registry goes down; the last delivery says where to resume.
        """
        return Feed(self, order, principal).run()

    @contextmanager
    def seat(self) -> Iterator[None]:
        """A watcher's place, while it is there; see `watch` for what it raises."""
        if self.draining:
            raise draining_error()
        if self.watchers >= self._max_watchers:
            raise LimitExceededError(
                f"this registry serves at most {self._max_watchers} watchers; retry at another "
                "replica or later",
                metadata={"limit": str(self._max_watchers)},
                retry_after_seconds=5.0,
            )
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    def waiter(self) -> asyncio.Future[None]:
        """A future that the next revision or the drain completes; give it to `forget` in the end.

        One for each who waits: those who await a shared one would cancel it for all.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        return waiter

    def forget(self, waiter: asyncio.Future[None]) -> None:
        """Nobody waits for this one any more."""
        self._waiting.discard(waiter)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _seconds_until(self, deadline_ns: int | None) -> float | None:
        if deadline_ns is None:
            return None
        return max(0.0, (deadline_ns - self.clock.now_ns()) / 1e9)


def _removes(change: Change) -> bool:
    return change.schema is not None and change.schema.state is VersionState.REMOVED
