"""Written groups are brought onto stable storage while the next ones are judged."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh_tickstore.engine.group import CommitGroup

__all__ = ["GroupSync"]

_MOST_WAITING = 2
"""Groups that were written while another is synced; then the writer waits (T11)."""


class GroupSync:
    """Settles groups in the order they were written, those that wait with one sync.

    With nothing else to do the writer settles its group itself: no thread has to wake for it.
    """

    def __init__(self, settle: Callable[[Sequence[CommitGroup]], None], *, name: str) -> None:
        """Takes what settles groups; it raises nothing, and is never called twice at a time."""
        self._settle = settle
        self._name = name
        self._changed = threading.Condition()
        self._waiting: list[CommitGroup] = []
        self._running = False
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, group: CommitGroup, *, meanwhile: bool) -> None:
        """Settle a group: in another thread if there is something to do `meanwhile`."""
        with self._changed:
            self._waiting.append(group)
            if self._running:
                self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING)
                return
            self._running = True
            if meanwhile:
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"sync-{self._name}")
                self._executor.submit(self._run)
                return
        self._run()

    def _run(self) -> None:
        while True:
            with self._changed:
                groups, self._waiting = self._waiting, []
                self._running = bool(groups)
                self._changed.notify_all()
            if not groups:
                return
            self._settle(groups)

    def wait_until_idle(self) -> None:
        """Wait until all that was submitted is settled."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)

    def end(self) -> None:
        """Let the thread go; another submission gets another."""
        with self._changed:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()
