"""Who works: a bounded number of jobs at a time, each for a while, first come first served."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE_SECONDS = 0.2
"""How long a job works before it lets others pass, if any wait."""

_LOOK_SECONDS = 0.1


class Turns:
    """Turns at work, handed out in the order they were asked for."""

    def __init__(self, at_a_time: int, *, slice_seconds: float = SLICE_SECONDS) -> None:
        """Begin with all turns free.

        Args:
            at_a_time: How many there are.
            slice_seconds: How long one is kept when others wait.
        """
        self.slice_seconds = slice_seconds
        self._condition = threading.Condition()
        self._free = at_a_time
        self._line: deque[object] = deque()

    def __len__(self) -> int:
        """How many wait for a turn."""
        with self._condition:
            return len(self._line)

    @property
    def asked_for(self) -> bool:
        """Whether anybody waits for a turn."""
        return len(self) > 0

    def take(self, heed: Callable[[], None]) -> None:
        """Wait in line for a turn.

        Args:
            heed: Called now and then while waiting; what it raises gives up the place.
        """
        place = object()
        with self._condition:
            self._line.append(place)
        try:
            while not self._served(place):
                heed()
        except BaseException:
            self._leave(place)
            raise

    def give_back(self) -> None:
        """Hand a turn to whoever is next."""
        with self._condition:
            self._free += 1
            self._condition.notify_all()

    def _served(self, place: object) -> bool:
        with self._condition:
            found = self._condition.wait_for(
                lambda: self._free > 0 and self._line[0] is place, _LOOK_SECONDS
            )
            if found:
                self._free -= 1
                self._line.popleft()
                self._condition.notify_all()
            return found

    def _leave(self, place: object) -> None:
        with self._condition:
            if place in self._line:
                self._line.remove(place)
                self._condition.notify_all()
