"""One event loop, on a thread of its own, for all that feeds receive."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_STOP_SECONDS = 10.0


class Running:
    """Something that receives until it ends, fails, or is stopped."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def ended(self) -> bool:
        """Whether it will bring nothing more."""
        return self._ended.is_set()

    def raise_failure(self) -> None:
        """Raise what it failed by, if it did."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop it, and wait until it has put away what it had."""
        if self._loop is not None and self._task is not None and not self.ended:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._ended.wait(_STOP_SECONDS)

    async def carry_out(self, work: Coroutine[Any, Any, None], begun: threading.Event) -> None:
        """Run the work as a task of the loop."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(work)
        begun.set()
        try:
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._failure = self._task.exception()
        finally:
            self._ended.set()


class FeedLoop:
    """The loop; it starts with the first feed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Running:
        """Run some work on the loop.

        Args:
            work: Makes the coroutine; called on the loop's thread.
        """
        running, begun = Running(), threading.Event()

        async def begin() -> None:
            await running.carry_out(work(), begun)

        asyncio.run_coroutine_threadsafe(begin(), self._running_loop())
        begun.wait()
        return running

    def close(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_SECONDS)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="feeds", daemon=True
                )
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
