"""Many streams in one client process, and how long after its making an event reaches each."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc.aio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Arrival = tuple[int, bytes]
    """When a message came, ns since the epoch, and the message."""

_PATIENCE_SECONDS = 30.0


class Watchers:
    """Streams that note when each message came and nothing else.

    The first message of each says that the stream has begun.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[Any]], count: int) -> None:
        self._open_stream = open_stream
        self._begun = asyncio.Semaphore(0)
        self._arrivals: list[Arrival] = []
        self._came = asyncio.Event()
        self._tasks = [asyncio.create_task(self._watch()) for _ in range(count)]

    async def _watch(self) -> None:
        stream = await self._open_stream()
        try:
            await stream.read()
            self._begun.release()
            while (message := await stream.read()) is not grpc.aio.EOF:
                self._arrivals.append((time.time_ns(), message))
                self._came.set()
        finally:
            stream.cancel()

    async def started(self) -> None:
        """Waits until every stream has begun."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for _ in self._tasks:
                await self._begun.acquire()

    async def received(self, messages: int) -> list[Arrival]:
        """Waits until each watcher has as many, then ends the streams."""
        wanted = messages * len(self._tasks)
        async with asyncio.timeout(_PATIENCE_SECONDS + wanted / 1_000):
            while len(self._arrivals) < wanted:
                self._came.clear()
                await self._came.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._arrivals


async def paced(make: Callable[[], Awaitable[object]], *, events: int, per_second: float) -> None:
    """Makes events at a rate, each when its time has come and the one before it is made."""
    begun = time.perf_counter()
    for number in range(events):
        await asyncio.sleep(begun + number / per_second - time.perf_counter())
        await make()
