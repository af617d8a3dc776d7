"""A sink's writes, one after the other on a thread of their own, in the order they came."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from tickmesh_cleaner.sinks.sink import Written

if TYPE_CHECKING:
    from collections.abc import Callable

_Work = tuple[Future[Written], "Callable[[], Written]"]


class OrderedWrites:
    """Begins with `start`. After a failure everything behind it fails alike, until `start` again.

    The pipeline bounds how many writes wait here by the intents it keeps open.
    """

    def __init__(self, *, stopped: Exception) -> None:
        """Begin closed.

        Args:
            stopped: How writes fail that were not begun before `stop`.
        """
        self._stopped = stopped
        self._queue: SimpleQueue[_Work | None] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Forget what was handed in before, and take writes."""
        self.stop()
        self._queue = SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(self._queue,), name="sink-writes", daemon=True
        )
        self._thread.start()

    def submit(self, write: Callable[[], Written]) -> Future[Written]:
        """Carry out a write when all before it are done."""
        answer: Future[Written] = Future()
        if self._queue is None:
            answer.set_exception(self._stopped)
        else:
            self._queue.put((answer, write))
        return answer

    def stop(self) -> None:
        """Take no more; waits for the write that is being carried out, the others fail."""
        queue, self._queue = self._queue, None
        if queue is not None:
            waiting = []
            # The thread may take the last one at any moment: nothing here may wait for another.
            with suppress(Empty):
                while True:
                    waiting.append(queue.get_nowait())
            queue.put(None)
            for work in waiting:
                if work is not None:
                    work[0].set_exception(self._stopped)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    @staticmethod
    def _run(queue: SimpleQueue[_Work | None]) -> None:
        failure: Exception | None = None
        while (work := queue.get()) is not None:
            answer, write = work
            if failure is None:
                try:
                    answer.set_result(write())
                except Exception as error:  # noqa: BLE001 - whoever waits for the answer judges it
                    failure = error
            if failure is not None:
                answer.set_exception(failure)
