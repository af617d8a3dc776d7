"""An iterator that runs ahead of whoever reads it, on a thread of its own, by a bounded number."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

Item = TypeVar("Item")

_END_SECONDS = 1.0


class Ahead(Generic[Item]):
    """Takes items from a generator before they are asked for.

    Kernels let go of the interpreter, so decoding one batch and judging the one before it go on at
    once. Used by one reader.
    """

    def __init__(self, items: Generator[Item, None, None], *, depth: int, name: str) -> None:
        """Begin at once.

        Args:
            items: What to run. From here on only the thread touches it, and closes it.
            depth: Most items that wait for the reader.
            name: Names the thread.
        """
        self._items = items
        self._depth = depth
        self._condition = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._failure: BaseException | None = None
        self._ended = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether every item was taken and none will come."""
        with self._condition:
            return self._ended and not self._waiting

    def take(self, *, within_seconds: float) -> Item | None:
        """The next item; None when none came in time, or none will come (`ended`).

        Raises:
            BaseException: What the generator raised, once all items before it were taken.
        """
        with self._condition:
            item = self.more(within_seconds=within_seconds)
            if item is None and not self._waiting and self._failure is not None:
                raise self._failure
            return item

    def more(self, *, within_seconds: float) -> Item | None:
        """As `take`, for who holds items already: a failure is left for `take` to raise."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._ended, within_seconds)
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            self._condition.notify_all()
            return item

    def close(self) -> None:
        """Take nothing more from the generator; one that waits for its source ends later."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where items are taken
            self._failure = error
        finally:
            self._items.close()
            with self._condition:
                self._ended = True
                self._condition.notify_all()

    def _put(self, item: Item) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self._closed or len(self._waiting) < self._depth)
            if not self._closed:
                self._waiting.append(item)
                self._condition.notify_all()
            return not self._closed
