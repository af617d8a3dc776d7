"""The word that a server is going down, for event loops and for threads."""

from __future__ import annotations

import asyncio
import threading


class DrainSignal:
    """Given once, by the event loop that owns the server; seen by coroutines and threads alike."""

    def __init__(self) -> None:
        self._threads = threading.Event()
        self._loop = asyncio.Event()

    def give(self) -> None:
        """Wake everyone who waits. Call it on the event loop."""
        self._threads.set()
        self._loop.set()

    @property
    def given(self) -> bool:
        """Whether the server is going down."""
        return self._threads.is_set()

    async def wait(self) -> None:
        """Wait on the event loop until the signal is given."""
        await self._loop.wait()

    def wait_in_thread(self, *, timeout_seconds: float) -> bool:
        """Wait in a thread at most so long; return whether the signal was given."""
        return self._threads.wait(timeout_seconds)
