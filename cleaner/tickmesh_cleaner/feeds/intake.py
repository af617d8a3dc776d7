"""Where a receiver puts what comes, and says how it stands; who reads the spool sees both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tickmesh_cleaner.spool import Spool, SpoolSpace
    from tickmesh_serving.clock import Clock

MOST_PENDING_BYTES = 8 << 20
"""The most that may wait in memory to be synchronised; beyond it the feed is not read on."""

_LOOK_AGAIN_SECONDS = 0.25


class Intake:
    """Takes what one feed brings into its spool, durable in groups. Belongs to one event loop.

    Entering it begins to synchronise, leaving it synchronises what is left.

    Attributes:
        waiting: Why nothing comes, in words; empty while all is well. Read by other threads.
    """

    def __init__(
        self,
        spool: Spool,
        space: SpoolSpace,
        *,
        clock: Clock,
        note_event: Callable[[str, str], None],
    ) -> None:
        """Name the parts.

        Args:
            spool: Where what comes is kept.
            space: The bound it shares with all others.
            clock: The clock.
            note_event: Keeps an event of the job: code and message.
        """
        self.spool = spool
        self.waiting = ""
        self._space = space
        self._clock = clock
        self._note_event = note_event
        self._something = asyncio.Event()
        self._flushed = asyncio.Event()
        self._hindrance = ""
        self._flusher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._flusher is not None
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        await asyncio.to_thread(self.spool.sync)
        self.spool.wake()

    def take(self, payload: bytes, *, origin: bytes = b"") -> None:
        """Keep something that came; it is durable soon, see `durable`."""
        self.spool.append(payload, received_at_ns=self._clock.now_ns(), origin=origin)
        self._something.set()

    @property
    def _hindered(self) -> bool:
        return bool(self._hindrance) or (self.spool.end - self.spool.durable >= MOST_PENDING_BYTES)

    async def room(self) -> None:
        """Wait until more may be read from the feed: what waits here is kept from overflowing."""
        while self._hindered:
            self._flushed.clear()
            if self._hindrance:
                self.waiting = self._hindrance
            await self._flushed.wait()
        self.waiting = ""

    async def durable(self) -> None:
        """Wait until all that was taken is on stable storage."""
        while self.spool.durable < self.spool.end:
            self._flushed.clear()
            if self.spool.durable < self.spool.end:
                await self._flushed.wait()

    async def event(self, code: str, message: str) -> None:
        """Tell people what happened."""
        await asyncio.to_thread(self._note_event, code, message)

    def close_to_full(self) -> str:
        """Why nothing more may be taken; empty when there is room."""
        if self._space.has_room(MOST_PENDING_BYTES):
            return ""
        return (
            "the spool is full: the feed is not read on until what it brought is committed, or "
            f"uploads are freed (sources.max_spool_bytes, {self._space.max_bytes} bytes)"
        )

    async def _flush(self) -> None:
        while True:
            self._hindrance = await asyncio.to_thread(self._sync_and_look)
            self._flushed.set()
            if self._hindrance:
                self.waiting = self._hindrance
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            else:
                await self._something.wait()
            self._something.clear()

    def _sync_and_look(self) -> str:
        try:
            self.spool.sync()
        except OSError as error:
            return f"the spool cannot be written ({error.strerror}); the feed is not read on"
        return self.close_to_full()
