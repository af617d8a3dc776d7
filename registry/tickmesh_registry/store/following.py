"""Telling a process every revision of a store that others write too, in order and without a gap.

The log is the truth: it is read at least once a second. A hint that something was committed only
makes the next reading come at once, so a lost one costs a second and nothing else.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from tickmesh_registry.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tickmesh_registry.domain.changes import Revision

    from . import Head, LogPage

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_POLL_SECONDS = 1.0
_POLL_SPREAD = 0.2  # replicas that started together do not ask together for ever


class LogFollower:
    """Knows how far this process was told, and tells it the rest.

    Telling never waits, so whoever reads the log, the loop or a writer on its way, may tell: a
    revision told already is passed over.

    Args:
        read: Reads whole revisions after one, with the head of the same snapshot.
        renew: Gives a store that went back behind its own revisions another epoch.
    """

    def __init__(
        self,
        read: Callable[[int], Awaitable[LogPage]],
        *,
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        self._read = read
        self._renew = renew
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._revision_listeners: list[Callable[[Revision, Head], None]] = []
        self._head_listeners: list[Callable[[Head], None]] = []
        self._told: Head | None = None

    @property
    def told(self) -> Head:
        """Where this process believes the store stands."""
        assert self._told is not None, "the follower was not started"
        return self._told

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision; it must neither block nor raise."""
        self._revision_listeners.append(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Name who is told of moves without a revision; it must neither block nor raise."""
        self._head_listeners.append(listener)

    def start(self, head: Head) -> None:
        """Follow the store from where it stands."""
        self._told = head
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def hint(self, epoch: str, revision: int) -> None:
        """Take the word of somebody that the store may have reached a revision."""
        told = self.told
        if epoch != told.epoch or revision > told.revision:
            self._hinted.set()

    def hurry(self) -> None:
        """Read the log at once, whatever was heard: hints may have been lost."""
        self._hinted.set()

    async def catch_up(self, read: Callable[[int], Awaitable[LogPage]] | None = None) -> None:
        """Read the log to its end and tell it.

        Args:
            read: Reads inside of a transaction of the caller's; on its own by default.
        """
        read = read or self._read
        while True:
            before = self.told
            page = await read(before.revision)
            head = page.head
            if head.epoch != self.told.epoch:
                self._move_to(head)
                return
            if head.revision < before.revision:
                await self._renew()
                continue
            if head.compact_revision > self.told.revision:
                # What was compacted can be told to nobody; who needs it hears so from the log.
                self._move_to(replace(head, revision=head.compact_revision))
                continue
            for revision in page.revisions:
                self.tell(revision, head)
            if head.compact_revision > self.told.compact_revision:
                self._move_to(replace(self.told, compact_revision=head.compact_revision))
            if self.told.revision >= head.revision:
                return

    def tell(self, revision: Revision, head: Head) -> None:
        """Tell a revision, if it is the next one; `head` is as read with it, or later."""
        told = self.told
        if head.epoch != told.epoch or revision.revision <= told.revision:
            return
        assert revision.revision == told.revision + 1, "the log was read with a gap"
        self._told = replace(
            told,
            revision=revision.revision,
            compact_revision=max(told.compact_revision, head.compact_revision),
            changed_at_ns=revision.changes[-1].changed_at_ns,
        )
        for listener in self._revision_listeners:
            listener(revision, self._told)

    def _move_to(self, head: Head) -> None:
        self._told = head
        for listener in self._head_listeners:
            listener(head)

    async def _run(self) -> None:
        answers = True
        while True:
            await self._hint_or_poll()
            try:
                await self.catch_up()
            except StoreUnavailableError as error:
                if answers:
                    _log.warning("registry.store.silent", reason=str(error.__cause__ or error))
                answers = False
            except Exception:  # noqa: BLE001 - a follower that ends would leave watchers waiting
                _log.exception("registry.store.following.failed")
            else:
                if not answers:
                    _log.info("registry.store.answers", revision=self.told.revision)
                answers = True

    async def _hint_or_poll(self) -> None:
        seconds = _POLL_SECONDS * random.uniform(1 - _POLL_SPREAD, 1 + _POLL_SPREAD)  # noqa: S311
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hinted.wait()
        self._hinted.clear()
