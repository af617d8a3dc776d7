"""The watch: every change, in order, to everybody who asked, without a queue for anybody.

Writers publish into one ring and never wait. A watcher is a cursor: within the ring it reads
memory, below it it reads the log, below the log it is told so (W8). Waiting watchers share one
event. What a watcher has not taken exists once, in the ring or the log, so a stuck one costs
nothing but its stream (W13).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from .domain.errors import DeadlineExceededError, LimitExceededError
from .feed import LOG_PAGE_CHANGES, Feed, draining_error, may_see_everything
from .ring import EncodedRevision, Ring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.principal import Principal

    from .domain.changes import Revision
    from .feed import Authorizer, Delivery, WatchOrder
    from .ring import ChangeEncoder
    from .store import Head, SchemaStore


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
        self.changed = asyncio.Event()
        self.draining = False
        self._listeners: list[Callable[[Revision], None]] = []
        self._jump_listeners: list[Callable[[], None]] = []
        self.epoch = ""
        self.compact_revision = 0
        self.watchers = 0
        self.log_reads = 0

    @property
    def revision(self) -> int:
        """The last revision published in this process."""
        return self.ring.head

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
        self.ring.append(EncodedRevision(revision, self.encode))
        self._wake()

    def move_to(self, head: Head) -> None:
        """Take a head that no revision led to: the log was compacted, or the store restored."""
        self.compact_revision = head.compact_revision
        if head.epoch == self.epoch and head.compact_revision <= self.ring.head:
            return
        self.epoch = head.epoch
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
                    await self.changed.wait()
        except TimeoutError:
            raise DeadlineExceededError(
                f"revision {revision} was not reached by the deadline: this registry stands at "
                f"{self.revision}",
                metadata={
                    "minRevision": str(revision),
                    "currentRevision": str(self.revision),
                },
            ) from None

    async def watch(self, order: WatchOrder, principal: Principal) -> AsyncGenerator[Delivery]:
        """Deliver what was ordered until the registry drains.

        Raises:
            EpochChangedError: The token belongs to another history.
            RevisionCompactedError: The log no longer reaches back to the cursor.
            RevisionInFutureError: The store has not reached the start.
            LimitExceededError: Too many watchers.
            DrainingError: The registry goes down; the last delivery says where to resume.
        """
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
            async with aclosing(Feed(self, order, principal).run()) as deliveries:
                async for delivery in deliveries:
                    yield delivery
        finally:
            self.watchers -= 1

    def _wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def _seconds_until(self, deadline_ns: int | None) -> float | None:
        if deadline_ns is None:
            return None
        return max(0.0, (deadline_ns - self.clock.now_ns()) / 1e9)
